// Where the processor time of a claim goes. One run makes claims and writes down what each asks of D1. Then each part of
// what a claim asks runs by itself against a copy of the database as it was before: its batches in D1 without the
// Worker, batches that do nothing, the rate limits, the call of OpenRouter, and the statements in SQLite without D1. What
// is left of the first figure is the program and the runtime's request. The floor is what remains if every batch has one
// small statement and nothing else costs anything.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { claim, inWaves, startSandbox } from "../tests/harness/index.mjs";
import { SIZES, WIDTH, member, meter, metered } from "./claims.mjs";
import { localVars } from "../scripts/local.mjs";
import { fixed, median, table } from "./numbers.mjs";
import { statements } from "./statements.mjs";
import { bundled, cpuMsOf, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */
/** @typedef {import("../tests/harness/index.mjs").Sandbox} Sandbox */
/** @typedef {import("../tests/harness/index.mjs").Client} Client */
/** @typedef {import("./metered.mjs").Ran} Ran */
/** @typedef {import("./replay.mjs").Statement} Statement */
/** @typedef {import("./replay.mjs").Asked} Asked */
/** @typedef {import("./run.mjs").Verdict} Verdict */

const ROUNDS = 3;

/** @param {Partial<typeof SIZES & { rounds: number }>} [sizes] @returns {Promise<Verdict[]>} */
export async function parts(sizes) {
  const { warmUps, claims: count, rounds } = { ...SIZES, rounds: ROUNDS, ...sizes };
  const sandbox = await startSandbox();
  try {
    const before = await start(await metered(), { sandboxUrl: sandbox.url });
    const members = await inWaves(WIDTH, warmUps + count, (n) => member(before, sandbox, n));
    await before.end();
    /** @type {Record<string, number>[]} */
    const measured = [];
    for (let n = 0; n < rounds; n += 1) {
      const whole = await claimed(before, sandbox, members, warmUps);
      measured.push({ ...whole.cpu, ...(await replayed(before, sandbox, whole.batches, warmUps)), ...(await inSqlite(before, whole.batches, warmUps)) });
    }
    await before.stop();
    shown(measured, count);
    return [];
  } finally {
    await sandbox.stop();
  }
}

/**
 * The members' claims, with what each part used and with the batches of each claim.
 * @param {Program} before @param {Sandbox} sandbox @param {Client[]} members @param {number} warmUps
 */
async function claimed(before, sandbox, members, warmUps) {
  await sandbox.reset();
  const worker = await start(await metered(), { sandboxUrl: sandbox.url, like: before });
  try {
    const warmed = await inWaves(WIDTH, warmUps, (n) => claim(members[n]));
    const used = () => ({ workerd: worker.cpuMs(), sandbox: cpuMsOf(sandbox.group.child.pid), load: process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000 });
    const [startedAt, at] = [performance.now(), used()];
    const count = members.length - warmUps;
    const answers = await inWaves(WIDTH, count, (n) => claim(members[warmUps + n]));
    const [took, now] = [performance.now() - startedAt, used()];
    assert.deepEqual([...warmed, ...answers].filter(({ status }) => status !== 201).map(({ text }) => text), []);
    const cpu = { "whole, ms": took, workerd: now.workerd - at.workerd, sandbox: now.sandbox - at.sandbox, "load generator": now.load - at.load };
    return { cpu, batches: byClaim(await meter(worker)) };
  } finally {
    await worker.stop();
  }
}

/** The batches of each generation in turn. @param {Ran[][]} trips @returns {Ran[][][]} */
function byClaim(trips) {
  /** @type {Map<string, Ran[][]>} */
  const claims = new Map();
  for (const trip of trips) {
    const generation = trip.flatMap(({ values }) => values).find((value) => `${value}`.startsWith("gen_"));
    claims.set(generation, [...(claims.get(generation) ?? []), trip]);
  }
  return [...claims.values()];
}

/** A statement of the same length that takes as many values and does nothing. @param {Statement} statement @returns {Statement} */
function idle({ sql, values }) {
  const start = `SELECT 1 WHERE 0 IN (${values.map((_, n) => `?${n + 1}`).join()}) -- `;
  return { sql: start.padEnd(sql.length, "x"), values };
}

/** The smallest batch that writes. */
const LEAST = [{ sql: "UPDATE settings SET pause_until = pause_until", values: [] }];
const LIMITS = ["LIMIT_CLAIM_ADDRESS", "LIMIT_CLAIM_MEMBER"];

/**
 * What a claim asks of its surroundings, each part by itself, and the least that any program would ask.
 * @param {Program} before @param {Sandbox} sandbox @param {Ran[][][]} claims @param {number} warmUps
 */
async function replayed(before, sandbox, claims, warmUps) {
  const calls = claims.map((_, n) => [mint(sandbox, n)]);
  const nothing = { batches: [], limits: [], calls: [] };
  /** @type {Record<string, Asked[]>} */
  const parts = {
    "D1: its batches": claims.map((batches) => ({ ...nothing, batches })),
    "D1: batches of statements as long that do nothing": claims.map((batches) => ({ ...nothing, batches: batches.map((batch) => batch.map(idle)) })),
    "D1: two batches of one small write": claims.map(() => ({ ...nothing, batches: [LEAST, LEAST] })),
    "two rate limits": claims.map(() => ({ ...nothing, limits: LIMITS })),
    "the call of OpenRouter": calls.map((calls) => ({ ...nothing, calls })),
    "the floor: small writes, limits, call": calls.map((calls) => ({ batches: [LEAST, LEAST], limits: LIMITS, calls })),
  };
  /** @type {Record<string, number>} */
  const cpu = {};
  for (const [name, asked] of Object.entries(parts)) {
    await sandbox.reset();
    const program = await start(await bundled("replay.mjs"), { like: before });
    try {
      await (await program.fetch("/", { method: "PUT", body: JSON.stringify(asked) })).text();
      const run = async (/** @type {number} */ from, /** @type {number} */ to) => {
        const answer = await program.fetch(`/?${new URLSearchParams({ width: `${WIDTH}`, from: `${from}`, to: `${to}` })}`, { method: "POST" });
        assert.equal(answer.status, 200, await answer.text());
      };
      await run(0, warmUps);
      const at = program.cpuMs();
      await run(warmUps, asked.length);
      cpu[name] = program.cpuMs() - at;
    } finally {
      await program.stop();
    }
  }
  return cpu;
}

/** A mint as the Worker asks for it. @param {Sandbox} sandbox @param {number} n */
function mint(sandbox, n) {
  const { OPENROUTER_API_URL, OPENROUTER_MANAGEMENT_KEY } = localVars({ origin: "", sandboxUrl: sandbox.url });
  const headers = { authorization: `Bearer ${OPENROUTER_MANAGEMENT_KEY}`, "content-type": "application/json" };
  return { url: `${OPENROUTER_API_URL}/keys`, init: { method: "POST", headers, body: JSON.stringify({ name: `bench/${n}`, limit: 5, limit_reset: "daily" }) } };
}

/** @param {Program} before @param {Ran[][][]} claims @param {number} warmUps */
async function inSqlite(before, claims, warmUps) {
  /** @type {Record<string, number>} */
  const cpu = {};
  for (const [name, triggers] of /** @type {const} */ ([["SQLite", true], ["SQLite without triggers", false]])) {
    const copy = await start(await bundled("replay.mjs"), { like: before });
    await copy.end();
    const db = new DatabaseSync(await databaseFile(copy));
    if (!triggers) for (const { name: trigger } of db.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all()) db.exec(`DROP TRIGGER ${trigger}`);
    const prepared = new Map(claims.flat(2).map(({ sql }) => [sql, db.prepare(sql)]));
    const spent = new Map([...prepared.keys(), "COMMIT"].map((sql) => [sql, 0]));
    const timed = (/** @type {number} */ n, /** @type {string} */ sql, /** @type {() => unknown} */ run) => {
      const at = process.cpuUsage();
      run();
      const { user, system } = process.cpuUsage(at);
      if (n >= warmUps) spent.set(sql, (spent.get(sql) ?? 0) + (user + system) / 1000);
    };
    for (const [n, batch] of claims.flatMap((batches, n) => batches.map((batch) => /** @type {const} */ ([n, batch])))) {
      db.exec("BEGIN");
      for (const { sql, values } of batch) timed(n, sql, () => prepared.get(sql)?.all(...values));
      timed(n, "COMMIT", () => db.exec("COMMIT"));
    }
    db.close();
    await copy.stop();
    const names = new Map([...(await statements())].map(([known, sql]) => [sql, known]));
    if (triggers) for (const [sql, ms] of spent) cpu[`${name}: ${names.get(sql) ?? sql}`] = ms;
    cpu[name] = [...spent.values()].reduce((sum, ms) => sum + ms, 0);
  }
  return cpu;
}

/** @param {Program} program */
async function databaseFile({ folder }) {
  const state = join(folder, "state", "d1", "miniflare-D1DatabaseObject");
  // Miniflare has a file of its own beside that of the database.
  const name = (await readdir(state)).find((file) => file.endsWith(".sqlite") && file !== "metadata.sqlite");
  return join(state, name ?? "no database");
}

/** @param {Record<string, number>[]} measured @param {number} count */
function shown(measured, count) {
  const rows = Object.keys(measured[0]).map((name) => [name, fixed(median(measured.map((round) => round[name])) / count, 3)]);
  console.log(table([["CPU ms a claim", "median"], ...rows]));
}
