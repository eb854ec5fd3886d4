// workerd with the built Worker, or with another program, and the bindings of wrangler.toml. `wrangler dev` starts the
// same workerd by the same library, with its bundler, a second workerd as a proxy and an inspector around it. All of that
// costs more than the Worker itself; tests/workerd/start.test.mjs shows that the Worker runs in it.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { SCRIPTS } from "../../scripts/build.mjs";
import { workerOptions } from "../../scripts/local.mjs";
import { inRoot } from "../../scripts/paths.mjs";

// Imported as a module, it would be read twice, which takes each test file a third of a second.
const { Miniflare, convertV4MiniflareOptions } = /** @type {typeof import("miniflare")} */ (createRequire(import.meta.url)("miniflare"));

/** @typedef {import("../../scripts/local.mjs").Vars} Vars */
/** @typedef {import("../../scripts/local.mjs").RateLimits} RateLimits */
/** @typedef {{ type: "ESModule" | "CompiledWasm", path: string, contents?: string }} Module */

/** The place of the modules. It is where they are, except for those that are made here. */
const BUILD = inRoot("build");

/**
 * Answers SQL for the tests, one statement or several: then the last one is what is answered. It runs beside the Worker,
 * so D1 itself executes the statements, between the Worker's own.
 */
const SQL = `export default {
  async fetch(request, { DB }) {
    try {
      const [columns, ...rows] = await DB.prepare(await request.text()).raw({ columnNames: true });
      return Response.json({ columns, rows });
    } catch (error) {
      return Response.json({ error: String(error?.cause ?? error) });
    }
  }
}`;

/** The modules of the Worker that \`npm run build\` made, or of what is around it, or of another program. @param {{ main?: string, around?: string }} program */
async function modulesOf({ main, around }) {
  /** @type {(name: string, contents?: string) => Module} */
  const script = (name, contents) => ({ type: "ESModule", path: join(BUILD, name), contents });
  if (main) return [script("main.mjs", await readFile(main, "utf8"))];
  const built = [...SCRIPTS.map((name) => script(name)), { type: /** @type {const} */ ("CompiledWasm"), path: join(BUILD, "index_bg.wasm") }];
  if (!around) return built;
  const first = `import Keycap from "./program.mjs";\nimport { around } from "./around.mjs";\nexport default around(Keycap);\n`;
  return [script("surrounded.mjs", first), script("around.mjs", await readFile(around, "utf8")), ...built];
}

/** A workerd that runs. */
export class Runtime {
  /** @type {import("miniflare").Miniflare} */
  #miniflare;
  /** @type {string} where SQL is answered */
  #sql;

  /** @param {import("miniflare").Miniflare} miniflare @param {URL} sql @param {string[]} lines */
  constructor(miniflare, sql, lines) {
    this.#miniflare = miniflare;
    this.#sql = sql.href;
    /** Every line that the Worker has logged so far. */
    this.lines = lines;
  }

  /** @param {string} sql @returns {Promise<{ columns: string[], rows: any[][] }>} */
  async query(sql) {
    const answer = await fetch(this.#sql, { method: "POST", body: sql });
    const { error, ...result } = /** @type {any} */ (await answer.json());
    if (error) throw new Error(`${error}: ${sql}`);
    return result;
  }

  /** Ends workerd as a power cut would: the library kills it, and asks it for nothing before. */
  async kill() {
    await this.#miniflare.dispose();
  }
}

/**
 * Starts workerd, and returns once it takes requests.
 * @param {object} options
 * @param {string} options.persist
 * @param {number} options.port
 * @param {Vars} options.vars
 * @param {RateLimits} [options.rateLimits]
 * @param {string} [options.main] another program than the built Worker
 * @param {string} [options.around] a module whose \`around\` gets the built Worker's entry point
 */
export async function startRuntime({ persist, port, vars, rateLimits, main, around }) {
  const worker = await workerOptions({ vars, rateLimits });
  /** @type {string[]} */
  const lines = [];
  const miniflare = new Miniflare(convertV4MiniflareOptions({
    host: "127.0.0.1",
    port,
    logRequests: false,
    unsafeTriggerHandlers: true,
    cf: false,
    resourcePersistencePath: join(persist, "v3"),
    resourceTmpPath: join(persist, "tmp"),
    handleStructuredLogs: ({ message }) => void lines.push(...message.split("\n")),
    workers: [
      { ...worker, name: "keycap", modules: await modulesOf({ main, around }), modulesRoot: BUILD },
      {
        name: "sql",
        compatibilityDate: worker.compatibilityDate,
        modules: [{ type: "ESModule", path: "sql.mjs", contents: SQL }],
        d1Databases: worker.d1Databases,
        unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
      },
    ],
  }));
  try {
    await miniflare.ready;
    return new Runtime(miniflare, await miniflare.unsafeGetDirectURL("sql"), lines);
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}
