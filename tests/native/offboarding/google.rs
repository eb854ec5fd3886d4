//! The directory of a Google Workspace: who counts as gone, and what a walk costs.

use sandbox::{DirectoryPerson, Standing};
use serde_json::json;

use super::company::{
    calls, company, company_with, counts, ended, gone, id, join, night, stand, strikes,
    with_directory,
};
use crate::support::{Browser, TEN_MINUTES, World, oracle};

const ENDS: [Standing; 5] = [
    Standing::Suspended,
    Standing::Archived,
    Standing::Deleted,
    Standing::Purged,
    Standing::Refused,
];

#[test]
fn exactly_those_go_who_left_in_any_of_the_five_ways_and_after_two_nights() {
    let people = if std::env::var("KEYCAP_SCALE").is_ok() {
        10_000
    } else {
        1_000
    };
    let world = company_with(people, people);
    let leavers: Vec<u64> = (0..37).map(|n| 3 + n * (people / 40)).collect();
    for (n, leaver) in leavers.iter().enumerate() {
        stand(&world, [*leaver], ENDS[n % 5]);
    }
    let before = calls(&world);
    assert_eq!(night(&world), "done");
    let spent = calls(&world) - before;
    // A token, the pages, one page of deleted accounts, one control question and those whom neither list shows.
    assert_eq!(spent, 1 + people / 500 + 1 + 1 + 14, "calls");
    assert!(spent <= 45);
    println!("counted: {spent} calls to a directory of {people} people with 37 leavers");
    assert_eq!((gone(&world), strikes(&world)), (vec![], 37), "one night");
    // More than 25 at once would be held, so the second night comes for some of them later.
    stand(&world, leavers[20..].iter().copied(), Standing::Active);
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world), leavers[..20]);
    let counted = counts(&world);
    assert_eq!(
        (
            &counted["blocked"],
            &counted["inactive"],
            &counted["errors"]
        ),
        (&json!(20), &json!(20), &json!(0)),
        "{counted}"
    );
    for leaver in &leavers[20..] {
        stand(&world, [*leaver], Standing::Purged);
    }
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world).len(), 20, "their first night again");
    assert_eq!(night(&world), "done");
    assert_eq!(gone(&world), leavers);
    assert_eq!(night(&world), "done");
    assert_eq!(counts(&world)["blocked"], json!(0));
    oracle::always(&world);
}

#[test]
fn two_runs_in_one_day_are_one_strike() {
    let world = company(40);
    stand(&world, [7], Standing::Suspended);
    night(&world);
    let operator = Browser::signed_in(&world, "operator");
    for _ in 0..2 {
        world.pass(600);
        let body = json!({ "dry_run": false }).to_string();
        let started = operator.post("/api/v1/admin/jobs/offboard", &body);
        assert_eq!(started.status, 202, "{started:?}");
        assert_eq!(ended(&world), "done");
        assert_eq!((strikes(&world), gone(&world)), (1, vec![]));
    }
    night(&world);
    assert_eq!(gone(&world), [7]);
}

#[test]
fn a_run_that_is_cut_before_midnight_and_ends_after_it_gives_no_second_strike() {
    let world = company_with(1_200, 300);
    // With so many questions, a run of the free plan is cut by its budget.
    world.set("WORKERS_PLAN", "free");
    stand(&world, 0..40, Standing::Purged);
    night(&world);
    goes_on(&world);
    assert_eq!(strikes(&world), 40);
    let midnight = (world.now().secs() / 86_400 + 1) * 86_400;
    world.pass(midnight - 300 - world.now().secs());
    let operator = Browser::signed_in(&world, "operator");
    let body = json!({ "dry_run": false }).to_string();
    let started = operator.post("/api/v1/admin/jobs/offboard", &body);
    assert_eq!(started.status, 202, "{started:?}");
    assert!(ended(&world).starts_with("partial"), "{}", ended(&world));
    goes_on(&world);
    assert!(world.now().secs() > midnight);
    assert_eq!((strikes(&world), gone(&world)), (40, vec![]));
    let held = "SELECT COUNT(*) FROM departure_lists WHERE id > 0";
    assert_eq!(world.db.number(held), 0);
}

/// Lets the ten-minute triggers continue a run that was cut, until it is done.
fn goes_on(world: &World) {
    for _ in 0..6 {
        if ended(world) == "done" {
            return;
        }
        world.pass(TEN_MINUTES);
        assert!(world.tick());
    }
    panic!("{}", ended(world));
}

#[test]
fn somebody_who_is_back_the_next_night_has_no_strike_left() {
    let world = company(40);
    for _ in 0..2 {
        stand(&world, [7], Standing::Suspended);
        night(&world);
        assert_eq!(strikes(&world), 1);
        stand(&world, [7], Standing::Active);
        night(&world);
        assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
    }
}

#[test]
fn a_dry_run_counts_and_gives_no_strike() {
    let world = company(40);
    stand(&world, [7, 8], Standing::Purged);
    let operator = Browser::signed_in(&world, "operator");
    for _ in 0..3 {
        world.pass(86_400);
        let body = json!({ "dry_run": true }).to_string();
        assert_eq!(
            operator.post("/api/v1/admin/jobs/offboard", &body).status,
            202
        );
        assert_eq!(ended(&world), "done");
    }
    let counted = counts(&world);
    assert_eq!(
        (
            &counted["dry_run"],
            &counted["inactive"],
            &counted["checked"]
        ),
        (&json!(true), &json!(2), &json!(40))
    );
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
}

#[test]
fn a_person_is_known_by_the_id_and_not_by_the_address() {
    let world = company(40);
    // One has a new address. The other was deleted, and somebody new got the address.
    let renamed = DirectoryPerson::new(&id(3), "new-name@company.example", Standing::Active);
    let reused = DirectoryPerson::new(&id(900), "person-4@company.example", Standing::Active);
    world
        .sandbox
        .borrow_mut()
        .put_directory(vec![renamed, reused]);
    stand(&world, [4], Standing::Purged);
    join(&world, 900..901);
    for _ in 0..3 {
        night(&world);
    }
    assert_eq!(gone(&world), [4]);
}

#[test]
fn a_member_whom_the_directory_never_showed_is_left_alone_and_counted() {
    let world = company(40);
    // They signed in with accounts of other companies, or private ones.
    join(&world, 500..520);
    for _ in 0..3 {
        assert_eq!(night(&world), "done");
    }
    assert_eq!(counts(&world)["never_seen"], json!(20));
    assert_eq!((gone(&world), strikes(&world)), (vec![], 0));
    // Somebody who left before the first night is known from the list of deleted accounts.
    stand(&world, [501], Standing::Deleted);
    night(&world);
    night(&world);
    assert_eq!(gone(&world), [501]);
}

#[test]
fn lists_of_exactly_one_and_two_pages_are_complete() {
    for people in [500, 1_000] {
        let world = with_directory();
        stand(&world, 0..people, Standing::Active);
        join(&world, 0..40);
        assert_eq!(night(&world), "done first_look");
        assert_eq!(counts(&world)["listed"], json!(people));
        assert_eq!(world.calls("google.users"), people / 500 + 1);
        stand(&world, [7], Standing::Purged);
        assert_eq!(
            (night(&world), night(&world)),
            ("done".into(), "done".into())
        );
        assert_eq!(gone(&world), [7]);
    }
}

#[test]
fn one_token_serves_a_run_and_is_replaced_once_if_it_is_refused() {
    let world = company(600);
    stand(&world, [7, 8, 9], Standing::Purged);
    let tokens = world.calls("google.service_token");
    night(&world);
    assert_eq!(world.calls("google.service_token"), tokens + 1);
    world.add_fault("google.users", "refuse", json!({ "status": 401, "nth": 2 }));
    assert_eq!(night(&world), "done");
    assert_eq!(world.calls("google.service_token"), tokens + 3);
    assert_eq!(gone(&world), [7, 8, 9]);
    world.add_fault(
        "google.users",
        "refuse",
        json!({ "status": 401, "times": 2 }),
    );
    assert_eq!(night(&world), "failed directory_forbidden");
}

#[test]
fn a_reinstated_member_is_in_again_and_only_the_directory_can_put_them_out_again() {
    let world = company(40);
    stand(&world, [7], Standing::Suspended);
    night(&world);
    night(&world);
    assert_eq!(gone(&world), [7]);
    let operator = Browser::signed_in(&world, "operator");
    let status = operator.set_status("person-7@company.example", "active");
    assert_eq!(status.status, 200, "{status:?}");
    assert_eq!((gone(&world), strikes(&world)), (vec![], 0));
    stand(&world, [7], Standing::Active);
    for _ in 0..2 {
        night(&world);
        assert_eq!((gone(&world), strikes(&world)), (vec![], 0));
    }
    stand(&world, [7], Standing::Suspended);
    night(&world);
    night(&world);
    assert_eq!(gone(&world), [7]);
}
