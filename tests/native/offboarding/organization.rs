//! An organization at GitHub: its list, its single members, and accounts that do not exist any more.

use sandbox::Organization;
use serde_json::json;

use super::company::{counts, gone_logins, night, organize, with_organization};
use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// The account numbers of the personas `operator`, `member` and `second`.
const OPERATOR: u64 = 1_000_001;
const MEMBER: u64 = 1_000_100;
const SECOND: u64 = 1_000_101;

/// An organization of three people and some strangers, all of whom were seen once.
fn three() -> World {
    let everybody: Vec<u64> = [OPERATOR, MEMBER, SECOND]
        .into_iter()
        .chain(1..240)
        .collect();
    let world = with_organization(&everybody);
    for persona in ["operator", "member", "second", "bigid"] {
        Browser::signed_in(&world, persona);
    }
    assert_eq!(night(&world), "done first_look");
    assert_eq!(counts(&world)["listed"], json!(242));
    // The list ends with an empty page.
    assert_eq!(world.calls("github.org.members"), 4);
    world
}

fn without(one: u64) -> Vec<u64> {
    let all = [OPERATOR, MEMBER, SECOND].into_iter().chain(1..240);
    all.filter(|id| *id != one).collect()
}

#[test]
fn who_leaves_the_organization_goes_after_two_nights_and_who_never_was_in_it_stays() {
    let world = three();
    organize(&world, &without(MEMBER), &[]);
    assert_eq!(night(&world), "done");
    assert_eq!(gone_logins(&world), [""; 0]);
    assert_eq!(night(&world), "done");
    assert_eq!(gone_logins(&world), ["member"]);
    let reason = world
        .db
        .text("SELECT reason FROM departed WHERE owner_id > 0");
    assert_eq!(reason, "not_a_member");
    // The persona with the big number was never in the organization.
    assert_eq!(counts(&world)["never_seen"], json!(1));
    oracle::always(&world);
}

#[test]
fn an_account_that_does_not_exist_any_more_goes_too() {
    let world = three();
    organize(&world, &without(MEMBER), &[MEMBER]);
    night(&world);
    night(&world);
    assert_eq!(gone_logins(&world), ["member"]);
    let reason = world
        .db
        .text("SELECT reason FROM departed WHERE owner_id > 0");
    assert_eq!(reason, "no_account");
}

#[test]
fn an_account_of_an_enterprise_that_github_hides_is_unknown() {
    let world = three();
    world
        .db
        .run("UPDATE members SET login = 'member_corp' WHERE login = 'member'");
    organize(&world, &without(MEMBER), &[MEMBER]);
    for _ in 0..3 {
        assert_eq!(night(&world), "done");
        assert_eq!(counts(&world)["unknown"], json!(1));
    }
    assert_eq!(gone_logins(&world), [""; 0]);
}

#[test]
fn an_organization_that_is_not_shown_puts_nobody_out() {
    let others: Vec<u64> = (1..240).collect();
    for (organization, code) in [
        (
            Organization {
                outsider: true,
                members: others.clone(),
                ..Organization::default()
            },
            "failed directory_empty",
        ),
        (
            Organization {
                same_page: true,
                members: others.clone(),
                ..Organization::default()
            },
            "failed directory_repeats",
        ),
        (
            Organization {
                members: others[..100].to_vec(),
                ..Organization::default()
            },
            "failed directory_shrunk",
        ),
    ] {
        let world = three();
        world.sandbox.borrow_mut().set_organization(organization);
        for _ in 0..3 {
            assert_eq!(night(&world), code);
        }
        assert_eq!(gone_logins(&world), [""; 0]);
    }
    for (kind, more, code) in [
        (
            "refuse",
            json!({ "status": 403 }),
            "failed directory_forbidden",
        ),
        (
            "refuse",
            json!({ "status": 401 }),
            "failed directory_forbidden",
        ),
        (
            "refuse",
            json!({ "status": 404 }),
            "failed directory_forbidden",
        ),
        (
            "rate_limited",
            json!({ "retry_after": 60 }),
            "failed directory_busy",
        ),
        (
            "error_before",
            json!({ "status": 502 }),
            "failed directory_unavailable",
        ),
        ("html", json!({}), "failed directory_unreadable"),
    ] {
        let world = three();
        let mut more = more;
        more["times"] = json!(0);
        world.add_fault("github.org.members", kind, more);
        for _ in 0..3 {
            assert_eq!(night(&world), code, "{kind}");
        }
        assert_eq!(gone_logins(&world), [""; 0]);
    }
}

#[test]
fn an_administrator_of_the_configuration_is_never_put_out() {
    let world = three();
    let told = || {
        let operator = Browser::signed_in(&world, "operator");
        let overview = operator.get("/api/v1/admin/overview").json();
        let all = overview["attention"].as_array().unwrap().clone();
        let gone = all.into_iter().filter(|one| one["kind"] == "admins_gone");
        gone.map(|one| (one["count"].clone(), one["since"].is_null()))
            .collect::<Vec<_>>()
    };
    organize(&world, &without(OPERATOR), &[]);
    assert_eq!((night(&world), told()), ("done".into(), vec![]));
    for _ in 0..2 {
        assert_eq!(night(&world), "done");
        assert_eq!(told(), [(json!(1), false)]);
    }
    assert_eq!(gone_logins(&world), [""; 0]);
    assert_eq!(counts(&world)["inactive"], json!(1));
    // A member who is gone is no such news, and neither is an administrator who is back.
    organize(&world, &without(MEMBER), &[]);
    assert_eq!((night(&world), told()), ("done".into(), vec![]));
    assert_eq!((night(&world), told()), ("done".into(), vec![]));
    assert_eq!(gone_logins(&world), ["member"]);
}

#[test]
fn who_has_left_before_the_organization_is_renamed_goes_all_the_same() {
    let world = three();
    let renamed = |members: Vec<u64>| {
        let organization = Organization {
            members,
            renamed: Some("sandbox-renamed".into()),
            ..Organization::default()
        };
        world.sandbox.borrow_mut().set_organization(organization);
    };
    organize(&world, &without(MEMBER), &[]);
    night(&world);
    renamed(without(MEMBER));
    assert_eq!(night(&world), "failed directory_forbidden");
    world.set("GITHUB_ORG", "sandbox-renamed");
    assert_eq!(night(&world), "done first_look");
    assert_eq!(gone_logins(&world), [""; 0]);
    // The strike of the former directory does not count.
    assert_eq!(night(&world), "done");
    assert_eq!(gone_logins(&world), [""; 0]);
    assert_eq!(night(&world), "done");
    assert_eq!(gone_logins(&world), ["member"]);
}

#[test]
fn an_organization_that_shows_no_member_is_none_of_theirs_and_puts_nobody_out() {
    let world = three();
    let strangers = Organization {
        members: (1..240).collect(),
        renamed: Some("somebody-elses".into()),
        ..Organization::default()
    };
    world.sandbox.borrow_mut().set_organization(strangers);
    world.set("GITHUB_ORG", "somebody-elses");
    assert_eq!(night(&world), "done first_look");
    for _ in 0..3 {
        assert_eq!(night(&world), "done");
    }
    assert_eq!(gone_logins(&world), [""; 0]);
    assert_eq!(counts(&world)["never_seen"], json!(4));
}

#[test]
fn the_organization_needs_its_login_and_its_token() {
    let world = three();
    world.set("GITHUB_ORG_TOKEN", "");
    assert_eq!(night(&world), "done directory_half_configured");
    world.set("GITHUB_ORG", "");
    world.set("GITHUB_ORG_TOKEN", sandbox::ORGANIZATION_TOKEN);
    assert_eq!(night(&world), "done directory_half_configured");
}

#[test]
fn one_directory_that_is_doubtful_does_not_hold_up_the_other() {
    let world = three();
    world.set("GOOGLE_SA_KEY_JSON", &sandbox::service_account_json());
    world.set("GOOGLE_DIRECTORY_SUBJECT", sandbox::DIRECTORY_SUBJECT);
    organize(&world, &without(MEMBER), &[]);
    assert_eq!(night(&world), "failed directory_empty");
    assert_eq!(night(&world), "failed directory_empty");
    assert_eq!(gone_logins(&world), ["member"]);
}

/// Leaves keycap, comes back at once, and claims again.
fn comes_back(world: &World, persona: &str) {
    let here = Browser::signed_in(world, persona);
    assert!([202, 204].contains(&here.leave(persona).status));
    assert_eq!(Browser::signed_in(world, persona).claim().status, 201);
}

/// The statuses of the members with this login, and the states of their live keys.
fn stands(world: &World, login: &str) -> (Vec<String>, Vec<String>) {
    let status = format!("SELECT status FROM members WHERE login = '{login}'");
    let keys = format!(
        "SELECT g.state FROM generations g JOIN members m ON m.owner_id = g.owner_id
         WHERE m.login = '{login}' AND g.live = 1"
    );
    (world.db.texts(&status), world.db.texts(&keys))
}

#[test]
fn who_leaves_keycap_and_comes_back_is_put_out_all_the_same() {
    let world = three();
    organize(&world, &without(MEMBER), &[]);
    night(&world);
    comes_back(&world, "member");
    night(&world);
    night(&world);
    let put_out = (vec!["suspended".to_owned()], vec!["revoking".to_owned()]);
    assert_eq!(stands(&world, "member"), put_out);
    world.pass(TEN_MINUTES);
    assert!(world.tick());
    assert_eq!(world.usable().len(), 0);
    oracle::always(&world);
}

#[test]
fn who_leaves_keycap_and_comes_back_is_in_the_held_list_still() {
    let world = three();
    let everybody = without(MEMBER);
    // Ten more are members here, and they leave the organization together with one who leaves keycap too.
    let crowd: Vec<u64> = (0..10).map(|n| 9_000_040 + n).collect();
    organize(&world, &[&everybody[..], &crowd, &[MEMBER]].concat(), &[]);
    for n in 40..50 {
        Browser::signed_in(&world, &format!("load-{n}"));
    }
    night(&world);
    organize(&world, &everybody, &[]);
    assert_eq!(night(&world), "done");
    assert_eq!(night(&world), "done departures_held");
    comes_back(&world, "member");
    let operator = Browser::signed_in(&world, "operator");
    let lists = operator.get("/api/v1/admin/departures").json()["lists"].clone();
    assert_eq!(lists[0]["people"], json!(11));
    let id = lists[0]["id"].as_str().unwrap();
    let path = format!("/api/v1/admin/departures/{id}/release");
    assert_eq!(operator.post(&path, "{}").status, 202);
    let (status, keys) = stands(&world, "member");
    assert_eq!(
        (status, keys),
        (vec!["suspended".into()], vec!["revoking".into()])
    );
    assert_eq!(gone_logins(&world).len(), 11);
}
