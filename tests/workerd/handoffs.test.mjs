// A sign-in at each billing provider on workerd, with real D1 and KV: the key is handed out once, also across a restart, and
// with a new secret in front.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { localVars } from "../../scripts/local.mjs";
import { Deployment, inWaves } from "./support.mjs";

/** @typedef {import("../harness/index.mjs").Client} Client */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
  const operator = await deployment.member("operator");
  assert.equal((await operator.patch("/api/v1/admin/providers/daydream", { enabled: true })).status, 200);
});
after(() => deployment?.close());

/** Chooses on the provider's page. Returns where the browser is sent. @param {string} authUrl @param {string} choice */
async function choose(authUrl, choice) {
  const answer = await fetch(authUrl, { method: "POST", body: new URLSearchParams({ choice }), redirect: "manual" });
  const { pathname, search } = new URL(String(answer.headers.get("location")));
  return pathname + search;
}

/** Begins, signs in, comes back and types the code. Returns the address of the hand-off. @param {Client} member @param {string} slug */
async function confirmed(member, slug) {
  const begun = await member.post(`/api/v1/providers/${slug}/start`);
  assert.equal(begun.status, 201, begun.text);
  const path = `/api/v1/handoffs/${begun.body.handoff.id}`;
  assert.equal((await member.get(path)).body.handoff.status, "pending");
  const back = await member.get(await choose(begun.body.auth_url, "sign-in"));
  assert.equal(back.status, 303);
  const done = String(back.headers.get("location"));
  assert.equal(done, `/auth/providers/${slug}/done?handoff=${begun.body.handoff.id}`);
  const page = await member.get(done);
  const code = /handoff-code figure" translate="no">([^<]+)</.exec(page.text)?.[1];
  assert.match(String(code), /^[A-Z]{4}-[A-Z]{4}$/);
  const answer = await member.post(`${path}/confirm`, { code });
  assert.equal(answer.status, 200, answer.text);
  return path;
}

/** @returns {Promise<{ provider: string, secret: string }[]>} */
const made = async () => /** @type {any} */ (await deployment.sandbox.ledger()).linked_keys;

for (const slug of ["openrouter", "daydream"]) {
  test(`${slug}: twenty requests at once redeem it once, and the key stays on record after a restart`, async () => {
    const member = await deployment.member();
    const before = (await made()).length;
    const path = await confirmed(member, slug);
    await deployment.worker.restart();
    const answers = await inWaves(20, 20, () => member.post(`${path}/redeem`));
    const good = answers.filter(({ status }) => status === 201);
    assert.equal(good.length, 1, answers.map(({ status, text }) => `${status} ${text}`).join("\n"));
    const all = await made();
    assert.equal(all.length, before + 1);
    assert.equal(all.at(-1)?.secret, good[0]?.body.secret);
    assert.equal((await member.get(path)).body.handoff.status, "redeemed");
    const { keys } = (await member.get("/api/v1/provider-keys")).body;
    assert.deepEqual(keys.map((/** @type {any} */ key) => key.provider), [slug]);
    assert.equal((await member.delete(`/api/v1/provider-keys/${keys[0].id}`)).status, 204);
  });
}

test("a secret that is put in front of the list loses no open sign-in", async () => {
  const member = await deployment.member();
  const path = await confirmed(member, "openrouter");
  const { AUTH_SESSION_SECRET: old } = localVars({ origin: "", sandboxUrl: "" });
  await deployment.worker.restart({ vars: { AUTH_SESSION_SECRET: `another-session-secret-not-for-production-1,${old}` } });
  const answer = await member.post(`${path}/redeem`);
  assert.equal(answer.status, 201, answer.text);
  await deployment.worker.restart({ vars: { AUTH_SESSION_SECRET: old } });
});

test("a decline is told, and makes nothing", async () => {
  const member = await deployment.member();
  const before = (await made()).length;
  const begun = await member.post("/api/v1/providers/daydream/start");
  const back = await member.get(await choose(begun.body.auth_url, "decline"));
  assert.equal(back.headers.get("location"), "/auth/providers/daydream/done?error=declined");
  assert.equal((await member.get(`/api/v1/handoffs/${begun.body.handoff.id}`)).body.handoff.status, "refused");
  assert.equal((await made()).length, before);
});
