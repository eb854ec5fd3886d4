// `npm run check`: everything about the tree that can be judged without running the product.

import { readFile, readdir } from "node:fs/promises";
import { inRoot, node, root } from "./paths.mjs";
import { run, seconds } from "./process.mjs";
import { isProgram, runMain, setup } from "./setup.mjs";

/** @type {{ name: string, run: () => Promise<unknown> }[]} */
export const checks = [
  { name: "formatting (cargo fmt)", run: () => cargo("fmt", "--all", "--check") },
  { name: "clippy, native", run: () => cargo("clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings") },
  { name: "clippy, wasm", run: () => cargo("clippy", "--quiet", "--locked", "--lib", "--target", "wasm32-unknown-unknown", "--", "-D", "warnings") },
  { name: "types of scripts and tests (tsc)", run: () => tsc("tsconfig.json") },
  { name: "types of the pages (tsc)", run: () => tsc("tsconfig.pages.json") },
  { name: "migrations are numbered without a gap", run: migrationNames },
  { name: "no secret, private path or registry in the tree", run: scanTree },
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
    // Wrangler applies them in the order of their names, and never again: two of one number are a merge gone wrong.
    if (!new RegExp(`^${number}_[a-z0-9_]+\\.sql$`).test(name)) throw new Error(`expected migrations/${number}_what_it_adds.sql, found ${name}`);
  });
}

/**
 * What no file of the repository may hold. The patterns are written so that they do not match themselves.
 * Keys of the sandbox begin with 5a4db0c5 and are fakes.
 * @type {[string, RegExp][]}
 */
const FORBIDDEN = [
  ["an OpenRouter key", /sk-or-v1-(?!5a4db0c5)[0-9a-f]{64}/],
  ["a GitHub token", /\bgh[opsur]_[A-Za-z0-9]{36}/],
  ["a GitHub token", /\bgithub_pat_[A-Za-z0-9_]{40}/],
  ["a private key", /-----BEGIN (?:[A-Z]+ )?PRIVATE[ ]KEY-----\s*[A-Za-z0-9+/=]{40}/],
  ["a Cloudflare token", /\bcf(?:ut|at|k)_[A-Za-z0-9]{40}/],
  ["somebody's home directory", /(?:^|[\s"'`=(:])(?:\/(?:home|Users)\/[A-Za-z]|[/]root\/|[A-Z]:\\Users\\)/m],
  ["a registry's address", /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)\.|(?:index|static)\.crates\.io|files\.pythonhosted\.|deb\.debian\.|proxy\.golang\.)/],
];

/**
 * The forbidden things in a text, each with its line; not the text itself: a log is no place for a secret either.
 * @param {string} text
 */
export function forbiddenIn(text) {
  return FORBIDDEN.flatMap(([what, pattern]) => {
    const match = pattern.exec(text);
    return match ? [`${text.slice(0, match.index).split("\n").length}: ${what}`] : [];
  });
}

async function scanTree() {
  // What is committed or could be: an ignored file is not the repository's.
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const found = [];
  for (const name of listed.stdout.split("\0").filter(Boolean)) {
    const text = await readFile(inRoot(name), "utf8").catch(() => "");
    for (const place of forbiddenIn(text)) found.push(`${name}:${place}`);
  }
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
