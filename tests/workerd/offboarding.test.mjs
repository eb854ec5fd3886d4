// Offboarding on workerd: the nightly trigger signs with WebCrypto, walks both directories, and puts out who has left.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startSandbox } from "../harness/index.mjs";
import { Deployment, NIGHT } from "./support.mjs";

const DAY_MS = 86_400_000;
/** The account numbers of the people `load-900000` and the next ones. */
const FIRST = 9_900_000;

/** @type {Deployment} */
let deployment;
before(async () => {
  // The key is the same in every sandbox, and the Worker needs it when it starts.
  const spare = await startSandbox();
  const key = await spare.serviceAccount();
  await spare.stop();
  deployment = await Deployment.open({
    vars: {
      GOOGLE_SA_KEY_JSON: key,
      GOOGLE_DIRECTORY_SUBJECT: "directory-reader@company.example",
      GOOGLE_ALLOWED_DOMAINS: "company.example",
      GITHUB_ORG: "sandbox-company",
      GITHUB_ORG_TOKEN: "ghp_sandbox-organization-token-not-real",
    },
  });
});
after(() => deployment?.close());

/** Fires the nightly trigger of so many days ago. Returns how offboarding ended. @param {number} ago */
async function night(ago) {
  await deployment.worker.cron(Date.now() - ago * DAY_MS, NIGHT);
  const [run] = await deployment.worker.d1("SELECT * FROM runs WHERE job = 'offboard' ORDER BY id DESC LIMIT 1");
  return { ended: [run.outcome, run.code], counts: JSON.parse(run.counts) };
}

test("the nightly trigger signs with WebCrypto, and who has left has no session at once and no key after the next sweep", async () => {
  const [leaver, other] = [await deployment.member("load-900000"), await deployment.member("load-900001")];
  for (const member of [leaver, other]) assert.equal((await deployment.claim(member)).status, 201);
  const everybody = Array.from({ length: 60 }, (_, n) => FIRST + n);
  await deployment.sandbox.organization(everybody);
  await deployment.sandbox.directory(Array.from({ length: 500 }, (_, n) => ({ id: `1100000000000${n}`, email: `p${n}@company.example`, standing: "active" })));
  const first = await night(2);
  assert.deepEqual(first.ended, ["done", "first_look"]);
  assert.deepEqual([first.counts.listed, first.counts.checked], [560, 2]);
  await deployment.sandbox.organization(everybody.slice(1));
  assert.deepEqual((await night(1)).ended, ["done", null]);
  assert.equal((await leaver.get("/api/v1/me")).status, 200, "one night is not enough");
  const last = await night(0);
  assert.deepEqual([last.ended, last.counts.blocked, last.counts.keys], [["done", null], 1, 1]);
  assert.equal((await leaver.get("/api/v1/me")).status, 403);
  assert.equal((await other.get("/api/v1/me")).status, 200);
  await deployment.worker.cron();
  const { keys } = await deployment.sandbox.ledger();
  assert.deepEqual(keys.map((/** @type {any} */ key) => key.disabled), [true, false]);
  assert.equal(await deployment.calls("google.service_token"), 3, "one token a run");
  assert.equal(await deployment.calls("google.users"), 6, "a full page, and then an empty one");
  assert.ok(deployment.worker.logs().every((line) => !line.includes("PRIVATE KEY") && !line.includes("company.example")));
});
