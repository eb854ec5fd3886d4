// The docs are complete without this script. With it, snippets have a copy button and the header shows who is signed
// in.

import { equipSnippets } from "./copy.js";
import { greet } from "./shell.js";

equipSnippets();
await greet();
