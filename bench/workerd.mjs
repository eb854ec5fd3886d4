// A program on workerd with the Worker's bindings and nothing around it. `wrangler dev` puts two proxies, an inspector
// and a server for static files before it, which cost more than the compared routes.

import { readFileSync, readdirSync } from "node:fs";
import { cp, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { parse } from "smol-toml";
import { SCRIPTS } from "../scripts/build.mjs";
import { localVars } from "../scripts/local.mjs";
import { inRoot, npmBin, root } from "../scripts/paths.mjs";
import { freePort } from "../scripts/ports.mjs";
import { run } from "../scripts/process.mjs";

/** @typedef {{ type: "ESModule" | "CompiledWasm", path: string, contents?: string }} Module */

/** By these names, the programs of bench/ import modules of the built Worker. */
const ALIASES = { "keycap:built": "program.mjs", "keycap:entry": "entry.mjs" };
/** An address where nothing listens: most measurements call no upstream. */
const NOBODY = "http://127.0.0.1:9";
/** A limit so high that the rate limiters are called and never refuse. */
const NEVER = 1_000_000_000;
/** More seats than any measurement has keys. */
const SEATS = "1000000";

/** The modules of the Worker that `npm run build` made. @returns {Promise<Module[]>} */
export async function builtWorker() {
  return [...SCRIPTS.map((name) => ({ type: /** @type {const} */ ("ESModule"), path: inRoot("build", name) })), ...builtWasm()];
}

/** Its wasm module, which a bundle of its scripts imports. @returns {Module[]} */
export const builtWasm = () => [{ type: "CompiledWasm", path: inRoot("build", "index_bg.wasm") }];

/** A program of bench/, bundled and minified as wrangler does it. @param {string} name @returns {Promise<Module[]>} */
export async function bundled(name) {
  const platform = ["--conditions=workerd,worker,browser", "--external:cloudflare:*", "--external:*.wasm", ...Object.entries(ALIASES).map(([name, file]) => `--alias:${name}=${inRoot("build", file)}`)];
  const { stdout } = await run(npmBin("esbuild"), [inRoot("bench", name), "--bundle", "--minify", "--format=esm", ...platform], { cwd: root });
  return [{ type: "ESModule", path: inRoot("build", name), contents: stdout }];
}

/** The processor time in milliseconds that the threads of a process have used so far; NaN where there is no /proc. @param {number | undefined} pid */
export function cpuMsOf(pid) {
  if (pid === undefined || process.platform !== "linux") return NaN;
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((thread) => Number(readFileSync(`${tasks}/${thread}/schedstat`, "utf8").split(" ")[0]));
  return nanoseconds.reduce((sum, ns) => sum + ns, 0) / 1e6;
}

/**
 * A running program. It has what the tests' client needs of a Worker: `url`, `fetch`, and a list of what the Worker
 * answered.
 */
export class Program {
  /** @type {import("../tests/harness/worker.mjs").Worker["answers"]} */
  answers = [];

  /** @param {Miniflare} miniflare @param {string} folder @param {number} port @param {number | undefined} pid */
  constructor(miniflare, folder, port, pid) {
    this.miniflare = miniflare;
    this.folder = folder;
    this.port = port;
    this.url = `http://localhost:${port}`;
    this.pid = pid;
  }

  /** Sends a request as it is, and does not follow redirects. @param {string} path @param {RequestInit} [init] */
  async fetch(path, init) {
    return fetch(new URL(path, this.url), { redirect: "manual", ...init });
  }

  /** Runs statements that end in ";" and a line break, as one transaction. @param {string} sql */
  async sql(sql) {
    const db = await this.miniflare.getD1Database("DB");
    await db.batch(sql.split(/;\n/).filter((text) => text.trim()).map((text) => db.prepare(text)));
  }

  /** The processor time in milliseconds that its workerd has used so far. */
  cpuMs() {
    return cpuMsOf(this.pid);
  }

  /** Ends its processes, and leaves its database in its folder. */
  async end() {
    await this.miniflare.dispose();
  }

  async stop() {
    await this.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/**
 * Starts a program on a new database with the migrations, or on a copy of the database of a program that has ended.
 * @param {Module[]} modules
 * @param {{ sandboxUrl?: string, vars?: Record<string, string>, like?: Program }} [options]
 */
export async function start(modules, { sandboxUrl = NOBODY, vars = {}, like } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "keycap-bench-"));
  if (like) await cp(join(like.folder, "state"), join(folder, "state"), { recursive: true });
  // The database is bound to the address of the program that made it.
  const port = like?.port ?? (await freePort());
  const before = children();
  const settings = { ...localVars({ origin: `http://localhost:${port}`, sandboxUrl }), MAX_TOTAL_KEYS: SEATS, ...vars };
  const miniflare = new Miniflare(convertV4MiniflareOptions(await options(modules, { folder, port, settings })));
  await miniflare.ready;
  const [pid] = children().filter((child) => !before.includes(child));
  const program = new Program(miniflare, folder, port, pid);
  if (!like) await migrate(miniflare);
  return program;
}

/** @param {Miniflare} miniflare */
async function migrate(miniflare) {
  const db = await miniflare.getD1Database("DB");
  for (const name of (await readdir(inRoot("migrations"))).sort()) await db.prepare(await readFile(inRoot("migrations", name), "utf8")).run();
}

/**
 * @param {Module[]} modules
 * @param {{ folder: string, port: number, settings: Record<string, string> }} here
 * @returns {Promise<import("miniflare").V4MiniflareOptions>}
 */
async function options(modules, { folder, port, settings }) {
  const committed = /** @type {Record<string, any>} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
  const limits = committed.ratelimits.map((/** @type {any} */ { name, namespace_id, simple }) => [name, { namespace_id, simple: { ...simple, limit: NEVER } }]);
  return {
    // Miniflare's own front, for `getD1Database`. The load goes directly to the program.
    port: 0,
    resourcePersistencePath: join(folder, "state"),
    resourceTmpPath: join(folder, "tmp"),
    // The lines that the programs log are written and read, but not shown.
    handleStructuredLogs: () => {},
    workers: [{
      name: "program",
      modules,
      compatibilityDate: committed.compatibility_date,
      bindings: settings,
      d1Databases: { DB: "bench" },
      kvNamespaces: { HANDOFFS: "bench" },
      ratelimits: Object.fromEntries(limits),
      unsafeDirectSockets: [{ host: "127.0.0.1", port }],
    }],
  };
}

/** The ids of the workerd processes that this process has started. @returns {number[]} */
function children() {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      return stat.includes("(workerd)") && Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === process.pid;
    } catch {
      return false; // the process has ended meanwhile
    }
  });
}
