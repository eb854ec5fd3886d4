// A tab that is closed while its claim is in progress: the claim still runs to its end, and nobody gets its secret.
// `wrangler dev` runs a request to its end with or without `waitUntil`, so these tests show the behaviour, and not what
// causes it on the edge.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { CLAIM, Client, chooseAtGitHub, until } from "../harness/index.mjs";
import { CREATE, House, secretsIn } from "./support.mjs";

/** @type {House} */
let house;
before(async () => {
  house = await House.open();
});
after(() => house?.close());
afterEach(() => house.sandbox.clearFaults());

/**
 * A claim by a tab that can be closed. `told` holds the secrets that the tab received before that.
 * @param {import("../harness/index.mjs").Client} member
 */
function closableClaim(member) {
  const tab = new AbortController();
  const answer = member.call("/api/v1/claim", { json: CLAIM, signal: tab.signal });
  const told = answer.then(secretsIn, (error) => {
    assert.equal(error.name, "AbortError");
    return /** @type {string[]} */ ([]);
  });
  return { tab, told };
}

/**
 * Closes the tab, and continues once requests that were sent later have answers: by then the Worker knows of it.
 * @param {ReturnType<typeof closableClaim>} claim
 */
async function closeTab({ tab, told }) {
  tab.abort();
  assert.deepEqual(await told, []);
  for (let n = 0; n < 20; n += 1) await (await house.worker.fetch("/healthz")).text();
}

/** @param {import("../harness/index.mjs").Client[]} members */
async function nothingUnderWay(members) {
  const settled = async () => (await Promise.all(members.map((member) => house.states(member)))).flat().every((state) => state !== "minting");
  await until(settled, { seconds: 10, what: "the claims to be finished" });
}

for (const kind of ["hold_before", "hold_after"]) {
  test(`a claim whose tab is closed while its create waits (${kind}) is finished: recorded, told to nobody, there at the next claim`, async () => {
    const member = await house.member();
    await house.sandbox.fault({ operation: CREATE, kind });
    const claim = closableClaim(member);
    await house.sandbox.held(CREATE);
    await closeTab(claim);
    assert.deepEqual(await house.states(member), ["minting"]);
    await house.sandbox.release();
    await nothingUnderWay([member]);

    const [row] = await house.generations(member);
    assert.equal(row.state, "active");
    const { keys } = await house.sandbox.ledger();
    const named = keys.filter((/** @type {any} */ key) => key.name === row.upstream_name);
    assert.deepEqual(named.map((/** @type {any} */ key) => [key.hash, key.deleted_at_ms]), [[row.upstream_hash, null]], "the recorded key is the one that works");
    const next = await house.claim(member);
    assert.deepEqual([next.status, next.body.key.state, secretsIn(next)], [200, "active", []]);
    await house.promises({ settled: true });
  });
}

test("a claim whose tab is closed, and whose gate closes before the record, is undone with nobody waiting", async () => {
  const member = await house.member();
  await house.sandbox.fault({ operation: CREATE, kind: "hold_before" });
  const claim = closableClaim(member);
  await house.sandbox.held(CREATE);
  // A gate closes meanwhile, so the new key has to be removed, although nobody waits any more.
  const operator = await house.member("operator");
  const [{ subject }] = await house.worker.d1("SELECT subject FROM members WHERE public_id = ?1", [await house.memberId(member)]);
  const person = { provider: "github", subject };
  assert.equal((await operator.post("/api/v1/admin/blocks", person)).status, 200);
  await closeTab(claim);
  await house.sandbox.release();
  await until(async () => (await house.states(member))[0] === "revoked", { seconds: 10, what: "the key to be removed again" });
  assert.equal((await operator.call("/api/v1/admin/blocks", { method: "DELETE", json: person })).status, 204);
  assert.equal((await house.claim(member)).status, 201);
  await house.promises({ settled: true });
});

test("a sign-in whose tab is closed at the callback is finished: the member is there, and the state is used up", async () => {
  const client = new Client(house.worker);
  const start = await client.get("/auth/github?next=keys");
  const consent = new URL(await chooseAtGitHub(start.headers.get("location") ?? "", "load-80001"));
  await house.sandbox.fault({ operation: "github.user", kind: "hold_before" });
  const tab = new AbortController();
  const answer = client.call(consent.pathname + consent.search, { signal: tab.signal }).then(({ status }) => status, (error) => error.name);
  await house.sandbox.held("github.user");
  tab.abort();
  assert.equal(await answer, "AbortError");
  for (let n = 0; n < 20; n += 1) await (await house.worker.fetch("/healthz")).text();
  await house.sandbox.release();
  const there = async () => (await house.worker.d1("SELECT 1 FROM members WHERE login = 'load-80001'")).length === 1;
  await until(there, { seconds: 10, what: "the member to be written down" });
  const again = await client.get(consent.pathname + consent.search);
  assert.match(again.headers.get("location") ?? "", /auth_error/, "the code and the state are used up");
  await house.promises({ settled: true });
});

test("tabs closed at whatever moment leave each member with one key or none, and no sweep is needed", async () => {
  const members = await house.members(20);
  const claims = members.map((member) => closableClaim(member));
  // Each tab closes when one more create has arrived, so that the last tabs are cut earlier than the first ones.
  const before = await house.calls(CREATE);
  await Promise.all(claims.map(async ({ tab, told }, n) => {
    await until(async () => (await house.calls(CREATE)) - before >= Math.floor(n / 4), { seconds: 10, what: "creates" });
    tab.abort();
    await told; // some tabs got their answer before
  }));
  await nothingUnderWay(members);
  const states = await Promise.all(members.map((member) => house.states(member)));
  assert.ok(states.every((own) => ["", "active"].includes(own.join())), JSON.stringify(states));
  for (const member of members) assert.ok([200, 201].includes((await house.claim(member)).status));
  await house.promises({ settled: true });
});

test("a connection that is cut in the middle of its request claims nothing", async () => {
  const member = await house.member();
  const { hostname, port } = new URL(house.worker.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.write([
    "POST /api/v1/claim HTTP/1.1",
    `host: ${hostname}:${port}`,
    `origin: ${house.worker.url}`,
    "content-type: application/json",
    "content-length: 2",
    `cookie: __Host-keycap_session=${member.cookies.get("__Host-keycap_session")}`,
    "",
    "{",
  ].join("\r\n"));
  socket.destroy();
  // The same member's whole request, sent later, is a new claim.
  assert.equal((await house.claim(member)).status, 201);
  assert.deepEqual(await house.states(member), ["active"]);
  await house.promises({ settled: true });
});
