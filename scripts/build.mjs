// Builds the Worker into build/, and what its pages load into public/assets/. It writes nothing when none of their
// inputs has changed.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";
import { PAGE_SOURCES, buildPages, writeChanged } from "./pages.mjs";
import { inRoot, npmBin, root } from "./paths.mjs";
import { run } from "./process.mjs";
import { buildTools, isProgram, runMain, setup, step } from "./setup.mjs";

/**
 * The budget for the whole Worker, in KB gzipped. No platform requires it; it keeps start-up near that of a bare
 * Worker.
 */
export const SIZE_BUDGET_KB = 1024;

const STAMP = inRoot("build", ".inputs.json");
/** Our own modules, which call what worker-build makes. The first one is the main module. */
const HANDLERS = ["entry.mjs", "handlers.mjs", "program.mjs"];
/** The module that tells the program the addresses of what its pages load. So a change of a page compiles nothing. */
const PAGE_FILES = "page-files.mjs";
const COMPILED = [...HANDLERS, "index.js", "index_bg.wasm"];
/** The JavaScript modules of the Worker in build/. */
export const SCRIPTS = [...HANDLERS, PAGE_FILES, "index.js"];

/** Builds what is out of date, and prints how large the Worker is. `setup()` must have run before. */
export async function build() {
  const files = await buildPages();
  if (!(await isUpToDate())) {
    await step("the Worker: worker-build --release", "two minutes the first time, then half a minute", compile);
    await writeFile(STAMP, JSON.stringify(await fingerprint(await compiledFiles()), null, 1));
  }
  await writeChanged(inRoot("build", PAGE_FILES), `export default ${JSON.stringify(JSON.stringify(files))};\n`);
  const kb = await workerSizeKb();
  console.log(`  the Worker in build/: ${kb.toFixed(0)} KB gzipped (budget ${SIZE_BUDGET_KB} KB)`);
  return { kb, files };
}

async function compile() {
  const { workerBuild, wasmBindgen } = await buildTools();
  await rm(STAMP, { force: true });
  // Without these settings worker-build would download the three tools itself.
  const env = { RUST_BACKTRACE: "0", WASM_BINDGEN_BIN: wasmBindgen, ESBUILD_BIN: npmBin("esbuild"), WASM_OPT_BIN: npmBin("wasm-opt") };
  await run(workerBuild, ["--release"], { cwd: root, env });
  // worker-build keeps the names of functions, which are a twentieth of the Worker.
  const program = inRoot("build", "index_bg.wasm");
  await run(npmBin("wasm-opt"), ["--all-features", "--strip-debug", program, "-o", program], { cwd: root });
  for (const name of HANDLERS) await copyFile(inRoot("src", "platform", name), inRoot("build", name));
}

async function isUpToDate() {
  if (!COMPILED.every((name) => existsSync(inRoot("build", name)))) return false;
  const before = await readFile(STAMP, "utf8").then(JSON.parse).catch(() => undefined);
  if (!before) return false;
  const now = await fingerprint(Object.keys(before));
  return JSON.stringify(now) === JSON.stringify(before);
}

/**
 * The hashes of everything that the Worker is made of: the sources, the files they include, and the files that decide
 * how it is built.
 * @param {string[]} included files known from the last build
 * @returns {Promise<Record<string, string>>}
 */
async function fingerprint(included) {
  const files = new Set(["Cargo.toml", "Cargo.lock", "askama.toml", ".cargo/config.toml", "scripts/build.mjs", "package-lock.json", ...included]);
  for (const folder of ["src", "migrations"]) {
    for (const name of await filesUnder(folder)) if (!PAGE_SOURCES.some((pages) => name.startsWith(pages))) files.add(name);
  }
  /** @type {Record<string, string>} */
  const hashes = {};
  for (const name of [...files].sort()) {
    const content = await readFile(inRoot(name)).catch(() => ""); // a folder, or a file that is gone
    hashes[name] = createHash("sha256").update(content).digest("hex").slice(0, 16);
  }
  return hashes;
}

/** @param {string} folder */
async function filesUnder(folder) {
  const names = await readdir(inRoot(folder), { recursive: true }).catch(() => []);
  return names.map((name) => join(folder, name));
}

/** The files of the tree that cargo lists as inputs of the wasm, `include_str!` files among them. */
async function compiledFiles() {
  const metadata = await run("cargo", ["metadata", "--format-version=1", "--no-deps"], { cwd: root });
  const { target_directory: target } = JSON.parse(metadata.stdout);
  const folder = join(target, "wasm32-unknown-unknown", "release");
  const lists = (await readdir(folder)).filter((name) => name.endsWith(".d"));
  const files = new Set();
  for (const list of lists) {
    const text = await readFile(join(folder, list), "utf8");
    for (const path of text.slice(text.indexOf(": ") + 2).trim().split(/(?<!\\) /)) {
      const name = relative(root, path.replaceAll("\\ ", " "));
      if (name && !name.startsWith("..") && !name.startsWith(`target${sep}`)) files.add(name);
    }
  }
  return [...files];
}

/** The size of what is uploaded in KB, as Cloudflare counts it. */
export async function workerSizeKb() {
  let bytes = 0;
  for (const name of [...SCRIPTS, "index_bg.wasm"]) bytes += gzipSync(await readFile(inRoot("build", name)), { level: 9 }).length;
  return bytes / 1024;
}

if (isProgram(import.meta.url)) {
  await runMain(async () => {
    await setup();
    await build();
  });
}
