// `npm start`: runs the whole product on this machine, from nothing. The Worker runs in `wrangler dev`, as built for
// deployment. The sandbox plays GitHub and OpenRouter beside it, so that nobody needs an account anywhere. Each start
// begins with an empty database, because the sandbox begins with an empty ledger.

import { rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "./build.mjs";
import { buildSandbox, localVars, newState, scheduledPath, startSandboxProgram, startWrangler } from "./local.mjs";
import { stateDir } from "./paths.mjs";
import { configuredPort } from "./ports.mjs";
import { ended, isRunning, seconds, until } from "./process.mjs";
import { Advice, runMain, setup, step } from "./setup.mjs";

/** Each start has a folder of its own, named by its process id, so that no start can delete another's database. */
const FOLDER = /^start-(\d+)$/;

/** Makes the folder of this start, which is deleted when this process ends. */
async function ownFolder() {
  for (const name of await readdir(stateDir).catch(() => [])) {
    const owner = FOLDER.exec(name)?.[1];
    // The folder is left over from a start that was killed.
    if (owner !== undefined && !isRunning(Number(owner))) await rm(join(stateDir, name), { recursive: true, force: true });
  }
  const folder = join(stateDir, `start-${process.pid}`);
  await rm(folder, { recursive: true, force: true });
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** @param {string} program @param {number} workerPort @param {number} sandboxPort @param {(line: string) => void} onWorkerLine */
async function startBoth(program, workerPort, sandboxPort, onWorkerLine) {
  const folder = await ownFolder();
  const persist = join(folder, "state");
  const vars = localVars({ origin: `http://localhost:${workerPort}`, sandboxUrl: `http://127.0.0.1:${sandboxPort}` });
  await newState(persist);
  return Promise.all([
    startSandboxProgram(program, sandboxPort, { onLine: (line) => console.log(`sandbox | ${line}`) }),
    startWrangler({ folder, persist, port: workerPort, vars, onLine: onWorkerLine }),
  ]);
}

/**
 * Prints a line of wrangler, except its table of bindings, which would only repeat wrangler.toml.
 * @param {string} line
 */
function showWorkerLine(line) {
  if (/^(env\.|Binding |Your Worker has|⎔|🪵)/u.test(line.trim()) || line.trim() === "" || line.includes("GET /healthz")) return;
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

/** Plays the Cron Trigger, which `wrangler dev` does not fire. @param {number} workerPort */
function tickEveryTenMinutes(workerPort) {
  const tenMinutes = 10 * 60 * 1000;
  setInterval(() => {
    const path = scheduledPath(Math.floor(Date.now() / tenMinutes) * tenMinutes);
    fetch(`http://localhost:${workerPort}${path}`).catch((error) => console.log(`worker  | the scheduled run did not start: ${error.cause ?? error}`));
  }, tenMinutes);
}

/** The words of wrangler when a workerd has ended and it makes another one. */
const RESTARTS = "The Workers runtime crashed";
/** How often the file is fetched, and how many fetches must fail: the Worker restarts when build/ changes. */
const LOOK = { everyMs: 1_000, misses: 4 };

/**
 * wrangler goes on when one of its workerds has ended: it makes another one, or answers in its place. wrangler prints
 * the first. To notice the second, this fetches a static file, which also comes from workerd and costs the Worker
 * nothing.
 */
class WorkerWatch {
  /** @type {() => void} */
  #restarted = () => undefined;
  #restart = new Promise((resolve) => (this.#restarted = () => resolve(undefined)));

  /** @param {string} file the address of the static file */
  constructor(file) {
    this.file = file;
  }

  /** @param {string} line */
  hear(line) {
    if (line.includes(RESTARTS)) this.#restarted();
    if (!line.includes(`GET ${this.file} `)) showWorkerLine(line);
  }

  /** Returns what went wrong, once it has. @param {number} workerPort */
  async ended(workerPort) {
    await Promise.race([this.#restart, missing(`http://127.0.0.1:${workerPort}${this.file}`)]);
    return "workerd ended by itself";
  }
}

/**
 * Returns when an address has not been served for some time. A 404 is the Worker's own answer: a build may have given
 * the file another name.
 * @param {string} url
 */
async function missing(url) {
  let missed = 0;
  const isMissing = async () => {
    const serves = await fetch(url, { signal: AbortSignal.timeout(2_000) }).then(({ status }) => status < 500, () => false);
    missed = serves ? 0 : missed + 1;
    return missed === LOOK.misses;
  };
  await until(isMissing, { seconds: Infinity, what: `${url} to be gone`, everyMs: LOOK.everyMs });
}

const configuredPorts = async () => [await configuredPort("worker"), await configuredPort("sandbox")];

await runMain(async () => {
  const startedAt = performance.now();
  await configuredPorts();
  await setup();
  const [program, { files }] = await Promise.all([
    step("the sandbox: cargo build", "a minute the first time", buildSandbox),
    build(),
  ]);
  // The ports are checked once more, because another start may have been faster.
  const [workerPort, sandboxPort] = await configuredPorts();
  const watch = new WorkerWatch(files.icon);
  const groups = await startBoth(program, workerPort, sandboxPort, (line) => watch.hear(line));
  console.log(welcome(workerPort, sandboxPort, seconds(startedAt)));
  tickEveryTenMinutes(workerPort);
  const problem = await Promise.race([ended(groups), watch.ended(workerPort)]);
  await Promise.all(groups.map((group) => group.stop()));
  if (problem !== "") throw new Advice(`${problem}, so everything was ended; the last lines above say why.`);
  process.exit(0);
});
