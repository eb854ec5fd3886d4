// Commands with wrong arguments: whatever a command does not know ends it at once with a sentence, before anything is
// built, started or sent. Above all, a mistake in the arguments of a deployment deploys nothing.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import test from "node:test";
import { inRoot, node } from "../../scripts/paths.mjs";

/** Arguments that no command has. A shell, an object or a path would give some of them a meaning. */
const HOSTILE = ["--help-me", "-x", "--", "--env", "--scale=9", "constructor", "__proto__", "toString", "../../etc/passwd", "$(id)", "; id", "*", "\u202e", "production"];

/**
 * Runs a script and returns its exit code and what it printed.
 * @param {string} script @param {string[]} args @returns {Promise<{ code: number, said: string, ms: number }>}
 */
function ends(script, args) {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    // The deadline only keeps a command that begins its work from finishing it.
    execFile(node, [inRoot("scripts", `${script}.mjs`), ...args], { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), said: stdout + stderr, ms: performance.now() - startedAt });
    });
  });
}

/** @param {string} script @param {string[]} args @param {RegExp} says */
async function isRefused(script, args, says) {
  const { code, said } = await ends(script, args);
  const what = `${script} ${JSON.stringify(args)}: ${said}`;
  assert.equal(code, 1, what);
  assert.match(said, says, what);
  assert.ok(!/\n {4}at /.test(said), `no stack: ${what}`);
}

test("deploying with an argument too many, an unknown one or an --env without a name does nothing", async () => {
  const refused = [...HOSTILE.map((arg) => [arg]), ["--env", ""], ["--env", "Staging"], ["--env", "staging "], ["--env", "--dry-run"], ["--dry-run", "--env"], ["staging"], ["--env=staging"], ["--env", "staging", "--env", "staging"], ["--env", "staging", "production"], ["--dryrun"]];
  await Promise.all(refused.map((args) => isRefused("deploy", args, /usage: npm run deploy/)));
});

test("an unknown test stage is named, and nothing is run", async () => {
  for (const arg of HOSTILE.filter((arg) => arg !== "--")) await isRefused("test", [arg], /Name one stage before/);
  await isRefused("test", ["native", "workerd", "claim"], /Name one stage before/);
});

test("an unknown mutant or option is named, and nothing is patched", async () => {
  for (const arg of HOSTILE) await isRefused("mutants", [arg], arg.startsWith("-") ? /usage: npm run mutants/ : /No mutant has/);
  for (const args of [["--sample"], ["--sample", "0"], ["--sample", "seat"], ["--generated", "--hand"], ["--quick", "--quick"]]) {
    await isRefused("mutants", args, /usage: npm run mutants/);
  }
});
