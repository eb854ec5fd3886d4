//! What is stored about people who were put out, and how long.

use sandbox::Standing;
use serde_json::json;

use super::company::{
    company, counts, gone, gone_logins, night, organize, stand, with_organization,
};
use crate::handoffs::{confirmed, redeems};
use crate::support::{Browser, TEN_MINUTES, World};

const OPERATOR: u64 = 1_000_001;
const MEMBER: u64 = 1_000_100;

/// A member with a key, a project and a billing provider's key in it, who was put out.
fn put_out() -> World {
    let everybody: Vec<u64> = [OPERATOR, MEMBER].into_iter().chain(1..60).collect();
    let world = with_organization(&everybody);
    Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    let claimed = member.claim().json();
    let key = claimed["key"]["id"].as_str().unwrap();
    let project = member.post(
        "/api/v1/projects",
        &json!({ "name": "My own words" }).to_string(),
    );
    assert_eq!(project.status, 201, "{project:?}");
    let named = json!({ "name": "The name of my key" }).to_string();
    assert_eq!(
        member.patch(&format!("/api/v1/keys/{key}"), &named).status,
        200
    );
    let begun = confirmed(&member, "openrouter");
    let linked = redeems(&member, &begun).json()["key"]["id"].clone();
    let linked = format!("/api/v1/provider-keys/{}", linked.as_str().unwrap());
    let words = json!({ "label": "My label", "project": "My own words" }).to_string();
    assert_eq!(member.patch(&linked, &words).status, 200);
    night(&world);
    let left: Vec<u64> = everybody.into_iter().filter(|id| *id != MEMBER).collect();
    organize(&world, &left, &[]);
    night(&world);
    night(&world);
    assert_eq!(gone_logins(&world), ["member"]);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    world
}

#[test]
fn thirty_days_after_they_were_put_out_their_words_are_erased_and_they_are_refused_still() {
    let world = put_out();
    for _ in 0..29 {
        night(&world);
        assert_eq!(gone_logins(&world), ["member"]);
    }
    night(&world);
    assert_eq!(
        (
            counts(&world)["erased"].clone(),
            counts(&world)["problems"].clone()
        ),
        (json!(1), json!([]))
    );
    assert_eq!(gone_logins(&world), [""]);
    let dump = world.db.dump();
    for word in ["My own words", "The name of my key", "My label"] {
        assert!(!dump.contains(word), "{word}");
    }
    let linked = "SELECT COUNT(*) FROM provider_keys WHERE owner_id > 0";
    assert_eq!(world.db.number(linked), 0);
    assert_eq!(
        world
            .db
            .number("SELECT COUNT(*) FROM departures WHERE owner_id > 0"),
        0
    );
    night(&world);
    assert_eq!(counts(&world)["erased"], json!(0));
    let back = Browser::new(&world);
    assert!(
        back.sign_in("member")
            .header("location")
            .contains("auth_error=blocked")
    );
    // The account number stays, so an administrator can still reinstate them.
    let operator = Browser::signed_in(&world, "operator");
    let id = world
        .db
        .text("SELECT public_id FROM members WHERE subject = '1000100'");
    let body = json!({ "status": "active" }).to_string();
    let response = operator.patch(&format!("/api/v1/admin/members/{id}"), &body);
    assert_eq!(response.status, 200, "{response:?}");
    let member = Browser::signed_in(&world, "member");
    let me = member.get("/api/v1/me").json();
    assert_eq!(me["member"]["login"], json!("member"));
    assert_eq!(member.claim().status, 201);
}

#[test]
fn a_member_who_is_reinstated_before_that_keeps_their_words() {
    let world = put_out();
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.set_status("member", "active").status, 200);
    for _ in 0..40 {
        night(&world);
    }
    assert!(world.db.dump().contains("The name of my key"));
}

#[test]
fn what_a_directory_said_of_a_member_who_leaves_stays_without_a_word_of_theirs() {
    let world = with_organization(&[OPERATOR, MEMBER]);
    Browser::signed_in(&world, "operator");
    let member = Browser::signed_in(&world, "member");
    night(&world);
    let seen =
        "SELECT owner_id || found || strikes FROM presences WHERE owner_id > 0 ORDER BY owner_id";
    let before = world.db.texts(seen);
    assert_eq!(before.len(), 2);
    let member = Browser::with(&world, &member.cookies.borrow());
    assert!([202, 204].contains(&member.leave("member").status));
    assert_eq!(world.db.texts(seen), before);
    let theirs = world
        .db
        .texts("SELECT subject || login FROM members WHERE status = 'left'");
    assert!(theirs.len() == 1 && theirs[0].starts_with("left:"));
    assert!(!theirs[0].contains("member"), "{theirs:?}");
}

#[test]
fn people_whose_erasure_the_database_refuses_hold_up_no_other() {
    let world = company(60);
    stand(&world, 0..51, Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    let operator = Browser::signed_in(&world, "operator");
    let list = world
        .db
        .text("SELECT public_id FROM departure_lists WHERE id > 0");
    let path = format!("/api/v1/admin/departures/{list}/release");
    assert_eq!(operator.post(&path, "{}").status, 202);
    assert_eq!(gone(&world).len(), 51);
    // Everybody but the last of them is refused.
    let last = world
        .db
        .text("SELECT public_id FROM members WHERE login = 'person-50@company.example'");
    world.db.run(&format!(
        "CREATE TRIGGER stubborn BEFORE UPDATE OF login ON members WHEN NEW.login = '' AND NEW.public_id <> '{last}' BEGIN SELECT RAISE(ABORT, 'no'); END;"
    ));
    world.pass(30 * 86_400);
    assert_eq!(night(&world), "partial errors");
    let counted = counts(&world);
    assert_eq!(
        (&counted["erased"], &counted["errors"]),
        (&json!(1), &json!(50)),
        "{counted}"
    );
    let erased =
        "SELECT COUNT(*) FROM members WHERE login = '' AND status = 'suspended' AND owner_id > 0";
    assert_eq!(world.db.number(erased), 1);
    world.db.run("DROP TRIGGER stubborn");
    night(&world);
    assert_eq!(world.db.number(erased), 51);
}
