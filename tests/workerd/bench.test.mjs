// The benchmark compares like with like: the peer answers as the Worker does, and runs the same statements.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { alone } from "../../bench/alone.mjs";
import { claims, queries } from "../../bench/claims.mjs";
import { answerOf, startFloor, startPair } from "../../bench/pair.mjs";
import { parts } from "../../bench/parts.mjs";
import { cookie } from "../../bench/seed.mjs";

/** @type {Awaited<ReturnType<typeof startPair>>} */
let pair;
before(async () => {
  pair = await startPair();
});
after(() => Promise.all([pair?.ours.stop(), pair?.peer.stop()]));

test("the bench's peer and its floor answer a signed-in member as the Worker does: status, headers and JSON", async () => {
  const ours = await answerOf(pair.ours);
  assert.equal(ours.status, 200);
  assert.equal(ours.body.keys.length, 5);
  assert.deepEqual(await answerOf(pair.peer), ours);
  const floor = await startFloor(pair.ours);
  try {
    assert.deepEqual(await answerOf(floor), ours);
  } finally {
    await floor.stop();
  }
});

test("the bench's peer refuses the same sessions as the Worker: none, a forged one, an ended one", async () => {
  const genuine = await cookie();
  const ended = async () => {
    const change = "INSERT INTO audit (change_id, target, action, actor, at) SELECT 'ended', public_id, 'sessions_ended', 'bench', 1 FROM members WHERE owner_id = 1;\nUPDATE members SET epoch = epoch + 1, change_id = 'ended' WHERE owner_id = 1;\n";
    await Promise.all([pair.ours.sql(change), pair.peer.sql(change)]);
  };
  for (const [what, sent] of [["none", ""], ["forged", `${genuine.slice(0, -4)}AAAA`], ["ended", genuine]]) {
    if (what === "ended") await ended();
    for (const program of [pair.ours, pair.peer]) assert.equal((await answerOf(program, sent)).status, 401, what);
  }
});

test("the sections that count what D1 and OpenRouter are asked run to their end, and judge every budget of theirs", async () => {
  const judged = [...(await claims({ warmUps: 1, claims: 2 })), ...(await queries({ few: 10, many: 30, listings: 3 }))];
  assert.deepEqual(judged.map(({ what }) => what), [
    "claims a second",
    "claim: calls of OpenRouter",
    "claim: D1 round trips",
    "own keys: D1 round trips",
    "me: D1 round trips",
    "rows read at 30 keys: statements above 10 keys' × 1.5",
    "own keys at 30 keys against 10: time",
  ]);
  // Counts are the same in the smallest run; times cannot be measured with three requests.
  for (const { what, measured, met } of judged.filter(({ what }) => !/time$|second$/.test(what))) assert.equal(met, true, `${what}: ${measured}`);
});

test("the sections that run a program or the parts of a claim by themselves run to their end", async () => {
  const [ratio, ...others] = await alone({ rounds: 2, requests: 3, warmUps: 1 });
  assert.deepEqual(others, []);
  assert.match(ratio.measured, process.platform === "linux" ? /^\d+\.\d{3} × ± / : /not measured/);
  assert.deepEqual(await parts({ warmUps: 1, claims: 2, rounds: 1 }), []);
});
