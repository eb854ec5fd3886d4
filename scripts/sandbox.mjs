// `npm run sandbox`: runs only the sandbox, to work on it or to use it with another program.

import { buildSandbox, startSandboxProgram } from "./local.mjs";
import { configuredPort } from "./ports.mjs";
import { ended } from "./process.mjs";
import { Advice, runMain, setup, step } from "./setup.mjs";

await runMain(async () => {
  const port = await configuredPort("sandbox");
  await setup();
  const program = await step("the sandbox: cargo build", "a minute the first time", buildSandbox);
  const sandbox = await startSandboxProgram(program, port, { onLine: console.log });
  console.log(`The sandbox answers at http://127.0.0.1:${port} (Ctrl-C ends it).`);
  const problem = await ended([sandbox]);
  await sandbox.stop();
  if (problem !== "") throw new Advice(`${problem}; the last lines above say why.`);
  process.exit(0);
});
