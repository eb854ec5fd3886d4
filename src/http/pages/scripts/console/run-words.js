// What the console says about runs of jobs. The functions are pure.

import { span } from "../words.js";

/** @import { Run } from "./types.js" */
/** @import { Tone } from "../state-words.js" */

/** The jobs by name. @type {Record<string, string>} */
const JOBS = { sweep: "Sweep", reconcile: "Comparison", usage_sync: "Usage", spend_snapshot: "Spend", offboard: "Departures" };

/** @param {string} job */
export const jobName = (job) => JOBS[job] ?? job;

/** @type {Record<string, { word: string, tone: Tone, means: string }>} */
const OUTCOMES = {
  running: { word: "running", tone: "plain", means: "It works at this moment." },
  done: { word: "done", tone: "good", means: "Everything was done." },
  partial: { word: "partly done", tone: "warn", means: "Work is left. The next run continues." },
  failed: { word: "failed", tone: "bad", means: "A service that the run needs did not answer, or refused." },
  stopped: { word: "stopped", tone: "warn", means: "The run ended before its work was done." },
  abandoned: { word: "abandoned", tone: "bad", means: "The run died. The next one continues from where it had come." },
};

/** @param {Run} run */
export const outcomeWords = ({ outcome }) => OUTCOMES[outcome] ?? { word: outcome, tone: "plain", means: "" };

/** Why a run failed or stopped, and what to do. @type {Record<string, string>} */
const CODES = {
  stop_asked: "An administrator stopped it.",
  credential_refused: "OpenRouter refused the management key. Put a valid one into the secret of the Worker.",
  openrouter_busy: "OpenRouter asked us to slow down. The next run tries again.",
  openrouter_unavailable: "OpenRouter did not answer. The next run tries again.",
  list_repeats: "OpenRouter’s list repeated its first page, so the rest was not seen. The next run tries again.",
  storage_unavailable: "The database did not answer. The next run tries again.",
  lease_lost: "It was silent for so long that it counted as dead, and another run began.",
  brake: "More keys without a row were found than is plausible, so none of them was touched. Look at the findings.",
  foreign_instance: "The database belongs to another deployment.",
  foreign_account: "The management key belongs to another OpenRouter account.",
  database_restored: "The database is older than it was. Accept it under Switches once you have looked.",
  not_configured: "No directory is configured, so nobody was compared.",
  first_look: "The directory was looked at for the first time, or for the first time since its settings changed. Nobody was put out.",
  departures_held: "The list of those who are gone is implausibly long. It waits under Departures.",
  directory_half_configured: "One of the directory’s two settings is missing, so it was skipped.",
  directory_key_malformed: "What is set as the key file of the service account is none, so the directory was skipped.",
  directory_unavailable: "The directory did not answer. Nobody was put out.",
  directory_busy: "The directory asked us to slow down. Nobody was put out.",
  directory_forbidden: "The directory may not be read with these credentials. Nobody was put out.",
  directory_unreadable: "The directory’s answer could not be read. Nobody was put out.",
  directory_repeats: "The directory’s list repeated a page, so it was not seen as a whole. Nobody was put out.",
  directory_empty: "The directory listed nobody. Nobody was put out.",
  directory_shrunk: "The directory listed far fewer people than before, and they were not deleted. Nobody was put out. A list that stays so for a week is believed.",
  directory_contradicts: "The directory said of somebody whom it lists that they are gone. Nobody was put out.",
  directory_unauthorized: "Google does not let the service account act for that administrator, or not with that scope. Nobody was put out.",
  directory_no_subject: "Google knows no administrator of the name that is configured. Nobody was put out.",
  directory_clock: "Google’s clock and ours differ too much. Nobody was put out.",
  directory_key_refused: "Google refuses the key of the service account: it is wrong, disabled or deleted. Nobody was put out.",
  directory_token_refused: "Google gave no token to the service account. Nobody was put out.",
  directory_key_unusable: "The private key of the service account cannot sign. Nobody was put out.",
  errors: "Some rows failed. They are tried again by the next run.",
};

/** @param {string | null} code */
export const codeWords = (code) => (code === null ? "" : (CODES[code] ?? `Code: ${code}.`));

/** How long a run took, or has taken so far: "8 s". @param {Run} run @param {number} now */
export function tookWords({ started_at: from, ended_at: until }, now) {
  const ms = (until === null ? now : Date.parse(until)) - Date.parse(from);
  return ms < 60_000 ? `${Math.max(0, Math.round(ms / 1_000))} s` : span(ms);
}

/** What a run counted, without the zeros: "disabled 3, enabled 1". @param {Record<string, unknown>} counts */
export function countsWords(counts) {
  const some = Object.entries(counts).filter(([, value]) => (typeof value === "number" && value > 0) || value === true);
  return some.map(([name, value]) => (value === true ? name.replaceAll("_", " ") : `${name.replaceAll("_", " ")} ${value}`)).join(", ");
}
