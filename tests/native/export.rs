//! The export of everything that is stored about a member: all of it, however much there is.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Browser, World, oracle};

const LISTS: [&str; 10] = [
    "keys",
    "generations",
    "raises",
    "payments",
    "requests",
    "projects",
    "provider_keys",
    "handoffs",
    "device_grants",
    "changes",
];

/// Follows `next` to the end. Returns all entries of each list, and the number of pages.
fn whole(member: &Browser<'_>) -> (Value, usize) {
    let (mut all, mut pages, mut after) = (json!({}), 0, String::new());
    loop {
        member.world.effects.plan(&[]);
        let response = member.get(&format!("/api/v1/me/export{after}"));
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(member.world.effects.count(), 1, "one round trip a page");
        assert!(response.body.len() < 1_000_000, "{}", response.body.len());
        let page = response.json();
        pages += 1;
        let mut rows = 0;
        for list in LISTS {
            let page = page[list].as_array().unwrap();
            rows += page.len();
            if all.get(list).is_none() {
                all[list] = json!([]);
            }
            all[list].as_array_mut().unwrap().extend(page.clone());
        }
        assert!(rows <= 500, "{rows}");
        assert_eq!(page["member"]["login"], "member");
        let Some(next) = page["next"].as_str() else {
            return (all, pages);
        };
        assert_eq!(rows, 500, "a page that is not the last one is full");
        after = format!("?after={next}");
        assert!(pages < 100, "it ends");
    }
}

/// Writes `each` requests, payments and changes for the member. Another member has payments and changes too.
fn fill(world: &World, each: i64) {
    world.db.run(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each})
         INSERT INTO audit (change_id, target, action, actor, at)
           SELECT 'c-' || m.login || i, m.public_id, 'signed_in', m.public_id, 1800000000 FROM n, members m;
         INSERT INTO audit (change_id, target, action, actor, at) VALUES ('paid', 'somebody', 'payment_booked', 't', 1);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each})
         INSERT INTO payments (payment_id, owner_id, paid_nano, credit_nano, at, change_id)
           SELECT 'pay-' || m.login || '-' || i, m.owner_id, 20000000, 10000000, 1800000000 + i / 7, 'paid' FROM n, members m;"
    ));
    // Each request is decided before the next one is made, because only one may be open.
    for n in 1..=each {
        world.db.run(&format!(
                "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('m-{n}', 'ask_{n:024}', 'request_made', 't', 1);
                 INSERT INTO requests (public_id, owner_id, kind, note, created_at, change_id)
                   SELECT 'ask_{n:024}', owner_id, 'claim', printf('%.500c', 'n'), 1800000000, 'm-{n}' FROM members WHERE login = 'member';
                 INSERT INTO audit (change_id, target, action, actor, before, after, at)
                   VALUES ('d-{n}', 'ask_{n:024}', 'request_decided', 't', 'open', 'declined', 1);
                 UPDATE requests SET state = 'declined', answer = printf('%.500c', 'a'), decided_at = 1800000000, change_id = 'd-{n}'
                   WHERE public_id = 'ask_{n:024}';"
        ));
    }
}

#[test]
fn the_export_is_complete_beyond_two_thousand_rows_and_two_megabytes() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    Browser::signed_in(&world, "second");
    let (_, pages) = whole(&member);
    assert_eq!(pages, 1);
    fill(&world, 2_345);
    let (all, pages) = whole(&member);
    let rows: usize = LISTS
        .iter()
        .map(|list| all[list].as_array().unwrap().len())
        .sum();
    assert_eq!(pages, rows.div_ceil(500));
    assert!(all.to_string().len() > 2_000_000);
    for (list, table) in [
        ("keys", "keys WHERE owner_id ="),
        ("generations", "generations WHERE owner_id ="),
        ("payments", "payments WHERE owner_id ="),
        ("requests", "requests WHERE owner_id ="),
    ] {
        let counted = world.db.number(&format!(
            "SELECT COUNT(*) FROM {table} (SELECT owner_id FROM members WHERE login = 'member')"
        ));
        let list = all[list].as_array().unwrap();
        assert_eq!(i64::try_from(list.len()).unwrap(), counted, "{table}");
        let ids: BTreeSet<&str> = list.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), list.len(), "{table}: each once");
    }
    let changes = all["changes"].as_array().unwrap();
    assert!(changes.len() > 2_345);
    assert!(!all.to_string().contains("second"), "nobody else is in it");
    assert!(!all.to_string().contains("position"));
    let booked: Vec<&str> = all["payments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["booked_at"].as_str().unwrap())
        .collect();
    assert!(
        booked.is_sorted_by(|a, b| a >= b),
        "newest first, over all pages"
    );
}

#[test]
fn a_list_that_fills_its_last_page_or_has_one_row_more_loses_nothing() {
    for rows in [165, 166, 167, 168] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        fill(&world, rows);
        let (all, _) = whole(&member);
        for list in ["payments", "requests"] {
            let found = i64::try_from(all[list].as_array().unwrap().len()).unwrap();
            assert_eq!(found, rows, "{list}");
        }
    }
}

#[test]
fn a_cursor_works_only_for_its_member_and_cannot_be_forged() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let second = Browser::signed_in(&world, "second");
    fill(&world, 600);
    let next = member.get("/api/v1/me/export").json()["next"]
        .as_str()
        .unwrap()
        .to_owned();
    let export = |browser: &Browser<'_>, after: &str| {
        let response = browser.get(&format!("/api/v1/me/export?after={after}"));
        (
            response.status,
            response.json()["code"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(export(&member, &next), (200, None));
    let bad = (400, Some(String::from("bad_request")));
    assert_eq!(export(&second, &next), bad);
    for made_up in [
        "",
        "x",
        "0",
        "AAAA",
        "%00",
        &next[1..],
        "%7B%22section%22%3A0%7D",
    ] {
        assert_eq!(export(&member, made_up), bad, "{made_up}");
    }
    oracle::always(&world);
}
