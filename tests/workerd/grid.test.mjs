// Faults of the sandbox on the upstream operations that the Worker calls, on workerd. In each cell the promises of
// `oracle.mjs` hold right after the fault. Then the fault ends, two sweeps pass, nothing is left of it, and the member
// has a key. The grid is counted, and cells that mean nothing are named.
//
// What follows from a fault is shown for every fault of every operation by tests/native/grid.rs. Only workerd shows how
// its `fetch` reports a fault, which depends on the kind, on the method, and on whether the call is tried again. So each
// kind is played on a call of each form (those of a create are in faults.test.mjs, with the answer to each), and each
// operation with a lost answer and with a page instead of one.
// Each fault lasts for all tries of one call. A larger run (KEYCAP_SCALE) plays every kind on every operation, also
// faults of a single try, the stalls, which take a deadline each, and more moments of the same operations.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { inRoot } from "../../scripts/paths.mjs";
import {
  claiming, claimingUnderAGuardrail, claimingWith, isOver, namingAGuardrail, signingIn, sweepingAHold, sweepingALetGo,
  sweepingALostAssignment, sweepingAStray, sweepingAnAssignment, sweepingAnExpiry,
} from "./moments.mjs";
import { ASSIGN, CREATE, DELETE, Deployment, LIST, SCALE, inLanes } from "./support.mjs";

/** @typedef {import("./moments.mjs").Moment} Moment */

/**
 * How many deployments run cells at the same time. Most of a cell is waiting: for pauses between tries, workerd, the
 * sandbox.
 */
const LANES = 3;

const UNASSIGN = "openrouter.guardrails.unassign";

/** For each operation, a moment that calls it. @type {[string, Moment][]} */
const MOMENTS = [
  ["github.token", signingIn],
  ["github.user", signingIn],
  ["github.revoke", signingIn],
  [CREATE, claiming],
  [LIST, sweepingAStray],
  ["openrouter.keys.get", sweepingAnExpiry],
  ["openrouter.keys.update", sweepingAHold],
  [DELETE, claimingWith("echo_limit_larger")],
  ["openrouter.workspaces.get", sweepingAStray],
  ["openrouter.guardrails.get", namingAGuardrail],
  [ASSIGN, claimingUnderAGuardrail],
  [UNASSIGN, sweepingALetGo],
  ["openrouter.guardrails.assigned", sweepingAnAssignment],
  ["openrouter.guardrails.assignments", sweepingALostAssignment],
];
/** More moments of operations that are in the list above. @type {[string, Moment][]} */
const MORE_MOMENTS = [
  ["openrouter.keys.get", claimingWith("echo_expiry_missing")],
  [DELETE, sweepingAStray],
];

/** The forms of calls: a POST that is sent once, a GET, and a change that is tried again. */
const FORMS = ["github.token", LIST, DELETE];
/** What each operation is played with. */
const KINDS_OF_ALL = ["reset_after", "html"];

/** Operations of the sandbox that the Worker never calls. */
const NEVER_MADE = [
  "github.authorize", // the browser calls it
  // Signing in with Google is a course of events of its own, which the native tests play with every fault.
  "google.authorize",
  "google.token",
  "google.certs",
  "openrouter.authorize", "daydream.sign_in", // as well
  // The native tests play every fault of these: a hand-off asks each once.
  "openrouter.exchange", "daydream.key", "daydream.profile",
  "openrouter.key.current",
  ...["list", "create", "update", "delete"].map((name) => `openrouter.workspaces.${name}`),
  ...["list", "create", "delete"].map((name) => `openrouter.guardrails.${name}`),
  // These are called in courses of events that the native tests play: the usage of a night, the credit of the account, and
  // a closed workspace.
  "openrouter.credits.get",
  "openrouter.activity.get",
  "openrouter.analytics.meta",
  "openrouter.analytics.query",
  "openrouter.guardrails.update",
  // So are these: who has left the organization or the Workspace.
  "github.org.members",
  "github.org.member",
  "google.service_token",
  "google.users",
  "google.users.deleted",
  "google.users.get",
];

/** Operations that are sent once, whatever the answer is. */
const SENT_ONCE = ["github.token", "github.revoke", CREATE, ASSIGN, UNASSIGN];
/** Faults after which a safe call is tried again; three of them make one failed call. */
const RETRIED = ["reset_before", "reset_after", "error_before", "error_after", "truncated", "html_error", "late"];

/** What a kind of fault has to be told besides. @type {Record<string, { name: string }>} */
const OPTIONS = { key_named: { name: "key" } };

/** @param {string} file @param {RegExp} pattern */
async function namesIn(file, pattern) {
  return Array.from((await readFile(inRoot("sandbox", "src", file), "utf8")).matchAll(pattern), ([, name]) => name);
}

/** @typedef {{ name: string, operation: string, kind: string, times: number, moment: Moment }} Cell */

/** The cells that can be tried, and those that cannot, each with the reason. */
async function cells() {
  const kinds = await namesIn("faults.rs", /^ {4}[A-Z]\w+ "(\w+)"/gm);
  assert.ok(kinds.length >= 26, `the sandbox's faults: ${kinds}`);
  const made = new Set(MOMENTS.map(([operation]) => operation));
  const known = await namesIn("operation.rs", /^ {4}[A-Z]\w+ "([\w.]+)"/gm);
  assert.deepEqual([...new Set(known)].sort(), [...made, ...NEVER_MADE].sort(), "each operation is tried or never made");
  /** @type {Cell[]} */
  const tried = [];
  /** @type {Map<string, string[]>} */
  const not = new Map();
  for (const [operation, moment] of SCALE > 1 ? [...MOMENTS, ...MORE_MOMENTS] : MOMENTS) {
    for (const kind of kinds) {
      const why = (SCALE > 1 ? "" : larger(operation, kind)) || (await misfit(operation, kind));
      const whole = !SENT_ONCE.includes(operation) && RETRIED.includes(kind) ? 3 : 1;
      const times = SCALE > 1 && whole > 1 ? [1, whole] : [whole];
      if (why) not.set(why, [...(not.get(why) ?? []), `${operation} ${kind}`]);
      else tried.push(...times.map((times) => ({ name: `${operation} ${kind} ×${times}`, operation, kind, times, moment })));
    }
  }
  const all = tried.length + [...not.values()].flat().length;
  return { tried, not, all };
}

/** Why only the larger run has this cell; empty if every run has it. @param {string} operation @param {string} kind */
function larger(operation, kind) {
  if (kind.startsWith("stall")) return "they take a deadline each and are in the larger run";
  const isPlayed = FORMS.includes(operation) || KINDS_OF_ALL.includes(kind);
  return isPlayed ? "" : "another operation of the same form has them, and the larger run";
}

/**
 * Why a fault means nothing for an operation, as the sandbox says; empty if it means something.
 * @param {string} operation
 * @param {string} kind
 */
async function misfit(operation, kind) {
  const { sandbox } = deployments[0];
  try {
    await sandbox.fault({ operation, kind, ...OPTIONS[kind] });
    await sandbox.clearFaults();
    return "";
  } catch (error) {
    assert.match(String(error), /means nothing for/);
    return "a lie needs a key to tell it in, and only a create makes one";
  }
}

/** @param {Deployment} deployment @param {Cell} cell */
async function play(deployment, { operation, kind, times, moment }) {
  const who = await moment.prepare(deployment);
  const fired = async () => (await deployment.sandbox.ledger()).calls.filter((/** @type {any} */ call) => call.operation === operation && call.fault === kind).length;
  const before = await fired();
  await deployment.sandbox.fault({ operation, kind, times, ...OPTIONS[kind] });
  const acted = moment.act(deployment, who);
  if (kind.startsWith("hold")) {
    await deployment.sandbox.held(operation);
    await deployment.promises();
    await deployment.sandbox.release();
  }
  await acted;
  assert.ok((await fired()) > before, "the fault struck");
  await deployment.promises();
  await deployment.sandbox.land();
  await isOver(deployment, moment, who);
}

/** @type {Deployment[]} */
let deployments;
before(async () => {
  deployments = await Promise.all(Array.from({ length: LANES }, () => Deployment.open()));
  // With a key on record, the account is known by its workspace, and every sweep asks for that workspace.
  for (const deployment of deployments) assert.equal((await deployment.claim(await deployment.member())).status, 201);
});
after(() => Promise.all((deployments ?? []).map((deployment) => deployment.close())));

test("after every fault of a call of every form, and after faults of every upstream operation, all promises hold, and two sweeps later nothing is left over", async () => {
  const { tried, not, all } = await cells();
  await inLanes(deployments, tried, play);
  console.log(`counted: ${tried.length} cells of faults and operations on workerd (of ${all})`);
  for (const [why, names] of not) console.log(`not applicable: ${names.length} cells, ${why}: ${names.join(", ")}`);
  assert.deepEqual([...new Set(tried.map(({ operation }) => operation))].sort(), MOMENTS.map(([operation]) => operation).sort(), "each operation");
  assert.ok(tried.length >= 60, `${tried.length}`);
});
