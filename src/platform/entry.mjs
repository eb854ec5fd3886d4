// The Worker's main module. `npm run build` puts it beside the files that worker-build makes.

import { handlers, note } from "./handlers.mjs";
import Keycap from "./program.mjs";

// The program continues after every wait by way of a microtask. The runtime's own way to queue one takes longer than
// most of what the program does then. The way of a promise does not.
const settled = Promise.resolve();
globalThis.queueMicrotask = (task) => void settled.then(() => task());
// A trap in such a microtask is a rejection that nobody awaits.
addEventListener("unhandledrejection", (event) => note(/** @type {PromiseRejectionEvent} */ (event).reason));

export default handlers(Keycap);
