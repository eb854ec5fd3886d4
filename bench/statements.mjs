// The Worker's SQL: the peer runs exactly the same text, and what D1 reports about a statement is shown under the
// statement's name.

import { root } from "../scripts/paths.mjs";
import { run } from "../scripts/process.mjs";

/** Every statement of src/store/, such as `cards::OF_MEMBER`, with its text. @returns {Promise<Map<string, string>>} */
export async function statements() {
  const { stdout } = await run("cargo", ["run", "--quiet", "--locked", "--example", "statements"], { cwd: root, env: { CARGO_TERM_COLOR: "never" } });
  return new Map(Object.entries(JSON.parse(stdout)));
}
