// The places of files. No other file in scripts/ or tests/harness/ spells out a place.

import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** A path inside the repository. @param {string[]} parts */
export const inRoot = (...parts) => join(root, ...parts);

/** A program that npm installed, such as the pinned Node 22 that wrangler needs. @param {string} name */
export const npmBin = (name) => inRoot("node_modules", ".bin", name);

/** The pinned Node. Tests and wrangler run on it, whichever Node started this process. */
export const node = npmBin("node");

/** Build tools that were made from source. They are outside the clone, so that a second clone finds them. */
export const toolsDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "keycap", "tools");

/** State that scripts keep between runs. It may be deleted at any time. */
export const stateDir = inRoot(".wrangler", "keycap");
