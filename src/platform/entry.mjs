// The Worker's main module: `npm run build` puts it beside what worker-build makes.

// @ts-expect-error It is there in build/, and has no types.
import Keycap from "./index.js";
import { handlers, note } from "./handlers.mjs";

// The program comes back from every wait by way of a microtask. The runtime's own way of queueing one takes longer than most
// of what the program does then; a promise's does not.
const settled = Promise.resolve();
globalThis.queueMicrotask = (task) => void settled.then(() => task());
// A trap in one is a rejection then, which nobody awaits.
addEventListener("unhandledrejection", (event) => note(/** @type {PromiseRejectionEvent} */ (event).reason));

export default handlers(Keycap);
