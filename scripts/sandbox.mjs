// `npm run sandbox`: the stand-in upstreams alone, to work on them or to point another program at.

import { buildSandbox, startSandboxProgram } from "./local.mjs";
import { configuredPort } from "./ports.mjs";
import { runMain, setup, step } from "./setup.mjs";

await runMain(async () => {
  const port = await configuredPort("sandbox");
  await setup();
  const program = await step("the sandbox: cargo build", "a minute the first time", buildSandbox);
  const sandbox = await startSandboxProgram(program, port, { onLine: console.log });
  console.log(`The sandbox answers at http://127.0.0.1:${port} (Ctrl-C ends it).`);
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.once(signal, () => void sandbox.stop().then(() => process.exit(0)));
  }
  await sandbox.ended;
});
