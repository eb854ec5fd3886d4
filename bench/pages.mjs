// What a visit of `/keys` costs a member who has a key: requests, bytes, and the time until the page can be used, with
// a round trip of 150 ms. Each visit has a browser of its own on the same profile; the cache is emptied before a cold
// one. The browser delays each answer itself. It has no connection to set up as on the way to a real host, where the
// first visit takes two or three round trips more.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CLAIM, signIn } from "../tests/harness/index.mjs";
import { Deployment } from "../tests/browser/support.mjs";
import { fixed, median } from "./numbers.mjs";

/** @typedef {import("./run.mjs").Verdict} Verdict */
/** @typedef {{ requests: string[], bytes: number, usableMs: number }} Visit */

const ROUND_TRIP_MS = 150;
const ROUNDS = 5;
const MEMBER = "load-1";

/** The icon, for which a browser without a window does not ask. */
const ICON = 1;
const BUDGET = { coldRequests: 7, warmRequests: 3, coldMs: 700, warmMs: 500 };

/** @returns {Promise<Verdict[]>} */
export async function pages() {
  const deployment = await Deployment.open();
  const folder = await mkdtemp(join(tmpdir(), "keycap-bench-profile-"));
  try {
    const client = await signIn(deployment.worker, deployment.sandbox, MEMBER);
    await client.post("/api/v1/claim", CLAIM);
    const member = await deployment.returning(folder);
    await member.signIn(MEMBER);
    await member.leave();
    /** @type {Visit[]} */
    const cold = [];
    /** @type {Visit[]} */
    const warm = [];
    for (let n = 0; n < ROUNDS; n += 1) {
      cold.push(await visit(deployment, folder, { isCold: true }));
      warm.push(await visit(deployment, folder, { isCold: false }));
    }
    return [...verdicts("cold", cold, BUDGET.coldRequests - ICON, BUDGET.coldMs), ...verdicts("warm", warm, BUDGET.warmRequests, BUDGET.warmMs)];
  } finally {
    await rm(folder, { recursive: true, force: true });
    await deployment.close();
  }
}

/**
 * The time is an aim: it depends on this machine, and on what else runs there.
 * @param {string} kind @param {Visit[]} visits @param {number} mostRequests @param {number} mostMs
 * @returns {Verdict[]}
 */
function verdicts(kind, visits, mostRequests, mostMs) {
  const most = visits.reduce((one, other) => (other.requests.length > one.requests.length ? other : one));
  const [ms, bytes] = [median(visits.map(({ usableMs }) => usableMs)), median(visits.map((visit) => visit.bytes))];
  console.log(`  ${kind}: ${fixed(bytes / 1000, 1)} KB in ${most.requests.length} requests: ${most.requests.join(", ")}`);
  return [
    { what: `/keys, ${kind}: requests`, limit: `≤ ${mostRequests}`, measured: `${most.requests.length}`, met: most.requests.length <= mostRequests },
    { what: `/keys, ${kind}: usable at ${ROUND_TRIP_MS} ms a round trip`, limit: `≤ ${mostMs} ms`, measured: `${fixed(ms, 0)} ms`, met: ms <= mostMs, aim: true },
  ];
}

/** @param {Deployment} deployment @param {string} folder @param {{ isCold: boolean }} options @returns {Promise<Visit>} */
async function visit(deployment, folder, { isCold }) {
  const visitor = await deployment.returning(folder);
  const network = await visitor.network();
  if (isCold) await network.emptyCache();
  await network.delay(ROUND_TRIP_MS);
  await visitor.page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (document.querySelector('#keys[aria-busy="false"] .card .actions') === null) return;
      observer.disconnect();
      Object.assign(window, { usableMs: performance.now() });
    }).observe(document, { subtree: true, childList: true, attributes: true });
  });
  await visitor.open("/keys");
  await visitor.page.getByText("Figures are live").waitFor();
  const usableMs = await visitor.page.evaluate(() => /** @type {any} */ (window).usableMs);
  await visitor.leave();
  return { requests: network.requests(), bytes: network.bytes(), usableMs };
}
