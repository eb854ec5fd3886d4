// Breaks one statement of the Worker on real D1, and checks what becomes of the operation that the statement is part
// of.

import assert from "node:assert/strict";
import { claiming, isOver } from "./moments.mjs";
import { secretsIn } from "./support.mjs";

/** @typedef {import("./support.mjs").Deployment} Deployment */
/** @typedef {import("./support.mjs").Answer} Answer */
/** @typedef {import("./moments.mjs").Moment} Moment */

/** @param {Deployment} deployment @param {string} when such as "BEFORE INSERT ON audit WHEN NEW.action = 'recorded'" */
export async function breakAt(deployment, when) {
  await deployment.worker.d1(`CREATE TRIGGER broken_by_a_test ${when} BEGIN SELECT RAISE(ABORT, 'broken by a test'); END`);
}
/** @param {Deployment} deployment */
export const mend = (deployment) => deployment.worker.d1("DROP TRIGGER IF EXISTS broken_by_a_test");

export const audit = (/** @type {string} */ action) => `BEFORE INSERT ON audit WHEN NEW.action = '${action}'`;
export const becomes = (/** @type {string} */ state) => `BEFORE UPDATE ON generations WHEN NEW.state = '${state}' AND OLD.state <> NEW.state`;

/**
 * Breaks each statement of an operation in turn: the answer is an error in our own words, and nothing has changed. If
 * no statement is broken, the operation succeeds.
 * @param {Deployment} deployment @param {() => Promise<unknown>} state what must not change
 * @param {() => Promise<Answer>} act @param {[string][]} rows
 */
export async function isWhole(deployment, state, act, rows) {
  for (const [when] of rows) {
    const was = await state();
    await breakAt(deployment, when);
    const answer = await act();
    await mend(deployment);
    assert.deepEqual([answer.status, answer.body?.code], [500, "internal"], `${when}: ${answer.text}`);
    assert.deepEqual(await state(), was, when);
  }
  const answer = await act();
  assert.ok(answer.status < 300, `${answer.status} ${answer.text}`);
  return answer;
}

/**
 * A claim or a sweep with a broken statement fails in our own words. Once the statement works again, nothing of the
 * failure is left.
 * @param {Deployment} deployment
 * @param {Moment} moment
 * @param {string} when
 */
export async function breaksIn(deployment, moment, when) {
  const who = await moment.prepare(deployment);
  await breakAt(deployment, when);
  const ended = await moment.act(deployment, who);
  if (moment.act === claiming.act) assert.ok(ended.status >= 500 && secretsIn(ended).length === 0, `${ended.status} ${ended.text}`);
  // If the database refuses a statement for one row, only that row fails, and the other rows have their turn.
  else assert.ok(["failed storage_unavailable", "partial errors"].includes(`${ended.outcome} ${ended.code}`), `${ended.outcome} ${ended.code}`);
  await deployment.promises();
  await mend(deployment);
  await isOver(deployment, moment, who);
}
