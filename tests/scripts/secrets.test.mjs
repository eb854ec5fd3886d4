// The scan for secrets finds what it is for. The samples are put together here, so that this file passes the scan
// itself.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { run } from "../../scripts/process.mjs";
import { forbiddenIn, forbiddenInHistory, forbiddenInTree } from "../../scripts/secrets.mjs";

const hex = (/** @type {number} */ length) => "0123456789abcdef".repeat(5).slice(0, length);

const FORBIDDEN = {
  "an OpenRouter key": `"sk-or-v1-${hex(64)}"`,
  "a GitHub token": `token=gho${"_"}${"A1b2".repeat(9)}`,
  "a fine-grained GitHub token": `github_pat${"_"}${"A1b2".repeat(12)}`,
  "a private key": `-----BEGIN RSA PRIVATE${" "}KEY-----\n${"QUJD".repeat(12)}`,
  "a home directory": `path = "/${"home"}/somebody/keycap"`,
  "a Mac's home directory": ` /${"Users"}/somebody/keycap`,
  "root's home directory": `'/${"root"}/.cargo'`,
  "a registry": `https://registry.${"npmjs"}.org/lit-html`,
};

for (const [what, sample] of Object.entries(FORBIDDEN)) {
  test(`the scan finds ${what} and names its line, not its text`, () => {
    const found = forbiddenIn(`first line\n${sample}\n`);
    assert.equal(found.length, 1);
    assert.match(found[0], /^2: /);
    assert.ok(!found[0].includes(sample.slice(-20)));
  });
}

const ALLOWED = {
  "the sandbox's visibly fake keys": `sk-or-v1-5a4db0c5${hex(56)}`,
  "a masked key": "sk-or-v1-5a4...0c5",
  "the index that Cargo.lock names": 'source = "registry+https://github.com/rust-lang/crates.io-index"',
  "a route that resembles a home directory": 'href="/homepage" src="/users/7"',
};

for (const [what, sample] of Object.entries(ALLOWED)) {
  test(`the scan lets ${what} pass`, () => assert.deepEqual(forbiddenIn(sample), []));
}

test("a secret that a later commit removed is found in the history, and not in the tree", async (t) => {
  const repository = await mkdtemp(join(tmpdir(), "keycap-history-"));
  t.after(() => rm(repository, { recursive: true, force: true }));
  const git = (/** @type {string[]} */ ...args) => run("git", ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost", ...args], { cwd: repository });
  const commit = async (/** @type {string} */ text, /** @type {string} */ message) => {
    await writeFile(join(repository, "settings.txt"), text);
    await git("add", "settings.txt");
    await git("commit", "--quiet", "--message", message);
  };
  await git("init", "--quiet");
  await commit("nothing to see\n", "Begin");
  assert.deepEqual(await forbiddenInHistory(repository), []);
  await commit(`first\nkey = ${FORBIDDEN["an OpenRouter key"]}\n`, "Add the key");
  await commit("the key is gone\n", "Remove the key");
  await commit("still gone\n", `Mention ${FORBIDDEN["a GitHub token"]}`);
  assert.deepEqual(await forbiddenInTree(repository), []);
  const found = await forbiddenInHistory(repository);
  assert.deepEqual(found.map((place) => place.slice(41)).sort(), [":6: a GitHub token", "settings.txt:2: an OpenRouter key"]);
});
