// `npm start`: the whole product on this machine, from nothing. The Worker runs in `wrangler dev`, as built for
// deployment; the sandbox plays GitHub and OpenRouter beside it, so that no account of anything is needed.
// Each start begins with an empty database, because the sandbox begins with an empty ledger.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "./build.mjs";
import { buildSandbox, localVars, newState, scheduledPath, startSandboxProgram, startWrangler } from "./local.mjs";
import { stateDir } from "./paths.mjs";
import { configuredPort } from "./ports.mjs";
import { seconds } from "./process.mjs";
import { runMain, setup, step } from "./setup.mjs";

/** @typedef {import("./process.mjs").Group} Group */

/** @param {string} program @param {number} workerPort @param {number} sandboxPort */
async function startBoth(program, workerPort, sandboxPort) {
  const folder = join(stateDir, "start");
  const persist = join(folder, "state");
  const vars = localVars({ origin: `http://localhost:${workerPort}`, sandboxUrl: `http://127.0.0.1:${sandboxPort}` });
  await rm(folder, { recursive: true, force: true });
  await newState(persist);
  return Promise.all([
    startSandboxProgram(program, sandboxPort, { onLine: (line) => console.log(`sandbox | ${line}`) }),
    startWrangler({ folder, persist, port: workerPort, vars, onLine: showWorkerLine }),
  ]);
}

/** Wrangler's table of bindings would only repeat wrangler.toml. @param {string} line */
function showWorkerLine(line) {
  if (/^(env\.|Binding |Your Worker has|⎔)/.test(line) || line.trim() === "" || line.includes("GET /healthz")) return;
  console.log(`worker  | ${line.replace("[wrangler:info] ", "")}`);
}

/** @param {number} workerPort @param {number} sandboxPort @param {string} took */
const welcome = (workerPort, sandboxPort, took) => `
keycap is running (ready in ${took}).

  Open        http://localhost:${workerPort}   in Chrome, Edge or Firefox (Safari keeps no secure cookie on plain http)
  Sign in     with GitHub, and choose a persona: "member" may claim, "newcomer" is too young an account,
              "operator" is this installation's admin
  Claim       your key on the page you land on

  The sandbox plays GitHub and OpenRouter; what it has handed out: http://127.0.0.1:${sandboxPort}/_sandbox/ledger
  Nothing is kept: the next start begins anew. Ctrl-C ends both.
`;

/** Plays the Cron Trigger, which `wrangler dev` leaves to us. @param {number} workerPort */
function tickEveryTenMinutes(workerPort) {
  const tenMinutes = 10 * 60 * 1000;
  setInterval(() => {
    const path = scheduledPath(Math.floor(Date.now() / tenMinutes) * tenMinutes);
    fetch(`http://localhost:${workerPort}${path}`).catch((error) => console.log(`worker  | the scheduled run did not start: ${error.cause ?? error}`));
  }, tenMinutes);
}

/** @param {Group[]} groups */
async function keepUntilEnded(groups) {
  const stopped = new Promise((resolve) => {
    for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => resolve(signal));
  });
  const ended = Promise.race(groups.map((group) => group.ended.then(() => group)));
  const first = await Promise.race([stopped, ended]);
  await Promise.all(groups.map((group) => group.stop()));
  if (typeof first === "string") process.exit(0);
  throw new Error(`${/** @type {Group} */ (first).command} ended by itself; the last lines above say why`);
}

await runMain(async () => {
  const startedAt = performance.now();
  const [workerPort, sandboxPort] = [await configuredPort("worker"), await configuredPort("sandbox")];
  await setup();
  const [program] = await Promise.all([
    step("the sandbox: cargo build", "a minute the first time", buildSandbox),
    build(),
  ]);
  const groups = await startBoth(program, workerPort, sandboxPort);
  console.log(welcome(workerPort, sandboxPort, seconds(startedAt)));
  tickEveryTenMinutes(workerPort);
  await keepUntilEnded(groups);
});
