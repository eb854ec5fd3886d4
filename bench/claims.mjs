// Claims by distinct signed-in members against the sandbox: how many per second, and what each asks of D1 and of
// OpenRouter. It also measures what D1 reads for the hot statements, in a deployment with few keys and in one with very
// many.

import assert from "node:assert/strict";
import { Client, claim, inWaves, secretsIn, signIn, startSandbox } from "../tests/harness/index.mjs";
import { fixed, median, table } from "./numbers.mjs";
import { PATH } from "./paths.mjs";
import { FIRST_HAS, cookie, seed } from "./seed.mjs";
import { statements } from "./statements.mjs";
import { builtWasm, bundled, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {import("../tests/harness/index.mjs").Sandbox} Sandbox */
/** @typedef {import("./metered.mjs").Ran} Ran */
/** @typedef {import("./run.mjs").Verdict} Verdict */
/** @typedef {Record<string, Ran[][]>} Metered  the round trips of each request */

/**
 * How much is measured. Claims come after many others: a fresh process spends most of its time with V8's compiler. The
 * test that runs all sections to their end takes less.
 */
export const SIZES = { warmUps: 300, claims: 200, few: 10, many: 100_000, listings: 300 };
/** An aim: it depends on the machine, and on what else runs there. */
const CLAIMS_A_SECOND = 290;
/** Claims that run at the same time. */
export const WIDTH = 8;

/** @typedef {typeof SIZES} Sizes */

/** @param {Partial<Sizes>} [sizes] @returns {Promise<Verdict[]>} */
export async function claims(sizes) {
  const { claims: count, warmUps } = { ...SIZES, ...sizes };
  const sandbox = await startSandbox();
  const worker = await start(await metered(), { sandboxUrl: sandbox.url });
  try {
    const members = await inWaves(WIDTH, warmUps + count, (n) => member(worker, sandbox, n));
    const warmed = await inWaves(WIDTH, warmUps, (n) => claim(members[n]));
    await worker.fetch("/_meter");
    const [startedAt, cpuBefore] = [performance.now(), worker.cpuMs()];
    const measured = await inWaves(WIDTH, count, (n) => claim(members[warmUps + n]));
    const took = (performance.now() - startedAt) / 1000;
    const cpuMs = (worker.cpuMs() - cpuBefore) / count;
    const trips = (await meter(worker)).length / count;
    const answers = [...warmed, ...measured];
    assert.deepEqual(answers.filter(({ status }) => status !== 201).map(({ text }) => text), []);
    assert.equal(new Set(answers.flatMap(secretsIn)).size, members.length, "every member has a secret of their own");
    const calls = (await sandbox.ledger()).counts["openrouter.keys.create"] / members.length;
    console.log(`  ${WIDTH} at a time, ${fixed(cpuMs)} ms of workerd's processor time for each; ${members.length} secrets, each given out once`);
    const perSecond = count / took;
    return [
      { what: "claims a second", limit: `≥ ${CLAIMS_A_SECOND}`, measured: fixed(perSecond, 0), met: perSecond >= CLAIMS_A_SECOND, aim: true },
      { what: "claim: calls of OpenRouter", limit: "1", measured: `${calls}`, met: calls === 1 },
      { what: "claim: D1 round trips", limit: "2", measured: `${trips}`, met: trips === 2 },
    ];
  } finally {
    await Promise.all([worker.stop(), sandbox.stop()]);
  }
}

/** @param {Partial<Sizes>} [sizes] @returns {Promise<Verdict[]>} */
export async function queries(sizes) {
  const size = { ...SIZES, ...sizes };
  const sandbox = await startSandbox();
  const [few, many] = [await start(await metered(), { sandboxUrl: sandbox.url }), await start(await metered(), { sandboxUrl: sandbox.url })];
  try {
    await seed(few, size.few);
    await seed(many, size.many);
    const [inFew, inMany] = [await hotRequests(few, sandbox), await hotRequests(many, sandbox)];
    const grown = await compared(inFew, inMany, size);
    const ratio = await listingRatio(few, many, size);
    return [
      { what: "own keys: D1 round trips", limit: "1", measured: `${inMany.keys.length}`, met: inMany.keys.length === 1 },
      { what: "me: D1 round trips", limit: "1", measured: `${inMany.me.length}`, met: inMany.me.length === 1 },
      { what: `rows read at ${size.many} keys: statements above ${size.few} keys' × 1.5`, limit: "none", measured: grown.join(", ") || "none", met: grown.length === 0 },
      { what: `own keys at ${size.many} keys against ${size.few}: time`, limit: "≤ 1.50 ×", measured: `${fixed(ratio)} ×`, met: ratio <= 1.5 },
    ];
  } finally {
    await Promise.all([few.stop(), many.stop(), sandbox.stop()]);
  }
}

/** The built Worker behind the meter. The bundle contains the Worker's scripts, and imports its wasm module. */
export async function metered() {
  return [...(await bundled("metered.mjs")), ...builtWasm()];
}

/**
 * A program as the tests' client expects a Worker: the client uses nothing that a program lacks.
 * @param {Program} program
 */
const asWorker = (program) => /** @type {import("../tests/harness/index.mjs").Worker} */ (/** @type {unknown} */ (program));

/** Signs a member in. @param {Program} worker @param {Sandbox} sandbox @param {number} n */
export const member = (worker, sandbox, n) => signIn(asWorker(worker), sandbox, `load-${n}`, { client: new Client(asWorker(worker)) });

/** The round trips since the meter was last read. @param {Program} worker @returns {Promise<Ran[][]>} */
export const meter = async (worker) => /** @type {any} */ (await (await worker.fetch("/_meter")).json());

/**
 * Measures what the hot requests ask of D1.
 * @param {Program} worker @param {Sandbox} sandbox @returns {Promise<Metered>}
 */
async function hotRequests(worker, sandbox) {
  const client = await member(worker, sandbox, 1);
  await meter(worker);
  /** @type {Metered} */
  const seen = {};
  for (const [name, request] of /** @type {const} */ ([["me", () => client.get("/api/v1/me")], ["claim", () => claim(client)], ["keys", () => client.get(PATH)]])) {
    const { status, text } = await request();
    assert.ok(status < 300, `${name}: ${status} ${text}`);
    seen[name] = await meter(worker);
  }
  return seen;
}

/**
 * Prints what each statement read. Returns the names of those that read more in the larger deployment.
 * @param {Metered} inFew @param {Metered} inMany @param {Sizes} sizes
 */
async function compared(inFew, inMany, { few: fewer, many: more }) {
  const names = new Map([...(await statements())].map(([name, sql]) => [sql, name]));
  const grown = [];
  const rows = [["request", "statement", `rows read at ${fewer}`, `at ${more}`, "rows written"]];
  for (const [request, trips] of Object.entries(inFew)) {
    const larger = inMany[request].flat();
    for (const [n, few] of trips.flat().entries()) {
      const name = names.get(few.sql) ?? "unknown";
      rows.push([request, name, `${few.rowsRead}`, `${larger[n].rowsRead}`, `${few.rowsWritten}`]);
      if (larger[n].rowsRead > few.rowsRead * 1.5) grown.push(name);
    }
  }
  console.log(table(rows));
  return grown;
}

/**
 * Asks for the first member's five keys, in the two deployments in turn. Returns the ratio of the median times.
 * @param {Program} few @param {Program} many @param {Sizes} sizes
 */
async function listingRatio(few, many, { few: fewer, many: more, listings }) {
  const headers = { cookie: await cookie() };
  /** @type {Map<Program, number[]>} */
  const took = new Map([[few, []], [many, []]]);
  for (let n = 0; n < listings; n += 1) {
    for (const [program, times] of took) {
      const startedAt = performance.now();
      const answer = await program.fetch(PATH, { headers });
      assert.equal(/** @type {any} */ (await answer.json()).keys.length, FIRST_HAS);
      times.push(performance.now() - startedAt);
    }
  }
  const [small, large] = [...took.values()].map(median);
  console.log(`  a page of own keys: ${fixed(small)} ms at ${fewer} keys, ${fixed(large)} ms at ${more} (medians of ${listings})`);
  return large / small;
}
