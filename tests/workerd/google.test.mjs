// The whole sign-in with Google on real workerd, where WebCrypto checks the ID tokens.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, chooseAtGitHub } from "../harness/client.mjs";
import { Deployment, secretsIn } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

/**
 * Signs in as one of Google's personas. Returns the browser, and where the callback sends it.
 * @param {string} persona
 */
async function enter(persona) {
  const client = new Client(deployment.worker);
  const start = await client.get("/auth/google?next=keys");
  assert.equal(start.status, 302, start.text);
  const { pathname, search } = new URL(await chooseAtGitHub(String(start.headers.get("location")), persona));
  const { headers } = await client.get(pathname + search);
  return { client, location: headers.get("location") };
}

/** Tells the sandbox how Google behaves from now on. @param {string} path @param {Record<string, unknown>} [change] */
async function google(path, change = {}) {
  const answer = await fetch(`${deployment.sandbox.url}/_sandbox/google${path}`, { method: "POST", body: JSON.stringify(change) });
  assert.equal(answer.status, 200, await answer.text());
}

test("a person of the Workspace signs in with Google and claims, and one of no Workspace signs in and is refused the claim", async () => {
  const { client, location } = await enter("employee");
  assert.equal(location, "/keys");
  const me = await client.get("/api/v1/me");
  assert.deepEqual([me.body.member.provider, me.body.member.login], ["google", "employee@company.example"]);
  const claim = await deployment.claim(client);
  assert.deepEqual([claim.status, secretsIn(claim).length], [201, 1], claim.text);
  const outside = await enter("consumer");
  assert.equal(outside.location, "/keys");
  const refused = await deployment.claim(outside.client);
  assert.deepEqual([refused.status, refused.body.code], [403, "google_not_admitted"]);
});

test("an address makes its first account an administrator, and no other one", async () => {
  const [operator, successor] = [await enter("operator"), await enter("successor")];
  assert.equal((await operator.client.get("/api/v1/admin/overview")).status, 200);
  assert.equal((await successor.client.get("/api/v1/admin/overview")).status, 404);
});

test("WebCrypto refuses a signature of another key and none at all, and the claims are checked", async () => {
  for (const lie of ["wrong_signature", "empty_signature", "alg_none", "alg_hs256", "wrong_audience", "expired", "other_nonce"]) {
    await google("", { lie });
    const { client, location } = await enter("employee");
    assert.equal(location, "/?auth_error=google_unproved", lie);
    assert.equal((await client.get("/api/v1/me")).status, 401);
  }
  await google("");
  assert.equal((await enter("employee")).location, "/keys");
  const { counts } = await deployment.sandbox.ledger();
  assert.equal(counts["google.certs"], 1, "the keys were read once");
});
