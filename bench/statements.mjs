// The Worker's SQL, read from its sources: the peer runs exactly the same text, and what D1 reports about a statement
// is shown under the statement's name there.

import { readFile, readdir } from "node:fs/promises";
import { basename } from "node:path";
import { inRoot } from "../scripts/paths.mjs";

/** A named part of a text. @typedef {{ params: string[], body: string }} Macro */
/** @typedef {Map<string, Macro>} Macros */

/** Every statement of src/store/, such as `cards::OF_MEMBER`, with its text. @returns {Promise<Map<string, string>>} */
export async function statements() {
  const names = (await readdir(inRoot("src", "store"), { recursive: true })).filter((name) => name.endsWith(".rs")).sort();
  const sources = await Promise.all(names.map((file) => readFile(inRoot("src", "store", file), "utf8")));
  const shared = new Map(sources.flatMap((source) => [...macrosIn(source)]));
  /** @type {Map<string, string>} */
  const found = new Map();
  for (const [n, file] of names.entries()) {
    for (const [name, text] of statementsIn(sources[n], shared)) found.set(`${basename(file, ".rs")}::${name}`, text);
  }
  return found;
}

/**
 * The names and texts that a file's `statements!` declares.
 * @param {string} source @param {Macros} [shared] the macros of other files; its own come first
 * @returns {[string, string][]}
 */
export function statementsIn(source, shared = new Map()) {
  const macros = new Map([...shared, ...macrosIn(source)]);
  const declared = /^statements! \{$([\s\S]*?)^\}$/m.exec(source)?.[1] ?? "";
  return [...declared.matchAll(/^ {4}([A-Z_]+) = ([^;"]*(?:"[^"\\]*"[^;"]*)*);$/gm)].map(([, name, text]) => [name, expanded(text, macros)]);
}

/** The macros of a file, each with its parameters and its body. @param {string} source @returns {Macros} */
function macrosIn(source) {
  const found = source.matchAll(/^macro_rules! (\w+) \{\n {4}\(([^)]*)\) => \{\n([\s\S]*?)^ {4}\}/gm);
  return new Map([...found].map(([, name, params, body]) => [name, { params: [...params.matchAll(/\$(\w+)/g)].map(([, param]) => param), body }]));
}

/**
 * The text that a Rust expression of literals, `concat!` and macros stands for.
 * @param {string} text @param {Macros} macros @param {Map<string, string>} [given]
 */
function expanded(text, macros, given = new Map()) {
  const tokens = [...text.matchAll(/"([^"\\]*)"|\$(\w+)|(\w+)!\(|(\))/g)];
  /** The texts up to the end of an argument list, or up to the end. @returns {string[]} */
  const list = () => {
    const texts = [];
    for (let token = tokens.shift(); token && !token[4]; token = tokens.shift()) {
      const [, literal, param, name] = token;
      if (name) texts.push(called(name, list()));
      else texts.push(literal ?? given.get(param));
    }
    return texts;
  };
  const called = (/** @type {string} */ name, /** @type {string[]} */ values) => {
    const macro = name === "concat" ? undefined : macros.get(name);
    if (!macro) return values.join("");
    return expanded(macro.body, macros, new Map(macro.params.map((param, n) => [param, values[n]])));
  };
  return list().join("");
}
