// `npm test`: runs every check and test from nothing, in the order that finds a mistake soonest.
//   npm test                     all stages
//   npm test -- native workerd   only these
//   npm test -- workerd claim    only the test files of a stage whose name contains a word
//   npm test -- native claim::   only the native tests whose path contains a word
//   npm run test:scale           the native and workerd stages in their full sizes, which take about half an hour
// The results of the large tests (scenarios, cells, payloads) are printed before the summary. The last line counts
// single tests over all runners, and a check or a build counts as one.

import { existsSync } from "node:fs";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SIZE_BUDGET_KB, build } from "./build.mjs";
import { NATIVE_CLIPPY, checks } from "./check.mjs";
import { buildSandbox } from "./local.mjs";
import { inRoot, node, root } from "./paths.mjs";
import { finish, seconds } from "./process.mjs";
import { Advice, runMain, setup } from "./setup.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * The values of KEYCAP_SCALE for `--scale`: natively all pairs and cells are played, and on workerd the crowds are so
 * many times as large.
 * @type {Record<string, string>}
 */
const FULL = { native: "25", workerd: "4" };

/** Whether everything runs in its full size. */
const full = process.argv.includes("--scale");

/** What the large tests counted, in their words. @type {string[]} */
const counted = [];

/** @param {string} line */
function notice(line) {
  const [, what] = /^(?:# |ℹ )?(?:counted|not applicable): (.*)$/.exec(line) ?? [];
  if (what !== undefined) counted.push(line.replace(/^(?:# |ℹ )/, ""));
}

/**
 * Whether the native stage is run as a whole, so that clippy is its compiler. A run of clippy beside it would compile
 * everything twice.
 */
let lintedWhileCompiling = false;

/**
 * Clippy as the compiler of our own crates, with every warning as an error. That is what `cargo clippy` itself sets,
 * for a build that makes no programs.
 */
const LINTED = { RUSTC_WORKSPACE_WRAPPER: "clippy-driver", CLIPPY_ARGS: "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__" };

/** What the earlier stages have made for the later ones. */
const made = { sandbox: "", worker: false };

/** @type {Record<string, (words: string[]) => Promise<Counts>>} */
const STAGES = {
  check: runChecks,
  scripts: (words) => nodeTests("scripts", words),
  native: (words) => cargoTest(["--workspace", ...(full ? ["--profile", "scale"] : [])], words),
  sandbox: (words) => nodeTests("sandbox", words),
  build: buildOnce,
  workerd: (words) => nodeTests("workerd", words),
  browser: (words) => nodeTests("browser", words),
};

/**
 * How long a run of all stages may take on two cores that nothing else uses, in seconds: if everything was compiled
 * before, and in a fresh clone that finds only the tools.
 */
const BUDGET_SECONDS = { warm: 360, fresh: 600 };

/** The folders of tests that call the built Worker. */
const NEEDS_WORKER = new Set(["workerd", "browser"]);

async function runChecks() {
  const counts = none();
  for (const check of checks) {
    if (check === NATIVE_CLIPPY && lintedWhileCompiling) continue;
    const startedAt = performance.now();
    const problem = await check.run().then(() => undefined, (/** @type {Error} */ error) => error.message);
    console.log(`${problem === undefined ? "✔" : "✖"} ${check.name} (${seconds(startedAt)})`);
    if (problem !== undefined) console.log(indent(problem));
    counts[problem === undefined ? "passed" : "failed"] += 1;
  }
  return counts;
}

/** @param {string[]} args @param {string[]} words */
async function cargoTest(args, words) {
  const counts = none();
  // `--show-output` also prints what a passed test counted.
  const { code } = await finish("cargo", ["test", "--locked", "--no-fail-fast", ...args, "--", "--show-output", ...words], {
    cwd: root,
    env: { CARGO_TERM_COLOR: process.stdout.isTTY ? "always" : "never", ...(lintedWhileCompiling ? LINTED : {}) },
    show: true,
    onLine: (line) => {
      notice(line);
      const found = /test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/.exec(line);
      if (found) add(counts, { passed: Number(found[1]), failed: Number(found[2]), skipped: Number(found[3]) });
    },
  });
  return judged(counts, code);
}

async function buildOnce() {
  const { kb } = await build();
  made.worker = true;
  if (kb > SIZE_BUDGET_KB) throw new Error(`the Worker weighs ${kb.toFixed(0)} KB gzipped, over its budget of ${SIZE_BUDGET_KB} KB`);
  return { passed: 1, failed: 0, skipped: 0 };
}

/** Runs the test files of a folder under tests/ with the pinned Node. @param {string} folder @param {string[]} words */
async function nodeTests(folder, words) {
  if (NEEDS_WORKER.has(folder) && !made.worker) await buildOnce();
  if (folder !== "scripts") made.sandbox ||= await buildSandbox();
  const files = await testFiles(folder, words);
  // All files share one browser, because starting one takes seconds.
  const shared = folder === "browser" ? await (await import("../tests/harness/browser.mjs")).browserServer() : undefined;
  const results = await mkdtemp(join(tmpdir(), "keycap-results-"));
  try {
    const tap = join(results, "tap");
    const reporters = ["--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=tap", `--test-reporter-destination=${tap}`];
    const { code } = await finish(node, ["--disable-warning=ExperimentalWarning", "--test", "--test-force-exit", "--test-concurrency=5", ...reporters, ...files], {
      cwd: root,
      env: { SANDBOX_BIN: made.sandbox, ...(shared ? { KEYCAP_BROWSER: shared.wsEndpoint() } : {}) },
      show: true,
      onLine: notice,
    });
    return judged(tapCounts(await readFile(tap, "utf8")), code);
  } finally {
    await shared?.close();
    await rm(results, { recursive: true, force: true });
  }
}

/** @param {string} folder @param {string[]} words */
async function testFiles(folder, words) {
  const names = await readdir(inRoot("tests", folder), { recursive: true }).catch(() => []);
  const files = names.filter((name) => name.endsWith(".test.mjs") && words.every((word) => name.includes(word))).sort();
  if (files.length === 0) throw new Error(`tests/${folder} holds no *.test.mjs${words.length ? ` with ${words.join(" and ")} in its name` : ""}`);
  return files.map((name) => join("tests", folder, name));
}

/** Reads the summary at the end of node's runner. @param {string} tap @returns {Counts} */
function tapCounts(tap) {
  /** @param {string} what */
  const total = (what) => Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(tap)?.[1] ?? 0);
  return { passed: total("pass"), failed: total("fail") + total("cancelled"), skipped: total("skipped") + total("todo") };
}

const none = () => ({ passed: 0, failed: 0, skipped: 0 });

/** @param {Counts} sum @param {Counts} more */
function add(sum, more) {
  sum.passed += more.passed;
  sum.failed += more.failed;
  sum.skipped += more.skipped;
}

/**
 * A runner has failed if it ends with a failure but without a failed test (it did not compile, it crashed), or if it
 * ran no test.
 * @param {Counts} counts @param {number} code
 */
function judged(counts, code) {
  const ranNone = counts.passed + counts.failed === 0;
  return counts.failed === 0 && (code !== 0 || ranNone) ? { ...counts, failed: 1 } : counts;
}

/** Says whether a run of all stages kept its budget. @param {number} startedAt @param {keyof typeof BUDGET_SECONDS} kind */
function withinBudget(startedAt, kind) {
  const took = (performance.now() - startedAt) / 1000;
  const budget = BUDGET_SECONDS[kind];
  return `${took <= budget ? "within" : "over"} the budget of ${budget} s for a ${kind} run on two quiet cores`;
}

/** Whether anything was compiled here before. */
const isWarm = () => existsSync(resolve(root, process.env.CARGO_TARGET_DIR ?? "target", "debug"));

/** @param {string} text */
const indent = (text) => text.trimEnd().replace(/^/gm, "    ");

/** @param {string[]} args */
function chosen(args) {
  const names = args.filter((arg) => Object.hasOwn(STAGES, arg));
  const words = args.filter((arg) => !Object.hasOwn(STAGES, arg));
  if (words.length && names.length !== 1) throw new Advice(`Name one stage before "${words[0]}": ${Object.keys(STAGES).join(", ")}.`);
  return { names: names.length ? names : Object.keys(STAGES), words };
}

await runMain(async () => {
  const args = process.argv.slice(2);
  const { names, words } = chosen(args.filter((arg) => arg !== "--scale"));
  const startedAt = performance.now();
  const kind = isWarm() ? "warm" : "fresh";
  lintedWhileCompiling = names.includes("native") && words.length === 0 && !full;
  await setup();
  const total = none();
  /** @type {string[]} */
  const summary = [];
  /** @param {string} name @returns {Promise<Counts>} */
  const begin = (name) =>
    STAGES[name](words).catch((/** @type {Error} */ error) => {
      console.log(indent(error.message));
      return { passed: 0, failed: 1, skipped: 0 };
    });
  // Much of a compiler's work takes one core, so the Worker is built on the other one while the earlier stages run.
  const building = names.includes("build") && names[0] !== "build" ? begin("build") : undefined;
  for (const name of names) {
    console.log(`\n── ${name} ${"─".repeat(60 - name.length)}`);
    const stageStartedAt = performance.now();
    if (full && name in FULL) process.env.KEYCAP_SCALE = FULL[name];
    const counts = await ((name === "build" && building) || begin(name));
    add(total, counts);
    const mark = counts.failed === 0 ? "✔" : "✖";
    summary.push(`${mark} ${name.padEnd(8)} ${`${counts.passed} passed, ${counts.failed} failed`.padEnd(24)} ${seconds(stageStartedAt)}`);
  }
  if (counted.length) console.log(`\n── counted ${"─".repeat(53)}\n${counted.join("\n")}`);
  console.log(`\n── summary ${"─".repeat(53)}\n${summary.join("\n")}\n  in ${seconds(startedAt)}\n`);
  if (names.length === Object.keys(STAGES).length && !full) console.log(withinBudget(startedAt, kind));
  console.log(`${total.passed} passed, ${total.failed} failed${total.skipped ? `, ${total.skipped} skipped` : ""}`);
  process.exitCode = total.failed === 0 ? 0 : 1;
});
