//! Changes of many keys or members at once: exactly what was selected and shown is changed, in chunks, and each change is in
//! the audit; what is not as it was shown is refused.

use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::support::browser::Response;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const BULK: &str = "/api/v1/admin/bulk-changes";

/// A world with so many keys, each with an owner of its own, `load-0` and so on; the newest has the last.
fn crowd(count: usize) -> World {
    let world = World::new();
    for n in 0..count {
        let one = Browser::signed_in(&world, &format!("load-{n}"));
        assert_eq!(one.claim().status, 201);
    }
    world
}

/// The ids of all keys, the oldest first.
fn keys(world: &World) -> Vec<String> {
    world.db.texts("SELECT public_id FROM keys ORDER BY id")
}

fn select(operator: &Browser<'_>, body: &Value) -> Response {
    operator.post(BULK, &body.to_string())
}

/// Selects, and returns what is shown.
fn shown(operator: &Browser<'_>, body: &Value) -> Value {
    let response = select(operator, body);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()
}

fn address(shown: &Value) -> String {
    format!("{BULK}/{}", shown["bulk"]["id"].as_str().unwrap())
}

fn start(operator: &Browser<'_>, shown: &Value) -> Response {
    let body = json!({ "count": shown["bulk"]["left"] }).to_string();
    operator.post(&format!("{}/start", address(shown)), &body)
}

fn started(operator: &Browser<'_>, shown: &Value) -> Value {
    let response = start(operator, shown);
    assert_eq!(response.status, 202, "{response:?}");
    report(operator, shown)
}

fn report(operator: &Browser<'_>, shown: &Value) -> Value {
    let response = operator.get(&address(shown));
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["bulk"].clone()
}

fn refused(response: &Response) -> (u16, String) {
    (response.status, response.code())
}

fn changed() -> (u16, String) {
    (409, String::from("selection_changed"))
}

/// The audit rows of an action.
fn audited(world: &World, action: &str) -> i64 {
    world.db.number(&format!(
        "SELECT COUNT(*) FROM audit WHERE action = '{action}'"
    ))
}

/// Part of the story in which every statement runs: each action, of what was named, of all that match, and of an earlier
/// change; a selection that differs; and a change that is stopped.
pub fn tell(world: &World) {
    let operator = Browser::signed_in(world, "operator");
    for n in 70..74 {
        assert_eq!(
            Browser::signed_in(world, &format!("load-{n}"))
                .claim()
                .status,
            201
        );
    }
    let key = "SELECT k.public_id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE m.login = 'load-70'";
    let (key, member) = (world.db.text(key), world.member("load-71"));
    let postponed = "UPDATE generations SET next_attempt_at = 1 WHERE live = 1";
    let differs = json!({ "action": "disable", "ids": [key, "key_0"], "matching": {} });
    assert_eq!(refused(&select(&operator, &differs)), changed());
    let named = json!({ "action": "disable", "ids": [key], "matching": {} });
    world.db.run(postponed);
    let disabled = shown(&operator, &named);
    started(&operator, &disabled);
    world.db.run(postponed);
    let back = json!({ "action": "enable", "of": disabled["bulk"]["id"], "outcome": "done" });
    started(&operator, &shown(&operator, &back));
    started(
        &operator,
        &shown(
            &operator,
            &json!({ "action": "revoke", "ids": [key], "matching": {} }),
        ),
    );
    shown(
        &operator,
        &json!({ "action": "suspend", "matching": { "status": "active" } }),
    );
    let off = format!("/api/v1/keys/{}", world.db.text(&format!(
        "SELECT k.public_id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE m.public_id = '{member}'"
    )));
    assert_eq!(operator.patch(&off, r#"{"disabled":true}"#).status, 200);
    for action in ["suspend", "reinstate"] {
        let named = json!({ "action": action, "ids": [member], "matching": {} });
        assert_eq!(
            started(&operator, &shown(&operator, &named))["state"],
            "done"
        );
    }
    // It takes so long that the first chunk is the last one.
    let all = shown(
        &operator,
        &json!({ "action": "disable", "matching": { "state": "active" } }),
    );
    let clock = world.now_ms.clone();
    world.effects.between(Some(Box::new(move |name| {
        if name.ends_with("progress::NEXT") {
            clock.set(clock.get() + 21_000);
        }
    })));
    assert_eq!(start(&operator, &all).status, 202);
    world.effects.between(None);
    let stop = format!("{}/stop", address(&all));
    assert_eq!(
        operator.post(&stop, "{}").json()["bulk"]["state"],
        "stopped"
    );
    // What could be started long ago is forgotten.
    world.pass(91 * 86_400);
    operator.sign_in("operator");
    let last = json!({ "action": "reinstate", "ids": [member], "matching": {} });
    let last = shown(&operator, &last);
    assert_eq!(last["bulk"]["verdicts"], json!({ "already": 1 }));
    assert_eq!(operator.set_status("load-72", "suspended").status, 200);
    let one = json!({ "action": "reinstate", "ids": [world.member("load-72")], "matching": {} });
    started(&operator, &shown(&operator, &one));
}

#[test]
fn the_preview_the_change_and_the_audit_have_the_same_numbers() {
    let world = crowd(5);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.claim().status, 201);
    let ids = keys(&world);
    let off = operator.patch(&format!("/api/v1/keys/{}", ids[0]), r#"{"disabled":true}"#);
    assert_eq!(off.status, 200);
    let ended = Browser::signed_in(&world, "load-1").delete(&format!("/api/v1/keys/{}", ids[1]));
    assert_eq!(ended.status, 200, "{ended:?}");
    let before = audited(&world, "hold_put");
    let preview = shown(&operator, &json!({ "action": "disable", "matching": {} }));
    assert_eq!(
        preview["bulk"]["verdicts"],
        json!({ "already": 1, "change": 3, "ended": 1, "own": 1 })
    );
    assert_eq!(preview["bulk"]["members"], json!(3));
    assert_eq!(preview["bulk"]["targets"], json!(6));
    assert_eq!(preview["targets"][2]["login"], json!("load-2"));
    assert_eq!(preview["targets"][2]["verdict"], json!("change"));
    assert_eq!(
        audited(&world, "hold_put"),
        before,
        "nothing is changed yet"
    );
    let done = started(&operator, &preview);
    assert_eq!(done["outcomes"], json!({ "done": 3 }));
    assert_eq!((&done["state"], &done["left"]), (&json!("done"), &json!(0)));
    assert_eq!(audited(&world, "hold_put"), before + 3);
    // Each of these rows leads to the bulk change by its change.
    let linked = "SELECT COUNT(*) FROM audit k JOIN audit b ON b.change_id = k.change_id AND b.action = 'bulk_started'
        WHERE k.action = 'hold_put'";
    assert_eq!(world.db.number(linked), 3);
    let counts = "SELECT group_concat(after, ', ') FROM audit WHERE action LIKE 'bulk%'";
    assert_eq!(world.db.text(counts), "disable 3, done 3");
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1, "the administrator's own key works");
    oracle::settled(&world);
}

#[test]
fn what_is_not_what_was_shown_any_more_is_refused_and_changes_nothing() {
    let world = crowd(6);
    let operator = Browser::signed_in(&world, "operator");
    let ids = keys(&world);
    // Three of them are selected, and then another filter is set: they are not in that list.
    let three = json!({ "action": "revoke", "ids": ids[..3], "matching": { "state": "disabled" } });
    assert_eq!(refused(&select(&operator, &three)), changed());
    let unknown = json!({ "action": "revoke", "ids": ["key_0"], "matching": {} });
    assert_eq!(refused(&select(&operator, &unknown)), changed());
    let three = json!({ "action": "revoke", "ids": ids[..3], "matching": { "state": "active" } });
    let preview = shown(&operator, &three);
    // Another count than was shown is refused.
    let wrong = operator.post(&format!("{}/start", address(&preview)), r#"{"count":4}"#);
    assert_eq!(refused(&wrong), changed());
    // Its owner ends one of them meanwhile.
    let owner = Browser::signed_in(&world, "load-1");
    assert_eq!(
        owner.delete(&format!("/api/v1/keys/{}", ids[1])).status,
        200
    );
    assert_eq!(refused(&start(&operator, &preview)), changed());
    assert_eq!(audited(&world, "bulk_started"), 0);
    // What was shown can be started for an hour.
    let preview = shown(
        &operator,
        &json!({ "action": "disable", "ids": ids[3..], "matching": {} }),
    );
    world.pass(3_600);
    assert_eq!(refused(&start(&operator, &preview)), changed());
    let again = shown(
        &operator,
        &json!({ "action": "disable", "of": preview["bulk"]["id"] }),
    );
    assert_eq!(again["bulk"]["verdicts"], json!({ "change": 3 }));
    assert_eq!(start(&operator, &again).status, 202);
    assert_eq!(refused(&start(&operator, &again)), changed(), "only once");
    assert_eq!(audited(&world, "bulk_started"), 1);
    let nobody = Browser::signed_in(&world, "load-2").get(&address(&again));
    assert_eq!(nobody.status, 404);
    assert_eq!(operator.get(&format!("{BULK}/blc_0")).status, 404);
    let nowhere = format!("{BULK}/blc_{}/start", "0".repeat(24));
    assert_eq!(operator.post(&nowhere, r#"{"count":1}"#).status, 404);
}

#[test]
fn a_selection_that_says_nothing_or_too_much_is_refused_with_the_member_that_is_wrong() {
    let world = crowd(1);
    let operator = Browser::signed_in(&world, "operator");
    let id = keys(&world).remove(0);
    let many: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    for (body, pointer) in [
        (json!({ "action": "disable" }), "/matching"),
        (
            json!({ "action": "disable", "ids": [], "matching": {} }),
            "/ids",
        ),
        (
            json!({ "action": "disable", "ids": many, "matching": {} }),
            "/ids",
        ),
        (
            json!({ "action": "disable", "matching": { "state": "stuck" } }),
            "/matching",
        ),
        (
            json!({ "action": "disable", "matching": { "state": "nothing" } }),
            "/matching/state",
        ),
        (
            json!({ "action": "disable", "matching": { "hold": "nothing" } }),
            "/matching/hold",
        ),
        (
            json!({ "action": "disable", "matching": { "idle": "always" } }),
            "/matching/idle",
        ),
        (
            json!({ "action": "disable", "matching": { "made_before": "soon" } }),
            "/matching/made_before",
        ),
        (
            json!({ "action": "disable", "matching": { "status": "active" } }),
            "/matching",
        ),
        (
            json!({ "action": "suspend", "matching": { "state": "active" } }),
            "/matching",
        ),
        (
            json!({ "action": "suspend", "matching": { "status": "asleep" } }),
            "/matching/status",
        ),
        (json!({ "action": "disable", "of": "blc_0" }), "/of"),
        (
            json!({ "action": "disable", "ids": [id], "of": "blc_0" }),
            "/of",
        ),
        (json!({ "action": "delete", "matching": {} }), "/action"),
    ] {
        let response = select(&operator, &body);
        assert_eq!(response.status, 400, "{body}: {response:?}");
        assert_eq!(response.json()["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(world.db.number("SELECT COUNT(*) FROM bulk_changes"), 0);
}

#[test]
fn a_bulk_change_stops_before_its_next_chunk_goes_on_and_is_undone() {
    let world = crowd(450);
    let operator = Browser::signed_in(&world, "operator");
    let preview = shown(&operator, &json!({ "action": "disable", "matching": {} }));
    let dry = world.copied();
    dry.effects.plan(&[]);
    let asks = Browser::with(&dry, &operator.cookies.borrow());
    assert_eq!(start(&asks, &preview).status, 202);
    let names = dry.effects.names();
    let chunks = names.iter().enumerate();
    let mut chunks = chunks.filter(|(_, name)| name.ends_with("progress::NEXT"));
    let second = chunks.nth(1).expect("two chunks").0;
    world.effects.plan(&[(second, Fate::HeldBefore)]);
    let body = json!({ "count": 450 }).to_string();
    let held = operator.start("POST", &format!("{}/start", address(&preview)), &body);
    world.effects.plan(&[]);
    let running = report(&operator, &preview);
    assert_eq!(
        (&running["state"], &running["left"]),
        (&json!("running"), &json!(250))
    );
    let stop = format!("{}/stop", address(&preview));
    assert_eq!(operator.post(&stop, "{}").status, 200);
    assert_eq!(held.release().status, 202);
    let stopped = report(&operator, &preview);
    assert_eq!(
        (&stopped["state"], &stopped["left"]),
        (&json!("stopped"), &json!(250))
    );
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(
        report(&operator, &preview)["left"],
        json!(250),
        "nothing goes on by itself"
    );
    let body = json!({ "count": 250 }).to_string();
    let goes_on = operator.post(&format!("{}/start", address(&preview)), &body);
    assert_eq!(goes_on.status, 202, "{goes_on:?}");
    let done = report(&operator, &preview);
    assert_eq!(done["outcomes"], json!({ "done": 450 }));
    assert_eq!(audited(&world, "hold_put"), 450);
    // Taking it back concerns exactly those that it has changed.
    let back = shown(
        &operator,
        &json!({ "action": "enable", "of": preview["bulk"]["id"], "outcome": "done" }),
    );
    assert_eq!(back["bulk"]["verdicts"], json!({ "change": 450 }));
    assert_eq!(back["targets"].as_array().map(Vec::len), Some(100));
    let next = back["next"].as_str().unwrap();
    let page = operator
        .get(&format!("{}?after={next}", address(&back)))
        .json();
    assert_eq!(page["targets"][0]["login"], json!("load-100"));
    assert_eq!(
        started(&operator, &back)["outcomes"],
        json!({ "done": 450 })
    );
    assert_eq!(world.db.number("SELECT COUNT(*) FROM holds"), 0);
    let all = operator.get(BULK).json()["bulk"].clone();
    assert_eq!(
        (&all[0]["action"], &all[1]["action"]),
        (&json!("enable"), &json!("disable"))
    );
}

#[test]
fn only_what_the_database_refuses_fails_and_it_is_tried_again_alone() {
    let world = crowd(7);
    let operator = Browser::signed_in(&world, "operator");
    world.db.run(
        "CREATE TRIGGER refuses BEFORE INSERT ON holds WHEN NEW.key_id IN (3, 4) BEGIN SELECT RAISE(ABORT, 'refused'); END",
    );
    let preview = shown(&operator, &json!({ "action": "disable", "matching": {} }));
    let done = started(&operator, &preview);
    assert_eq!(done["outcomes"], json!({ "done": 5, "failed": 2 }));
    assert_eq!(audited(&world, "hold_put"), 5);
    world.db.run("DROP TRIGGER refuses");
    let failed = json!({ "action": "disable", "of": preview["bulk"]["id"], "outcome": "failed" });
    let preview = shown(&operator, &failed);
    assert_eq!(preview["bulk"]["verdicts"], json!({ "change": 2 }));
    assert_eq!(
        started(&operator, &preview)["outcomes"],
        json!({ "done": 2 })
    );
    assert_eq!(audited(&world, "hold_put"), 7);
}

#[test]
fn many_members_are_suspended_with_all_of_their_keys_and_reinstated() {
    let world = crowd(3);
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "load-1");
    let filter = json!({ "login": "LOAD-", "status": "active" });
    let preview = shown(
        &operator,
        &json!({ "action": "suspend", "matching": filter }),
    );
    assert_eq!(preview["targets"][1]["keys_live"], json!(1));
    assert_eq!(
        started(&operator, &preview)["outcomes"],
        json!({ "done": 3 })
    );
    assert_eq!(member.get("/api/v1/me").status, 403);
    assert_eq!(audited(&world, "key_ended"), 3);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert!(world.usable().is_empty());
    // An administrator of the configuration, oneself, and whoever is banned are left as they are.
    assert_eq!(operator.set_status("load-2", "banned").status, 200);
    let all = shown(&operator, &json!({ "action": "suspend", "matching": {} }));
    assert_eq!(all["bulk"]["verdicts"], json!({ "already": 3, "own": 1 }));
    assert_eq!(start(&operator, &all).status, 400, "none is to be changed");
    let all = shown(&operator, &json!({ "action": "reinstate", "matching": {} }));
    assert_eq!(
        all["bulk"]["verdicts"],
        json!({ "banned": 1, "change": 2, "own": 1 })
    );
    assert_eq!(started(&operator, &all)["outcomes"], json!({ "done": 2 }));
    // Meanwhile the configuration names one of them as an administrator.
    world.set("ADMIN_GITHUB_USER_IDS", "1000001,9000000");
    let operator = operator.at_fresh_isolate();
    let filter = json!({ "login": "load-" });
    let all = shown(
        &operator,
        &json!({ "action": "suspend", "matching": filter }),
    );
    assert_eq!(
        all["bulk"]["verdicts"],
        json!({ "admin": 1, "already": 1, "change": 1 })
    );
    let member = Browser::signed_in(&world, "load-1");
    assert_eq!(member.claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn many_keys_are_revoked_for_good_after_their_number_was_confirmed() {
    let world = crowd(4);
    let operator = Browser::signed_in(&world, "operator");
    let ids = keys(&world);
    let preview = shown(
        &operator,
        &json!({ "action": "revoke", "ids": ids[1..], "matching": {} }),
    );
    let done = started(&operator, &preview);
    assert_eq!(done["outcomes"], json!({ "done": 3 }));
    assert_eq!(audited(&world, "key_ended"), 3);
    assert_eq!(audited(&world, "revoke_asked"), 3);
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert_eq!(world.usable().len(), 1);
    let back = select(
        &operator,
        &json!({ "action": "enable", "of": preview["bulk"]["id"], "outcome": "done" }),
    );
    assert_eq!(back.json()["bulk"]["verdicts"], json!({ "ended": 3 }));
    oracle::settled(&world);
}

#[test]
fn a_bulk_change_that_died_anywhere_is_finished_by_the_next_trigger() {
    let world = crowd(2);
    let operator = Browser::signed_in(&world, "operator");
    for action in ["disable", "revoke"] {
        let preview = shown(&operator, &json!({ "action": action, "matching": {} }));
        let dry = world.copied();
        dry.effects.plan(&[]);
        let asks = Browser::with(&dry, &operator.cookies.borrow());
        assert_eq!(start(&asks, &preview).status, 202);
        for n in 0..dry.effects.names().len() {
            for fate in [
                Fate::CutBefore,
                Fate::CutAfter,
                Fate::LostBefore,
                Fate::LostAfter,
                Fate::RefusedBefore,
            ] {
                let world = world.copied();
                let operator = Browser::with(&world, &operator.cookies.borrow());
                world.effects.plan(&[(n, fate)]);
                let path = format!("{}/start", address(&preview));
                let headers = [
                    ("origin", "http://localhost:8787"),
                    ("content-type", "application/json"),
                ];
                operator.try_send(
                    "POST",
                    &path,
                    &headers,
                    Body::Bytes(r#"{"count":2}"#.into()),
                );
                world.effects.plan(&[]);
                world.pass(TEN_MINUTES);
                assert!(world.tick());
                let operator = operator.at_fresh_isolate();
                let is = report(&operator, &preview);
                let is = (is["state"].as_str().unwrap(), &is["outcomes"]);
                assert!(
                    is == ("shown", &json!({})) || is == ("done", &json!({ "done": 2 })),
                    "{action} {n}: {is:?}"
                );
                assert_eq!(world.usable().len(), if is.0 == "done" { 0 } else { 2 });
                oracle::settled(&world);
            }
        }
    }
}

#[test]
fn keys_are_listed_and_selected_by_project_workspace_age_idleness_and_a_spent_limit() {
    let world = crowd(3);
    let operator = Browser::signed_in(&world, "operator");
    let ids = keys(&world);
    let owner = Browser::signed_in(&world, "load-0");
    let moved = owner.patch(
        &format!("/api/v1/keys/{}", ids[0]),
        r#"{"project":"parser"}"#,
    );
    assert_eq!(moved.status, 200, "{moved:?}");
    let project = world.db.text("SELECT public_id FROM projects");
    // The first was made two days earlier; the second has spent its whole limit today, the third something yesterday.
    let now = world.now();
    world.db.run(&format!(
        "UPDATE keys SET created_at = {} WHERE id = 1;
         UPDATE generations SET usage_read_at = {now}, usage_daily_nano = 0, usage_weekly_nano = 0, usage_monthly_nano = 0, usage_lifetime_nano = 0;
         UPDATE generations SET usage_daily_nano = limit_nano, usage_weekly_nano = limit_nano, usage_monthly_nano = limit_nano,
           usage_lifetime_nano = limit_nano WHERE id = 2;
         UPDATE generations SET usage_read_at = {yesterday}, usage_daily_nano = limit_nano, usage_weekly_nano = 1, usage_monthly_nano = 1,
           usage_lifetime_nano = limit_nano WHERE id = 3",
        now.plus(-2 * 86_400).secs(),
        now = now.secs(),
        yesterday = now.plus(-86_400).secs(),
    ));
    let workspace = world
        .db
        .text("SELECT workspace_id FROM generations LIMIT 1");
    let before = now.plus(-86_400).rfc3339();
    let all: Vec<usize> = vec![2, 1, 0];
    for (name, value, expected) in [
        ("project", json!(project), vec![0]),
        ("project", json!("prj_0"), vec![]),
        ("workspace", json!(workspace), all),
        ("workspace", json!("nowhere"), vec![]),
        ("made_before", json!(before), vec![0]),
        ("idle", json!("never"), vec![0]),
        ("idle", json!("week"), vec![0]),
        ("idle", json!("month"), vec![0]),
        ("over_limit", json!(true), vec![1]),
    ] {
        let text = value.as_str().unwrap_or("true").to_owned();
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let listed = operator.get(&format!("/api/v1/admin/keys?{name}={query}"));
        assert_eq!(listed.status, 200, "{name}: {listed:?}");
        let listed = listed.json()["keys"].clone();
        let listed = listed.as_array().unwrap().iter();
        let listed: Vec<&str> = listed.map(|key| key["id"].as_str().unwrap()).collect();
        let wanted: Vec<&str> = expected.iter().map(|n| ids[*n].as_str()).collect();
        assert_eq!(listed, wanted, "{name}={text}");
        let response = select(
            &operator,
            &json!({ "action": "disable", "matching": { name: value } }),
        );
        let found = response.json()["bulk"]["targets"].as_i64().unwrap_or(0);
        assert_eq!(
            found,
            i64::try_from(expected.len()).unwrap(),
            "{name}={text}"
        );
    }
    let first = operator.get(&format!("/api/v1/admin/keys?project={project}"));
    assert_eq!(first.json()["keys"][0]["project"]["name"], json!("parser"));
    for wrong in [
        "idle=always",
        "over_limit=false",
        "made_before=soon",
        "rows=0",
        "rows=501",
        "rows=x",
    ] {
        let response = operator.get(&format!("/api/v1/admin/keys?{wrong}"));
        assert_eq!(response.status, 400, "{wrong}");
    }
}

#[test]
fn a_list_is_read_in_pages_of_the_size_that_the_query_names() {
    let world = crowd(5);
    let operator = Browser::signed_in(&world, "operator");
    for (path, rows) in [
        ("keys?plan=default", "keys"),
        ("members", "members"),
        ("audit", "entries"),
    ] {
        let address = format!("/api/v1/admin/{path}");
        let and = if path.contains('?') { '&' } else { '?' };
        let whole = operator.get(&format!("{address}{and}rows=500")).json();
        assert_eq!(whole["next"], Value::Null, "{path}");
        let whole = whole[rows].as_array().unwrap().clone();
        let mut read = Vec::new();
        let mut after = String::new();
        loop {
            let page = operator.get(&format!("{address}{and}rows=2{after}")).json();
            let found = page[rows].as_array().unwrap();
            assert!(found.len() <= 2, "{path}");
            read.extend(found.iter().cloned());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        assert_eq!(read, whole, "{path}");
    }
}
