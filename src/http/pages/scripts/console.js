// The console: pages for administrators. The address says which section is open. Only the console's own documents load
// this script, and nobody but an administrator gets those.

import { openPage } from "./console/frame.js";

await openPage();
