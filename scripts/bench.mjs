// `npm run bench`: measures the design's budgets. bench/README.md explains how.
//   npm run bench              all sections
//   npm run bench -- route     only this one

import { build } from "./build.mjs";
import { buildSandbox } from "./local.mjs";
import { inRoot, node, root } from "./paths.mjs";
import { finish } from "./process.mjs";
import { runMain, setup } from "./setup.mjs";

await runMain(async () => {
  await setup();
  await build();
  const env = { SANDBOX_BIN: await buildSandbox() };
  // The bench runs on the pinned Node, which workerd's own packages need.
  const { code } = await finish(node, ["--disable-warning=ExperimentalWarning", inRoot("bench", "run.mjs"), ...process.argv.slice(2)], { cwd: root, env, show: true });
  process.exitCode = code;
});
