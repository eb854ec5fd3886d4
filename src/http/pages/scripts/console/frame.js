// The frame of the console: who is signed in, which section the address names, and the keys of the keyboard.

import { AUDIT_VIEW } from "./audit.js";
import { BULK_LIST_VIEW, BULK_VIEW } from "./bulk.js";
import { DEPARTURES_VIEW } from "./departures.js";
import { equipFind } from "./find.js";
import { KEYS_VIEW } from "./keys.js";
import { MEMBER_VIEW } from "./member.js";
import { MEMBERS_VIEW } from "./members.js";
import { OVERVIEW_VIEW } from "./overview.js";
import { ALLOTMENTS_VIEW, BLOCKS_VIEW } from "./people.js";
import { PLANS_VIEW } from "./plans.js";
import { PROVIDERS_VIEW } from "./providers.js";
import { REQUESTS_VIEW } from "./requests.js";
import { RUN_VIEW } from "./run.js";
import { RUNS_VIEW } from "./runs.js";
import { SWITCHES_VIEW } from "./switches.js";
import { WORKSPACES_VIEW } from "./workspaces.js";
import { equipKeyboard } from "./keyboard.js";
import { render } from "../html.js";
import { call } from "../api.js";
import { showAccount, watchAccount } from "../shell.js";
import { failed, signedOutView } from "./parts.js";

/** @import { Me } from "../types.js" */
/** @import { Outcome } from "../api.js" */

/**
 * A section: the pattern of its address, and what shows it. The function gets the place to render into and the id in
 * the address.
 * @typedef {{ address: RegExp, open: (host: HTMLElement, id: string) => Promise<void> }} View
 */

/** @type {View[]} */
const VIEWS = [OVERVIEW_VIEW, MEMBERS_VIEW, MEMBER_VIEW, KEYS_VIEW, BULK_LIST_VIEW, BULK_VIEW, REQUESTS_VIEW, SWITCHES_VIEW, RUNS_VIEW, RUN_VIEW, PLANS_VIEW, WORKSPACES_VIEW, PROVIDERS_VIEW, BLOCKS_VIEW, ALLOTMENTS_VIEW, DEPARTURES_VIEW, AUDIT_VIEW];

/** Opens the page that the address names. Every change needs to know whose page this is, so that is asked first. */
export async function openPage() {
  const host = /** @type {HTMLElement} */ (document.getElementById("console"));
  const out = () => {
    showAccount(null);
    emptied(host);
    render(signedOutView(), host);
    host.setAttribute("aria-busy", "false");
  };
  watchAccount({ signedIn: showAccount, signedOut: out });
  equipKeyboard();
  equipFind();
  const me = /** @type {Outcome<Me>} */ (await call("GET", "/api/v1/me"));
  if (me.outcome === "refused" && me.status === 401) return out();
  if (me.outcome === "done") showAccount(me.body);
  emptied(host);
  if (me.outcome !== "done") render(failed(me, () => location.reload()), host);
  else await openView(host);
  host.setAttribute("aria-busy", "false");
}

/** Removes what the document showed while the script was on its way. @param {HTMLElement} host */
function emptied(host) {
  if (host.querySelector(".bones") !== null) host.replaceChildren();
}

/** @param {HTMLElement} host */
async function openView(host) {
  for (const { address, open } of VIEWS) {
    const found = address.exec(location.pathname);
    if (found !== null) return open(host, decodeURIComponent(found[1] ?? ""));
  }
}
