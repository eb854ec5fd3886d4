// A key for a terminal on workerd, with real D1: by the recipe of the docs, run as it stands there, and across a restart.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { Client } from "../harness/index.mjs";
import { CREATE, Deployment, inWaves } from "./support.mjs";

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/** Sends a form as a terminal does. @param {string} path @param {Record<string, string>} form */
const asTerminal = (path, form) => new Client(deployment.worker).call(path, { form, headers: { origin: undefined } });

async function begin() {
  const begun = await asTerminal("/api/v1/device/code", { client_id: "shell", device_name: "build-box" });
  assert.equal(begun.status, 200, begun.text);
  return /** @type {{ device_code: string, user_code: string }} */ (begun.body);
}

/** @param {{ device_code: string }} begun */
const ask = (begun) => asTerminal("/api/v1/device/token", { grant_type: GRANT_TYPE, device_code: begun.device_code, client_id: "shell" });

test("asked by many at once, after a restart, an approved terminal gets one key", async () => {
  const member = await deployment.member();
  const begun = await begin();
  const waiting = await ask(begun);
  assert.deepEqual([waiting.status, waiting.body.error], [400, "authorization_pending"]);
  const found = await member.post("/api/v1/device/lookup", { user_code: begun.user_code });
  assert.deepEqual([found.body.grant.client, found.body.grant.device, found.body.grant.state], ["shell", "build-box", "pending"]);
  await deployment.worker.d1("UPDATE device_grants SET polled_at = polled_at - 60");
  const approved = await member.post("/api/v1/device/approve", { user_code: begun.user_code, accept_terms: 1 });
  assert.equal(approved.status, 200, approved.text);
  await deployment.worker.restart();
  const made = await deployment.calls(CREATE);
  const answers = await inWaves(20, 20, () => ask(begun));
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(good.length, 1);
  assert.equal(await deployment.calls(CREATE), made + 1);
  for (const answer of answers.filter((one) => one !== good[0])) assert.deepEqual([answer.status, answer.body.error], [400, "invalid_grant"], answer.text);
  assert.equal((await member.get("/api/v1/keys")).body.keys[0].id, good[0]?.body.key.id);
  await deployment.promises({ settled: true });
});

/** The recipe of the docs, with the characters that HTML escapes as they were. */
async function recipe() {
  const page = await new Client(deployment.worker).get("/docs");
  const text = /data-snippet="Get a key in a terminal">.*?<code translate="no">(.*?)<\/code>/s.exec(page.text)?.[1];
  assert.ok(text, "the docs have the recipe");
  /** @type {Record<string, string>} */
  const escaped = { "&#34;": '"', "&#39;": "'", "&#38;": "&", "&#60;": "<", "&#62;": ">", "&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">" };
  return text.replace(/&#?\w+;/g, (entity) => escaped[entity] ?? entity);
}

test("the recipe of the docs, run unchanged, names the page and the code, waits, and uses the key at once", async (t) => {
  const member = await deployment.member();
  const folder = await mkdtemp(join(tmpdir(), "keycap-recipe-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // In place of a wait the shell reads a line that this test writes once the person has decided.
  const gate = join(folder, "gate");
  await new Promise((resolve) => spawn("mkfifo", [gate]).on("close", resolve));
  const script = join(folder, "recipe.sh");
  await writeFile(script, `sleep() { read -r _ < "${gate}"; echo "waits $1 s"; }\n${await recipe()}\necho\necho "variable=$OPENROUTER_API_KEY"\n`);
  const shell = spawn("bash", [script], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => shell.kill());
  /** @type {string[]} */
  const lines = [];
  const ended = new Promise((resolve) => shell.on("close", resolve));
  /** @type {Promise<string>} */
  const code = new Promise((resolve, reject) => {
    createInterface({ input: shell.stdout }).on("line", (line) => {
      lines.push(line);
      const shown = /^Open (.*)\/device and type ([A-Z]{4}-[A-Z]{4})$/.exec(line);
      if (shown) resolve(String(shown[2]));
    });
    ended.then(() => reject(new Error(lines.join("\n"))));
  });
  const typed = await code;
  assert.ok(lines[0]?.startsWith(`Open ${deployment.worker.url}/device `), lines[0]);
  const approved = await member.post("/api/v1/device/approve", { user_code: typed, accept_terms: 1 });
  assert.equal(approved.status, 200, approved.text);
  const opened = await open(gate, "w");
  await opened.write("\n");
  await opened.close();
  await ended;
  const secret = lines.find((line) => line.startsWith("variable="))?.slice("variable=".length) ?? "";
  assert.match(secret, /^sk-or-v1-/, lines.join("\n"));
  assert.ok(lines.includes("waits 5 s"));
  // The last line asks OpenRouter with the key, at once.
  const answered = lines.find((line) => line.includes("limit_remaining"));
  assert.ok(answered, lines.join("\n"));
  deployment.delivered.push(secret);
  await deployment.promises({ settled: true });
});

test("the recipe ends with what the person decided", async (t) => {
  const member = await deployment.member();
  const folder = await mkdtemp(join(tmpdir(), "keycap-recipe-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const gate = join(folder, "gate");
  await new Promise((resolve) => spawn("mkfifo", [gate]).on("close", resolve));
  const script = join(folder, "recipe.sh");
  const text = (await recipe()).split("\n").slice(0, -1).join("\n");
  await writeFile(script, `sleep() { read -r _ < "${gate}"; }\n${text}\necho "variable=$OPENROUTER_API_KEY"\n`);
  const shell = spawn("bash", [script], { stdio: ["ignore", "pipe", "pipe"] });
  t.after(() => shell.kill());
  let said = "";
  const ended = new Promise((resolve) => shell.on("close", resolve));
  const code = await new Promise((resolve) => {
    shell.stdout.on("data", (part) => {
      said += part;
      const shown = /type ([A-Z]{4}-[A-Z]{4})\n/.exec(said);
      if (shown) resolve(shown[1]);
    });
  });
  assert.equal((await member.post("/api/v1/device/deny", { user_code: code })).status, 200);
  const opened = await open(gate, "w");
  await opened.write("\n");
  await opened.close();
  await ended;
  assert.match(said, /This was denied in the browser\. No key was made\.\nvariable=\n$/);
});
