//! Projects: how a member groups their own keys.

use serde_json::{Value, json};

use crate::caps::assign;
use crate::support::browser::Response;
use crate::support::{Browser, Fate, World, oracle};

const PROJECTS: &str = "/api/v1/projects";

fn holder<'a>(world: &'a World, persona: &str) -> (Browser<'a>, String) {
    let member = Browser::signed_in(world, persona);
    let response = member.claim();
    assert_eq!(response.status, 201, "{response:?}");
    let id = response.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, format!("/api/v1/keys/{id}"))
}

fn create(member: &Browser<'_>, name: &str) -> Response {
    member.post(PROJECTS, &json!({ "name": name }).to_string())
}

fn created(member: &Browser<'_>, name: &str) -> Value {
    let response = create(member, name);
    assert_eq!(response.status, 201, "{response:?}");
    response.json()["project"].clone()
}

fn listed(member: &Browser<'_>) -> Vec<Value> {
    member.world.effects.plan(&[]);
    let body = member.get(PROJECTS).json();
    assert_eq!(member.world.effects.count(), 1);
    body["projects"].as_array().unwrap().clone()
}

fn names(member: &Browser<'_>) -> Vec<String> {
    let name = |project: &Value| project["name"].as_str().unwrap().to_owned();
    listed(member).iter().map(name).collect()
}

fn address(project: &Value) -> String {
    format!("{PROJECTS}/{}", project["id"].as_str().unwrap())
}

#[test]
fn a_name_is_one_project_whatever_its_capitals_and_blanks() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let shop = created(&member, " Web Shop ");
    assert_eq!(
        (&shop["name"], &shop["keys"]),
        (&json!("Web Shop"), &json!(0))
    );
    for same in ["web shop", "WEB  SHOP", "web\u{200b} shop"] {
        let again = create(&member, same);
        assert_eq!(
            (again.status, &again.json()["project"]),
            (200, &shop),
            "{same:?}"
        );
    }
    created(&member, "another");
    let other = Browser::signed_in(&world, "second");
    let theirs = created(&other, "Web Shop");
    assert_ne!(theirs["id"], shop["id"], "each member has their own");
    assert_eq!(names(&member), ["another", "Web Shop"]);
    for bad in ["", " ", "\u{200b}", &"x".repeat(65)] {
        let response = create(&member, bad);
        assert_eq!(
            (
                response.status,
                response.json()["errors"][0]["pointer"].as_str()
            ),
            (400, Some("/name"))
        );
    }
    assert_eq!(names(&member).len(), 2);
}

#[test]
fn two_creations_of_one_name_at_the_same_time_make_one_project() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    for k in 0..1 {
        for fate in [Fate::HeldBefore, Fate::HeldAfter] {
            let world = world.forked();
            let member = Browser::with(&world, &member.cookies.borrow());
            world.effects.plan(&[(k, fate)]);
            let held = member.start("POST", PROJECTS, r#"{"name":"Shop"}"#);
            world.effects.plan(&[]);
            let other = member.at_fresh_isolate();
            let meanwhile = other.post(PROJECTS, r#"{"name":"shop"}"#);
            let response = held.release();
            let mut statuses = [meanwhile.status, response.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 201], "{k}");
            assert_eq!(
                meanwhile.json()["project"]["id"],
                response.json()["project"]["id"]
            );
            assert_eq!(names(&member).len(), 1);
        }
    }
}

#[test]
fn keys_are_grouped_when_they_are_made_and_later_and_are_counted() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assign(&world, &member, "pro");
    let project = |response: &Response| response.json()["key"]["project"].clone();
    // By a name: the project is created with the key.
    let second = member.post("/api/v1/keys", r#"{"name":"server","project":"Shop"}"#);
    assert_eq!(second.status, 201, "{second:?}");
    let shop = project(&second);
    assert_eq!(shop["name"], "Shop");
    // By its id, and by a name that is there.
    let by_id = json!({ "name": "worker", "project": shop["id"] }).to_string();
    assert_eq!(project(&member.post("/api/v1/keys", &by_id)), shop);
    let moved = member.patch(&key, r#"{"project":"shop"}"#);
    assert_eq!((moved.status, project(&moved)), (200, shop.clone()));
    assert_eq!(listed(&member)[0]["keys"], 3);
    // A rotation keeps it, and so does the list.
    let rotated = member.post(&format!("{key}/rotate"), "{}");
    assert_eq!((rotated.status, project(&rotated)), (201, shop.clone()));
    let keys = member.get("/api/v1/keys").json()["keys"].clone();
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .all(|key| key["project"] == shop),
        "{keys}"
    );
    // Together with a name, and out of it again.
    let both = member.patch(&key, r#"{"project":"Other","name":"laptop"}"#);
    assert_eq!(
        (both.status, both.json()["key"]["name"].as_str()),
        (200, Some("laptop"))
    );
    assert_eq!(project(&both)["name"], "Other");
    let out = member.patch(&key, r#"{"project":null}"#);
    assert_eq!((out.status, project(&out)), (200, Value::Null));
    let counts: Vec<Value> = listed(&member)
        .iter()
        .map(|project| project["keys"].clone())
        .collect();
    assert_eq!(counts, [0, 2]);
    let history = member.get(&format!("{key}/history")).json()["events"].clone();
    let moves: Vec<&Value> = history
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["event"] == "key_moved")
        .collect();
    assert_eq!(moves.len(), 3, "{history}");
    assert_eq!(
        (&moves[2]["before"], &moves[2]["after"]),
        (&Value::Null, &shop["id"])
    );
    // An ended key is counted apart, and stays where it was.
    let ended = second.json()["key"]["id"].as_str().unwrap().to_owned();
    assert_eq!(member.delete(&format!("/api/v1/keys/{ended}")).status, 200);
    let now = listed(&member)[1].clone();
    assert_eq!((&now["keys"], &now["ended_keys"]), (&json!(1), &json!(1)));
    assert_eq!(
        member.get("/api/v1/keys").json()["ended"][0]["project"],
        shop
    );
    let moved = member.patch(&format!("/api/v1/keys/{ended}"), r#"{"project":null}"#);
    assert_eq!((moved.status, moved.code().as_str()), (409, "key_ended"));
    oracle::always(&world);
}

#[test]
fn a_project_is_renamed_archived_and_restored() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let (first, second) = (created(&member, "first"), created(&member, "second"));
    let change = |project: &Value, body: &str| {
        let response = member.patch(&address(project), body);
        (response.status, response.json())
    };
    let (status, body) = change(&first, r#"{"name":"Renamed","archived":true}"#);
    assert_eq!((status, &body["project"]["name"]), (200, &json!("Renamed")));
    assert!(body["project"]["archived_at"].is_string());
    assert_eq!(
        names(&member),
        ["second", "Renamed"],
        "archived ones come last"
    );
    let (status, body) = change(&second, r#"{"name":"RENAMED"}"#);
    assert_eq!((status, &body["code"]), (409, &json!("project_exists")));
    let (status, _) = change(&first, r#"{"name":"renamed","archived":false}"#);
    assert_eq!(status, 200, "another spelling of its own name");
    assert_eq!(names(&member), ["renamed", "second"]);
    for bad in [
        "{}",
        r#"{"name":null}"#,
        r#"{"name":"\u200b"}"#,
        r#"{"archived":1}"#,
        r#"{"archived":null}"#,
    ] {
        assert_eq!(change(&first, bad).0, 400, "{bad}");
    }
    let written = "SELECT COUNT(*) FROM audit WHERE action IN ('project_renamed', 'project_archived', 'project_restored')";
    assert_eq!(world.db.number(written), 4);
    change(&first, r#"{"name":"renamed","archived":false}"#);
    assert_eq!(world.db.number(written), 4, "again changes nothing");
}

#[test]
fn another_members_project_an_unknown_and_a_malformed_one_are_answered_alike() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let (stranger, its_key) = holder(&world, "second");
    let theirs = created(&member, "theirs");
    let before = world.db.dump();
    let id = theirs["id"].as_str().unwrap();
    let ids = [id, "prj_000000000000000000000000", "prj_1"];
    for id in ids
        .into_iter()
        .chain(["1", "%27", "key_000000000000000000000000"])
    {
        let response = stranger.patch(&format!("{PROJECTS}/{id}"), r#"{"name":"mine"}"#);
        assert_eq!(
            (response.status, response.code().as_str()),
            (404, "not_found"),
            "{id}"
        );
    }
    for id in ids {
        for (target, body) in [
            (its_key.as_str(), json!({ "project": id })),
            ("/api/v1/keys", json!({ "name": "more", "project": id })),
        ] {
            let response = if target == its_key {
                stranger.patch(target, &body.to_string())
            } else {
                stranger.post(target, &body.to_string())
            };
            let pointer = response.json()["errors"][0]["pointer"].clone();
            assert_eq!(
                (response.status, pointer),
                (400, json!("/project")),
                "{body}"
            );
        }
    }
    // Nobody but its owner groups a key, and no project is created for a key that is not there.
    let operator = Browser::signed_in(&world, "operator");
    let after_sign_in = world.db.dump();
    for (who, target) in [
        (&stranger, key.as_str()),
        (&operator, &key),
        (&stranger, "/api/v1/keys/1"),
    ] {
        let response = who.patch(target, r#"{"project":"new"}"#);
        assert_eq!(
            (response.status, response.code().as_str()),
            (404, "not_found"),
            "{target}"
        );
    }
    assert_eq!(world.db.dump(), after_sign_in);
    assert!(
        before.len() < after_sign_in.len(),
        "only the sign-in was written"
    );
}

#[test]
fn projects_have_a_number_and_a_daily_quota() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    for n in 0..50 {
        created(&member.at_fresh_isolate(), &format!("project {n}"));
    }
    let refused = create(&member, "one more");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (429, "daily_quota")
    );
    assert_eq!(refused.json()["retry_at"], "2026-11-22T00:00:00Z");
    assert_eq!(
        create(&member, "PROJECT 7").status,
        200,
        "one that is there is no new one"
    );
    world.pass(86_400);
    for n in 50..100 {
        created(&member.at_fresh_isolate(), &format!("project {n}"));
    }
    world.pass(86_400);
    let refused = create(&member, "one more");
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (409, "projects_used_up")
    );
    world
        .db
        .run("UPDATE daily_uses SET n = 200, day = (SELECT MAX(day) FROM daily_uses)");
    world.db.run(&format!(
        "INSERT INTO daily_uses (owner_id, action, day, n) SELECT owner_id, 'key_moved', {}, 200 FROM members",
        world.now().secs() / 86_400
    ));
    let moved = member.patch(&key, r#"{"project":"project 1"}"#);
    assert_eq!((moved.status, moved.code().as_str()), (429, "daily_quota"));
}

#[test]
fn projects_are_in_the_export_and_are_erased_when_the_member_leaves() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    assert_eq!(
        member.patch(&key, r#"{"project":"secret plans"}"#).status,
        200
    );
    let export = member.get("/api/v1/me/export").json();
    assert_eq!(export["projects"][0]["name"], "secret plans");
    assert_eq!(export["keys"][0]["project"], export["projects"][0]["id"]);
    let audit = world
        .db
        .texts("SELECT COALESCE(before, '') || COALESCE(after, '') FROM audit")
        .concat();
    assert!(!audit.contains("plans"), "no name is in the audit");
    assert_eq!(member.leave("member").status, 204);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM projects"), 0);
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM keys WHERE project_id IS NOT NULL"),
        0
    );
}
