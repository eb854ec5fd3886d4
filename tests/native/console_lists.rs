//! The console's lists: every key, every change, everything about a member; found literally, filtered, in pages whose cost
//! does not grow with the number of keys.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{Browser, TEN_MINUTES, World};

fn get(operator: &Browser<'_>, target: &str) -> Value {
    let response = operator.get(target);
    assert_eq!(response.status, 200, "{target}: {response:?}");
    response.json()
}

/// The ids of the keys that a query lists.
fn keys(operator: &Browser<'_>, query: &str) -> Vec<String> {
    let page = get(operator, &format!("/api/v1/admin/keys{query}"));
    let keys = page["keys"].as_array().unwrap().iter();
    keys.map(|key| key["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Claims a key for a persona, and returns the browser, the key's id and its secret.
fn holder<'w>(world: &'w World, persona: &str) -> (Browser<'w>, String, String) {
    let member = Browser::signed_in(world, persona);
    let claimed = member.claim();
    assert_eq!(claimed.status, 201, "{claimed:?}");
    let id = claimed.json()["key"]["id"].as_str().unwrap().to_owned();
    (member, id, claimed.secret().unwrap())
}

fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn a_key_is_found_by_name_mask_id_and_digest_and_no_character_is_a_wildcard() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (member, first, secret) = holder(&world, "member");
    let (_, second, _) = holder(&world, "second");
    let named = member.patch(
        &format!("/api/v1/keys/{first}"),
        r#"{"name":"50% of_it 'x'"}"#,
    );
    assert_eq!(named.status, 200, "{named:?}");
    let found = |clue: &str| keys(&operator, &format!("?q={}", escaped(clue)));
    let digest = hex::encode(Sha256::digest(secret.as_bytes()));
    let mask = world.db.text("SELECT label FROM generations WHERE id = 1");
    let ending = &mask[mask.len() - 3..];
    for clue in [
        "50% OF",
        "50% of_it 'x'",
        &first,
        &digest,
        &digest.to_uppercase(),
        &mask,
        &mask.replace("...", "…"),
    ] {
        assert_eq!(found(clue), [first.as_str()], "{clue}");
    }
    assert!(found(&format!("…{ending}")).contains(&first));
    for clue in [
        "%",
        "_",
        "50_",
        "0% of",
        "' OR 1=1",
        "\u{202e}",
        &secret[..20],
        "key_0",
        &"0".repeat(64),
    ] {
        assert_eq!(found(clue), Vec::<String>::new(), "{clue}");
    }
    assert_eq!(keys(&operator, ""), [second.as_str(), &first]);
    let long = operator.get(&format!("/api/v1/admin/keys?q={}", "a".repeat(101)));
    assert_eq!((long.status, long.code().as_str()), (400, "bad_request"));
    // An administrator never gets a secret, or OpenRouter's hash of one.
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations WHERE id = 1");
    let member = world.member("member");
    for target in [
        format!("/api/v1/admin/keys?q={digest}"),
        format!("/api/v1/admin/members/{member}"),
        format!("/api/v1/admin/audit?member={member}"),
    ] {
        let body = operator.get(&target).body;
        assert!(!body.contains(&secret) && !body.contains(&hash), "{target}");
    }
}

#[test]
fn keys_are_filtered_by_state_hold_and_plan_together() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (_, first, _) = holder(&world, "member");
    let (_, second, _) = holder(&world, "second");
    let off = operator.patch(&format!("/api/v1/keys/{first}"), r#"{"disabled":true}"#);
    assert_eq!(off.status, 200);
    let id = world.member("second");
    let plan = operator.post(
        &format!("/api/v1/admin/members/{id}/plan"),
        r#"{"plan":"pro"}"#,
    );
    assert_eq!(plan.status, 200, "{plan:?}");
    for (query, expected) in [
        ("?state=disabled", vec![&first]),
        ("?state=active", vec![&second]),
        ("?hold=admin", vec![&first]),
        ("?plan=pro", vec![&second]),
        ("?plan=pro&state=active", vec![&second]),
        ("?plan=pro&hold=admin", vec![]),
        ("?state=active&hold=admin", vec![]),
        ("?state=stuck", vec![]),
        ("?plan=none%25", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(keys(&operator, query), expected, "{query}");
    }
    for query in ["?state=nothing", "?hold=nothing", "?after=nothing"] {
        let response = operator.get(&format!("/api/v1/admin/keys{query}"));
        assert_eq!(response.status, 400, "{query}");
    }
    let key = get(&operator, "/api/v1/admin/keys?hold=admin")["keys"][0].clone();
    assert_eq!(
        (
            &key["state"],
            &key["holds"],
            &key["member"]["login"],
            &key["limit_usd"]
        ),
        (
            &json!("disabled"),
            &json!(["admin"]),
            &json!("member"),
            &json!("5.00")
        )
    );
}

#[test]
fn each_page_goes_on_where_the_one_before_ended_whatever_the_filters() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let mut all = Vec::new();
    for n in 0..53 {
        let (member, key, _) = holder(&world, &format!("load-{n}"));
        if n % 2 == 0 {
            let off = member.patch(&format!("/api/v1/keys/{key}"), r#"{"disabled":true}"#);
            assert_eq!(off.status, 200);
        }
        world.pass(TEN_MINUTES);
        all.insert(0, key);
    }
    for (query, least) in [
        ("?", 53),
        ("?state=disabled&", 27),
        ("?hold=owner&", 27),
        ("?plan=default&", 53),
    ] {
        let mut listed = Vec::new();
        let mut after = String::new();
        loop {
            let target = match after.as_str() {
                "" => format!("/api/v1/admin/keys{query}"),
                after => format!("/api/v1/admin/keys{query}after={after}"),
            };
            let page = get(&operator, &target);
            let rows = page["keys"].as_array().unwrap();
            assert!(rows.len() <= 50);
            listed.extend(
                rows.iter()
                    .map(|key| key["id"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => after = escaped(next),
                None => break,
            }
        }
        assert_eq!(listed.len(), least, "{query}");
        let expected: Vec<String> = all
            .iter()
            .filter(|key| listed.contains(key))
            .cloned()
            .collect();
        assert_eq!(listed, expected, "{query}: the newest first, each once");
    }
}

#[test]
fn a_list_searches_an_index_from_its_position_on_and_never_sorts_all() {
    let world = World::new();
    let connection = world.db.connection().borrow();
    for sql in keycap::store::statements() {
        let name = sql.short_name();
        let is_a_page = sql.text.contains("x AS MATERIALIZED");
        if !is_a_page || name == "trail::OF_MEMBER" {
            // What is one member's is few rows, and they are sorted.
            continue;
        }
        let mut explain = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {}", sql.text))
            .unwrap();
        let values = (1..=explain.parameter_count()).map(|_| rusqlite::types::Null);
        let steps: Vec<String> = explain
            .query_map(rusqlite::params_from_iter(values), |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // How the keys or rows that a page looks at are found; what follows is about each of them.
        let from = steps
            .iter()
            .position(|step| step == "MATERIALIZE x")
            .unwrap();
        let until = steps.iter().position(|step| step == "SCAN x").unwrap();
        let steps = &steps[from..until];
        let first = steps.iter().find(|step| step.starts_with("SEARCH"));
        assert!(
            first.is_some_and(|step| step.contains("<?")),
            "{name}: {steps:?}"
        );
        let sorts = steps
            .iter()
            .any(|step| step == "USE TEMP B-TREE FOR ORDER BY");
        assert!(!sorts, "{name}: {steps:?}");
    }
}

/// The actions that a query of the audit lists.
fn actions(operator: &Browser<'_>, query: &str) -> Vec<String> {
    let page = get(operator, &format!("/api/v1/admin/audit{query}"));
    let entries = page["entries"].as_array().unwrap().iter();
    entries
        .map(|entry| entry["action"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_audit_is_filtered_by_actor_target_member_action_and_time() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (_, key, _) = holder(&world, "member");
    world.pass(86_400);
    let settings = "/api/v1/admin/settings";
    assert_eq!(
        operator.patch(settings, r#"{"minting":"stopped"}"#).status,
        200
    );
    let then = world.now().rfc3339();
    world.pass(86_400);
    assert_eq!(
        operator
            .patch(&format!("/api/v1/keys/{key}"), r#"{"disabled":true}"#)
            .status,
        200
    );
    let (admin, member) = (world.member("operator"), world.member("member"));
    let by_admin = actions(&operator, &format!("?actor={admin}"));
    assert_eq!(by_admin.first().map(String::as_str), Some("disabled"));
    assert!(
        by_admin.contains(&String::from("minting_switched"))
            && !by_admin.contains(&String::from("recorded"))
    );
    assert_eq!(actions(&operator, "?target=settings"), ["minting_switched"]);
    assert_eq!(actions(&operator, "?action=hold_put"), ["hold_put"]);
    let of_member = actions(&operator, &format!("?member={member}"));
    assert!(
        of_member.contains(&String::from("hold_put"))
            && of_member.contains(&String::from("member_created"))
    );
    assert!(!of_member.contains(&String::from("minting_switched")));
    let both = format!("?member={member}&actor={admin}&action=hold_put");
    assert_eq!(actions(&operator, &both), ["hold_put"]);
    // What was up to a moment, and from it on.
    let until = actions(&operator, &format!("?until={then}"));
    assert_eq!(until.first().map(String::as_str), Some("minting_switched"));
    assert!(until.contains(&String::from("member_created")));
    // The migrations have run at a later moment than the clock of this world shows.
    let since = actions(&operator, &format!("?since={then}&actor={admin}"));
    assert_eq!(since.last().map(String::as_str), Some("minting_switched"));
    assert_eq!(
        actions(&operator, &format!("?since={then}&until={then}")),
        ["minting_switched"]
    );
    assert_eq!(
        actions(&operator, "?until=2001-01-01T00:00:00Z"),
        Vec::<String>::new()
    );
    let entry = get(&operator, "/api/v1/admin/audit?action=minting_switched")["entries"][0].clone();
    assert_eq!(
        (
            &entry["before"],
            &entry["after"],
            &entry["actor_login"],
            &entry["member"]
        ),
        (
            &json!("open"),
            &json!("stopped"),
            &json!("operator"),
            &Value::Null
        )
    );
    let entry = get(&operator, "/api/v1/admin/audit?action=hold_put")["entries"][0].clone();
    assert_eq!(
        (&entry["key"], &entry["login"]),
        (&json!(key), &json!("member"))
    );
    for query in ["?since=yesterday", "?after=nothing"] {
        assert_eq!(
            operator.get(&format!("/api/v1/admin/audit{query}")).status,
            400,
            "{query}"
        );
    }
}

#[test]
fn a_page_of_the_audit_that_finds_too_few_rows_says_where_to_look_further() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    world.db.run(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2099)
        INSERT INTO audit (change_id, target, action, actor, at)
        SELECT 'chg_' || i, 'somewhere', 'cap_changed', 'sweep', 1700000000 + i FROM n",
    );
    let first = get(&operator, "/api/v1/admin/audit?action=member_created");
    assert_eq!(first["entries"], json!([]));
    let mut after = first["next"].as_str().unwrap().to_owned();
    let mut pages = 1;
    loop {
        let page = get(
            &operator,
            &format!(
                "/api/v1/admin/audit?action=member_created&after={}",
                escaped(&after)
            ),
        );
        pages += 1;
        if page["entries"] != json!([]) {
            assert_eq!(page["entries"][0]["login"], "operator");
            break;
        }
        page["next"].as_str().unwrap().clone_into(&mut after);
    }
    assert_eq!(pages, 3);
}

#[test]
fn one_members_page_has_their_keys_grants_and_requests() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (_, key, _) = holder(&world, "member");
    let raised = operator.post(
        &format!("/api/v1/admin/keys/{key}/raises"),
        r#"{"amount_usd":"2.00"}"#,
    );
    assert_eq!(raised.status, 201, "{raised:?}");
    let id = world.member("member");
    let page = get(&operator, &format!("/api/v1/admin/members/{id}"));
    assert_eq!(page["member"]["login"], "member");
    assert_eq!(
        (&page["keys"][0]["id"], &page["keys"][0]["state"]),
        (&json!(key), &json!("active"))
    );
    assert_eq!(
        (&page["raises"][0]["amount_usd"], &page["raises"][0]["key"]),
        (&json!("2.00"), &json!(key))
    );
    assert_eq!(
        (&page["payments"], &page["requests"]),
        (&json!([]), &json!([]))
    );
    let other = world.member("operator");
    let page = get(&operator, &format!("/api/v1/admin/members/{other}"));
    assert_eq!((&page["keys"], &page["raises"]), (&json!([]), &json!([])));
    assert_eq!(
        operator
            .get("/api/v1/admin/members/mem_000000000000000000000000")
            .status,
        404
    );
}

#[test]
fn a_change_of_a_plan_is_counted_before_it_is_made() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let (member, _, _) = holder(&world, "member");
    let id = world.member("member");
    operator.post(
        &format!("/api/v1/admin/members/{id}/plan"),
        r#"{"plan":"pro"}"#,
    );
    let more = member.post("/api/v1/keys", r#"{"name":"two"}"#);
    assert_eq!(more.status, 201, "{more:?}");
    let reach = |plan: &str, query: &str| {
        get(
            &operator,
            &format!("/api/v1/admin/plans/{plan}/reach{query}"),
        )["reach"]
            .clone()
    };
    assert_eq!(
        reach("pro", ""),
        json!({ "members": 1, "keys": 2, "members_over": 0, "keys_over": 0 })
    );
    assert_eq!(
        reach("pro", "?max_active_keys=1"),
        json!({ "members": 1, "keys": 2, "members_over": 1, "keys_over": 1 })
    );
    assert_eq!(
        reach("basic", ""),
        json!({ "members": 0, "keys": 0, "members_over": 0, "keys_over": 0 })
    );
    assert_eq!(
        operator.get("/api/v1/admin/plans/nothing/reach").status,
        404
    );
    for wrong in ["0", "101", "x"] {
        let target = format!("/api/v1/admin/plans/pro/reach?max_active_keys={wrong}");
        assert_eq!(operator.get(&target).status, 400, "{wrong}");
    }
}
