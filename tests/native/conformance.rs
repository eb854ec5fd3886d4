//! Writes down what SQLite answered to every statement of the application, for the test that asks D1 the same.

use keycap::domain::usage::day::UtcDay;
use keycap::ports::{Database, DbError, Sql, SqlValue, Stmt};
use serde_json::{Value as Json, json};

use crate::enabled_workspaces::{at_openrouter, choose, silence};
use crate::support::browser::CLAIM;
use crate::support::database::Ran;
use crate::support::{Browser, Fate, TEN_MINUTES, World};

/// A rename whose outcome is unknown, so that its Idempotency-Key is released.
fn an_answer_is_lost(world: &World, member: &Browser<'_>, key: &str) {
    let headers = [
        ("origin", "http://localhost:8787"),
        ("content-type", "application/json"),
        ("idempotency-key", "lost"),
    ];
    let body = keycap::http::server::message::Body::Bytes(r#"{"name":"desk"}"#.into());
    let lost = [(1, Fate::LostAfter), (2, Fate::LostAfter)];
    world.effects.plan(&lost);
    let response = member.send("PATCH", key, &headers, body);
    world.effects.plan(&[]);
    assert_eq!(response.status, 503, "{response:?}");
}

/// A story that runs every statement: sign-ins, good and bad claims, sweeps, switches.
pub fn story() -> (World, Vec<Ran>) {
    let world = World::new();
    *world.db.trace.borrow_mut() = Some(Vec::new());
    tell(&world);
    let trace = world.db.trace.borrow_mut().take().unwrap();
    (world, trace)
}

/// Lets the story happen in a new world.
pub fn tell(world: &World) {
    let member = Browser::signed_in(world, "member");
    let operator = Browser::signed_in(world, "operator");
    member.get("/api/v1/me");
    let headers = [
        ("origin", "http://localhost:8787"),
        ("content-type", "application/json"),
        ("idempotency-key", "once"),
    ];
    let body = keycap::http::server::message::Body::Bytes(CLAIM.into());
    assert_eq!(
        member.send("POST", "/api/v1/claim", &headers, body).status,
        201
    );
    member.claim();
    member.get("/api/v1/keys");
    member.post("/api/v1/keys/refresh", "{}");
    let id = member.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let own = format!("/api/v1/keys/{}", id.as_str().unwrap());
    for body in [
        r#"{"disabled":true,"name":"laptop"}"#,
        r#"{"disabled":false}"#,
    ] {
        assert_eq!(member.patch(&own, body).status, 200);
    }
    an_answer_is_lost(world, &member, &own);
    member.get(&format!("{own}/history"));
    member.get("/api/v1/me/history");
    for name in ["Shop", "shop"] {
        member.post("/api/v1/projects", &json!({ "name": name }).to_string());
    }
    let shop = member.get("/api/v1/projects").json()["projects"][0]["id"].clone();
    let by_id = json!({ "project": shop }).to_string();
    for body in [by_id.as_str(), r#"{"project":null}"#] {
        assert_eq!(member.patch(&own, body).status, 200);
    }
    let shop = format!("/api/v1/projects/{}", shop.as_str().unwrap());
    let archive = r#"{"name":"Market","archived":true}"#;
    assert_eq!(member.patch(&shop, archive).status, 200);
    let unknown = json!({ "sha256": "0".repeat(64) }).to_string();
    assert_eq!(
        Browser::new(world).post("/api/v1/leaks", &unknown).status,
        202
    );
    rotations(world, &member, &own);
    let removed = world.usable()[0].hash.clone();
    assert_eq!(member.delete(&own).status, 200);
    assert_eq!(member.claim().status, 201);
    world.spent_by(&removed, 1.0);
    operator.get("/api/v1/admin/settings");
    operator.patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#);
    let refused = keycap::http::server::message::Body::Bytes(CLAIM.into());
    operator.send("POST", "/api/v1/claim", &headers, refused);
    operator.patch("/api/v1/admin/settings", r#"{"minting":"open"}"#);
    operator.patch(
        "/api/v1/admin/settings",
        r#"{"upstream_terms":"confirmed"}"#,
    );
    operator.patch("/api/v1/admin/settings", r#"{"claims":"by_approval"}"#);
    let wish = r#"{"kind":"claim","note":"I teach."}"#;
    let made = Browser::signed_in(world, "newcomer").post("/api/v1/requests", wish);
    let id = made.json()["request"]["id"].clone();
    operator.get("/api/v1/admin/requests");
    operator.patch(
        &format!("/api/v1/admin/requests/{}", id.as_str().unwrap()),
        r#"{"state":"approved"}"#,
    );
    member.get("/api/v1/requests");
    operator.patch("/api/v1/admin/settings", r#"{"claims":"open"}"#);
    plans(world, &operator);
    offboarding(world, &operator);
    let kinds = [
        ("refuse", json!({ "status": 400 })),
        ("rate_limited", json!({ "retry_after": 1 })),
        ("reset_after", json!({})),
        ("echo_limit_larger", json!({})),
        ("late", json!({})),
    ];
    for (n, (kind, more)) in kinds.into_iter().enumerate() {
        let person = Browser::signed_in(world, &format!("load-{n}"));
        world.add_fault("openrouter.keys.create", kind, more);
        if kind == "echo_limit_larger" {
            world.add_fault(
                "openrouter.keys.delete",
                "refuse",
                json!({ "status": 400, "times": 0 }),
            );
        }
        person.claim();
        world.pass(2);
    }
    // One isolate dies while its create is in flight.
    let lost = Browser::signed_in(world, "second");
    world.effects.plan(&[(1, crate::support::Fate::CutAfter)]);
    assert!(lost.try_claim().is_none());
    world.effects.plan(&[]);
    let instance = world.db.text("SELECT name FROM instance");
    let foreign = sandbox::NewKey {
        name: format!("keycap/{instance}/gen_ffffffffffffffffffffffff"),
        ..Default::default()
    };
    let now = world.now_ms.get();
    world.sandbox.borrow_mut().add_foreign_key(foreign, now);
    let waits = [TEN_MINUTES; 60].into_iter().chain([86_400, 90 * 86_400]);
    for (n, wait) in waits.enumerate() {
        world.pass(wait);
        if n == 2 {
            // Someone enables a retained key.
            let on = json!({ "disabled": false });
            world.by_hand("PATCH", &format!("/keys/{removed}"), &on);
        }
        assert!(world.sweep());
        if wait > TEN_MINUTES {
            world.sandbox.borrow_mut().clear_faults();
        }
    }
    operator.sign_in("operator");
    operator.patch("/api/v1/admin/settings", r#"{"minting":"open"}"#);
    assert_eq!(Browser::signed_in(world, "member").claim().status, 201);
    for n in 20..24 {
        let one = Browser::signed_in(world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    a_budget_is_spent(world);
    operator.sign_in("operator");
    let live = operator.get("/api/v1/admin/settings").json()["live_keys"].clone();
    let off = json!({ "keys": "off", "confirm": live }).to_string();
    assert_eq!(operator.patch("/api/v1/admin/settings", &off).status, 200);
    world.set(
        "OPENROUTER_WORKSPACE_ID",
        "5a4db0c5-0000-4000-8000-000000000001",
    );
    world.set("OPENROUTER_WORKSPACE_EXCLUSIVE", "true");
    // Each call takes so long that the run renews its lease.
    let more = json!({ "times": 0 });
    world.add_fault("openrouter.keys.update", "stall_before", more);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    world.sandbox.borrow_mut().clear_faults();
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    operator.patch("/api/v1/admin/settings", r#"{"keys":"on"}"#);
    operator.patch("/api/v1/admin/settings", r#"{"instance":"take_over"}"#);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    world.set("OPENROUTER_WORKSPACE_EXCLUSIVE", "false");
    nights(world, &operator);
    usage(world, &operator);
    crate::handoffs::tell(world);
    crate::devices::tell(world);
    operator.sign_in("operator");
    workspaces(world, &operator);
    operator.sign_in("operator");
    operator.post("/api/v1/me/sign-out-everywhere", "{}");
    operator.sign_in("operator");
    let ends = r#"{"sessions":"end","confirm":0}"#;
    assert_eq!(operator.patch("/api/v1/admin/settings", ends).status, 200);
    departures(world);
    crate::bulk::tell(world);
}

/// A member who has spent all of today's budget deletes the key and claims another one.
fn a_budget_is_spent(world: &World) {
    let person = Browser::signed_in(world, "load-24");
    let key = person.claim().json()["key"]["id"].clone();
    let hash =
        "SELECT upstream_hash FROM generations WHERE state = 'active' ORDER BY id DESC LIMIT 1";
    world.spent_by(&world.db.text(hash), 5.0);
    let key = format!("/api/v1/keys/{}", key.as_str().unwrap());
    assert_eq!(person.delete(&key).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let claimed = person.claim().json();
    assert_eq!(claimed["key"]["holds"], json!(["budget"]), "{claimed}");
}

/// Plans, several keys of one member, raises and payments.
fn plans(world: &World, operator: &Browser<'_>) {
    let second = Browser::signed_in(world, "bigid");
    let id = second.get("/api/v1/me").json()["member"]["id"].clone();
    let member = format!("/api/v1/admin/members/{}", id.as_str().unwrap());
    operator.get(&member);
    let patch = |body: &str| operator.patch("/api/v1/admin/plans/team", body).status;
    let assign = |plan: &str| {
        let body = json!({ "plan": plan }).to_string();
        assert_eq!(operator.post(&format!("{member}/plan"), &body).status, 200);
    };
    let team = r#"{"name":"team","limit_usd":"2","limit_reset":"daily","expiry_days":30,"max_active_keys":2}"#;
    assert_eq!(operator.post("/api/v1/admin/plans", team).status, 201);
    assert_eq!(operator.get("/api/v1/admin/plans").status, 200);
    assign("team");
    assert_eq!(second.claim().status, 201);
    let made = second.post("/api/v1/keys", r#"{"name":"laptop"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    let key = made.json()["key"]["id"].as_str().unwrap().to_owned();
    let raises = format!("/api/v1/admin/keys/{key}/raises");
    let raised = operator.post(&raises, r#"{"amount_usd":"1"}"#).json();
    let raise = raised["raise"]["id"].as_str().unwrap().to_owned();
    let more = json!({ "kind": "limit", "key": key, "amount_usd": "1" }).to_string();
    for state in ["approved", "withdrawn"] {
        let asked = second.post("/api/v1/requests", &more).json()["request"]["id"].clone();
        let target = format!("/api/v1/requests/{}", asked.as_str().unwrap());
        let response = if state == "withdrawn" {
            second.delete(&target)
        } else {
            let target = target.replace("/api/v1/", "/api/v1/admin/");
            operator.patch(&target, r#"{"state":"approved"}"#)
        };
        assert_eq!(response.status, 200, "{response:?}");
    }
    let told = second.get("/api/v1/notices").json()["notices"][0]["id"].clone();
    let read = json!({ "ids": [told] }).to_string();
    assert_eq!(second.post("/api/v1/notices/read", &read).status, 200);
    operator.delete(&format!("/api/v1/admin/raises/{raise}"));
    let limit = format!("/api/v1/keys/{key}/limit");
    assert_eq!(second.post(&limit, r#"{"limit_usd":"9"}"#).status, 400);
    assert_eq!(second.post(&limit, r#"{"limit_usd":"1"}"#).status, 200);
    assert_eq!(patch(r#"{"max_active_keys":1,"limit_usd":"3"}"#), 200);
    let prefer = format!("/api/v1/keys/{key}/prefer");
    assert_eq!(second.post(&prefer, "{}").status, 200);
    assert_eq!(patch(r#"{"is_default":true}"#), 200);
    let guardrail = json!({ "guardrail_id": world.guardrail("cheap/one") });
    assert_eq!(patch(&guardrail.to_string()), 200);
    let back = r#"{"is_default":true}"#;
    let back = operator.patch("/api/v1/admin/plans/default", back);
    assert_eq!(back.status, 200);
    world.pass(2);
    assert!(world.sweep());
    // Both keys are revoked. Under the prepaid plan below, the member has less than a cent until the payment.
    for card in second.get("/api/v1/keys").json()["keys"]
        .as_array()
        .unwrap()
    {
        second.delete(&format!("/api/v1/keys/{}", card["id"].as_str().unwrap()));
    }
    // The calls that the keys had in progress are counted first.
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    assert_eq!(second.claim().status, 201);
    assign("prepaid");
    let payments = format!("{member}/payments");
    let payment = r#"{"payment_id":"p-1","amount_usd":"50"}"#;
    assert_eq!(operator.post(&payments, payment).status, 201);
    assign("default");
    // The guardrail of the key is looked up in a list that is longer than one page.
    world.add_fault("openrouter.guardrails.assign", "reset_after", json!({}));
    assign("team");
    world.bend.set(Some(|call, body| {
        if call.url.path().ends_with("/guardrails/assignments/keys") {
            let row = json!({ "key_hash": call.url.query(), "guardrail_id": "another" });
            body["data"] = json!([row]);
        }
    }));
    assign("default");
    world.bend.set(None);
}

/// A directory says that people are gone: a list expires, one is rejected, one is released, and in the end what is stored
/// about them is erased.
fn departures(world: &World) {
    let people: Vec<u64> = (0..8).map(|n| 9_000_040 + n).collect();
    world.set("GITHUB_ORG", sandbox::ORGANIZATION);
    world.set("GITHUB_ORG_TOKEN", sandbox::ORGANIZATION_TOKEN);
    // Beside them there are a hundred people who are no members here.
    let are_there_as = |login: &str, members: &[u64]| {
        let organization = sandbox::Organization {
            members: members.iter().copied().chain(1..=100).collect(),
            renamed: Some(login.to_owned()),
            ..sandbox::Organization::default()
        };
        world.sandbox.borrow_mut().set_organization(organization);
    };
    let are_there = |members: &[u64]| are_there_as(sandbox::ORGANIZATION, members);
    let night = |days: i64| {
        world.pass(days * 86_400);
        assert!(world.offboard());
    };
    let decide = |verb: &str| {
        let operator = Browser::signed_in(world, "operator");
        let lists = operator.get("/api/v1/admin/departures").json()["lists"].clone();
        let id = lists[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/admin/departures/{id}/{verb}");
        let response = operator.post(&path, "{}");
        assert!((200..300).contains(&response.status), "{response:?}");
    };
    for n in 40..48 {
        Browser::signed_in(world, &format!("load-{n}"));
    }
    let holder = Browser::signed_in(world, "load-40");
    assert_eq!(holder.claim().status, 201);
    are_there(&people);
    night(1);
    are_there(&people[5..]);
    for days in [1, 1, 8] {
        night(days);
    }
    decide("reject");
    night(1);
    night(1);
    are_there(&people[4..]);
    night(1);
    decide("release");
    let service = world.service();
    let go_on = keycap::jobs::offboard::go_on(service.app(), world.now());
    world.run(go_on).unwrap();
    night(31);
    // It gets another login, after one more has left.
    are_there_as("sandbox-renamed", &people[6..]);
    world.set("GITHUB_ORG", "sandbox-renamed");
    night(1);
    // For once it does not answer.
    world.add_fault("github.org.members", "refuse", json!({ "status": 403 }));
    world.pass(86_400);
    let service = world.service();
    let doubtful = keycap::jobs::offboard::run(service.app(), world.now());
    world.run(doubtful).unwrap();
    world.set("GITHUB_ORG", "");
    world.set("GITHUB_ORG_TOKEN", "");
}

/// Blocks, bans and leaving.
fn offboarding(world: &World, operator: &Browser<'_>) {
    let people = r#"{"provider":"github","subjects":["77","78"]}"#;
    assert_eq!(operator.post("/api/v1/admin/blocks", people).status, 200);
    let person = r#"{"provider":"github","subject":"1000888"}"#;
    let allotted = operator.post("/api/v1/admin/allotments", person).json();
    operator.get("/api/v1/admin/allotments");
    let unknown = json!({ "secret_sha256": "0".repeat(64) }).to_string();
    operator.post("/api/v1/admin/leaks", &unknown);
    let id = allotted["allotment"]["id"].as_str().unwrap();
    operator.delete(&format!("/api/v1/admin/allotments/{id}"));
    operator.get("/api/v1/admin/blocks");
    let one = keycap::http::server::message::Body::Bytes(
        r#"{"provider":"github","subject":"77"}"#.into(),
    );
    let headers = [
        ("origin", "http://localhost:8787"),
        ("content-type", "application/json"),
    ];
    let lifted = operator.send("DELETE", "/api/v1/admin/blocks", &headers, one);
    assert_eq!(lifted.status, 204);
    let person = Browser::signed_in(world, "load-7");
    assert_eq!(person.claim().status, 201);
    let id = world.member("load-7");
    let of_both = "?login=LOAD&status=active";
    for query in [
        "",
        "?status=active",
        "?login=LOAD",
        of_both,
        &format!("?id={id}"),
    ] {
        operator.get(&format!("/api/v1/admin/members{query}"));
    }
    operator.post(&format!("/api/v1/admin/members/{id}/sign-out"), "{}");
    assert_eq!(operator.set_status("load-7", "banned").status, 200);
    assert_eq!(operator.set_status("load-7", "active").status, 200);
    let person = Browser::signed_in(world, "load-7");
    person.get("/api/v1/me/export");
    assert_eq!(person.leave("load-7").status, 204);
    Browser::signed_in(world, "load-7");
    // The address of an admin is bound to one account, and refused to another.
    Browser::with_google(world, "operator");
    Browser::with_google(world, "successor");
}

/// Two alarms, and keys that someone changed, deleted and restored.
fn nights(world: &World, operator: &Browser<'_>) {
    const SETTINGS: &str = "/api/v1/admin/settings";
    operator.get("/healthz");
    world
        .kv
        .overwrite(r#"{"since":1,"id":1,"change_id":"another"}"#);
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped database_restored");
    operator.patch(SETTINGS, r#"{"restore":"accept"}"#);
    let ours = world.swap_account();
    assert!(world.sweep());
    assert_eq!(world.last_run(), "stopped foreign_account");
    world.sandbox.replace(ours);
    assert!(world.sweep());
    operator.patch(SETTINGS, r#"{"minting":"open"}"#);
    assert_eq!(
        operator.claim().status,
        201,
        "open again, and known to be ours"
    );
    let hash =
        "SELECT upstream_hash FROM generations WHERE state = 'active' ORDER BY id DESC LIMIT 1";
    let path = format!("/keys/{}", world.db.text(hash));
    world.by_hand("PATCH", &path, &json!({ "disabled": true, "limit": 6 }));
    world.pass(TEN_MINUTES);
    assert!(world.reconcile());
    for change in [json!({ "disabled": false }), json!({ "limit": 2 })] {
        for _ in 0..2 {
            world.pass(TEN_MINUTES);
            assert!(world.sweep());
        }
        world.by_hand("PATCH", &path, &change);
        assert!(world.reconcile());
    }
    let key = operator.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let of = format!("/api/v1/admin/keys/{}", key.as_str().unwrap());
    let lifted = operator.patch(&of, r#"{"upstream_hold":"lift"}"#);
    assert!(lifted.status < 300, "{lifted:?}");
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    let found = operator.get("/api/v1/admin/findings").json()["findings"][0]["id"].clone();
    let of = format!("/api/v1/admin/findings/{}", found.as_str().unwrap());
    assert_eq!(operator.patch(&of, r#"{"acknowledged":true}"#).status, 200);
    // The key is first missing, then found again, then deleted.
    let more = json!({ "status": 404, "times": 1 });
    world.add_fault("openrouter.keys.get", "refuse", more);
    world.bend.set(Some(|call, body| {
        if call.method == "GET" && call.url.path().ends_with("/keys") {
            body["data"] = json!([]);
        }
    }));
    for bend in [true, false] {
        world.pass(TEN_MINUTES);
        assert!(world.reconcile());
        assert_eq!(world.last_run(), "done");
        if bend {
            world.bend.set(None);
        }
    }
    world.by_hand("DELETE", &path, &Json::Null);
    let key = operator.get("/api/v1/keys").json()["keys"][0]["id"].clone();
    let key = key.as_str().unwrap();
    assert_eq!(operator.delete(&format!("/api/v1/keys/{key}")).status, 200);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    let response = operator.post("/api/v1/admin/jobs/reconcile", r#"{"dry_run":true}"#);
    assert_eq!(response.status, 202);
    operator.get("/api/v1/admin/jobs");
    for target in [
        "overview",
        "keys",
        "keys?q=a",
        "keys?q=…abc",
        "keys?q=key_1",
        "keys?state=active",
        "keys?hold=admin",
        "keys?plan=pro",
        "bulk-changes",
        "audit",
        "audit?target=settings",
        "audit?actor=mem_1",
        "audit?member=mem_1",
        "plans/pro/reach",
    ] {
        operator.get(&format!("/api/v1/admin/{target}"));
    }
    operator.get(&format!("/api/v1/admin/keys?q={}", "0".repeat(64)));
    let run = response.json()["run"].clone();
    let stop = format!("/api/v1/admin/runs/{}/stop", run.as_str().unwrap());
    assert_eq!(operator.post(&stop, "{}").status, 200, "it has ended");
    operator.patch(SETTINGS, r#"{"account":"accept"}"#);
}

/// Nights in which usage is read, with everything that can be wrong with it, and what is answered of it.
fn usage(world: &World, operator: &Browser<'_>) {
    let holder = Browser::signed_in(world, "load-25");
    let claimed = holder.claim();
    assert_eq!(claimed.status, 201, "{claimed:?}");
    let key = claimed.json()["key"]["id"].as_str().unwrap().to_owned();
    let hash = world.db.text(
        "SELECT upstream_hash FROM generations WHERE state = 'active' ORDER BY id DESC LIMIT 1",
    );
    let now = world.upstream_now_ms();
    let foreign = sandbox::NewKey {
        name: String::from("somebody's"),
        ..Default::default()
    };
    let foreign = world
        .sandbox
        .borrow_mut()
        .add_foreign_key(foreign, now)
        .hash;
    let uses = |hash: &str| {
        let used = sandbox::NewUse {
            hash,
            model: "vendor/model-1",
            usd: sandbox::Usd { nanos: 1_000_000 },
            byok: false,
            at_ms: world.upstream_now_ms(),
            lag_ms: 0,
        };
        assert!(world.sandbox.borrow_mut().use_model(&used));
    };
    let night = |days: i64| {
        let today = UtcDay::of(world.now());
        let next = today.plus(days).start().plus(1_800);
        world.pass(next.since(world.now()));
        assert!(world.sync_usage());
    };
    uses(&hash);
    uses(&foreign);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    night(1);
    assert_eq!(world.last_run(), "done");
    let renamed = world.run(world.db.batch(vec![Stmt::new(&OLDER_NAME, Vec::new())]));
    assert!(renamed.is_some_and(|renamed| renamed.is_ok()));
    night(1);
    // OpenRouter has no analytics, and does not answer for one key.
    for operation in ["openrouter.analytics.query", "openrouter.analytics.meta"] {
        world.add_fault(operation, "refuse", json!({ "status": 404, "times": 0 }));
    }
    let failing = json!({ "nth": 2, "times": 0 });
    world.add_fault("openrouter.activity.get", "error_before", failing);
    night(1);
    assert_eq!(world.last_run(), "partial keys_failed");
    world.sandbox.borrow_mut().clear_faults();
    operator.sign_in("operator");
    for query in [
        String::new(),
        String::from("?scope=all&group=model,member"),
        format!("?scope=all&key={key}"),
    ] {
        assert_eq!(operator.get(&format!("/api/v1/usage{query}")).status, 200);
    }
    // Each month is over twice: once in the first night, and once more after what was counted late.
    for _ in 0..5 {
        let today = UtcDay::of(world.now());
        uses(&foreign);
        night(today.month_end().plus(1).since(today));
        night(1);
    }
}

/// A workspace is enabled, renamed, not read, read again and disabled, and its failures are forgotten.
fn workspaces(world: &World, operator: &Browser<'_>) {
    let blue = at_openrouter(world, "Blue", "blue");
    choose(operator, &[&blue]);
    world.by_hand(
        "PATCH",
        &format!("/workspaces/{blue}"),
        &json!({ "name": "Navy" }),
    );
    for _ in 0..2 {
        choose(operator, &[]);
        choose(operator, &[&blue]);
    }
    operator.get("/api/v1/workspaces");
    for is_silent in [true, false, true] {
        silence(world, is_silent.then_some(blue.as_str()));
        world.pass(TEN_MINUTES);
        assert!(world.sweep());
    }
    world.bend.set(None);
    choose(operator, &[]);
    world.by_hand("DELETE", &format!("/workspaces/{blue}"), &Json::Null);
    world.pass(3 * 86_400);
    assert!(world.reconcile());
}

/// Every way in which a key gets its next secret, with and without failures.
fn rotations(world: &World, member: &Browser<'_>, key: &str) {
    let grace = r#"{"grace_hours":4}"#;
    for (verb, body, refused, status) in [
        ("rotate", "{}", false, 201),
        ("rotate", grace, false, 201),
        ("leaked", "{}", false, 200),
        ("rotate", "{}", true, 502),
        ("rotate", "{}", false, 201),
        ("rotate", "{}", true, 502),
        ("rotate", grace, true, 502),
        ("renew", "{}", false, 409),
    ] {
        if refused {
            world.add_fault("openrouter.keys.create", "refuse", json!({ "status": 400 }));
        }
        let response = member.post(&format!("{key}/{verb}"), body);
        assert_eq!(response.status, status, "{verb} {body}: {response:?}");
        if body != grace {
            for _ in 0..3 {
                world.pass(TEN_MINUTES);
                assert!(world.sweep());
            }
        }
    }
}

/// Gives a model the name that earlier rules gave it.
static OLDER_NAME: Sql = Sql {
    name: "keycap::store::tests::OLDER_NAME",
    text: "UPDATE models SET name = 'an older name' WHERE slug = 'vendor/model-1'",
    for_each: false,
    parameters: &[],
};

fn written(ran: &Ran) -> Json {
    let value = |value: &SqlValue| match value {
        SqlValue::Null => Json::Null,
        SqlValue::Int(number) => json!(number),
        SqlValue::Text(text) => json!(text),
    };
    let stmts: Vec<Json> = ran
        .stmts
        .iter()
        .map(|stmt| {
            let values: Vec<Json> = stmt.values.iter().map(value).collect();
            json!({ "name": stmt.sql.name, "sql": stmt.sql.text, "values": values })
        })
        .collect();
    let result = match &ran.result {
        Ok(rows) => json!({ "rows": rows }),
        Err(DbError::Unique) => json!({ "error": "unique" }),
        Err(DbError::Constraint) => json!({ "error": "constraint" }),
        Err(DbError::Broken | DbError::Unknown) => json!({ "error": "broken" }),
    };
    json!({ "stmts": stmts, "result": result })
}

#[test]
fn every_statement_is_in_the_sequence_that_also_runs_on_d1() {
    let (world, trace) = story();
    let instance = world.db.text("SELECT name FROM instance");
    let run: std::collections::HashSet<&str> = trace
        .iter()
        .flat_map(|ran| &ran.stmts)
        .map(|stmt| stmt.sql.name)
        .collect();
    let names: Vec<&str> = keycap::store::statements()
        .iter()
        .map(|sql| sql.name)
        .collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !run.contains(**name)).collect();
    assert!(missing.is_empty(), "the story never tells {missing:?}");
    let broken: Vec<Json> = trace
        .iter()
        .filter(|ran| ran.result.is_err())
        .map(written)
        .collect();
    assert!(broken.is_empty(), "{broken:?}");

    // The row has id 0, so that it takes none of the audit ids that the story has: the answers contain them.
    let setup = json!({ "setup": [
        "INSERT INTO audit (id, change_id, target, action, actor, at) VALUES (0, 'setup', 'instance', 'instance_bound', 'setup', 1)",
        format!("UPDATE instance SET name = '{instance}', change_id = 'setup'"),
    ] });
    let story: Vec<Json> = std::iter::once(setup)
        .chain(trace.iter().map(written))
        .collect();
    let folder = std::env::var("CARGO_TARGET_DIR")
        .unwrap_or_else(|_| format!("{}/target", env!("CARGO_MANIFEST_DIR")));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, value: &Json| {
        std::fs::write(format!("{folder}/{name}"), value.to_string()).unwrap();
    };
    write("conformance.json", &json!(story));
    write("statements.json", &json!(names));
    println!(
        "counted: {} statements in {} batches",
        names.len(),
        trace.len()
    );
}
