// Claims by distinct signed-in members against the sandbox: how many per second, and what each asks of D1 and of
// OpenRouter. It also measures what D1 reads for the hot statements, in a deployment with few keys and in one with very
// many.

import assert from "node:assert/strict";
import { Client, claim, inWaves, secretsIn, signIn, startSandbox } from "../tests/harness/index.mjs";
import { fixed, median, table } from "./numbers.mjs";
import { PATH } from "./pair.mjs";
import { FIRST_HAS, cookie, seed } from "./seed.mjs";
import { statements } from "./statements.mjs";
import { bundled, builtWorker, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {import("../tests/harness/index.mjs").Sandbox} Sandbox */
/** @typedef {import("./metered.mjs").Ran} Ran */
/** @typedef {import("./run.mjs").Verdict} Verdict */
/** @typedef {Record<string, Ran[][]>} Metered  the round trips of each request */

/** How much is measured. The test that runs all sections to their end takes less. */
const SIZES = { claims: 100, few: 10, many: 100_000, listings: 300 };
/** Claims that run at the same time. */
const WIDTH = 8;

/** @typedef {typeof SIZES} Sizes */

/** @param {Partial<Sizes>} [sizes] @returns {Promise<Verdict[]>} */
export async function claims(sizes) {
  const { claims: count } = { ...SIZES, ...sizes };
  const sandbox = await startSandbox();
  const worker = await start(await metered(), { sandboxUrl: sandbox.url });
  try {
    const members = await inWaves(WIDTH, count, (n) => member(worker, sandbox, n));
    await worker.fetch("/_meter");
    const startedAt = performance.now();
    const answers = await inWaves(WIDTH, count, (n) => claim(members[n]));
    const took = (performance.now() - startedAt) / 1000;
    assert.deepEqual(answers.filter(({ status }) => status !== 201).map(({ text }) => text), []);
    assert.equal(new Set(answers.flatMap(secretsIn)).size, count, "every member has a secret of their own");
    const calls = (await sandbox.ledger()).counts["openrouter.keys.create"] / count;
    const trips = (await meter(worker)).length / count;
    console.log(`  ${fixed(count / took, 1)} claims a second, ${WIDTH} at a time; ${count} secrets, each given out once`);
    return [
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
async function metered() {
  const wasm = (await builtWorker()).filter(({ type }) => type === "CompiledWasm");
  return [...(await bundled("metered.mjs")), ...wasm];
}

/**
 * A program as the tests' client expects a Worker: the client uses nothing that a program lacks.
 * @param {Program} program
 */
const asWorker = (program) => /** @type {import("../tests/harness/index.mjs").Worker} */ (/** @type {unknown} */ (program));

/** Signs a member in. @param {Program} worker @param {Sandbox} sandbox @param {number} n */
const member = (worker, sandbox, n) => signIn(asWorker(worker), sandbox, `load-${n}`, { client: new Client(asWorker(worker)) });

/** The round trips since the meter was last read. @param {Program} worker @returns {Promise<Ran[][]>} */
const meter = async (worker) => /** @type {any} */ (await (await worker.fetch("/_meter")).json());

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
