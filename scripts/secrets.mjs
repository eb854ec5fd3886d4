// What no file of the repository may contain. The tree and everything that was ever committed are searched, because a
// secret is public even if a later commit removes it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./process.mjs";

/**
 * The patterns are written so that they do not match themselves. Keys of the sandbox begin with 5a4db0c5 and are fakes,
 * and so is a key of zeros only.
 * @type {[string, RegExp][]}
 */
const FORBIDDEN = [
  ["an OpenRouter key", /sk-or-v1-(?!5a4db0c5|0{64})[0-9a-f]{64}/],
  ["a GitHub token", /\bgh[opsur]_[A-Za-z0-9]{36}/],
  ["a GitHub token", /\bgithub_pat_[A-Za-z0-9_]{40}/],
  ["a private key", /-----BEGIN (?:[A-Z]+ )?PRIVATE[ ]KEY-----\s*[A-Za-z0-9+/=]{40}/],
  ["a Cloudflare token", /\bcf(?:ut|at|k)_[A-Za-z0-9]{40}/],
  ["somebody's home directory", /(?:^|[\s"'`=(:])(?:\/(?:home|Users)\/[A-Za-z]|[/]root\/|[A-Z]:\\Users\\)/m],
  ["a registry's address", /\b(?:registry\.(?:npmjs|yarnpkg|npmmirror)\.|(?:index|static)\.crates\.io|files\.pythonhosted\.|deb\.debian\.|proxy\.golang\.)/],
];

/**
 * Lists the forbidden things in a text, each with its line. The text itself is left out, because a secret must not
 * stand in a log either.
 * @param {string} text
 */
export function forbiddenIn(text) {
  return FORBIDDEN.flatMap(([what, pattern]) => {
    const match = pattern.exec(text);
    return match ? [`${text.slice(0, match.index).split("\n").length}: ${what}`] : [];
  });
}

/**
 * Lists, as `file:line: what`, the forbidden things in files that are committed or could be. Ignored files do not
 * belong to the repository.
 * @param {string} root
 */
export async function forbiddenInTree(root) {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root });
  const found = [];
  for (const name of listed.stdout.split("\0").filter(Boolean)) {
    const text = await readFile(join(root, name), "utf8").catch(() => "");
    for (const place of forbiddenIn(text)) found.push(`${name}:${place}`);
  }
  return found;
}

/**
 * Lists, as `object file:line: what`, the forbidden things in every version of every file and in every commit message
 * that a branch or tag reaches (`git show <object>` shows it).
 * @param {string} root
 */
export async function forbiddenInHistory(root) {
  const listed = await run("git", ["rev-list", "--objects", "--all", "HEAD"], { cwd: root });
  const names = new Map(listed.stdout.split("\n").filter(Boolean).map((line) => [line.slice(0, 40), line.slice(41)]));
  const { stdout } = await run("git", ["cat-file", "--batch", "--buffer"], { cwd: root, input: [...names.keys()].join("\n") });
  const found = [];
  for (const text of stdout.split(/^(?=[0-9a-f]{40} (?:blob|commit|tag|tree) \d+$)/m)) {
    const [header] = text.split("\n", 1);
    if (/ tree \d+$/.test(header)) continue;
    const object = header.slice(0, 40);
    for (const place of forbiddenIn(text.slice(header.length + 1))) found.push(`${object} ${names.get(object)}:${place}`);
  }
  return found;
}
