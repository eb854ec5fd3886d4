// A fresh clone has no packages. Each command fetches them itself, so no module that it loads before that may need one.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";
import { inRoot } from "../../scripts/paths.mjs";

const IMPORT = /^(?:import|export) (?:[\w\s*{},]+ from )?"([^"]+)";$/gm;

/**
 * Lists what a module imports when it is loaded, directly or indirectly, each with the module that imports it.
 * @param {URL} module @param {Map<string, string>} [found]
 */
async function imports(module, found = new Map()) {
  for (const [, name] of (await readFile(module, "utf8")).matchAll(IMPORT)) {
    const next = name.startsWith(".") ? new URL(name, module) : undefined;
    const known = next?.href ?? name;
    if (found.has(known)) continue;
    found.set(known, module.pathname);
    if (next) await imports(next, found);
  }
  return found;
}

test("every command starts in a clone without packages", async () => {
  const { scripts } = JSON.parse(await readFile(inRoot("package.json"), "utf8"));
  for (const [name, command] of Object.entries(scripts)) {
    const [, program] = /^node (scripts\/[a-z]+\.mjs)/.exec(command) ?? [];
    assert.ok(program, `${name}: ${command}`);
    const found = await imports(new URL(`../../${program}`, import.meta.url));
    assert.ok([...found.keys()].some((module) => module.endsWith("/scripts/setup.mjs")), `${name} does not set up`);
    const early = [...found].filter(([module]) => !/^(?:node|file):/.test(module));
    assert.deepEqual(early, [], `npm run ${name}`);
  }
});
