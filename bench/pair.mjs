// The Worker, its peer and the floor on the same data: the same keys, the same SQL, the same session.

import { readFile } from "node:fs/promises";
import { inRoot } from "../scripts/paths.mjs";
import { PATH } from "./paths.mjs";
import { MEMBER, cookie, seed } from "./seed.mjs";
import { statements } from "./statements.mjs";
import { builtWasm, builtWorker, bundled, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */

/** The number of keys in both databases. The member who asks has half of them. */
const KEYS = 10;
/** Headers that differ from one moment to the next, and say nothing about the answer. */
const OF_THE_MOMENT = ["x-request-id", "date", "connection", "keep-alive", "content-length", "transfer-encoding"];

/** Starts the Worker and its peer on equal data. */
export async function startPair() {
  const [ours, peer] = [await start(await builtWorker()), await start(await bundled("peer.mjs"), { vars: await peersVars() })];
  await seed(ours, KEYS);
  await seed(peer, KEYS);
  return { ours, peer };
}

/** Starts the two of them so that each runs alone, with fakes of all that it calls. */
export async function startAlone() {
  const [ours, peer] = [await start([...(await bundled("alone-ours.mjs")), ...builtWasm()]), await start(await bundled("alone-peer.mjs"), { vars: await peersVars() })];
  await seed(ours, KEYS);
  await seed(peer, KEYS);
  return { ours, peer };
}

/** Starts the floor on equal data. It returns the answer of the Worker. @param {Program} ours */
export async function startFloor(ours) {
  const answer = await ours.fetch(PATH, { headers: { cookie: await cookie() } });
  const { BENCH_SQL, BENCH_HEADERS } = await peersVars();
  const headers = { ...JSON.parse(BENCH_HEADERS), "content-type": answer.headers.get("content-type"), "x-request-id": answer.headers.get("x-request-id") };
  const floor = await start(await bundled("floor.mjs"), { vars: { BENCH_SQL, BENCH_MEMBER: MEMBER, BENCH_BODY: await answer.text(), BENCH_HEADERS: JSON.stringify(headers) } });
  await seed(floor, KEYS);
  return floor;
}

async function peersVars() {
  const sql = await statements();
  const lines = (await readFile(inRoot("public", "_headers"), "utf8")).matchAll(/^ {2}([\w-]+): (.+)$/gm);
  const headers = { ...Object.fromEntries([...lines].map(([, name, value]) => [name, value])), "cache-control": "no-store, no-transform" };
  return {
    BENCH_SQL: JSON.stringify({ session: sql.get("members::SESSION"), cards: sql.get("cards::OF_MEMBER"), gone: sql.get("ended::OF_MEMBER"), unread: sql.get("workspaces::UNREAD_OF_MEMBER"), ended: sql.get("runs::LAST_ENDED") }),
    BENCH_HEADERS: JSON.stringify(headers),
  };
}

/**
 * What a program answers to a Cookie header, without the headers that differ from one moment to the next.
 * @param {Program} program @param {string} [sent]
 */
export async function answerOf(program, sent) {
  const answer = await program.fetch(PATH, { headers: { cookie: sent ?? (await cookie()) } });
  const headers = [...answer.headers].filter(([name]) => !OF_THE_MOMENT.includes(name));
  const text = await answer.text();
  return { status: answer.status, headers: Object.fromEntries(headers), body: answer.ok ? JSON.parse(text) : undefined };
}
