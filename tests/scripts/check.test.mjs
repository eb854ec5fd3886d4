// The scan of the tree finds what it is for. The samples are put together here, so that this file passes the scan itself.

import assert from "node:assert/strict";
import test from "node:test";
import { forbiddenIn } from "../../scripts/check.mjs";

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
