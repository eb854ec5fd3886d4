// The plans, for choices.

import { call } from "../api.js";

/** @import { Plan } from "./types.js" */
/** @import { Outcome } from "../api.js" */

/** The names of the first fifty plans; none if they cannot be read. @returns {Promise<[string, string][]>} */
export async function planOptions() {
  const answer = /** @type {Outcome<{ plans: Plan[] }>} */ (await call("GET", "/api/v1/admin/plans"));
  return answer.outcome === "done" ? answer.body.plans.map(({ name }) => [name, name]) : [];
}
