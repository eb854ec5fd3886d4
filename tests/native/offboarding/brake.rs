//! The brake: a list that is implausibly long waits for an administrator, who releases exactly that list or rejects it.

use sandbox::Standing;
use serde_json::{Value, json};

use super::company::{company, counts, gone, night, organize, stand, strikes, with_organization};
use crate::support::{Browser, TEN_MINUTES, World};

const DEPARTURES: &str = "/api/v1/admin/departures";
const OPERATOR: u64 = 1_000_001;
/// The account number of the persona `load-0`.
const FIRST_OF_CROWD: u64 = 9_000_000;

fn lists(operator: &Browser<'_>) -> Vec<Value> {
    let response = operator.get(DEPARTURES);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()["lists"].as_array().unwrap().clone()
}

/// Decides the newest list. Returns the status and the code of the answer.
fn decide(operator: &Browser<'_>, verb: &str) -> (u16, String) {
    let id = lists(operator)[0]["id"].as_str().unwrap().to_owned();
    let response = operator.post(&format!("{DEPARTURES}/{id}/{verb}"), "{}");
    (response.status, response.code())
}

fn decided(status: u16) -> (u16, String) {
    (status, String::new())
}

#[test]
fn a_third_that_leaves_at_once_is_held_and_exactly_the_released_list_goes() {
    let world = company(100);
    stand(&world, 0..30, Standing::Suspended);
    assert_eq!(night(&world), "done");
    assert_eq!(night(&world), "done departures_held");
    assert_eq!(counts(&world)["held"], json!(30));
    let operator = Browser::signed_in(&world, "operator");
    let held = operator.get(DEPARTURES).json();
    assert_eq!(held["lists"][0]["state"], json!("held"));
    assert_eq!(held["held"].as_array().map(Vec::len), Some(30));
    assert_eq!(held["held"][3]["login"], json!("person-3@company.example"));
    assert_eq!(held["held"][3]["reason"], json!("suspended"));
    let overview = operator.get("/api/v1/admin/overview").json();
    let waits = overview["attention"].as_array().unwrap().iter();
    let waits: Vec<&Value> = waits
        .filter(|one| one["kind"] == "departures_held")
        .collect();
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0]["count"], json!(30));
    // Others leave while it waits, and two of the list are back.
    stand(&world, 40..42, Standing::Suspended);
    stand(&world, [0, 1], Standing::Active);
    assert_eq!(night(&world), "done");
    assert_eq!((gone(&world), lists(&operator).len()), (vec![], 1));
    let operator = operator.at_fresh_isolate();
    assert_eq!(decide(&operator, "release"), decided(202));
    assert_eq!(gone(&world), (2..30).collect::<Vec<_>>());
    assert_eq!(lists(&operator)[0]["blocked"], json!(28));
    assert_eq!(decide(&operator, "release"), (409, "list_not_held".into()));
    assert_eq!(decide(&operator, "reject"), (409, "list_not_held".into()));
    // The other two are few, and have their two nights.
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world), (2..30).chain(40..42).collect::<Vec<_>>());
}

#[test]
fn a_tiny_site_is_not_blocked_for_ever() {
    let world = company(3);
    stand(&world, 0..2, Standing::Purged);
    stand(&world, [2], Standing::Suspended);
    // Two of three are missing from the list, which is no list to believe for a week.
    for _ in 0..7 {
        assert_eq!(night(&world), "failed directory_shrunk");
    }
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    assert_eq!(gone(&world), [0_u64; 0]);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(decide(&operator, "release"), decided(202));
    assert_eq!(gone(&world), [0, 1, 2]);
    // Without a missing one it takes two nights, and two of three are few enough.
    let world = company(3);
    stand(&world, 0..3, Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    let world = company(3);
    stand(&world, 0..2, Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world), [0, 1]);
}

#[test]
fn the_brake_holds_more_than_a_tenth_and_more_than_twenty_five() {
    for (people, leave, held) in [
        (30, 3, false),
        (30, 4, true),
        (300, 25, false),
        (300, 26, true),
    ] {
        let world = company(people);
        stand(&world, 0..leave, Standing::Suspended);
        night(&world);
        night(&world);
        let expected = if held { 0 } else { leave };
        assert_eq!(gone(&world).len() as u64, expected, "{leave} of {people}");
        assert_eq!(counts(&world)["held"], json!(leave - expected));
    }
}

#[test]
fn the_people_of_a_rejected_list_need_two_days_to_be_listed_again() {
    let world = company(50);
    stand(&world, 0..20, Standing::Suspended);
    night(&world);
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(decide(&operator, "reject"), decided(200));
    assert_eq!((gone(&world), strikes(&world)), (vec![], 0));
    assert_eq!(night(&world), "done");
    assert_eq!(night(&world), "done departures_held");
    let states: Vec<Value> = lists(&operator.at_fresh_isolate())
        .iter()
        .map(|list| list["state"].clone())
        .collect();
    assert_eq!(states, [json!("held"), json!("rejected")]);
    assert_eq!(gone(&world), [0_u64; 0]);
}

#[test]
fn a_held_list_expires_after_a_week_and_a_fresh_one_takes_its_place() {
    let world = company(50);
    stand(&world, 0..20, Standing::Suspended);
    night(&world);
    night(&world);
    // Somebody else left meanwhile.
    stand(&world, [30], Standing::Suspended);
    for _ in 0..6 {
        night(&world);
    }
    assert_eq!(gone(&world), [0_u64; 0]);
    world.pass(86_400);
    let operator = Browser::signed_in(&world, "operator");
    let first = lists(&operator)[1]["id"].as_str().unwrap().to_owned();
    let response = operator.post(&format!("{DEPARTURES}/{first}/release"), "{}");
    assert_eq!(response.outcome(), "409 list_not_held");
    assert_eq!(night(&world), "done departures_held");
    let all = lists(&operator.at_fresh_isolate());
    assert_eq!(
        (
            all.len(),
            &all[0]["state"],
            &all[0]["people"],
            &all[1]["state"]
        ),
        (3, &json!("held"), &json!(20), &json!("held"))
    );
    assert_eq!(
        (&all[1]["people"], &all[2]["state"]),
        (&json!(1), &json!("expired"))
    );
    assert_eq!(gone(&world), [0_u64; 0]);
}

#[test]
fn while_a_list_is_held_everybody_who_is_gone_is_held() {
    let world = company(100);
    stand(&world, 0..40, Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    stand(&world, 50..59, Standing::Suspended);
    assert_eq!(night(&world), "done");
    assert_eq!(night(&world), "done departures_held");
    assert_eq!(counts(&world)["blocked"], json!(0));
    assert_eq!(gone(&world), [0_u64; 0]);
    let operator = Browser::signed_in(&world, "operator");
    let all = lists(&operator);
    let sizes: Vec<&Value> = all.iter().map(|list| &list["people"]).collect();
    assert_eq!(sizes, [&json!(9), &json!(40)]);
    let first = all[1]["id"].as_str().unwrap();
    let rejected = operator.post(&format!("{DEPARTURES}/{first}/reject"), "{}");
    assert_eq!(rejected.status, 200, "{rejected:?}");
    assert_eq!(gone(&world), [0_u64; 0]);
    assert_eq!(decide(&operator, "release"), decided(202));
    assert_eq!(gone(&world), (50..59).collect::<Vec<_>>());
}

#[test]
fn a_held_list_whose_people_are_all_back_holds_nobody_up() {
    let world = company(100);
    stand(&world, 0..40, Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    stand(&world, 0..40, Standing::Active);
    stand(&world, [50], Standing::Suspended);
    night(&world);
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world), [50]);
}

#[test]
fn a_person_whom_the_database_refuses_to_change_holds_up_no_other() {
    let world = company(60);
    stand(&world, 0..5, Standing::Suspended);
    night(&world);
    let third = world
        .db
        .text("SELECT public_id FROM members WHERE login = 'person-3@company.example'");
    world.db.run(&format!(
        "CREATE TRIGGER stubborn BEFORE UPDATE ON members WHEN NEW.public_id = '{third}' AND NEW.status = 'suspended' BEGIN SELECT RAISE(ABORT, 'no'); END;"
    ));
    assert_eq!(night(&world), "partial errors");
    assert_eq!(counts(&world)["problems"], json!(["person_refused"]));
    assert_eq!(gone(&world), [0, 1, 2, 4]);
    world.db.run("DROP TRIGGER stubborn");
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(gone(&world), [0, 1, 2, 3, 4]);
}

#[test]
fn nobody_but_an_administrator_reads_or_decides_lists() {
    let world: World = company(50);
    stand(&world, 0..20, Standing::Suspended);
    night(&world);
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    let id = lists(&operator)[0]["id"].as_str().unwrap().to_owned();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.get(DEPARTURES).status, 404);
    for verb in ["release", "reject"] {
        let response = member.post(&format!("{DEPARTURES}/{id}/{verb}"), "{}");
        assert_eq!(response.status, 404, "{response:?}");
        for unknown in [
            "dep_000000000000000000000000",
            "dep_1",
            "run_000000000000000000000000",
        ] {
            let response = operator.post(&format!("{DEPARTURES}/{unknown}/{verb}"), "{}");
            assert_eq!(response.status, 404, "{unknown}");
        }
        let response = operator.post(&format!("{DEPARTURES}/{id}/{verb}"), "{\"all\":true}");
        assert_eq!(response.status, 400, "{response:?}");
    }
    assert_eq!(lists(&operator)[0]["state"], json!("held"));
}

#[test]
fn who_has_become_an_administrator_of_the_configuration_stays_when_the_list_is_released() {
    let crowd: Vec<u64> = (0..8).map(|n| FIRST_OF_CROWD + n).collect();
    let others: Vec<u64> = [OPERATOR].into_iter().chain(1..200).collect();
    let world = with_organization(&[&others[..], &crowd].concat());
    for n in 0..8 {
        Browser::signed_in(&world, &format!("load-{n}"));
    }
    let operator = Browser::signed_in(&world, "operator");
    night(&world);
    organize(&world, &others, &[]);
    night(&world);
    assert_eq!(night(&world), "done departures_held");
    world.set("ADMIN_GITHUB_USER_IDS", &format!("{OPERATOR},{}", crowd[3]));
    let operator = Browser::with(&world, &operator.cookies.borrow());
    assert_eq!(decide(&operator, "release"), decided(202));
    let statuses = world.db.texts(
        "SELECT status FROM members WHERE login LIKE 'load-%' AND owner_id > 0 ORDER BY login",
    );
    let expected = (0..8).map(|n| if n == 3 { "active" } else { "suspended" });
    assert_eq!(statuses, expected.collect::<Vec<_>>());
    let open = "SELECT COUNT(*) FROM departures WHERE blocked_at IS NULL AND owner_id > 0";
    assert_eq!(world.db.number(open), 0);
    assert_eq!(night(&world), "done");
}
