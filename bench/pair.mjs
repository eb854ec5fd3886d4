// The Worker and its peer on the same data: the same keys, the same SQL, the same session.

import { readFile } from "node:fs/promises";
import { inRoot } from "../scripts/paths.mjs";
import { cookie, seed } from "./seed.mjs";
import { statements } from "./statements.mjs";
import { builtWorker, bundled, start } from "./workerd.mjs";

/** @typedef {import("./workerd.mjs").Program} Program */

export const PATH = "/api/v1/keys";
/** The number of keys in both databases. The member who asks has half of them. */
const KEYS = 10;
/** Headers that differ from one moment to the next, and say nothing about the answer. */
const OF_THE_MOMENT = ["x-request-id", "date", "connection", "keep-alive", "content-length", "transfer-encoding"];

/** Starts the Worker and its peer on equal data. */
export async function startPair() {
  const ours = await start(await builtWorker());
  const peer = await start(await bundled("peer.mjs"), { vars: await peersVars() });
  await seed(ours, KEYS);
  await seed(peer, KEYS);
  return { ours, peer };
}

async function peersVars() {
  const sql = await statements();
  const lines = (await readFile(inRoot("public", "_headers"), "utf8")).matchAll(/^ {2}([\w-]+): (.+)$/gm);
  const headers = { ...Object.fromEntries([...lines].map(([, name, value]) => [name, value])), "cache-control": "no-store, no-transform" };
  return {
    BENCH_SQL: JSON.stringify({ session: sql.get("members::SESSION"), cards: sql.get("cards::OF_MEMBER"), ended: sql.get("runs::LAST_ENDED") }),
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
