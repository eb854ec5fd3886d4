// The docs are complete without this. With it, snippets have a button to copy them, and the header knows who is here.

import { equipSnippets } from "./copy.js";
import { greet } from "./shell.js";

equipSnippets();
await greet();
