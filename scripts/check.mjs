// `npm run check`: checks everything about the tree that needs no running product.

import { readdir } from "node:fs/promises";
import { inRoot, node, root } from "./paths.mjs";
import { run, seconds } from "./process.mjs";
import { forbiddenInHistory, forbiddenInTree } from "./secrets.mjs";
import { isProgram, runMain, setup } from "./setup.mjs";

/** @typedef {{ name: string, run: () => Promise<unknown> }} Check */

/** @type {Check} */
export const NATIVE_CLIPPY = {
  name: "clippy, native",
  run: () => cargo("clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"),
};

/** @type {Check[]} */
export const checks = [
  { name: "formatting (cargo fmt)", run: () => cargo("fmt", "--all", "--check") },
  NATIVE_CLIPPY,
  { name: "clippy, wasm", run: () => cargo("clippy", "--quiet", "--locked", "--lib", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings") },
  { name: "types of scripts and tests (tsc)", run: () => tsc("tsconfig.json") },
  { name: "types of the pages (tsc)", run: () => tsc("tsconfig.pages.json") },
  { name: "migrations are numbered without a gap", run: migrationNames },
  { name: "no secret, private path or registry in the tree", run: () => refuse(forbiddenInTree(root)) },
  { name: "nor in what was ever committed", run: () => refuse(forbiddenInHistory(root)) },
];

/** @param {string[]} args */
const cargo = (...args) => run("cargo", args, { cwd: root, env: { CARGO_TERM_COLOR: "never" } });

/** @param {string} project */
const tsc = (project) => run(node, [inRoot("node_modules", "typescript", "bin", "tsc"), "--project", project], { cwd: root });

async function migrationNames() {
  const names = (await readdir(inRoot("migrations"))).sort();
  if (names.length === 0) throw new Error("migrations/ is empty");
  names.forEach((name, index) => {
    const number = String(index + 1).padStart(4, "0");
    // Wrangler applies the files in the order of their names, each only once. Two files with one number come from a
    // wrong merge.
    if (!new RegExp(`^${number}_[a-z0-9_]+\\.sql$`).test(name)) throw new Error(`expected migrations/${number}_what_it_adds.sql, found ${name}`);
  });
}

/** @param {Promise<string[]>} scanned */
async function refuse(scanned) {
  const found = await scanned;
  if (found.length) throw new Error(found.join("\n"));
}

if (isProgram(import.meta.url)) {
  await runMain(async () => {
    await setup();
    for (const check of checks) {
      const startedAt = performance.now();
      await check.run();
      console.log(`✔ ${check.name} (${seconds(startedAt)})`);
    }
  });
}
