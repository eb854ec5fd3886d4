// What the pages of a member show, in one answer: from the document itself, or from the API.

import { OVERVIEW, adopt, call, readRefusal } from "./api.js";

/** @import { Outcome } from "./api.js" */
/** @import { Overview } from "./types.js" */

/** @returns {Promise<Outcome<Overview>>} */
export async function askOverview() {
  const answer = /** @type {Outcome<Overview>} */ (await call("GET", OVERVIEW));
  return answer.outcome === "done" ? { ...answer, body: read(answer.body) } : answer;
}

/**
 * The overview that came with the document, so that nothing has to be waited for. Null if nobody is signed in, or if the
 * service could not read it then. It is taken once: later it would be old.
 * @returns {Outcome<Overview> | null}
 */
export function overviewInDocument() {
  const block = document.getElementById("overview");
  block?.remove();
  try {
    const body = JSON.parse(block?.textContent ?? "null");
    if (body === null) return null;
    adopt(body.me.member.id);
    return { outcome: "done", status: 200, body: read(body) };
  } catch {
    return null;
  }
}

/** @param {Overview} overview @returns {Overview} */
function read(overview) {
  const { claim } = overview.me;
  return { ...overview, me: { ...overview.me, claim: { ...claim, refusal: claim.refusal && readRefusal({ ...claim.refusal }) } } };
}
