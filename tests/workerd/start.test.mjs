// `npm start` as people use it: twice in one clone, and ended by any signal to any of its processes.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, test } from "node:test";
import { inRoot, stateDir } from "../../scripts/paths.mjs";
import { freePort } from "../../scripts/ports.mjs";
import { Group, until } from "../../scripts/process.mjs";

/** @typedef {{ worker: number, sandbox: number }} Ports */
/** @typedef {{ pid: number, parent: number, group: number, program: string }} Process */

/** @type {Set<Group>} */
const started = new Set();
afterEach(async () => {
  // The group is asked to end, because a killed head would leave its own groups behind.
  for (const group of started) await group.stop(20);
  started.clear();
});

const freePorts = async () => ({ worker: await freePort(), sandbox: await freePort() });

/** @param {Ports} ports */
function begin({ worker, sandbox }) {
  const group = new Group(process.execPath, [inRoot("scripts", "start.mjs")], { env: { KEYCAP_PORT: `${worker}`, SANDBOX_PORT: `${sandbox}` } });
  started.add(group);
  return group;
}

/** Starts it, and waits until it says that it is running. @param {Ports} ports */
async function running(ports) {
  const group = begin(ports);
  await until(() => group.hasEnded || says(group, "keycap is running"), { seconds: 120, what: "the start" });
  assert.ok(!group.hasEnded, group.lines.join("\n"));
  return group;
}

/** @param {Group} group @param {string} text */
const says = (group, text) => group.lines.some((line) => line.includes(text));

/** @param {Ports} ports */
const works = async ({ worker, sandbox }) =>
  (await Promise.all([`${worker}/healthz`, `${sandbox}/_sandbox/healthz`].map((path) => fetch(`http://127.0.0.1:${path}`).then(({ ok }) => ok, () => false)))).every(Boolean);

/** All processes that run, from ps, which a Mac has too. @returns {Process[]} */
function processes() {
  const lines = spawnSync("ps", ["-eo", "pid=,ppid=,pgid=,stat=,args="], { encoding: "utf8" }).stdout.split("\n");
  return lines.flatMap((line) => {
    const [, pid, parent, group, state, program] = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined || state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent), group: Number(group), program }];
  });
}

/** The head, and every process that it has started, directly or indirectly. @param {number} head */
function family(head) {
  const all = processes();
  const found = all.filter(({ pid }) => pid === head);
  for (const member of found) found.push(...all.filter(({ parent }) => parent === member.pid));
  return found;
}

/** @param {Process[]} family */
async function allEnded(family) {
  const goneFrom = (/** @type {Process[]} */ all) => family.every(({ pid }) => !all.some((other) => other.pid === pid));
  await until(() => goneFrom(processes()), { seconds: 60, what: "the end of them all" });
}

/**
 * Which process gets a signal, as a line of ps shows it; the first line that fits counts.
 * @type {[string, NodeJS.Signals, RegExp][]}
 */
const SIGNALS = [
  ["wrangler", "SIGTERM", /wrangler\.js dev/],
  ["the workerd in front", "SIGTERM", /workerd serve .*--socket-addr=entry=127\.0\.0\.1:[1-9]/],
  ["the workerd that runs the Worker", "SIGINT", /workerd serve .*--socket-addr=entry=127\.0\.0\.1:0 /],
  ["the sandbox", "SIGTERM", /\/sandbox$/],
];

for (const [whom, signal, program] of SIGNALS) {
  test(`${signal} to ${whom} ends every process of npm start`, async () => {
    const group = await running(await freePorts());
    const before = family(Number(group.child.pid));
    assert.ok(before.length >= 6, `a family of ${before.length}`);
    const reached = before.find((member) => program.test(member.program));
    assert.ok(reached, before.map((member) => member.program).join("\n"));
    process.kill(reached.pid, signal);
    await allEnded(before);
    assert.ok(!(await readdir(stateDir)).includes(`start-${group.child.pid}`), "its folder is gone");
  });
}

test("npm start ends with the process that runs it, though no signal reaches it", async () => {
  const ports = await freePorts();
  const shell = new Group(process.execPath, ["-e", `
    const child = require("node:child_process").spawn(process.execPath, [${JSON.stringify(inRoot("scripts", "start.mjs"))}], { stdio: "inherit" });
    child.on("exit", () => process.exit(1));
  `], { env: { KEYCAP_PORT: `${ports.worker}`, SANDBOX_PORT: `${ports.sandbox}` } });
  started.add(shell);
  await until(() => says(shell, "keycap is running"), { seconds: 120, what: "the start" });
  const before = family(Number(shell.child.pid));
  shell.child.kill("SIGTERM");
  await allEnded(before);
});

/** When each file was written that a Worker watches. @returns {Promise<[string, number][]>} */
async function watched() {
  const folders = ["build", join("public", "assets")];
  const files = (await Promise.all(folders.map(async (folder) => (await readdir(inRoot(folder))).map((name) => inRoot(folder, name))))).flat();
  assert.ok(files.length >= 9, files.join("\n"));
  return Promise.all(files.map(async (file) => [file, (await stat(file)).mtimeMs]));
}

test("a second start in one clone does not disturb the first: on the same ports it says one sentence, on others it runs beside it", async () => {
  const ports = await freePorts();
  await running(ports);
  const before = await watched();
  const same = begin(ports);
  await same.ended;
  assert.equal(same.child.exitCode, 1);
  assert.ok(says(same, `Port ${ports.worker}, for the Worker, is in use. End what listens there, or choose another port with KEYCAP_PORT.`), same.lines.join("\n"));
  const others = await freePorts();
  const second = await running(others);
  assert.deepEqual([await works(ports), await works(others)], [true, true]);
  assert.deepEqual(await watched(), before, "nothing that the first Worker watches is written, since it would restart");
  const ofSecond = family(Number(second.child.pid));
  second.child.kill("SIGINT");
  await allEnded(ofSecond);
  assert.equal(await works(ports), true, "the first goes on when the second has ended");
});
