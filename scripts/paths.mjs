// Where things are. Nothing else in scripts/ or tests/harness/ spells out a place.

import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/\/$/, "");

/** A path inside the repository. @param {string[]} parts */
export const inRoot = (...parts) => join(root, ...parts);

/** A program that npm installed, such as the pinned Node 22 that wrangler needs. @param {string} name */
export const npmBin = (name) => inRoot("node_modules", ".bin", name);

/** The pinned Node; tests and wrangler run on it, whatever Node started us. */
export const node = npmBin("node");

/** Build tools made from source, kept outside the clone so that a second clone finds them. */
export const toolsDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "keycap", "tools");

/** State that scripts keep between runs and that may be deleted at any time. */
export const stateDir = inRoot(".wrangler", "keycap");
