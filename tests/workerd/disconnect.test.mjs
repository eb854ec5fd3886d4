// A tab that is closed while its claim is in progress: the claim still runs to its end, and nobody gets its secret.
// Here workerd runs a request to its end with or without `waitUntil`, so these tests show the behaviour, and not what
// causes it on the edge.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { CLAIM, Client, chooseAtGitHub, until } from "../harness/index.mjs";
import { CREATE, Deployment, secretsIn } from "./support.mjs";

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());
afterEach(() => deployment.sandbox.clearFaults());

/**
 * A claim by a tab that can be closed. `secrets` are the ones that the tab received before that.
 * @param {import("../harness/index.mjs").Client} member
 */
function closableClaim(member) {
  const tab = new AbortController();
  const answer = member.call("/api/v1/claim", { json: CLAIM, signal: tab.signal });
  const secrets = answer.then(secretsIn, (error) => {
    assert.equal(error.name, "AbortError");
    return /** @type {string[]} */ ([]);
  });
  return { tab, secrets };
}

/**
 * Closes the tab, and continues once requests that were sent later have answers: by then the Worker knows of it.
 * @param {ReturnType<typeof closableClaim>} claim
 */
async function closeTab({ tab, secrets }) {
  tab.abort();
  assert.deepEqual(await secrets, []);
  for (let n = 0; n < 20; n += 1) await (await deployment.worker.fetch("/healthz")).text();
}

/** @param {import("../harness/index.mjs").Client[]} members */
async function nothingUnderWay(members) {
  const settled = async () => (await Promise.all(members.map((member) => deployment.states(member)))).flat().every((state) => state !== "minting");
  await until(settled, { seconds: 10, what: "the claims to be finished" });
}

for (const kind of ["hold_before", "hold_after"]) {
  test(`a claim whose tab is closed while its create waits (${kind}) is finished: the key is recorded, its secret reaches nobody, and the next claim shows the key`, async () => {
    const member = await deployment.member();
    await deployment.sandbox.fault({ operation: CREATE, kind });
    const claim = closableClaim(member);
    await deployment.sandbox.held(CREATE);
    await closeTab(claim);
    assert.deepEqual(await deployment.states(member), ["minting"]);
    await deployment.sandbox.release();
    await nothingUnderWay([member]);

    const [row] = await deployment.generations(member);
    assert.equal(row.state, "active");
    const { keys } = await deployment.sandbox.ledger();
    const named = keys.filter((/** @type {any} */ key) => key.name === row.upstream_name);
    assert.deepEqual(named.map((/** @type {any} */ key) => [key.hash, key.deleted_at_ms]), [[row.upstream_hash, null]], "the recorded key is the one that works");
    const next = await deployment.claim(member);
    assert.deepEqual([next.status, next.body.key.state, secretsIn(next)], [200, "active", []]);
    await deployment.promises({ settled: true });
  });
}

test("a claim whose tab is closed, and whose gate closes before the record, is undone although nobody waits for it", async () => {
  const member = await deployment.member();
  await deployment.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const claim = closableClaim(member);
  await deployment.sandbox.held(CREATE);
  // A gate closes meanwhile, so the new key has to be removed, although nobody waits any more.
  const operator = await deployment.member("operator");
  const [{ subject }] = await deployment.worker.d1("SELECT subject FROM members WHERE public_id = ?1", [await deployment.memberId(member)]);
  const person = { provider: "github", subject };
  assert.equal((await operator.post("/api/v1/admin/blocks", person)).status, 200);
  await closeTab(claim);
  await deployment.sandbox.release();
  await until(async () => (await deployment.states(member))[0] === "revoked", { seconds: 10, what: "the key to be removed again" });
  assert.equal((await operator.call("/api/v1/admin/blocks", { method: "DELETE", json: person })).status, 204);
  assert.equal((await deployment.claim(member)).status, 201);
  await deployment.promises({ settled: true });
});

test("a sign-in whose tab is closed at the callback is finished: the member exists, and the state is used up", async () => {
  const client = new Client(deployment.worker);
  const start = await client.get("/auth/github?next=keys");
  const consent = new URL(await chooseAtGitHub(start.headers.get("location") ?? "", "load-80001"));
  await deployment.sandbox.fault({ operation: "github.user", kind: "hold_before" });
  const tab = new AbortController();
  const answer = client.call(consent.pathname + consent.search, { signal: tab.signal }).then(({ status }) => status, (error) => error.name);
  await deployment.sandbox.held("github.user");
  tab.abort();
  assert.equal(await answer, "AbortError");
  for (let n = 0; n < 20; n += 1) await (await deployment.worker.fetch("/healthz")).text();
  await deployment.sandbox.release();
  const there = async () => (await deployment.worker.d1("SELECT 1 FROM members WHERE login = 'load-80001'")).length === 1;
  await until(there, { seconds: 10, what: "the member to be written down" });
  const again = await client.get(consent.pathname + consent.search);
  assert.match(again.headers.get("location") ?? "", /auth_error/, "the code and the state are used up");
  await deployment.promises({ settled: true });
});

test("tabs closed at any moment leave each member with one key or none, and no sweep is needed", async () => {
  const members = await deployment.members(20);
  const claims = members.map((member) => closableClaim(member));
  // Each tab closes when one more create has arrived, so that the last tabs are cut earlier than the first ones.
  const before = await deployment.calls(CREATE);
  await Promise.all(claims.map(async ({ tab, secrets }, n) => {
    await until(async () => (await deployment.calls(CREATE)) - before >= Math.floor(n / 4), { seconds: 10, what: "creates" });
    tab.abort();
    await secrets; // some tabs got their answer before
  }));
  await nothingUnderWay(members);
  const states = await Promise.all(members.map((member) => deployment.states(member)));
  assert.ok(states.every((own) => ["", "active"].includes(own.join())), JSON.stringify(states));
  for (const member of members) assert.ok([200, 201].includes((await deployment.claim(member)).status));
  await deployment.promises({ settled: true });
});

test("a connection that is cut in the middle of its request claims nothing", async () => {
  const member = await deployment.member();
  const { hostname, port } = new URL(deployment.worker.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write([
    "POST /api/v1/claim HTTP/1.1",
    `host: ${hostname}:${port}`,
    `origin: ${deployment.worker.url}`,
    "content-type: application/json",
    "content-length: 2",
    `cookie: __Host-keycap_session=${member.cookies.get("__Host-keycap_session")}`,
    "",
    "{",
  ].join("\r\n"));
  socket.destroy();
  // The same member's whole request, sent later, is a new claim.
  assert.equal((await deployment.claim(member)).status, 201);
  assert.deepEqual(await deployment.states(member), ["active"]);
  await deployment.promises({ settled: true });
});
