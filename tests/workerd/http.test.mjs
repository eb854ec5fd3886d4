// What every answer carries and what every request must bring, on workerd over HTTP: the promises that are kept between
// the network and the handlers.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { createHash, createHmac, hkdfSync } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "smol-toml";
import { localVars } from "../../scripts/local.mjs";
import { pageFiles } from "../../scripts/pages.mjs";
import { inRoot } from "../../scripts/paths.mjs";
import { CLAIM, Client } from "../harness/index.mjs";
import { CREATE, Deployment, ROUTES, UNLIMITED, secretsIn, sessionOf } from "./support.mjs";

/** @typedef {import("./support.mjs").Answer} Answer */

/** @type {Deployment} */
let deployment;
before(async () => {
  deployment = await Deployment.open();
});
after(() => deployment?.close());

const SESSION = "__Host-keycap_session";
const HTML = { accept: "text/html" };

/** The local settings, with the Worker's own secrets among them. */
const secrets = () => localVars({ origin: "", sandboxUrl: deployment.sandbox.url });

/** Where the API's description is. */
const DESCRIPTION = "/api/v1/openapi.json";

/** The headers that `public/_headers` gives every file. */
const STATIC_HEADERS = await staticHeaders();
async function staticHeaders() {
  const lines = (await readFile(inRoot("public", "_headers"), "utf8")).split("\n");
  const rule = lines.slice(lines.indexOf("/*") + 1, lines.indexOf("")).filter((line) => line.startsWith("  "));
  assert.ok(rule.length >= 7, "public/_headers has the headers");
  return rule.map((line) => [line.slice(0, line.indexOf(":")).trim(), line.slice(line.indexOf(":") + 1).trim()]);
}

/** @param {{ headers: Headers }} answer @param {string} where */
function isSecured(answer, where) {
  for (const [name, value] of STATIC_HEADERS) assert.equal(answer.headers.get(name), value, `${name} of ${where}`);
}

/** @param {Answer} answer @param {number} status @param {string} code */
function isProblem(answer, status, code) {
  assert.deepEqual([answer.status, answer.body?.code, answer.headers.get("content-type")], [status, code, "application/problem+json"], answer.text);
  assert.equal(answer.body.instance, answer.headers.get("x-request-id"));
}

describe("every answer", () => {
  test("the routes of these tests are the routes of the Worker", async () => {
    const parts = [["routes.rs"], ["routes", "admins.rs"]].map((path) => readFile(inRoot("src", "http", ...path), "utf8"));
    const table = (await Promise.all(parts)).join("\n");
    const paths = new Set(Array.from(table.matchAll(/"(\/[^" ]*)"/g), ([, path]) => path));
    assert.deepEqual([...paths].sort(), ROUTES.map(({ path }) => path).sort());
  });

  test("carries the security headers and is stored by no cache, for every caller and every answer", async () => {
    const [member, operator] = [await deployment.member(), await deployment.member("operator")];
    for (const { path, methods } of [...ROUTES, { path: "/nothing/here", methods: ["GET"] }]) {
      for (const client of [new Client(deployment.worker), member, operator]) {
        const isAnonymous = client !== member && client !== operator;
        for (const method of [...methods, "HEAD", ...(isAnonymous ? ["DELETE", "OPTIONS"] : [])]) {
          for (const headers of isAnonymous ? [{}, HTML] : [{}]) {
            const json = ["POST", "PUT", "PATCH"].includes(method) ? { unknown: "member" } : undefined;
            const answer = await client.call(path, { method, json, headers: { origin: deployment.worker.url, ...headers } });
            const where = `${method} ${path}: ${answer.status}`;
            // A file of usage is refused while a completed day was not read.
            assert.ok(answer.status < 500 || path.endsWith("/usage.csv"), where);
            assert.equal(answer.headers.get("cache-control"), "no-store, no-transform", where);
            assert.match(answer.headers.get("x-request-id") ?? "", /^req_[0-9a-f]{24}$/, where);
            for (const header of ["access-control-allow-origin", "server", "x-powered-by"]) assert.equal(answer.headers.get(header), null, `${header} of ${where}`);
            if (method === "HEAD") assert.equal(answer.text, "", where);
            isSecured(answer, where);
          }
        }
      }
    }
  });

  test("static files carry the same headers, and nothing else is served", async () => {
    const files = (await readdir(inRoot("public"), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const paths = files.map((entry) => join(entry.parentPath, entry.name).slice(inRoot("public").length));
    assert.ok(paths.length > 5);
    for (const path of paths) {
      const answer = await new Client(deployment.worker).get(path);
      assert.equal(answer.status, path.startsWith("/assets/") || path === DESCRIPTION ? 200 : 404, path);
      isSecured(answer, path);
    }
    for (const path of ["/_headers", "/wrangler.toml", "/assets/../wrangler.toml", "/assets/%2e%2e/%2e%2e/wrangler.toml", "/index.html", "/assets/", "/assets/keys.js", "/assets/keys-0000000000000000.js"]) {
      const answer = await new Client(deployment.worker).get(path);
      assert.equal(answer.status, 404, path);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff", path);
    }
  });

  test("what a document loads is what the sources make now, has the hash of its content in its name, and is kept for ever", async () => {
    const made = new Map((await pageFiles()).map(({ name, content }) => [`/assets/${name}`, Buffer.from(content)]));
    const asked = new Set();
    const own = { "/": "landing", "/docs": "docs", "/keys": "keys", "/account": "account", "/leak": "leak", "/device": "device", "/usage": "usage", "/admin": "console", "/nothing": undefined };
    const administrator = await deployment.member("operator");
    const more = /** @type {Record<string, string>} */ ({ "/usage": "charts", "/admin": "tables" });
    for (const [path, script] of Object.entries(own)) {
      const document = await administrator.call(path, { headers: HTML });
      const loaded = Array.from(document.text.matchAll(/<(?:link|script)[^>]*? (?:href|src)="([^"]*)"/g), ([, address]) => address);
      assert.deepEqual(loaded.map((address) => /^\/assets\/([a-z]+)-[0-9a-f]{16}\.[a-z]+$/.exec(address)?.[1]), ["icon", "style", ...(more[path] ? [more[path]] : []), ...(script ? [script] : [])], path);
      for (const address of loaded) asked.add(address);
    }
    assert.deepEqual([...asked].sort(), [...made.keys()].sort(), "each file is loaded by a page");
    for (const [address, content] of made) {
      const answer = await deployment.worker.fetch(address);
      assert.equal(answer.status, 200, address);
      assert.equal(answer.headers.get("cache-control"), "public, max-age=31536000, immutable", address);
      const served = Buffer.from(await answer.arrayBuffer());
      assert.ok(served.equals(content), `${address} is not what the sources make: npm run build`);
      assert.ok(address.includes(createHash("sha256").update(served).digest("hex").slice(0, 16)), address);
    }
  });

  test("the API's description is a file that is asked for again, without the Worker", async () => {
    const file = await readFile(inRoot("public", DESCRIPTION), "utf8");
    const answer = await deployment.worker.fetch(DESCRIPTION);
    assert.deepEqual([answer.status, await answer.text()], [200, file]);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json\b/);
    assert.match(answer.headers.get("cache-control") ?? "", /\bmust-revalidate\b/);
    assert.equal(answer.headers.get("x-request-id"), null, "the Worker was not asked");
    const known = { "if-none-match": answer.headers.get("etag") ?? "" };
    assert.equal((await deployment.worker.fetch(DESCRIPTION, { headers: known })).status, 304);
    const head = await deployment.worker.fetch(DESCRIPTION, { method: "HEAD" });
    assert.deepEqual([head.status, await head.text()], [200, ""]);
    const beside = await new Client(deployment.worker).get(`${DESCRIPTION}.gz`);
    isProblem(beside, 404, "not_found");
    const change = await deployment.worker.fetch(DESCRIPTION, { method: "POST", body: "{}" });
    assert.equal(change.status, 405);
    for (const each of [answer, head, change]) isSecured(each, DESCRIPTION);
  });

  test("a file of an earlier build is not there, and no cache keeps that answer", async () => {
    const answer = await deployment.worker.fetch("/assets/keys-0000000000000000.js");
    assert.equal(answer.status, 404);
    assert.equal(answer.headers.get("cache-control"), "no-store, no-transform");
  });

  test("static files contain no name or value of a secret", async () => {
    const names = [...Object.keys(secrets()).filter((name) => /SECRET|MANAGEMENT_KEY/.test(name)), "RELAY_SECRET", "GOOGLE_SA_KEY_JSON"];
    const values = Object.entries(secrets()).filter(([name]) => names.includes(name)).map(([, value]) => value);
    assert.ok(values.length >= 3);
    const files = (await readdir(inRoot("public"), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    for (const entry of files) {
      const content = await readFile(join(entry.parentPath, entry.name), "utf8");
      for (const word of [...names, ...values]) assert.ok(!content.includes(word), `${word} in ${entry.name}`);
    }
  });
});

describe("addresses and methods", () => {
  test("a method that an address does not take is refused with the ones it takes; admin addresses answer as unknown", async () => {
    const [anonymous, member] = [new Client(deployment.worker), await deployment.member()];
    for (const { path, methods, admin } of ROUTES) {
      const taken = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].filter((name) => !methods.includes(name))) {
        for (const client of method === "PUT" ? [anonymous, member] : [anonymous]) {
          const answer = await client.call(path, { method });
          // Nobody may learn from another method whether an id exists.
          if (admin || path.includes("{")) isProblem(answer, 404, "not_found");
          else {
            isProblem(answer, 405, "method_not_allowed");
            assert.equal(answer.headers.get("allow"), taken.join(", "), `${method} ${path}`);
          }
        }
      }
    }
  });

  test("an admin's address answers others exactly like an unknown one, and answers an admin with its data", async () => {
    const operator = await deployment.member("operator");
    assert.equal((await operator.get("/api/v1/admin/settings")).body.minting, "open");
    for (const client of [new Client(deployment.worker), await deployment.member()]) {
      const own = { "x-request-id": "the-same-one" };
      for (const [method, json] of /** @type {const} */ ([["GET", undefined], ["PATCH", { minting: "stopped" }]])) {
        const [admin, unknown] = [await client.call("/api/v1/admin/settings", { method, json, headers: own }), await client.call("/api/v1/admin/nothing", { method, json, headers: own })];
        assert.equal(admin.text, unknown.text);
        assert.deepEqual([admin.status, withoutDate(admin)], [404, withoutDate(unknown)]);
      }
    }
    assert.deepEqual(await deployment.worker.d1("SELECT minting FROM settings"), [{ minting: "open" }]);
  });

  test("unknown addresses are answered with a page for browsers and a problem for programs, and repeat nothing of the request", async () => {
    const client = new Client(deployment.worker);
    const path = "/no%3Cscript%3Esuch/page-7f3a?q=%3Cb%3E";
    isProblem(await client.get(path), 404, "not_found");
    const page = await client.call(path, { headers: HTML });
    assert.deepEqual([page.status, page.headers.get("content-type")], [404, "text/html; charset=utf-8"]);
    for (const answer of [await client.get(path), page]) assert.ok(!/7f3a|such|<b>|q=/.test(answer.text), answer.text);
  });

  test("a document on another host is redirected to the canonical one without the query; data and writes are not", async () => {
    const { port } = new URL(deployment.worker.url);
    const elsewhere = `http://127.0.0.1:${port}`;
    for (const path of ["/", "/keys", "/auth/github", "/auth/github/callback"]) {
      const answer = await fetch(`${elsewhere}${path}?code=made-up&next=https://elsewhere.example`, { redirect: "manual" });
      assert.deepEqual([answer.status, answer.headers.get("location")], [302, deployment.worker.url + path]);
      isSecured(answer, path);
    }
    assert.equal((await fetch(`${elsewhere}/healthz`)).status, 200);
    const claim = await fetch(`${elsewhere}/api/v1/claim`, { method: "POST", body: "{}", headers: { "content-type": "application/json", origin: elsewhere } });
    assert.equal(claim.status, 403, "an origin is not ours because the request's host says so");
  });

  test("a request id is taken if it is a plain word, and made otherwise", async () => {
    const client = new Client(deployment.worker);
    for (const id of ["abcDEF-12_34", "x".repeat(64), "12345678"]) {
      const answer = await client.call("/nothing", { headers: { "x-request-id": id } });
      assert.deepEqual([answer.headers.get("x-request-id"), answer.body.instance], [id, id]);
    }
    for (const id of ["short", "x".repeat(65), "with space", "<script>alert", "semi;colon=1", "quote\"quote", "caf\u00e9caf\u00e9", "../../../etc", "tab\there1"]) {
      const answer = await client.call("/nothing", { headers: { "x-request-id": id } });
      assert.match(answer.headers.get("x-request-id") ?? "", /^req_[0-9a-f]{24}$/, id);
    }
  });

  test("the health route says what is open, asks nobody else and needs no session", async () => {
    const before = (await deployment.sandbox.ledger()).calls.length;
    const answer = await new Client(deployment.worker).get("/healthz");
    assert.deepEqual([answer.status, answer.body], [200, { status: "ok", claims_open: true, sign_in: true, closed_by: [] }]);
    assert.equal((await deployment.sandbox.ledger()).calls.length, before);
  });
});

describe("unsafe requests", () => {
  /** Unsafe routes, the status that they answer if the request passes, and a body that they accept. */
  const UNSAFE = [
    { path: "/auth/logout", method: "POST", passes: 303, json: "{}", form: "", takesForms: true },
    { path: "/api/v1/me/sign-out-everywhere", method: "POST", passes: 204, json: "{}", form: "a=b" },
    { path: "/api/v1/claim", method: "POST", passes: 201, json: JSON.stringify(CLAIM), form: "a=b" },
    { path: "/api/v1/admin/settings", method: "PATCH", passes: 200, json: '{"minting":"open"}', form: "minting=open" },
  ];

  test("pass only from our own origin, with matching or no fetch metadata, and as JSON: every combination", async () => {
    const cells = UNSAFE.flatMap((route) => {
      // No origin here has our own host in it: `wrangler dev` rewrites those on their way to the Worker.
      const origins = [deployment.worker.url, "https://elsewhere.example", "null", undefined, "http://localhost", "http://localhost:1"];
      const sites = ["same-origin", undefined, "cross-site", "same-site", "none"];
      const types = [["application/json", route.json], ["application/json; charset=utf-8", route.json], ["text/plain", route.json], ["application/x-www-form-urlencoded", route.form], [undefined, undefined]];
      return origins.flatMap((origin) => sites.flatMap((site) => types.map(([type, body]) => ({ route, origin, site, type, body }))));
    });
    assert.ok(cells.length >= 4 * 4 * 3 * 3);
    let passed = 0;
    const operator = await deployment.member("operator");
    const others = await deployment.member();
    for (const { route, origin, site, type, body } of cells) {
      const isOurs = origin === deployment.worker.url && (site === undefined || site === "same-origin");
      const fits = type?.startsWith("application/json") || (route.takesForms && !(type === "text/plain" && body));
      const admin = route.path.includes("/admin/");
      // A request that passes changes something, so a new member sends it.
      const client = admin ? operator : isOurs && fits ? await deployment.member() : others;
      const answer = await client.call(route.path, { method: route.method, headers: { origin, "sec-fetch-site": site, "content-type": type }, ...raw(body) });
      const where = `${route.method} ${route.path} origin ${origin} site ${site} type ${type}: ${answer.status} ${answer.text}`;
      if (isOurs && fits) {
        assert.equal(answer.status, route.passes, where);
        passed += 1;
      } else {
        assert.deepEqual([answer.status, answer.body?.code], isOurs ? [415, "unsupported_media_type"] : [403, "foreign_origin"], where);
        assert.equal(answer.headers.get("set-cookie"), null, where);
      }
    }
    assert.equal(passed, 4 * 2 * 2 + 2 * 2, "JSON on each route, and the form of signing out");
    assert.equal((await others.get("/api/v1/me")).status, 200, "what was refused signed nobody out");
    assert.deepEqual(await deployment.generations(others), [], "and claimed nothing");
    assert.deepEqual(await deployment.worker.d1("SELECT COUNT(*) AS switched FROM audit WHERE action = 'minting_switched'"), [{ switched: 4 }], "and switched nothing");
    await deployment.promises({ settled: true });
  });

  test("an address longer than any of ours gets an answer that says so", async () => {
    const long = await deployment.worker.fetch(`/nothing?${"x".repeat(9_000)}`);
    assert.deepEqual([long.status, JSON.parse(await long.text()).code], [414, "address_too_long"]);
    const fits = await deployment.worker.fetch(`/nothing?${"x".repeat(7_000)}`);
    assert.equal(fits.status, 404);
  });

  test("say for which member their page was made, and are refused if another account has signed in since", async () => {
    const [member, second] = [await deployment.member(), await deployment.member()];
    const named = (/** @type {string | undefined} */ id) => member.post("/api/v1/claim", CLAIM, { "x-keycap-member": id });
    isProblem(await named(undefined), 428, "account_not_named");
    isProblem(await named(second.member), 409, "account_changed");
    isProblem(await named(""), 409, "account_changed");
    isProblem(await named(`${member.member}, ${second.member}`), 409, "account_changed");
    assert.deepEqual(await deployment.generations(member), [], "nothing was claimed");
    assert.equal((await named(member.member)).status, 201);
    await deployment.promises({ settled: true });
  });

  test("a body that is not the JSON expected is 400, of another type 415, too large 413, also in chunks", async () => {
    const member = await deployment.member();
    const before = await deployment.calls(CREATE);
    const send = (/** @type {any} */ body, headers = {}) => member.call("/api/v1/claim", { method: "POST", headers: { "content-type": "application/json", ...headers }, ...raw(body) });
    for (const body of ["{", "", "null", "[1]", '"{}"', "{}{}", '{"unknown":1}', "\u0000", "[".repeat(900)]) isProblem(await send(body), 400, "malformed_json");
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp", undefined]) {
      isProblem(await send("{}", { "content-type": type }), 415, "unsupported_media_type");
    }
    const spaces = (/** @type {number} */ count) => `${JSON.stringify(CLAIM).slice(0, -1).padEnd(count - 1)}}`;
    isProblem(await send(spaces(1025)), 413, "body_too_large");
    isProblem(await send(spaces(16 * 1024 + 1)), 413, "body_too_large");
    isProblem(await send(spaces(60_000)), 413, "body_too_large");
    isProblem(await send(chunked(spaces(1025), 100)), 413, "body_too_large");
    // In two chunks: a client that goes on sending after the answer finds the connection closed.
    isProblem(await send(chunked(spaces(16 * 1024 + 1), 16 * 1024)), 413, "body_too_large");
    assert.equal(await deployment.calls(CREATE), before);
    assert.deepEqual(await deployment.states(member), []);
    const made = await send(chunked(spaces(1024), 300));
    assert.equal(made.status, 201, "the largest that fits, in chunks");
    await deployment.promises({ settled: true });
  });

  test("the form that signs out works without scripts and sends nothing but an empty body; one with fields is refused", async () => {
    const member = await deployment.member();
    const refused = await member.call("/auth/logout", { form: { next: "https://elsewhere.example" } });
    isProblem(refused, 400, "bad_request");
    assert.equal((await member.get("/api/v1/me")).status, 200);
    const answer = await member.call("/auth/logout", { form: {} });
    assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/"]);
    assert.ok(answer.headers.getSetCookie().includes("__Host-keycap_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"));
    assert.ok(!member.cookies.has(SESSION));
    isProblem(await member.get("/api/v1/me"), 401, "sign_in_required");
  });
});

/** @param {any} body */
function raw(body) {
  return body === undefined ? {} : { body };
}

/** A body whose length is not announced. @param {string} text @param {number} size */
function chunked(text, size) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + size));
      at += size;
    },
  });
}

/** @param {Answer} answer */
function withoutDate(answer) {
  return [...answer.headers].filter(([name]) => name !== "date");
}

describe("sessions", () => {
  /** The key that signs sessions, derived as the Worker derives it. @param {string} secret */
  const signingKey = (secret) => Buffer.from(hkdfSync("sha256", secret, "", "keycap session v1", 32));
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  /** @param {object} claims @param {{ header?: object, secret?: string }} [options] */
  function token(claims, { header = { alg: "HS256" }, secret = secrets().AUTH_SESSION_SECRET } = {}) {
    const signed = `${part(header)}.${part(claims)}`;
    return `${signed}.${createHmac("sha256", signingKey(secret)).update(signed).digest("base64url")}`;
  }
  /** @param {string} session */
  async function statusWith(session) {
    const client = new Client(deployment.worker);
    client.cookies.set(SESSION, session);
    return (await client.get("/api/v1/me")).status;
  }

  test("a token that is expired, from the future, valid for too long, changed, unsigned or signed by another key belongs to nobody", async () => {
    const member = await deployment.member();
    const own = member.cookies.get(SESSION) ?? "";
    const [head, body, signature] = own.split(".");
    const claims = sessionOf(member);
    assert.equal(await statusWith(own), 200);
    assert.equal(await statusWith(token(claims)), 200, "these tokens are made as the Worker makes them");
    const now = Math.floor(Date.now() / 1000);
    const forged = {
      expired: token({ ...claims, iat: now - 604_801, exp: now - 1 }),
      "from the future": token({ ...claims, iat: now + 120, exp: now + 1000 }),
      "valid for longer than seven days": token({ ...claims, iat: now, exp: now + 604_801 }),
      "without an end": token({ sub: claims.sub, epoch: claims.epoch, iat: now }),
      "of another secret": token(claims, { secret: "another-secret-that-is-long-enough-000" }),
      "signed with the secret itself": `${head}.${body}.${createHmac("sha256", secrets().AUTH_SESSION_SECRET).update(`${head}.${body}`).digest("base64url")}`,
      "alg none": `${part({ alg: "none" })}.${body}.`,
      "alg none, signed": token(claims, { header: { alg: "none" } }),
      "alg HS512": token(claims, { header: { alg: "HS512" } }),
      "another member's": `${head}.${part({ ...claims, sub: `mem_${"0".repeat(24)}` })}.${signature}`,
      "a bit turned": `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`,
      "without a signature": `${head}.${body}`,
      empty: "",
      noise: "a.b.c",
    };
    for (const [what, session] of Object.entries(forged)) assert.equal(await statusWith(session), 401, what);
    assert.equal(await statusWith(token({ ...claims, epoch: claims.epoch + 1 })), 401, "an epoch that is not the member's");
  });

  test("an ended session gets an answer that says so and removes its cookie, and nothing can be changed with it", async () => {
    const [first, second, third] = [await deployment.member("second"), await deployment.member("second"), await deployment.member("second")];
    const stale = second.cookies.get(SESSION) ?? "";
    assert.equal((await first.post("/api/v1/me/sign-out-everywhere")).status, 204);
    for (const client of [second, third]) {
      client.cookies.set(SESSION, stale);
      const answer = await client.get("/api/v1/me");
      isProblem(answer, 401, "sign_in_required");
      assert.match(answer.headers.get("set-cookie") ?? "", /^__Host-keycap_session=;.*Max-Age=0$/);
      for (const path of ["/api/v1/claim", "/api/v1/me/sign-out-everywhere"]) {
        client.cookies.set(SESSION, stale);
        isProblem(await client.post(path), 401, "sign_in_required");
      }
    }
    assert.ok(!first.cookies.has(SESSION));
    assert.equal((await (await deployment.member("second")).get("/api/v1/me")).status, 200, "signing in again helps");
  });

  test("while session secrets are rotated old sessions stay valid and new ones are signed by the new secret; afterwards the old ones end", async () => {
    const old = secrets().AUTH_SESSION_SECRET;
    const fresh = "local-session-secret-not-for-production-1111";
    const before = await deployment.member();
    await deployment.worker.restart({ vars: { AUTH_SESSION_SECRET: `${fresh},${old}` } });
    assert.equal((await before.get("/api/v1/me")).status, 200);
    const during = await deployment.member();
    assert.ok(token(sessionOf(during), { secret: fresh }) === during.cookies.get(SESSION), "the newest signs");
    await deployment.worker.restart({ vars: { AUTH_SESSION_SECRET: fresh } });
    isProblem(await before.get("/api/v1/me"), 401, "sign_in_required");
    assert.equal((await during.get("/api/v1/me")).status, 200);
    await deployment.worker.restart({ vars: { AUTH_SESSION_SECRET: old } });
  });
});

describe("rates, as wrangler.toml has them", () => {
  before(async () => {
    const { ratelimits } = /** @type {any} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
    const committed = Object.fromEntries(ratelimits.map((/** @type {any} */ { name, simple }) => [name, simple]));
    await deployment.worker.restart({ rateLimits: committed });
  });
  after(() => deployment.worker.restart({ rateLimits: UNLIMITED }));

  /**
   * Calls until a call is refused. A window of a minute may end meanwhile; then as many calls pass again.
   * @param {number} limit @param {() => Promise<Answer>} call
   */
  async function untilRefused(limit, call) {
    for (let passed = 0; passed <= 2 * limit; passed += 1) {
      const answer = await call();
      if (answer.status !== 429) continue;
      assert.ok(passed >= limit, `${passed} of ${limit} passed`);
      isProblem(answer, 429, "rate_limited");
      assert.equal(answer.headers.get("retry-after"), "60");
      return;
    }
    assert.fail(`more than ${2 * limit} passed`);
  }

  test("twenty sign-ins begun a minute by one address, or by one /64 of IPv6; another address has its own", async () => {
    const at = (/** @type {string} */ address) => new Client(deployment.worker, { address });
    await untilRefused(20, () => at("203.0.113.1").get("/auth/github"));
    assert.equal((await at("203.0.113.2").get("/auth/github")).status, 302);
    // The callback is counted separately: an address that may start twenty sign-ins may also finish them.
    await untilRefused(20, () => at("203.0.113.1").get("/auth/github/callback?code=a&state=b"));
    let host = 0;
    await untilRefused(20, () => at(`2001:db8:1:2::${(host += 1).toString(16)}`).get("/auth/github"));
    assert.equal((await at("2001:db8:1:3::1").get("/auth/github")).status, 302);
  });

  test("five claims a minute by one member, from wherever; another member at the same address has their own", async () => {
    const [member, other] = [await deployment.member(), await deployment.member()];
    const made = await deployment.claim(member);
    assert.equal(made.status, 201);
    let n = 0;
    await untilRefused(4, () => member.post("/api/v1/claim", {}, { "cf-connecting-ip": `203.0.113.${(n += 1) + 10}` }));
    assert.equal((await other.post("/api/v1/claim", { unknown: 1 }, { "cf-connecting-ip": "203.0.113.11" })).status, 400);
    assert.equal((await member.get("/api/v1/me")).status, 200, "looking is not claiming");
  });

  test("thirty claims a minute by one address, however many members are behind it", async () => {
    const members = await deployment.members(16);
    let n = 0;
    await untilRefused(30, () => members[n++ % members.length].post("/api/v1/claim", { unknown: 1 }, { "cf-connecting-ip": "203.0.113.77" }));
    assert.equal((await members[15].post("/api/v1/claim", { unknown: 1 }, { "cf-connecting-ip": "203.0.113.78" })).status, 400);
  });

  test("120 API requests a minute by one member", async () => {
    const [member, other] = [await deployment.member(), await deployment.member()];
    await untilRefused(120, () => member.get("/api/v1/keys"));
    assert.equal((await other.get("/api/v1/keys")).status, 200);
  });
});

test("a control character in a header is refused with our own headers, and nothing is done", async () => {
  const { hostname, port, host } = new URL(deployment.worker.url);
  const refused = [
    ["GET /healthz", "x-request-id: abc\x01defgh"],
    ["GET /healthz", "cookie: a=\x7f"],
    ["POST /api/v1/claim", "sec-fetch-site: same-origin\x01"],
    ["POST /api/v1/claim", "origin: http://localhost\x01"],
    ["POST /api/v1/claim", "idempotency-key: a\x01b"],
  ];
  for (const [asked, line] of refused) {
    const socket = connect(Number(port), hostname);
    socket.end(`${asked} HTTP/1.1\r\nHost: ${host}\r\n${line}\r\nConnection: close\r\n\r\n`, "latin1");
    let answer = "";
    for await (const chunk of socket) answer += chunk;
    assert.match(answer, /^HTTP\/1\.1 400 /, line);
    assert.match(answer, /content-security-policy: default-src 'none'/i, line);
    assert.match(answer, /"code":"bad_request"/, line);
  }
});

describe("settings", () => {
  /** @param {Record<string, string | undefined>} vars @param {string} code @param {string[]} closedBy @param {number} [status] */
  async function closesClaims(vars, code, closedBy, status = 403) {
    const usual = secrets();
    await deployment.worker.restart({ vars });
    const before = await deployment.calls(CREATE);
    const member = await deployment.member();
    const answer = await deployment.claim(member);
    isProblem(answer, status, code);
    assert.equal((await member.get("/api/v1/me")).body.claim.open, false);
    const health = (await member.get("/healthz")).body;
    assert.deepEqual([health.claims_open, health.closed_by.map((/** @type {any} */ problem) => problem.setting)], [false, closedBy]);
    assert.equal(await deployment.calls(CREATE), before);
    deployment.worker.options.vars = { ...deployment.worker.options.vars, ...Object.fromEntries(Object.keys(vars).map((name) => [name, usual[name]])) };
  }

  test("a gate that is unset, or says anything but its word, is closed: no key, no call, and the health route says why", async () => {
    await closesClaims({ MAX_TOTAL_KEYS: undefined }, "provisioning_closed", ["MAX_TOTAL_KEYS"]);
    await closesClaims({ MAX_TOTAL_KEYS: "many" }, "provisioning_closed", ["MAX_TOTAL_KEYS"]);
    await closesClaims({ PROVISIONING_ENABLED: "TRUE" }, "provisioning_closed", ["PROVISIONING_ENABLED"]);
    await closesClaims({ PROJECT_STATUS: undefined }, "project_not_live", ["PROJECT_STATUS"]);
  });

  test("without a management key the pages work, a claim says that the service is not set up, and scheduled jobs are skipped", async () => {
    const runs = "SELECT COUNT(*) AS runs FROM runs";
    const before = await deployment.worker.d1(runs);
    await deployment.worker.restart({ vars: { OPENROUTER_MANAGEMENT_KEY: undefined } });
    for (const path of ["/", "/docs", "/keys", "/healthz"]) assert.equal((await new Client(deployment.worker).get(path)).status, 200, path);
    for (const cron of ["*/10 * * * *", "0 3 * * *"]) await deployment.worker.cron(Date.now(), cron);
    assert.deepEqual(await deployment.worker.d1(runs), before, "no run began, so none failed");
    await closesClaims({ OPENROUTER_MANAGEMENT_KEY: undefined }, "not_configured", ["OPENROUTER_MANAGEMENT_KEY"], 503);
    await deployment.worker.restart();
    assert.equal((await deployment.claim(await deployment.member())).status, 201, "it is read again at the next start");
  });

  test("what wrangler.toml commits gives nobody a key: a deployment on push is safe", async () => {
    const { vars } = /** @type {any} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
    const { PUBLIC_ORIGIN: origin, ...committed } = vars;
    // An operator who has filled in the origin may have opened the gates as well.
    if (origin !== "") return;
    await closesClaims(committed, "project_not_live", ["PROJECT_STATUS", "PROVISIONING_ENABLED", "MAX_TOTAL_KEYS"]);
  });

  test("staging and production share no database, no key-value store, no counters and no open gate", async () => {
    const config = /** @type {any} */ (parse(await readFile(inRoot("wrangler.toml"), "utf8")));
    const { staging } = config.env;
    const ids = (/** @type {any} */ one) => [
      one.name,
      ...one.d1_databases.flatMap((/** @type {any} */ d1) => [d1.database_id, d1.database_name]),
      ...one.kv_namespaces.map((/** @type {any} */ kv) => kv.id),
      ...one.ratelimits.map((/** @type {any} */ limit) => limit.namespace_id),
    ];
    assert.deepEqual(ids(config).filter((id) => ids(staging).includes(id)), []);
    assert.deepEqual(Object.keys(staging.vars).sort(), Object.keys(config.vars).sort());
    if (staging.vars.PUBLIC_ORIGIN !== "") return;
    assert.deepEqual([staging.vars.PROJECT_STATUS, staging.vars.PROVISIONING_ENABLED, staging.vars.MAX_TOTAL_KEYS], ["pending", "false", "0"]);
  });

  test("malformed settings stop everything with 503, are named all at once, and no value is shown or logged", async () => {
    const bad = { AUTH_SESSION_SECRET: "short-not-a-secret", KEY_LIMIT_USD: "-5-not-money", ADMIN_GITHUB_USER_IDS: "octo-not-an-id", OPENROUTER_API_URL: "http://openrouter-not.example" };
    const usual = secrets();
    await deployment.worker.restart({ vars: bad });
    for (const path of ["/", "/healthz", "/api/v1/me", "/api/v1/claim", "/nothing"]) {
      const answer = await new Client(deployment.worker).call(path, { method: path.endsWith("claim") ? "POST" : "GET" });
      assert.deepEqual([answer.status, answer.body.code, answer.headers.get("cache-control")], [503, "misconfigured", "no-store, no-transform"], path);
      assert.deepEqual(answer.body.problems.map((/** @type {any} */ problem) => problem.setting).sort(), Object.keys(bad).sort());
      for (const value of Object.values(bad)) assert.ok(!answer.text.includes(value), value);
      isSecured(answer, path);
    }
    await deployment.worker.cron();
    const log = deployment.worker.logs().join("\n");
    for (const value of Object.values(bad)) assert.ok(!log.includes(value), `${value} is in the log`);
    await deployment.worker.restart({ vars: Object.fromEntries(Object.keys(bad).map((name) => [name, usual[name]])) });
    assert.equal((await new Client(deployment.worker).get("/healthz")).status, 200);
  });
});
