// `npm run mutants`: removes the guards of tests/mutants.mjs, one at a time, and expects a native test to fail for
// each.
//   npm run mutants                    all of them, which takes several hours on two processors
//   npm run mutants -- seat            only those whose name or file contains a word
//   npm run mutants -- --quick seat    without the tests that take long: what is left may be caught by those
// It works on a copy of the tree, which keeps its build between runs: under .wrangler/, or in KEYCAP_MUTANTS_TARGET.

import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { mutants } from "../tests/mutants.mjs";
import { root, stateDir } from "./paths.mjs";
import { Group, finish, run, seconds } from "./process.mjs";
import { Advice, runMain, setup } from "./setup.mjs";

/** @typedef {import("../tests/mutants.mjs").Mutant} Mutant */
/** @typedef {{ fate: "killed" | "survived" | "broken", why: string }} Verdict */

const tree = join(stateDir, "mutants", "tree");
const env = {
  CARGO_TARGET_DIR: process.env.KEYCAP_MUTANTS_TARGET ?? join(stateDir, "mutants", "target"),
  CARGO_TERM_COLOR: "never",
  // Nobody debugs these builds, and linking and optimising take most of the time of a build.
  CARGO_PROFILE_DEV_DEBUG: "0",
  CARGO_PROFILE_DEV_OPT_LEVEL: "0",
  RUST_BACKTRACE: "0",
};

// The code that is not mutated is built once, so it may be optimised: SQLite and the sandbox take most of a test's
// time.
const CARGO = [
  "test", "--locked", "--test", "native",
  "--config", 'profile.dev.package."*".opt-level=1', "--config", "profile.dev.package.keycap-sandbox.opt-level=1",
];

/** Tests that take longer than all others together, by the beginnings of their names. They run last. */
const SLOW = ["cuts::", "explorer::", "attacks::upstreams::", "switches::switching", "sweep::what_one_sweep"];
/** Tests about how the tree is written: they would notice that a text has changed, not that a guard is missing. */
const ABOUT_THE_TREE = ["docs::", "migrations::", "tree::", "rooms::", "hot_statements", "every_statement_is_in_the_story"];
const skipping = (/** @type {string[]} */ names) => names.flatMap((name) => ["--skip", name]);

/**
 * The groups of tests that run one after the other, until a test fails.
 * @type {{ args: string[], limitSeconds: number }[]}
 */
const ROUNDS = [
  { args: skipping([...ABOUT_THE_TREE, ...SLOW]), limitSeconds: 120 },
  { args: [...SLOW, ...skipping(ABOUT_THE_TREE)], limitSeconds: 900 },
];

/**
 * The errors of a statement that SQLite cannot read. Such a statement fails every test and tells nothing about the
 * guard.
 */
const UNREADABLE = /syntax error|no such (?:column|table|function)|[Ww]rong number of parameters|incomplete input/;

/** Copies the files of the tree that are committed or could be. Equal files keep their times. */
async function copyTree() {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const names = new Set(listed.stdout.split("\0").filter(Boolean));
  for (const name of names) {
    const bytes = await readFile(join(root, name)).catch(() => undefined);
    if (bytes === undefined) names.delete(name); // deleted, and not yet committed
    else if (!(await readFile(join(tree, name)).catch(() => undefined))?.equals(bytes)) await put(name, bytes);
  }
  const copied = await readdir(tree, { recursive: true, withFileTypes: true });
  for (const entry of copied.filter((found) => found.isFile())) {
    const path = join(entry.parentPath, entry.name);
    if (!names.has(path.slice(tree.length + 1))) await rm(path);
  }
}

/** @param {string} name @param {string | Buffer} content */
async function put(name, content) {
  await mkdir(dirname(join(tree, name)), { recursive: true });
  await writeFile(join(tree, name), content);
}

/**
 * Builds the tests and returns their programs, or the problem in words when they do not build.
 * @param {string[]} own more than the native tests
 * @returns {Promise<string[] | string>}
 */
async function built(own) {
  const { code, stdout, output } = await finish("cargo", [...CARGO, ...own, "--no-run", "--message-format", "json-render-diagnostics"], { cwd: tree, env });
  if (code !== 0) return /^error.*$/m.exec(output)?.[0] ?? "does not build";
  const said = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return said.flatMap((message) => (message.profile?.test && message.executable ? [message.executable] : []));
}

/**
 * Runs the tests of one program until one fails. Returns `undefined` when none does.
 * @param {string} program @param {string[]} args @param {number} limitSeconds
 * @returns {Promise<Verdict | undefined>}
 */
async function verdictOf(program, args, limitSeconds) {
  let failed = "";
  // The output is not captured, so that each test's result is here before the others have ended.
  const tests = new Group(program, ["--nocapture", ...args], {
    cwd: tree,
    env,
    onLine: (line) => {
      failed ||= /^test (\S+) \.\.\. FAILED/.exec(line)?.[1] ?? "";
      if (failed) tests.signal("SIGKILL");
    },
  });
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = await Promise.race([
    tests.ended.then(() => false),
    new Promise((resolve) => { timer = setTimeout(resolve, limitSeconds * 1000, true); }),
  ]);
  clearTimeout(timer);
  await tests.kill();
  if (late) return { fate: "killed", why: `the limit of ${limitSeconds} s` };
  const unreadable = tests.lines.find((line) => UNREADABLE.test(line));
  if (failed) return unreadable ? { fate: "broken", why: unreadable.trim() } : { fate: "killed", why: failed };
  const passed = tests.lines.some((line) => line.startsWith("test result: ok."));
  return passed ? undefined : { fate: "broken", why: `no result: ${tests.lines.at(-1) ?? "nothing was printed"}` };
}

/**
 * Builds the tests and runs them until one fails.
 * @param {boolean} own the library's own tests too @param {boolean} quick @returns {Promise<Verdict>}
 */
async function judged(own, quick) {
  const programs = await built(own ? ["--lib"] : []);
  if (typeof programs === "string") return { fate: "broken", why: programs };
  for (const { args, limitSeconds } of quick ? ROUNDS.slice(0, 1) : ROUNDS) {
    for (const program of programs) {
      const verdict = await verdictOf(program, args, limitSeconds);
      if (verdict) return verdict;
    }
  }
  return { fate: "survived", why: "" };
}

/**
 * Removes one guard, judges it, and puts the guard back.
 * @param {Mutant} mutant @param {boolean} quick @returns {Promise<Verdict>}
 */
async function tried(mutant, quick) {
  const whole = await readFile(join(tree, mutant.file), "utf8").catch(() => "");
  const [before, after, ...more] = whole.split(mutant.find);
  if (before === undefined || after === undefined || more.length) {
    return { fate: "broken", why: `its text occurs ${more.length ? `${more.length + 1} times` : "nowhere"} in ${mutant.file}` };
  }
  await put(mutant.file, before + mutant.replace + after);
  try {
    return await judged(mutant.file.startsWith("src/domain/") || whole.includes("#[cfg(test)]"), quick);
  } finally {
    await put(mutant.file, whole);
  }
}

await runMain(async () => {
  const args = process.argv.slice(2);
  const quick = args.includes("--quick");
  const words = args.filter((arg) => arg !== "--quick");
  if (words.some((word) => word.startsWith("-"))) throw new Advice("usage: npm run mutants -- [--quick] [WORD ...]");
  const chosen = mutants.filter(({ name, file }) => words.every((word) => `${name} ${file}`.toLowerCase().includes(word.toLowerCase())));
  if (chosen.length === 0) throw new Advice(`No mutant has "${words.join(" ")}" in its name.`);
  const startedAt = performance.now();
  await setup();
  await mkdir(tree, { recursive: true });
  await copyTree();
  console.log("the tree as it is: every test must pass before it says anything that one fails");
  const sound = await judged(true, quick);
  if (sound.fate !== "survived") throw new Advice(`The tree as it is fails: ${sound.why}`);
  console.log(`✔ the tree as it is (${seconds(startedAt)})`);

  /** @type {Mutant[]} */
  const left = [];
  for (const [index, mutant] of chosen.entries()) {
    const mutantStartedAt = performance.now();
    const { fate, why } = await tried(mutant, quick);
    const verdict = { killed: `killed by ${why}`, survived: `SURVIVED in ${mutant.file}`, broken: `BROKEN: ${why}` }[fate];
    console.log(`${fate === "killed" ? "✔" : "✖"} ${index + 1}/${chosen.length} ${mutant.name}: ${verdict} (${seconds(mutantStartedAt)})`);
    if (fate !== "killed") left.push(mutant);
  }
  console.log(`\n${chosen.length - left.length} passed, ${left.length} failed in ${seconds(startedAt)}`);
  for (const { name, file } of left) console.log(`  ${file}: ${name}`);
  process.exitCode = left.length === 0 ? 0 : 1;
});
