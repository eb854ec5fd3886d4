//! The workspaces in which keys may be made: how administrators choose them, where a claim makes its key, and what happens
//! if one of them cannot be read.

use std::cell::RefCell;

use keycap::http::server::message::Body;
use serde_json::{Value, json};

use crate::caps::assign;
use crate::support::browser::Response;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Fate, TEN_MINUTES, World, oracle};

const PATH: &str = "/api/v1/admin/workspaces";

/// Makes a workspace at OpenRouter, and returns its id there.
pub fn at_openrouter(world: &World, name: &str, slug: &str) -> String {
    let body = json!({ "name": name, "slug": slug });
    let made = world.by_hand("POST", "/workspaces", &body);
    made["data"]["id"].as_str().unwrap().to_owned()
}

pub fn put(operator: &Browser<'_>, ids: &[&str]) -> Response {
    let body = json!({ "workspace_ids": ids }).to_string();
    let headers = [("origin", ORIGIN), ("content-type", "application/json")];
    operator.send("PUT", PATH, &headers, Body::Bytes(body.into_bytes()))
}

pub fn choose(operator: &Browser<'_>, ids: &[&str]) -> Value {
    let response = put(operator, ids);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

/// The id here and the name of each workspace that the member may choose.
fn offered(member: &Browser<'_>) -> Vec<(String, String)> {
    let response = member.get("/api/v1/workspaces");
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    let me = member.get("/api/v1/me").json();
    assert_eq!(me["claim"]["workspaces"], body["workspaces"]);
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let list = body["workspaces"].as_array().unwrap();
    list.iter()
        .map(|one| (text(one, "id"), text(one, "name")))
        .collect()
}

fn id_of(member: &Browser<'_>, name: &str) -> String {
    let offered = offered(member);
    offered.into_iter().find(|one| one.1 == name).unwrap().0
}

fn claim_in(member: &Browser<'_>, workspace: &str) -> Response {
    let body = json!({ "accept_terms": 1, "workspace_id": workspace }).to_string();
    member.post("/api/v1/claim", &body)
}

/// The workspaces at OpenRouter in which the usable keys are.
fn places(world: &World) -> Vec<String> {
    world
        .usable()
        .into_iter()
        .map(|key| key.workspace_id)
        .collect()
}

fn enabled(world: &World) -> Vec<String> {
    world
        .db
        .texts("SELECT name FROM workspaces WHERE enabled = 1 ORDER BY name")
}

fn wrong_member(response: &Response) -> (u16, String) {
    let pointer = &response.json()["errors"][0]["pointer"];
    (
        response.status,
        pointer.as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn an_administrator_sees_every_workspace_and_members_those_that_are_enabled() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let blue = at_openrouter(&world, "Blue", "blue");
    at_openrouter(&world, "Red", "red");
    let states = |body: &Value| -> Vec<(String, bool, bool)> {
        let list = body["workspaces"].as_array().unwrap();
        let of = |one: &Value| {
            (
                one["name"].as_str().unwrap().to_owned(),
                one["enabled"].as_bool().unwrap(),
                one["at_openrouter"].as_bool().unwrap(),
            )
        };
        list.iter().map(of).collect()
    };
    let named = |name: &str, enabled| (String::from(name), enabled, true);
    let before = operator.get(PATH).json();
    assert_eq!(
        states(&before),
        [
            named("Default", false),
            named("Blue", false),
            named("Red", false)
        ]
    );
    assert_eq!(before["is_whole"], true);
    assert_eq!(offered(&member), []);
    let after = choose(&operator, &[&blue]);
    assert_eq!(
        states(&after),
        [
            named("Default", false),
            named("Blue", true),
            named("Red", false)
        ]
    );
    assert_eq!(operator.get(PATH).json(), after);
    // A member learns the name and an id of ours, and nothing of what is not enabled.
    let seen = offered(&member);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].1, "Blue");
    assert!(seen[0].0.starts_with("wsp_"), "{seen:?}");
    assert!(!member.get("/api/v1/workspaces").body.contains(&blue));
    assert_eq!(member.get(PATH).status, 404);
    assert_eq!(put(&member, &[&blue]).status, 404);
    let nobody = Browser::new(&world);
    assert_eq!(nobody.get("/api/v1/workspaces").status, 401);
    oracle::always(&world);
}

#[test]
fn the_list_is_read_to_its_end_and_a_name_that_cannot_be_seen_is_the_id() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let mut ids: Vec<String> = (0..130)
        .map(|n| at_openrouter(&world, &format!("Team {n}"), &format!("team-{n}")))
        .collect();
    let odd = at_openrouter(&world, "\u{202e}\u{200b}", "odd");
    let spoofed = at_openrouter(&world, "Ada\u{202e}<b>", "spoofed");
    let body = operator.get(PATH).json();
    assert_eq!(body["workspaces"].as_array().unwrap().len(), 133);
    ids.truncate(98);
    ids.extend([odd.clone(), spoofed.clone()]);
    let wanted: Vec<&str> = ids.iter().map(String::as_str).collect();
    let body = choose(&operator, &wanted);
    let name = |id: &str| {
        let list = body["workspaces"].as_array().unwrap();
        list.iter().find(|one| one["id"] == id).unwrap()["name"].clone()
    };
    assert_eq!(name(&odd), json!(odd));
    assert_eq!(name(&spoofed), "Ada<b>");
    assert_eq!(enabled(&world).len(), 100);
    // A list that breaks off says nothing about what it lacks.
    world.add_fault(
        "openrouter.workspaces.list",
        "offset_ignored",
        json!({ "times": 0 }),
    );
    let part = operator.get(PATH).json();
    assert_eq!(part["is_whole"], false);
    let known = part["workspaces"].as_array().unwrap();
    let of = |id: &str| known.iter().find(|one| one["id"] == id).unwrap().clone();
    assert_eq!(of(&odd)["at_openrouter"], Value::Null);
    assert_eq!(of(&odd)["enabled"], true);
    assert_eq!(put(&operator, &wanted[..50]).status, 200);
    assert_eq!(put(&operator, &[&odd]).code(), "workspace_unread");
    assert_eq!(enabled(&world).len(), 50);
    world.sandbox.borrow_mut().clear_faults();
    let mut more = wanted.clone();
    more.push("x");
    assert_eq!(
        wrong_member(&put(&operator, &more)),
        (400, String::from("/workspace_ids"))
    );
}

#[test]
fn a_wrong_id_is_named_and_changes_nothing() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue]);
    let before = world.db.dump();
    for (ids, pointer) in [
        (
            vec![red.as_str(), "5a4db0c5-0000-4000-8000-0000000000ab"],
            "/workspace_ids/1",
        ),
        (vec!["", red.as_str()], "/workspace_ids/0"),
        (
            vec![red.as_str(), blue.as_str(), red.as_str()],
            "/workspace_ids/2",
        ),
    ] {
        assert_eq!(
            wrong_member(&put(&operator, &ids)),
            (400, String::from(pointer))
        );
    }
    // If the list cannot be read, or only in part, nothing is concluded from what it lacks.
    world.add_fault(
        "openrouter.workspaces.list",
        "html_error",
        json!({ "times": 3 }),
    );
    let response = put(&operator, &[&red]);
    assert_eq!(
        (response.status, response.code().as_str()),
        (503, "workspace_unread")
    );
    world.sandbox.borrow_mut().clear_faults();
    assert_eq!(world.db.dump(), before);
    // What is enabled already is not enabled again.
    choose(&operator, &[&blue]);
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
}

#[test]
fn the_section_stays_usable_while_openrouter_does_not_answer() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    choose(&operator, &[&blue]);
    world.add_fault(
        "openrouter.workspaces.list",
        "html_error",
        json!({ "times": 3 }),
    );
    let response = operator.get(PATH);
    assert_eq!(response.status, 200, "{response:?}");
    let body = response.json();
    assert_eq!(body["is_whole"], false);
    let list = body["workspaces"].as_array().unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(
        (
            &list[0]["name"],
            &list[0]["enabled"],
            &list[0]["at_openrouter"]
        ),
        (&json!("Blue"), &json!(true), &Value::Null)
    );
}

#[test]
fn the_set_is_replaced_in_one_transaction_and_every_change_is_in_the_audit() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue]);
    let before = world.db.dump();
    for broken in ["INSERT", "UPDATE"] {
        world.db.run(&format!(
            "CREATE TRIGGER broken BEFORE {broken} ON workspaces BEGIN SELECT RAISE(ABORT, 'broken'); END"
        ));
        let response = put(&operator, &[&red]);
        assert!(response.status >= 500, "{response:?}");
        world.db.run("DROP TRIGGER broken");
        assert_eq!(world.db.dump(), before, "{broken}");
    }
    choose(&operator, &[&red]);
    assert_eq!(enabled(&world), ["Red"]);
    choose(&operator, &[&blue, &red]);
    choose(&operator, &[]);
    assert_eq!(enabled(&world), <[String; 0]>::default());
    let trail = "SELECT a.action || ' ' || COALESCE(w.name, a.before || ' ' || a.after) FROM audit a
        LEFT JOIN workspaces w ON w.public_id = a.target WHERE a.action LIKE 'workspace%' ORDER BY a.id";
    assert_eq!(
        world.db.texts(trail),
        [
            "workspaces_chosen 0 1",
            "workspace_enabled Blue",
            "workspaces_chosen 1 1",
            "workspace_enabled Red",
            "workspace_disabled Blue",
            "workspaces_chosen 1 2",
            "workspace_enabled Blue",
            "workspaces_chosen 2 0",
            "workspace_disabled Blue",
            "workspace_disabled Red",
        ]
    );
    // Neither a change without its audit row nor a deletion is possible.
    for sql in [
        "UPDATE workspaces SET enabled = 1",
        "UPDATE workspaces SET public_id = 'wsp_x' WHERE name = 'Red'",
        "DELETE FROM workspaces",
        "INSERT INTO workspaces (public_id, upstream_id, name, enabled, change_id) VALUES ('wsp_y', 'y', 'Y', 1, 'y')",
    ] {
        let refused = world.db.connection().borrow().execute_batch(sql);
        assert!(refused.is_err(), "{sql}");
    }
    oracle::always(&world);
}

#[test]
fn of_two_changes_of_the_set_the_later_one_stays_however_late_the_first_arrives() {
    for k in 0..5 {
        let world = World::new();
        let operator = Browser::signed_in(&world, "operator");
        let blue = at_openrouter(&world, "Blue", "blue");
        let red = at_openrouter(&world, "Red", "red");
        let body = json!({ "workspace_ids": [blue] }).to_string();
        world.effects.plan(&[(k, Fate::HeldBefore)]);
        let held = operator.start("PUT", PATH, &body);
        world.effects.plan(&[]);
        choose(&operator, &[&red]);
        let later = held.release();
        let names = enabled(&world);
        assert_eq!(names.len(), 1, "effect {k}: {names:?}");
        assert_eq!(later.status, 200, "effect {k}: {later:?}");
        let is = world
            .db
            .number("SELECT COUNT(*) FROM workspaces WHERE enabled = 1");
        assert_eq!(is, 1);
        oracle::always(&world);
    }
}

#[test]
fn the_only_enabled_workspace_is_chosen_by_itself() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    choose(&operator, &[&blue]);
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "basic");
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["key"]["workspace"]["name"], "Blue");
    let made = member.post("/api/v1/keys", r#"{"name":"laptop"}"#);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(places(&world), [blue.clone(), blue]);
    oracle::settled(&world);
}

#[test]
fn with_several_enabled_workspaces_the_member_chooses_one() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue, &red]);
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "basic");
    let names: Vec<String> = offered(&member).into_iter().map(|one| one.1).collect();
    assert_eq!(names, ["Blue", "Red"]);
    // The offer stands; only the request has to say where.
    assert_eq!(
        member.get("/api/v1/me").json()["claim"]["refusal"],
        Value::Null
    );
    let calls = world.calls("openrouter.keys.create");
    let refused = member.claim();
    assert_eq!(wrong_member(&refused), (400, String::from("/workspace_id")));
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("workspace_id is required")
    );
    let refused = member.post("/api/v1/keys", r#"{"name":"laptop"}"#);
    assert_eq!(wrong_member(&refused), (400, String::from("/workspace_id")));
    assert_eq!(
        (world.calls("openrouter.keys.create"), world.states().len()),
        (calls, 0)
    );
    let response = claim_in(&member, &id_of(&member, "Red"));
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["key"]["workspace"]["name"], "Red");
    let body = json!({ "name": "laptop", "workspace_id": id_of(&member, "Blue") });
    assert_eq!(member.post("/api/v1/keys", &body.to_string()).status, 201);
    assert_eq!(places(&world), [red, blue]);
    let keys = member.get("/api/v1/keys").json();
    let shown = |n: usize| keys["keys"][n]["workspace"]["name"].clone();
    assert_eq!((shown(0), shown(1)), (json!("Red"), json!("Blue")));
    oracle::settled(&world);
}

#[test]
fn a_workspace_that_is_not_enabled_is_refused_before_any_call() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue, &red]);
    let former = id_of(&member, "Blue");
    let refused = |world: &World| {
        let before = world.db.dump();
        let calls = world.sandbox.borrow().ledger().calls.len();
        for id in [
            former.as_str(),
            "wsp_000000000000000000000000",
            "",
            "Blue",
            blue.as_str(),
            "key_1",
        ] {
            for (path, name) in [("/api/v1/claim", None), ("/api/v1/keys", Some("laptop"))] {
                let mut body = json!({ "workspace_id": id });
                match name {
                    Some(name) => body["name"] = json!(name),
                    None => body["accept_terms"] = json!(1),
                }
                let response = member.post(path, &body.to_string());
                let is = wrong_member(&response);
                assert_eq!(
                    is,
                    (400, String::from("/workspace_id")),
                    "{id} {response:?}"
                );
            }
        }
        assert_eq!(world.sandbox.borrow().ledger().calls.len(), calls);
        let kept = |dump: &str| dump.lines().filter(|line| !line.contains("terms_")).count();
        assert_eq!(kept(&world.db.dump()), kept(&before));
        assert_eq!(world.states().len(), 0);
    };
    choose(&operator, &[&red]);
    assert_eq!(member.get("/api/v1/me").status, 200);
    refused(&world);
    // While none is enabled, the plan alone says where keys are made.
    choose(&operator, &[]);
    refused(&world);
    assert_eq!(member.claim().status, 201);
    oracle::settled(&world);
}

#[test]
fn a_workspace_that_is_disabled_while_a_key_is_made_keeps_no_key() {
    let mut superseded = 0;
    for after in [vec![], vec!["red"]] {
        for k in 0..3 {
            let world = World::new();
            let operator = Browser::signed_in(&world, "operator");
            let member = Browser::signed_in(&world, "member");
            let blue = at_openrouter(&world, "Blue", "blue");
            let red = at_openrouter(&world, "Red", "red");
            choose(&operator, &[&blue]);
            world.effects.plan(&[(k, Fate::HeldAfter)]);
            let held = member.start_claim();
            world.effects.plan(&[]);
            let next: Vec<&str> = after.iter().map(|_| red.as_str()).collect();
            choose(&operator, &next);
            let response = held.release();
            if response.status == 201 {
                // It was recorded before the workspace was disabled, or made in the other one.
                assert_eq!(world.usable().len(), 1);
            } else {
                superseded += usize::from(response.code() == "claim_superseded");
                world.sweep();
                world.pass(TEN_MINUTES);
                world.sweep();
                assert_eq!(world.usable().len(), 0, "{response:?}");
            }
            oracle::settled(&world);
        }
    }
    assert!(superseded >= 2);
}

#[test]
fn keys_of_a_workspace_that_is_not_enabled_any_more_stay_and_no_new_one_is_made_there() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    assign(&world, &member, "basic");
    choose(&operator, &[&blue]);
    assert_eq!(member.claim().status, 201);
    let body = choose(&operator, &[&red]);
    let of = |id: &str| {
        let list = body["workspaces"].as_array().unwrap();
        list.iter().find(|one| one["id"] == id).unwrap().clone()
    };
    assert_eq!(
        (of(&blue)["enabled"].clone(), of(&blue)["live_keys"].clone()),
        (json!(false), json!(1))
    );
    let key = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert_eq!(
        (&key["state"], &key["workspace"]["name"]),
        (&json!("active"), &json!("Blue"))
    );
    assert_eq!(
        member.post("/api/v1/keys", r#"{"name":"laptop"}"#).status,
        201
    );
    assert_eq!(places(&world), [blue.clone(), red]);
    // A new secret is the same key, so it stays where the key is.
    let path = format!("/api/v1/keys/{}/rotate", key["id"].as_str().unwrap());
    let response = member.post(&path, "{}");
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.json()["key"]["workspace"]["name"], "Blue");
    assert_eq!(
        places(&world)
            .iter()
            .filter(|place| **place == blue)
            .count(),
        1
    );
    for _ in 0..2 {
        world.pass(TEN_MINUTES);
        world.sweep();
    }
    oracle::settled(&world);
}

#[test]
fn a_plan_with_a_workspace_of_its_own_offers_only_that_and_the_default_one_comes_first() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    world.set("OPENROUTER_WORKSPACE_ID", &red);
    let (operator, member) = (operator.at_fresh_isolate(), member.at_fresh_isolate());
    let plan = |id: &str| {
        let body = json!({ "workspace_id": id }).to_string();
        let response = operator.patch("/api/v1/admin/plans/default", &body);
        assert_eq!(response.status, 200, "{response:?}");
    };
    // A plan that names the default workspace ties its keys to none.
    plan(&red);
    choose(&operator, &[&blue, &red]);
    let names: Vec<String> = offered(&member).into_iter().map(|one| one.1).collect();
    assert_eq!(names, ["Red", "Blue"]);
    let body = operator.get(PATH).json();
    let default = body["workspaces"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["is_default"] == true);
    assert_eq!(default.unwrap()["name"], "Red");
    plan(&blue);
    let names: Vec<String> = offered(&member).into_iter().map(|one| one.1).collect();
    assert_eq!(names, ["Blue"]);
    // If that is not enabled, nothing is made, and the console says which plan is shut.
    let body = choose(&operator, &[&red]);
    assert_eq!(
        body["shut_plans"],
        json!([{ "name": "default", "workspace_id": blue }])
    );
    assert_eq!(offered(&member), []);
    let refused = member.claim();
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (403, "workspace_closed")
    );
    assert_eq!(
        member.get("/api/v1/me").json()["claim"]["refusal"]["code"],
        "workspace_closed"
    );
    assert_eq!(world.states().len(), 0);
    choose(&operator, &[&blue, &red]);
    assert_eq!(member.claim().status, 201);
    assert_eq!(places(&world), [blue]);
    oracle::settled(&world);
}

thread_local! {
    /// The workspace whose keys OpenRouter does not list.
    static SILENT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on OpenRouter lists no keys of this workspace, or of each workspace again.
pub fn silence(world: &World, workspace: Option<&str>) {
    SILENT.with(|silent| *silent.borrow_mut() = workspace.unwrap_or("none").to_owned());
    world.bend.set(Some(|call, body| {
        let is_silent = SILENT.with(|silent| {
            let asked = format!("workspace_id={}", silent.borrow());
            call.url.path().ends_with("/keys")
                && call.url.query().is_some_and(|query| query.contains(&asked))
        });
        if is_silent {
            *body = json!({ "error": "no list" });
        }
    }));
}

#[test]
fn a_workspace_that_cannot_be_read_hides_no_other_one_and_is_named() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue, &red]);
    let (one, two) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    assert_eq!(claim_in(&one, &id_of(&one, "Blue")).status, 201);
    assert_eq!(claim_in(&two, &id_of(&two, "Red")).status, 201);
    let unread = |body: &Value| -> Vec<String> {
        let list = body["workspaces_unread"].as_array().unwrap();
        list.iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect()
    };
    for silent in [&blue, &red] {
        silence(&world, Some(silent));
        for job in ["sweep", "snapshot", "comparison"] {
            // A key that another deployment's marker would hide is found in the workspace that can be read.
            world.pass(TEN_MINUTES);
            let listed = world.calls("openrouter.keys.list");
            match job {
                "sweep" => drop(world.sweep()),
                "snapshot" => drop(world.tick()),
                _ => drop(world.reconcile()),
            }
            assert!(world.calls("openrouter.keys.list") > listed, "{job}");
            let name = if *silent == blue { "Blue" } else { "Red" };
            let (mine, others) = if *silent == blue {
                (&one, &two)
            } else {
                (&two, &one)
            };
            for path in ["/api/v1/keys", "/api/v1/me/overview"] {
                assert_eq!(unread(&mine.get(path).json()), [name], "{job} {path}");
                assert_eq!(
                    unread(&others.get(path).json()),
                    <[&str; 0]>::default(),
                    "{job} {path}"
                );
            }
            for path in ["/api/v1/admin/keys", PATH] {
                assert_eq!(unread(&operator.get(path).json()), [name], "{job} {path}");
            }
            let overview = operator.get("/api/v1/admin/overview").json();
            let waits = overview["attention"].as_array().unwrap();
            let item = waits
                .iter()
                .find(|item| item["kind"] == "workspaces_unread");
            assert_eq!(item.unwrap()["count"], 1, "{job}");
        }
        // Every list is whole again once the workspace can be read.
        silence(&world, None);
        world.pass(TEN_MINUTES);
        world.sweep();
        assert_eq!(
            unread(&operator.get("/api/v1/admin/keys").json()),
            <[&str; 0]>::default()
        );
        assert_eq!(world.db.number("SELECT COUNT(*) FROM unread_workspaces"), 0);
    }
    world.bend.set(None);
    oracle::settled(&world);
}

#[test]
fn a_page_that_does_not_come_stops_the_walk_of_its_own_workspace_only() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let red = at_openrouter(&world, "Red", "red");
    choose(&operator, &[&blue, &red]);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(claim_in(&member, &id_of(&member, "Blue")).status, 201);
    // The second page of the other workspace never comes. In it are keys of somebody else.
    for n in 0..120 {
        let body = json!({ "name": format!("theirs {n}"), "workspace_id": red });
        world.by_hand("POST", "/keys", &body);
    }
    SILENT.with(|silent| *silent.borrow_mut() = red.clone());
    world.bend.set(Some(|call, body| {
        let query = call.url.query().unwrap_or_default();
        let is_silent = SILENT.with(|silent| query.contains(&*silent.borrow()));
        if is_silent && call.url.path().ends_with("/keys") && !query.contains("offset=0") {
            *body = json!({ "error": "no list" });
        }
    }));
    for _ in 0..4 {
        world.pass(TEN_MINUTES);
        world.tick();
        world.reconcile();
    }
    let seen = "SELECT COUNT(*) FROM sightings s JOIN generations n ON n.id = s.generation_id WHERE s.seen_at > n.created_at";
    assert_eq!(
        world.db.number(seen),
        1,
        "the key of the other workspace was compared"
    );
    let key = member.get("/api/v1/keys").json()["keys"][0].clone();
    assert!(
        key["spend"]["read_at"].is_string(),
        "and its counter was read: {key}"
    );
    assert_eq!(
        world.db.texts("SELECT w.name FROM unread_workspaces u JOIN workspaces w ON w.upstream_id = u.workspace_id"),
        ["Red"]
    );
    world.bend.set(None);
    for _ in 0..3 {
        world.pass(TEN_MINUTES);
        world.tick();
    }
    world.reconcile();
    assert_eq!(world.db.number("SELECT COUNT(*) FROM unread_workspaces"), 0);
}

#[test]
fn every_enabled_workspace_is_walked_also_without_a_row() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    choose(&operator, &[&blue]);
    let name = world.marker_without_row(7);
    let hash = world
        .sandbox
        .borrow()
        .ledger()
        .keys
        .last()
        .unwrap()
        .hash
        .clone();
    world.by_hand(
        "PATCH",
        &format!("/keys/{hash}"),
        &json!({ "workspace_id": blue }),
    );
    world.pass(TEN_MINUTES);
    world.sweep();
    assert_eq!(world.db.texts("SELECT upstream_name FROM findings"), [name]);
    assert_eq!(world.db.text("SELECT workspace_id FROM findings"), blue);
}

#[test]
fn a_new_name_of_a_workspace_is_shown_after_the_next_night() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let blue = at_openrouter(&world, "Blue", "blue");
    choose(&operator, &[&blue]);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.by_hand(
        "PATCH",
        &format!("/workspaces/{blue}"),
        &json!({ "name": "Navy" }),
    );
    assert_eq!(operator.get(PATH).json()["workspaces"][1]["name"], "Navy");
    let name = |body: &Value| {
        body["keys"][0]["workspace"]["name"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(name(&member.get("/api/v1/keys").json()), "Blue");
    world.pass(TEN_MINUTES);
    world.reconcile();
    assert_eq!(name(&member.get("/api/v1/keys").json()), "Navy");
    let listed = operator.get("/api/v1/admin/keys").json();
    assert_eq!(
        listed["keys"][0]["workspace"],
        json!({ "id": blue, "name": "Navy" })
    );
    let id = world.member("member");
    let page = operator.get(&format!("/api/v1/admin/members/{id}")).json();
    assert_eq!(name(&page), "Navy");
    oracle::settled(&world);
}

#[test]
fn a_key_of_a_workspace_without_a_name_here_is_listed_with_its_id() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let place = places(&world)[0].clone();
    let listed = operator.get("/api/v1/admin/keys").json();
    assert_eq!(
        listed["keys"][0]["workspace"],
        json!({ "id": place, "name": place })
    );
    assert_eq!(
        member.get("/api/v1/keys").json()["keys"][0]["workspace"],
        Value::Null
    );
}
