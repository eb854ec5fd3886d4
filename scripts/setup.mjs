// Prepares a machine that has rustup's cargo and Node >= 20, so that everything else runs: npm packages, the wasm
// target, and the two build tools in exactly the versions that the Worker is built with. The second time it finds all
// of them and takes a fraction of a second.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { inRoot, node, root, toolsDir } from "./paths.mjs";
import { CommandFailed, finish, run, seconds } from "./process.mjs";

const WORKER_BUILD = "0.8.7";
const WASM = "wasm32-unknown-unknown";

/** A problem that the person at the keyboard can solve. It is shown without a stack trace. */
export class Advice extends Error {}

/** Installs everything that the other scripts need. It may run each time. */
export async function setup() {
  checkNode();
  await checkCargo();
  // The packages come over the network while the compiler keeps the processors busy.
  await Promise.all([npmPackages(), rustParts()]);
}

function checkNode() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) throw new Advice(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
  if (process.platform === "win32") throw new Advice("Windows is not supported directly: use WSL.");
}

async function checkCargo() {
  const found = await finish("cargo", ["--version"]).catch(() => undefined);
  if (found?.code !== 0) throw new Advice("cargo is missing: install Rust with rustup (stable, 1.91 or newer).");
}

async function npmPackages() {
  const stamp = inRoot("node_modules", ".keycap-lock");
  const lock = createHash("sha256").update(await readFile(inRoot("package-lock.json"))).digest("hex");
  const installed = await readFile(stamp, "utf8").catch(() => "");
  if (installed === lock && existsSync(node)) return;
  await step("npm packages: npm ci", "half a minute", async () => {
    const npm = process.env.npm_execpath;
    const [command, before] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
    await run(command, [...before, "ci", "--no-fund", "--no-audit"], { cwd: root });
    await writeFile(stamp, lock);
  });
}

async function rustParts() {
  await wasmTarget();
  for (const [crate, version] of [["worker-build", WORKER_BUILD], ["wasm-bindgen-cli", await wasmBindgenVersion()]]) {
    await tool(crate, version);
  }
}

async function wasmTarget() {
  if (await hasWasmTarget()) return;
  await step(`Rust's wasm target: rustup target add ${WASM}`, "a few seconds", async () => {
    await run("rustup", ["target", "add", WASM], { cwd: root }).catch((error) => {
      throw new Advice(`The Rust toolchain has no ${WASM} target and rustup could not add it.
${error.message}
Where rustup may not download, a distribution's own compiler can bring the target; on Debian, as root:
  apt-get install rustc-web cargo-web rust-web-src rust-web-llvm
then build std for wasm32 once from source (-Zbuild-std=std,panic_abort, RUSTC_BOOTSTRAP=1, -Cembed-bitcode=yes),
copy the .rlib files to /usr/lib/rustlib/${WASM}/lib/, and run
  rustup toolchain link debian /usr && export RUSTUP_TOOLCHAIN=debian`);
    });
  });
}

/** Asks the compiler, not rustup, so that a toolchain from elsewhere counts too. */
async function hasWasmTarget() {
  const asked = await finish("rustc", ["--print", "target-libdir", "--target", WASM], { cwd: root });
  const files = await readdir(asked.stdout.trim()).catch(() => []);
  return files.some((name) => name.startsWith("libstd-"));
}

/** The version of wasm-bindgen in Cargo.lock. The command must have exactly the version of the library. */
export async function wasmBindgenVersion() {
  const lock = await readFile(inRoot("Cargo.lock"), "utf8").catch(() => {
    throw new Advice("Cargo.lock is missing: it belongs to the repository.");
  });
  const version = /^name = "wasm-bindgen"\nversion = "([^"]+)"/m.exec(lock)?.[1];
  if (!version) throw new Advice("Cargo.lock names no wasm-bindgen: is `worker` still a dependency?");
  return version;
}

/** @param {string} crate @param {string} version */
const toolRoot = (crate, version) => join(toolsDir, `${crate}-${version}`);

/** The path of a tool's program after setup. @param {string} crate @param {string} version @param {string} [program] */
const toolPath = (crate, version, program = crate) => join(toolRoot(crate, version), "bin", program);

/** The programs that build the Worker. */
export async function buildTools() {
  return {
    workerBuild: toolPath("worker-build", WORKER_BUILD),
    wasmBindgen: toolPath("wasm-bindgen-cli", await wasmBindgenVersion(), "wasm-bindgen"),
  };
}

/** @param {string} crate @param {string} version */
async function tool(crate, version) {
  const target = toolRoot(crate, version);
  if (existsSync(toolPath(crate, version, crate === "wasm-bindgen-cli" ? "wasm-bindgen" : crate))) return;
  // --debug builds in half the time, and these programs have little work.
  const args = ["install", "--debug", "--quiet", "--root", target, `${crate}@${version}`];
  const env = { CARGO_TARGET_DIR: undefined, RUSTFLAGS: undefined };
  await step(`${crate} ${version}: cargo install`, "one to three minutes, once per machine", async () => {
    try {
      await run("cargo", [...args, "--locked"], { cwd: dirname(root), env });
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      // A registry mirror may be behind the lock file that the crate was published with.
      console.log(`  ${crate}: the versions it was released with are not all to be had; letting cargo choose`);
      await rm(target, { recursive: true, force: true });
      await run("cargo", args, { cwd: dirname(root), env });
    }
  });
}

/**
 * Prints what is being done, and how long it took.
 * @template T
 * @param {string} what @param {string} usual @param {() => Promise<T>} work
 */
export async function step(what, usual, work) {
  console.log(`▸ ${what} (usually ${usual})`);
  const startedAt = performance.now();
  const result = await work();
  console.log(`  ${what.split(":")[0]}: done in ${seconds(startedAt)}`);
  return result;
}

/**
 * Runs a script's main function. A problem that a person can solve is shown as a sentence.
 * @param {() => Promise<void>} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    const plain = error instanceof Advice || error instanceof CommandFailed;
    console.error(`\n✗ ${plain ? error.message : error instanceof Error ? error.stack : error}`);
    process.exit(1);
  }
}

/** Answers whether a module was started as the program. @param {string} url its import.meta.url */
export const isProgram = (url) => process.argv[1] === fileURLToPath(url);

if (isProgram(import.meta.url)) await runMain(setup);
