// The Worker's main module: `npm run build` puts it beside what worker-build makes.

// @ts-expect-error It is there in build/, and has no types.
import Keycap from "./index.js";
import { handlers } from "./handlers.mjs";

export default handlers(Keycap);
