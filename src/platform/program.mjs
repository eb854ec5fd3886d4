// What worker-build makes, with what the build alone knows: the addresses of the files that the pages load. The program
// reads them from the global object when it handles its first request.

// @ts-expect-error It is there in build/, and has no types.
import Keycap from "./index.js";
// @ts-expect-error The build writes it: the addresses as JSON.
import pageFiles from "./page-files.mjs";

/** @type {any} */ (globalThis).keycapPageFiles = pageFiles;

export default Keycap;
