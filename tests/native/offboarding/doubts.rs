//! What is no answer: a directory that is down, refuses, lies or is not ours. Nobody is put out because of it, and the run
//! says what it was.

use sandbox::{DirectoryLie, Standing};
use serde_json::json;

use super::company::{
    calls, company, company_with, counts, gone, join, lie, night, stand, strikes, with_directory,
};
use crate::support::{Browser, World};

/// Three nights in a row with something wrong, and one when all is well again: nobody has gone.
fn is_no_answer(world: &World, code: &str, broken: &dyn Fn(&World), whole: &dyn Fn(&World)) {
    for _ in 0..3 {
        broken(world);
        assert_eq!(night(world), format!("failed {code}"));
        assert_eq!((strikes(world), gone(world)), (0, vec![]), "{code}");
    }
    let counted = counts(world);
    assert_eq!(counted["problems"], json!([format!("google: {code}")]));
    whole(world);
    world.sandbox.borrow_mut().clear_faults();
    assert_eq!(night(world), "done", "{code}");
    assert_eq!((strikes(world), gone(world)), (0, vec![]), "{code}");
}

#[test]
fn a_directory_that_does_not_answer_or_refuses_puts_nobody_out() {
    for (operation, kind, more, code) in [
        (
            "google.users",
            "reset_before",
            json!({}),
            "directory_unavailable",
        ),
        (
            "google.users",
            "stall_before",
            json!({}),
            "directory_unavailable",
        ),
        (
            "google.users",
            "error_before",
            json!({ "status": 503 }),
            "directory_unavailable",
        ),
        (
            "google.users",
            "html_error",
            json!({}),
            "directory_unavailable",
        ),
        (
            "google.users",
            "refuse",
            json!({ "status": 403 }),
            "directory_forbidden",
        ),
        (
            "google.users",
            "html_refuse",
            json!({ "status": 403 }),
            "directory_forbidden",
        ),
        (
            "google.users",
            "rate_limited",
            json!({ "retry_after": 60 }),
            "directory_busy",
        ),
        (
            "google.users",
            "refuse",
            json!({ "status": 400 }),
            "directory_unreadable",
        ),
        ("google.users", "html", json!({}), "directory_unreadable"),
        (
            "google.users",
            "truncated",
            json!({}),
            "directory_unavailable",
        ),
        (
            "google.users.deleted",
            "refuse",
            json!({ "status": 403 }),
            "directory_forbidden",
        ),
        (
            "google.service_token",
            "error_before",
            json!({ "status": 500 }),
            "directory_unavailable",
        ),
        (
            "google.service_token",
            "rate_limited",
            json!({}),
            "directory_busy",
        ),
        (
            "google.service_token",
            "refuse",
            json!({ "status": 400 }),
            "directory_token_refused",
        ),
        (
            "google.service_token",
            "html",
            json!({}),
            "directory_unreadable",
        ),
    ] {
        let world = company(30);
        let broken = |world: &World| {
            let mut more = more.clone();
            more["times"] = json!(0);
            world.sandbox.borrow_mut().clear_faults();
            world.add_fault(operation, kind, more);
        };
        is_no_answer(&world, code, &broken, &|_| ());
    }
}

#[test]
fn a_page_that_is_refused_in_the_middle_makes_the_whole_list_doubtful() {
    let world = company_with(1_200, 30);
    let broken = |world: &World| {
        world.add_fault("google.users", "refuse", json!({ "status": 403, "nth": 2 }));
    };
    is_no_answer(&world, "directory_forbidden", &broken, &|_| ());
}

#[test]
fn a_list_that_is_not_whole_puts_nobody_out() {
    for (people, said, code) in [
        (600, DirectoryLie::Half, "directory_shrunk"),
        (600, DirectoryLie::TwoFifthsMissing, "directory_shrunk"),
        (30, DirectoryLie::Empty, "directory_empty"),
        (1_200, DirectoryLie::SameToken, "directory_repeats"),
        (1_200, DirectoryLie::SamePage, "directory_repeats"),
        (30, DirectoryLie::NoIds, "directory_unreadable"),
        (30, DirectoryLie::Forbidden, "directory_forbidden"),
    ] {
        let world = company_with(people, 30);
        is_no_answer(&world, code, &|world| lie(world, &[said]), &|world| {
            lie(world, &[])
        });
    }
}

#[test]
fn a_directory_that_calls_everybody_deleted_is_not_believed_about_anybody() {
    let world = company(300);
    let broken = |world: &World| {
        lie(
            world,
            &[DirectoryLie::OneInHundredMissing, DirectoryLie::Refuses],
        );
    };
    is_no_answer(&world, "directory_contradicts", &broken, &|world| {
        lie(world, &[])
    });
}

#[test]
fn people_whom_the_list_left_out_and_who_are_there_when_asked_for_have_not_gone() {
    let world = company(300);
    lie(&world, &[DirectoryLie::OneInHundredMissing]);
    for _ in 0..3 {
        assert_eq!(night(&world), "done");
        assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
        assert_eq!(counts(&world)["asked"], json!(3));
    }
}

#[test]
fn accounts_that_do_not_say_whether_they_are_suspended_are_unknown() {
    let world = company(30);
    lie(&world, &[DirectoryLie::NoStates]);
    for _ in 0..3 {
        assert_eq!(night(&world), "done");
    }
    assert_eq!(counts(&world)["unknown"], json!(30));
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
}

#[test]
fn a_question_about_one_person_that_gets_no_answer_holds_up_nobody_else() {
    let world = company(60);
    stand(&world, [7, 8, 9], Standing::Purged);
    for _ in 0..2 {
        // The first question is the control.
        world.add_fault(
            "google.users.get",
            "refuse",
            json!({ "status": 403, "nth": 3 }),
        );
        assert_eq!(night(&world), "partial errors");
        assert_eq!(counts(&world)["unknown"], json!(1));
        assert_eq!(
            counts(&world)["problems"],
            json!(["google: directory_forbidden"])
        );
    }
    assert_eq!(gone(&world), [7, 9]);
    assert_eq!(
        (night(&world), night(&world)),
        ("done".into(), "done".into())
    );
    assert_eq!(gone(&world), [7, 8, 9]);
}

#[test]
fn a_directory_that_stays_small_for_a_week_is_the_measure_from_then_on() {
    let world = company(100);
    stand(&world, 60..100, Standing::Purged);
    for _ in 0..7 {
        assert_eq!(night(&world), "failed directory_shrunk");
        assert_eq!(strikes(&world), 0);
    }
    // All of them are gone, so the brake holds them.
    assert_eq!(night(&world), "done");
    assert_eq!(strikes(&world), 40);
    assert_eq!(night(&world), "done departures_held");
    assert_eq!(gone(&world), [0_u64; 0]);
}

#[test]
fn a_list_that_becomes_small_after_an_outage_waits_a_week_too() {
    let world = company(100);
    world.add_fault(
        "google.users",
        "error_before",
        json!({ "status": 503, "times": 0 }),
    );
    for _ in 0..7 {
        assert_eq!(night(&world), "failed directory_unavailable");
    }
    world.sandbox.borrow_mut().clear_faults();
    let known = "SELECT people FROM directories";
    stand(&world, 50..100, Standing::Purged);
    for _ in 0..7 {
        assert_eq!(night(&world), "failed directory_shrunk");
        assert_eq!((strikes(&world), world.db.number(known)), (0, 100));
    }
    // What it says for a week is the measure from then on.
    assert_eq!(night(&world), "done");
    assert_eq!(world.db.number(known), 50);
}

#[test]
fn a_list_that_is_shorter_because_accounts_were_deleted_is_believed() {
    let world = company(100);
    // Deleted accounts have no time in this sandbox's list unless they are deleted now.
    stand(&world, 0..10, Standing::Deleted);
    assert_eq!(night(&world), "done");
    assert_eq!(strikes(&world), 10);
}

#[test]
fn clocks_that_differ_too_much_are_named_and_small_differences_do_not_matter() {
    for (ahead, code) in [
        (0, "done"),
        (240_000, "done"),
        (-240_000, "done"),
        (-900_000, "failed directory_clock"),
        (4_000_000, "failed directory_clock"),
    ] {
        let world = company(30);
        world.upstream_ahead_ms.set(ahead);
        assert_eq!(night(&world), code, "{ahead}");
        assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
    }
}

#[test]
fn a_wrong_administrator_domain_or_key_is_named_and_puts_nobody_out() {
    for (setting, value, code) in [
        (
            "GOOGLE_DIRECTORY_SUBJECT",
            "nobody@company.example",
            "failed directory_no_subject",
        ),
        (
            "GOOGLE_DIRECTORY_SUBJECT",
            "reader@elsewhere.example",
            "failed directory_unauthorized",
        ),
        (
            "GOOGLE_ALLOWED_DOMAINS",
            "elsewhere.example",
            "done first_look",
        ),
    ] {
        let world = company(30);
        stand(&world, [7, 8], Standing::Purged);
        world.set(setting, value);
        assert_eq!(night(&world), code, "{setting}");
        assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
    }
    let world = company(30);
    let other = sandbox::service_account_json().replace("keycap@sandbox", "other@sandbox");
    world.set("GOOGLE_SA_KEY_JSON", &other);
    assert_eq!(night(&world), "failed directory_key_refused");
    // A key that cannot sign.
    let broken = sandbox::service_account_json().replace("KEY-----\\nMII", "KEY-----\\nAAA");
    world.set("GOOGLE_SA_KEY_JSON", &broken);
    assert_eq!(night(&world), "failed directory_key_unusable");
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
}

#[test]
fn another_directory_is_only_looked_at_first_and_strikes_of_the_old_one_do_not_count() {
    let world = company(30);
    stand(&world, [7], Standing::Suspended);
    night(&world);
    assert_eq!(strikes(&world), 1);
    world.set("GOOGLE_ALLOWED_DOMAINS", "company.example, second.example");
    assert_eq!(night(&world), "done first_look");
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
    assert_eq!((night(&world), gone(&world)), ("done".into(), vec![]));
    assert_eq!((night(&world), gone(&world)), ("done".into(), vec![7]));
}

#[test]
fn who_has_left_before_the_directory_changes_is_asked_about_in_the_new_one() {
    let world = company(30);
    stand(&world, [7], Standing::Purged);
    night(&world);
    assert_eq!(strikes(&world), 1);
    // Person 8 leaves on the day of the change.
    stand(&world, [8], Standing::Purged);
    world.set("GOOGLE_ALLOWED_DOMAINS", "company.example, second.example");
    assert_eq!(night(&world), "done first_look");
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
    assert_eq!((night(&world), gone(&world)), ("done".into(), vec![]));
    assert_eq!(strikes(&world), 2);
    assert_eq!((night(&world), gone(&world)), ("done".into(), vec![7, 8]));
}

#[test]
fn without_its_two_settings_the_directory_is_skipped_and_the_run_says_why() {
    let world = with_directory();
    stand(&world, 0..30, Standing::Active);
    join(&world, 0..30);
    let key = sandbox::service_account_json();
    for (key, subject, code) in [
        ("", "", ""),
        (key.as_str(), "", "done directory_half_configured"),
        (
            "",
            sandbox::DIRECTORY_SUBJECT,
            "done directory_half_configured",
        ),
        (
            "{\"private_key\":\"not-a-secret-key\"}",
            sandbox::DIRECTORY_SUBJECT,
            "failed directory_key_malformed",
        ),
        (
            "not json",
            sandbox::DIRECTORY_SUBJECT,
            "failed directory_key_malformed",
        ),
    ] {
        world.set("GOOGLE_SA_KEY_JSON", key);
        world.set("GOOGLE_DIRECTORY_SUBJECT", subject);
        assert_eq!(night(&world), code, "{subject}");
        assert_eq!(calls(&world), 0);
        let operator = Browser::signed_in(&world, "operator");
        let body = json!({ "dry_run": false }).to_string();
        assert_eq!(
            operator.post("/api/v1/admin/jobs/offboard", &body).status,
            202
        );
        let asked = if code.is_empty() {
            "done not_configured"
        } else {
            code
        };
        assert_eq!(super::company::ended(&world), asked);
        world.db.run("DELETE FROM runs WHERE job = 'offboard'");
        let log = world.log.borrow().join("\n");
        assert!(!log.contains("not-a-secret-key") && !log.contains("PRIVATE KEY"));
    }
}

#[test]
fn a_key_file_in_base64_is_read_too() {
    use base64::Engine;
    let world = with_directory();
    stand(&world, 0..30, Standing::Active);
    let packed = base64::engine::general_purpose::STANDARD.encode(sandbox::service_account_json());
    world.set("GOOGLE_SA_KEY_JSON", &packed);
    assert_eq!(night(&world), "done first_look");
}

#[test]
fn a_directory_that_is_unknown_for_a_day_is_an_alarm() {
    let world = company(30);
    let waits = |world: &World| {
        let overview = Browser::signed_in(world, "operator").get("/api/v1/admin/overview");
        overview.body.contains("directory_unknown")
    };
    let alarms = |world: &World| {
        let log = world.log.borrow();
        log.iter()
            .filter(|line| line.contains("directory_unknown"))
            .count()
    };
    lie(&world, &[DirectoryLie::Forbidden]);
    night(&world);
    assert_eq!((waits(&world), alarms(&world)), (false, 0));
    night(&world);
    assert_eq!((waits(&world), alarms(&world)), (true, 1));
    let operator = Browser::signed_in(&world, "operator");
    let body = operator.get("/api/v1/admin/departures").json();
    assert_eq!(body["directories"][0]["code"], json!("directory_forbidden"));
    lie(&world, &[]);
    night(&world);
    assert_eq!((waits(&world), alarms(&world)), (false, 1));
}

#[test]
fn a_doubt_that_cannot_be_written_down_fails_the_run_and_puts_nobody_out() {
    let world = company(30);
    lie(&world, &[DirectoryLie::Forbidden]);
    world.db.run(
        "CREATE TRIGGER no_doubt BEFORE UPDATE OF code ON directories BEGIN SELECT RAISE(ABORT, 'no'); END;",
    );
    assert_eq!(night(&world), "failed storage_unavailable");
    world.db.run("DROP TRIGGER no_doubt");
    lie(&world, &[]);
    assert_eq!(night(&world), "done");
    assert_eq!((strikes(&world), gone(&world)), (0, vec![]));
}
