// The list of mutants of the code agrees with the code: the text that each removes is in its file exactly once. The same
// of the list of SQL texts is checked by tests/native/mutants, which has the texts in force. `npm run mutants`, which
// takes hours, checks whether a test notices each one.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { inRoot } from "../../scripts/paths.mjs";
import { mutants } from "../mutants.mjs";

test("every guard that a mutant takes out is in its file once", async () => {
  const lost = [];
  for (const { name, file, find, replace } of mutants) {
    const text = await readFile(inRoot(file), "utf8");
    if (text.split(find).length !== 2 || find === replace) lost.push(`${file}: ${name}`);
  }
  assert.deepEqual(lost, []);
  console.log(`counted: ${mutants.length} mutants`);
});

test("no two mutants have one name", () => {
  const names = mutants.map(({ name, file }) => `${file}: ${name}`);
  assert.deepEqual(names.filter((name, n) => names.indexOf(name) !== n), []);
});
