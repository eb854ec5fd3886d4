// Leaks that anyone reports: the time of the answer says nothing, and a key of ours is off within seconds.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { Client, until } from "../harness/index.mjs";
import { Deployment } from "./support.mjs";

const CALLS = 100;

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open({ vars: { MAX_TOTAL_KEYS: String(2 * CALLS) } });
});
after(() => deployment?.close());

/** @param {string} text */
const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** @param {number[]} numbers */
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** How many keys have the hold of a leak and are off at OpenRouter. */
async function off() {
  const [{ n }] = await deployment.worker.d1(
    "SELECT COUNT(*) AS n FROM holds h JOIN generations g ON g.key_id = h.key_id WHERE h.reason = 'leak' AND g.state = 'disabled' AND g.switch_doubted_at IS NULL",
  );
  return Number(n);
}

test("a report of a key of ours and one of any other text take as long, within 15 %", async (t) => {
  const members = await deployment.members(CALLS);
  const secrets = [];
  for (const member of members) secrets.push((await deployment.claim(member)).body.secret);
  const anyone = new Client(deployment.worker);
  /** @type {{ hit: number[], miss: number[] }} */
  const times = { hit: [], miss: [] };
  const bodies = new Set();
  for (let n = 0; n < CALLS; n += 1) {
    // Which of the two comes first alternates as well.
    /** @type {("hit" | "miss")[]} */
    const order = n % 2 ? ["miss", "hit"] : ["hit", "miss"];
    for (const kind of order) {
      const found = kind === "hit" ? sha256(secrets[n]) : sha256(`nobody's ${n}`);
      const began = performance.now();
      const answer = await anyone.post("/api/v1/leaks", { sha256: found });
      times[kind].push(performance.now() - began);
      assert.equal(answer.status, 202);
      bodies.add(answer.text);
      // What is done after the answer must not slow the next report.
      const done = kind === "hit" || n % 2 === 0 ? n + 1 : n;
      await until(async () => (await off()) === done, { seconds: 10, what: "the key to be off", everyMs: 2 });
    }
  }
  assert.equal(bodies.size, 1);
  const [hit, miss] = [median(times.hit), median(times.miss)];
  t.diagnostic(`medians over ${2 * CALLS} alternated calls: hit ${hit.toFixed(2)} ms, miss ${miss.toFixed(2)} ms, ratio ${(hit / miss).toFixed(3)}`);
  assert.ok(Math.abs(hit / miss - 1) <= 0.15, `hit ${hit} ms, miss ${miss} ms`);
  for (const member of members.slice(0, 3)) assert.deepEqual(await deployment.working(member), []);
});
