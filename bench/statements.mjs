// The Worker's SQL, read from its sources: the peer runs the very same text (F8), and what D1 reports of a statement is
// told under the name it has there.

import { readFile, readdir } from "node:fs/promises";
import { inRoot } from "../scripts/paths.mjs";

/** Every statement of src/store/, such as `cards::OF_MEMBER`, with its text. @returns {Promise<Map<string, string>>} */
export async function statements() {
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const file of (await readdir(inRoot("src", "store"))).sort()) {
    const source = await readFile(inRoot("src", "store", file), "utf8");
    for (const [name, text] of statementsIn(source)) found.set(`${file.replace(/\.rs$/, "")}::${name}`, text);
  }
  return found;
}

/** The names and texts that a file's `statements!` declares. @param {string} source @returns {[string, string][]} */
export function statementsIn(source) {
  const declared = /^statements! \{$([\s\S]*?)^\}$/m.exec(source)?.[1] ?? "";
  return [...declared.matchAll(/^ {4}(\w+) = "([^"\\]*)";$/gm)].map(([, name, text]) => [name, text]);
}
