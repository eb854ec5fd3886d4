// What a test file imports. Start one sandbox and one Worker for each file, and reset them between tests, because
// starting takes seconds.

export { browser, browserWithProfile } from "./browser.mjs";
export { CLAIM, Client, attemptSignIn, chooseAtGitHub, claim, inWaves, secretsIn, signIn } from "./client.mjs";
export { Line, startLine } from "./line.mjs";
export { Sandbox, startSandbox } from "./sandbox.mjs";
export { Worker, startWorker } from "./worker.mjs";
export { until } from "../../scripts/process.mjs";
