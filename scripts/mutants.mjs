// `npm run mutants`: takes out one guard at a time, and expects a native test to fail for each.
//   npm run mutants                      all of them, which takes hours; a second run continues where the first ended
//   npm run mutants -- --sample 60       so many of the generated ones; --seed 7 takes others than --seed 8
//   npm run mutants -- RECORD_GUARD      only those whose name or file contains a word
//   npm run mutants -- --generated       only those of SQL texts that are generated, which need no build
//   npm run mutants -- --hand            only those that somebody wrote
//   npm run mutants -- --quick           without the tests that take long: what is left may be killed by those
// It works on a copy of the tree, which keeps its build between runs: under .wrangler/, or in KEYCAP_MUTANTS_TARGET.

import { createHash } from "node:crypto";
import { appendFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { mutants as ofCode } from "../tests/mutants.mjs";
import { inRoot, root, stateDir } from "./paths.mjs";
import { Group, finish, run, seconds } from "./process.mjs";
import { Advice, runMain, setup } from "./setup.mjs";

/**
 * A guard in Rust code, which needs a build.
 * @typedef {import("../tests/mutants.mjs").Mutant} CodeMutant
 */
/**
 * A guard in a statement or in the schema, which are texts at run time. `noticed` says how a test can notice it.
 * @typedef {{ name: string, by: "generator" | "hand", noticed: string[] }} TextMutant
 */
/** @typedef {{ fate: "killed" | "survived" | "broken", why: string }} Verdict */
/** What a test runs, and how long it takes. @typedef {{ test: string, ms: number, runs: Set<string> }} Covered */

const home = join(stateDir, "mutants");
const tree = join(home, "tree");
/** One line of JSON for each mutant that was tried: its hash and its verdict. */
const RESULTS = join(home, "results.jsonl");

const env = {
  CARGO_TARGET_DIR: process.env.KEYCAP_MUTANTS_TARGET ?? join(home, "target"),
  CARGO_TERM_COLOR: "never",
  // Nobody debugs these builds, and linking takes most of the time of a build.
  CARGO_PROFILE_DEV_DEBUG: "0",
  RUST_BACKTRACE: "0",
};

const BUILD = ["test", "--locked", "--test", "native", "--no-run", "--message-format", "json-render-diagnostics"];

/**
 * For mutants of code, the code itself is not optimised, because it is built each time. SQLite and the sandbox are
 * built once, and they take most of a test's time.
 */
const FAST_BUILD = [
  "--config", 'profile.dev.opt-level=0', "--config", 'profile.dev.package."*".opt-level=1',
  "--config", "profile.dev.package.keycap-sandbox.opt-level=1",
];

/** Tests that take longer than all others together, by the beginnings of their names. They run last. */
const SLOW = ["cuts::", "explorer::", "attacks::upstreams::", "switches::switching", "sweep::what_one_sweep"];
/** Tests about how the tree is written: they would notice that a text has changed, not that a guard is missing. */
const ABOUT_THE_TREE = [
  "bystanders::", "docs::", "migrations::", "mutants::", "tree::", "rooms::", "hot_statements", "a_scan_of_a_table", "every_statement_is_in_the_story",
];
const skipping = (/** @type {string[]} */ names) => names.flatMap((name) => ["--skip", name]);

/**
 * The groups of tests that run one after the other for a mutant of code, until a test fails.
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

const sha256 = (/** @type {string | Buffer} */ text) => createHash("sha256").update(text).digest("hex");

/**
 * Copies the files of the tree that are committed or could be. Equal files keep their times. Returns the hash of the
 * files that a test can depend on.
 */
async function copyTree() {
  await mkdir(tree, { recursive: true });
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const names = new Set(listed.stdout.split("\0").filter(Boolean).sort());
  const hashes = [];
  for (const name of names) {
    const bytes = await readFile(join(root, name)).catch(() => undefined);
    if (bytes === undefined) names.delete(name); // deleted, and not yet committed
    else if (!(await readFile(join(tree, name)).catch(() => undefined))?.equals(bytes)) await put(name, bytes);
    if (bytes !== undefined && /^(?:src|migrations|sandbox|tests\/native)\/|^Cargo\./.test(name)) hashes.push(`${name} ${sha256(bytes)}`);
  }
  const copied = await readdir(tree, { recursive: true, withFileTypes: true });
  for (const entry of copied.filter((found) => found.isFile())) {
    const path = join(entry.parentPath, entry.name);
    if (!names.has(path.slice(tree.length + 1))) await rm(path);
  }
  return sha256(hashes.join("\n"));
}

/** @param {string} name @param {string | Buffer} content */
async function put(name, content) {
  await mkdir(dirname(join(tree, name)), { recursive: true });
  await writeFile(join(tree, name), content);
}

/**
 * Builds the tests and returns their programs, or the problem in words when they do not build.
 * @param {string[]} more arguments of the build @returns {Promise<string[] | string>}
 */
async function built(more) {
  const { code, stdout, output } = await finish("cargo", [...BUILD, ...more], { cwd: tree, env });
  if (code !== 0) return /^error.*$/m.exec(output)?.[0] ?? "does not build";
  const said = stdout.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return said.flatMap((message) => (message.profile?.test && message.executable ? [message.executable] : []));
}

/**
 * Runs the tests of one program until one fails. Returns `undefined` when none does.
 * @param {string} program @param {string[]} args @param {number} limitSeconds @param {NodeJS.ProcessEnv} [more]
 * @returns {Promise<Verdict | undefined>}
 */
async function verdictOf(program, args, limitSeconds, more) {
  let [current, failed] = ["", ""];
  // The output is not captured, so that each test's result is here before the others have ended. A test that runs alone
  // is named before it runs, and what it prints may stand between its name and its result.
  const tests = new Group(program, ["--nocapture", ...args], {
    cwd: tree,
    env: { ...env, ...more },
    onLine: (line) => {
      current = /^test (\S+) \.\.\. /.exec(line)?.[1] ?? current;
      if (/(?:^| )FAILED$/.test(line)) failed ||= current;
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

// ------------------------------------------------------------------------------------------------- mutants of code

/**
 * Builds the tests and runs them until one fails.
 * @param {boolean} own the library's own tests too @param {boolean} quick @returns {Promise<Verdict>}
 */
async function judged(own, quick) {
  const programs = await built([...FAST_BUILD, ...(own ? ["--lib"] : [])]);
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
 * @param {CodeMutant} mutant @param {boolean} quick @returns {Promise<Verdict>}
 */
async function triedInCode(mutant, quick) {
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

// ------------------------------------------------------------------------------------------------- mutants of texts

/** `--quick` runs only tests that took so long at most when it was recorded what they run. */
const QUICK_MS = 5_000;

/** After so many seconds of tests, the next group of them begins: a failure ends the groups. */
const GROUPS_SECONDS = [1, 5, 20, 80];

/** The tests that killed mutants, by what the mutants are of: they often kill the next one too. @type {Map<string, Set<string>>} */
const killers = new Map();

/** The program of the native tests, which makes the mutants of texts and runs under each. */
class Texts {
  /** @param {string} program @param {TextMutant[]} mutants @param {Covered[]} covered @param {boolean} isSound */
  constructor(program, mutants, covered, isSound) {
    this.program = program;
    this.mutants = mutants;
    this.covered = covered;
    /** Whether every test passes in the tree as it is. */
    this.isSound = isSound;
  }

  /** @param {string} treeHash @param {boolean} quick */
  static async built(treeHash, quick) {
    console.log("the native tests: they list the mutants of SQL texts, and each says which texts it runs");
    const programs = await built([]);
    if (typeof programs === "string") throw new Advice(`The tree as it is does not build: ${programs}`);
    const [program] = programs;
    const list = join(home, "texts.json");
    await passes(program, LISTING, { KEYCAP_MUTANTS: list });
    const { mutants, unreadable } = JSON.parse(await readFile(list, "utf8"));
    console.log(`${mutants.length} mutants of texts, and ${unreadable} that SQLite cannot read`);
    const coverage = join(home, `coverage-${treeHash.slice(0, 16)}${quick ? "-quick" : ""}.json`);
    const known = await readFile(coverage, "utf8").catch(() => "");
    /** @type {{ covered: (Omit<Covered, "runs"> & { runs: string[] })[], failing: string[] }} */
    const { covered, failing } = known ? JSON.parse(known) : await recorded(program, quick);
    await writeFile(coverage, JSON.stringify({ covered, failing }));
    for (const test of failing) console.log(`✖ ${test} fails in the tree as it is, so it is left out`);
    const passing = covered.filter(({ test, ms }) => !failing.includes(test) && !(quick && ms > QUICK_MS));
    return new Texts(program, mutants, passing.map((of) => ({ ...of, runs: new Set(of.runs) })), failing.length === 0);
  }

  /** The tests that run what a mutant is of, in groups that take longer and longer. @param {TextMutant} mutant */
  groups(mutant) {
    const before = killers.get(mutant.noticed[0]) ?? new Set();
    // These tests are about one guard each.
    const rank = (/** @type {string} */ test) => (before.has(test) ? 0 : test.startsWith("guards::") ? 1 : 2);
    const tests = this.covered
      .filter(({ runs }) => mutant.noticed.some((name) => runs.has(name)))
      .sort((one, other) => rank(one.test) - rank(other.test) || one.ms - other.ms);
    /** @type {Covered[][]} */
    const groups = GROUPS_SECONDS.map(() => []);
    let sum = 0;
    for (const test of tests) {
      const group = GROUPS_SECONDS.findIndex((most) => sum < most * 1000);
      groups.at(group)?.push(test);
      sum += test.ms;
    }
    return groups.filter((group) => group.length);
  }

  /** @param {TextMutant} mutant @returns {Promise<Verdict>} */
  async tried(mutant) {
    const file = join(home, "mutant.json");
    await writeFile(file, JSON.stringify(mutant));
    const groups = this.groups(mutant);
    if (groups.length === 0) return { fate: "survived", why: "no test runs it" };
    for (const group of groups) {
      const limitSeconds = 60 + Math.ceil(group.reduce((sum, { ms }) => sum + ms, 0) / 100);
      const args = ["--exact", "--test-threads=1", ...group.map(({ test }) => test)];
      const verdict = await verdictOf(this.program, args, limitSeconds, { KEYCAP_MUTANT: file });
      if (verdict?.fate === "killed") killers.set(mutant.noticed[0], (killers.get(mutant.noticed[0]) ?? new Set()).add(verdict.why));
      if (verdict) return verdict;
    }
    return { fate: "survived", why: "" };
  }
}

/** The test that writes the list of the mutants of texts. */
const LISTING = "mutants::every_mutant_takes_out_a_part_of_its_own_that_sqlite_can_do_without";

/** Runs a test that must pass. @param {string} program @param {string} test @param {NodeJS.ProcessEnv} more */
async function passes(program, test, more) {
  const { code, output } = await finish(program, ["--exact", test], { cwd: tree, env: { ...env, ...more } });
  if (code !== 0) throw new Advice(`The tree as it is fails:\n${output}`);
}

/** What each test runs, and which tests fail in the tree as it is. @param {string} program @param {boolean} quick */
async function recorded(program, quick) {
  const file = join(home, "coverage.jsonl");
  await rm(file, { force: true });
  /** @type {string[]} */
  const failing = [];
  // Only beside another thread does each test have a thread with its own name.
  await finish(program, ["--test-threads=2", ...skipping([...ABOUT_THE_TREE, ...(quick ? SLOW : [])])], {
    cwd: tree,
    env: { ...env, KEYCAP_COVERAGE: file },
    onLine: (line) => {
      const [, test] = /^test (\S+) \.\.\. FAILED$/.exec(line) ?? [];
      if (test) failing.push(test);
    },
  });
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return { covered: lines.map((line) => JSON.parse(line)), failing };
}

// ------------------------------------------------------------------------------------------------- the run

const OPTIONS = ["--quick", "--generated", "--hand", "--sample", "--seed"];
/** Those that a number follows. */
const NUMBERED = ["--sample", "--seed"];

/** @param {string[]} args */
function options(args) {
  const words = [...args];
  const [quick, generated, hand, samples, seed] = OPTIONS.map((option) => {
    const at = words.indexOf(option);
    return at >= 0 && words.splice(at, 1).length > 0 && (!NUMBERED.includes(option) || Number(words.splice(at, 1)[0]));
  });
  const isWrong = words.some((word) => word.startsWith("-")) || (samples !== false && !(Number(samples) > 0)) || Number.isNaN(seed) || (generated && hand);
  if (isWrong) throw new Advice("usage: npm run mutants -- [--generated | --hand] [--sample N [--seed N]] [--quick] [WORD ...]");
  return { words: words.map((word) => word.toLowerCase()), quick: quick === true, generated: generated === true, hand: hand === true, sample: Number(samples), seed: Number(seed) };
}

/** The names of the statements and of the schema's objects, as the mutants of texts begin with them. */
async function namesOfTexts() {
  const names = [];
  const files = await readdir(inRoot("src", "store"), { recursive: true });
  for (const file of files.filter((name) => name.endsWith(".rs"))) {
    const text = await readFile(inRoot("src", "store", file), "utf8");
    const room = file.slice(0, -3).replaceAll("/", "::");
    for (const [, name] of text.matchAll(/^ +([A-Z][A-Z0-9_]+)(?: \{| = )/gm)) names.push(`${room}::${name}`);
  }
  for (const file of await readdir(inRoot("migrations"))) {
    const text = await readFile(inRoot("migrations", file), "utf8");
    for (const [, name] of text.matchAll(/^CREATE (?:UNIQUE )?[A-Z]+ (\w+)/gm)) names.push(name);
  }
  return names;
}

/** The lowest hashes of names are a sample that is always the same. @template {{ name: string }} T @param {T[]} all @param {number} size @param {number} seed */
function sampled(all, size, seed) {
  const lowest = all.map((mutant) => ({ mutant, hash: sha256(`${seed} ${mutant.name}`) })).sort((one, other) => (one.hash < other.hash ? -1 : 1));
  return lowest.slice(0, size).map(({ mutant }) => mutant);
}

/**
 * The verdicts of earlier runs, by the hash of the mutant and the tree. What survives the quick tests may be killed by
 * the others.
 * @param {boolean} quick @returns {Promise<Map<string, Verdict>>}
 */
async function earlier(quick) {
  const lines = (await readFile(RESULTS, "utf8").catch(() => "")).split("\n").filter(Boolean);
  const results = lines.map((line) => JSON.parse(line)).filter((result) => quick || !result.quick || result.fate === "killed");
  return new Map(results.map(({ hash, fate, why }) => [hash, { fate, why }]));
}

/** The mutants that change nothing that a test could see, with the reason. @returns {Promise<Map<string, string>>} */
async function equivalents() {
  const groups = JSON.parse(await readFile(inRoot("tests", "mutants", "equivalent.json"), "utf8"));
  return new Map(groups.flatMap((/** @type {{ reason: string, mutants: string[] }} */ { reason, mutants }) => mutants.map((name) => [name, reason])));
}

/** What a verdict means for the whole run. @param {Verdict} verdict @param {string | undefined} equivalent */
function told({ fate, why }, equivalent) {
  if (fate === "killed" && equivalent) return { passed: false, line: `killed by ${why}, so it is not equivalent` };
  if (fate === "killed") return { passed: true, line: `killed by ${why}` };
  if (fate === "broken") return { passed: false, line: `BROKEN: ${why}` };
  return equivalent ? { passed: true, line: `survived: ${equivalent}` } : { passed: false, line: `SURVIVED ${why}` };
}

await runMain(async () => {
  const { words, quick, generated, hand, sample, seed } = options(process.argv.slice(2));
  const has = (/** @type {string} */ name) => words.every((word) => name.toLowerCase().includes(word));
  const inCode = generated || sample ? [] : ofCode.filter(({ name, file }) => has(`${name} ${file}`));
  // Whether there is such a text is known before anything is built.
  const before = words.map((word) => word.split(": ")[0]);
  const inTexts = (await namesOfTexts()).some((name) => before.every((word) => name.toLowerCase().includes(word)));
  if (inCode.length === 0 && !inTexts) throw new Advice(`No mutant has "${words.join(" ")}" in its name.`);
  if (sample) console.log(`a sample of ${sample} with the seed ${seed}`);
  const startedAt = performance.now();
  await setup();
  const treeHash = await copyTree();
  const texts = inTexts ? await Texts.built(treeHash, quick) : undefined;
  const equivalent = await equivalents();
  const isChosen = (/** @type {TextMutant} */ { name, by }) => has(name) && !(generated && by === "hand") && !(hand && by === "generator");
  const ofTexts = texts?.mutants.filter(isChosen) ?? [];
  const chosen = [...(sample ? sampled(ofTexts.filter(({ by }) => by === "generator"), sample, seed) : ofTexts), ...inCode];
  const known = await earlier(quick);
  let codeIsSound = false;

  /** @type {Record<Verdict["fate"], number>} */
  const counts = { killed: 0, survived: 0, broken: 0 };
  /** @type {string[]} */
  const left = [];
  for (const [index, mutant] of chosen.entries()) {
    const mutantStartedAt = performance.now();
    const hash = sha256(`${treeHash} ${JSON.stringify(mutant)}`);
    let verdict = known.get(hash);
    if (!verdict) {
      if ("file" in mutant && !codeIsSound) {
        console.log("the tree as it is: every test must pass before it says anything that one fails");
        const sound = await judged(true, quick);
        if (sound.fate !== "survived") throw new Advice(`The tree as it is fails: ${sound.why}`);
        codeIsSound = true;
      }
      verdict = "file" in mutant ? await triedInCode(mutant, quick) : await /** @type {Texts} */ (texts).tried(mutant);
      const took = Math.round(performance.now() - mutantStartedAt);
      await appendFile(RESULTS, `${JSON.stringify({ hash, ...verdict, quick, name: mutant.name, ms: took })}\n`);
    }
    const { passed, line } = told(verdict, equivalent.get(mutant.name));
    console.log(`${passed ? "✔" : "✖"} ${index + 1}/${chosen.length} ${mutant.name}: ${line} (${seconds(mutantStartedAt)})`);
    counts[verdict.fate] += 1;
    if (!passed) left.push("file" in mutant ? `${mutant.file}: ${mutant.name}` : mutant.name);
  }
  console.log(`\n${chosen.length - left.length} passed, ${left.length} failed in ${seconds(startedAt)}: ${Object.entries(counts).map(([fate, n]) => `${n} ${fate}`).join(", ")}`);
  for (const name of left) console.log(`  ${name}`);
  process.exitCode = left.length === 0 && texts?.isSound !== false ? 0 : 1;
});
