// Ending a group ends everything in it, grandchildren too: a workerd that outlives its test would keep its port.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { Group, until } from "../../scripts/process.mjs";

const PARENT = `
  const { spawn } = require("node:child_process");
  const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); console.log('grandchild', process.pid); setInterval(() => {}, 1000)"], { stdio: "inherit" });
  setInterval(() => {}, 1000);
`;

/** @param {Group} group */
async function grandchildOf(group) {
  const line = await until(() => group.lines.find((text) => text.startsWith("grandchild")), { seconds: 20, what: "the grandchild" });
  return Number(line.split(" ")[1]);
}

/** @param {number} pid */
function isRunning(pid) {
  // `ps` gives the state, because a killed orphan may stay as a zombie for a while, and a Mac has no /proc.
  const state = spawnSync("ps", ["-o", "stat=", "-p", `${pid}`], { encoding: "utf8" }).stdout.trim();
  return state !== "" && !state.startsWith("Z");
}

test("kill() ends a grandchild at once although it ignores SIGTERM", async () => {
  const group = new Group(process.execPath, ["-e", PARENT]);
  const grandchild = await grandchildOf(group);
  assert.equal(isRunning(grandchild), true);
  await group.kill();
  assert.equal(isRunning(grandchild), false);
});

test("stop() asks first, and ends a process that does not stop", async () => {
  const group = new Group(process.execPath, ["-e", PARENT]);
  const grandchild = await grandchildOf(group);
  await group.stop(0.1);
  assert.equal(isRunning(grandchild), false);
});

test("until() fails at its deadline and says what it waited for", async () => {
  await assert.rejects(until(() => false, { seconds: 0.05, what: "a miracle" }), /a miracle/);
});

test("a command that is being run ends with the process that runs it", async () => {
  const runner = `
    import { finish } from ${JSON.stringify(new URL("../../scripts/process.mjs", import.meta.url).href)};
    await finish(process.execPath, ["-e", "console.log('grandchild', process.pid); setInterval(() => {}, 1000)"], { show: true });
  `;
  const group = new Group(process.execPath, ["--input-type=module", "-e", runner]);
  const grandchild = await grandchildOf(group);
  // The signal goes to the head alone, whereas a terminal would send it to the whole group.
  group.child.kill("SIGINT");
  await group.ended;
  await until(() => !isRunning(grandchild), { seconds: 20, what: "the end of the grandchild" });
});
