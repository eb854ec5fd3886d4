//! Each request counts against the rate limit of the member who sent it, and never against somebody else's.

use crate::support::{Browser, World, oracle};
use keycap::http::server::message::Body;

/// More requests than any rate limit lets through in a minute.
const MANY: usize = 150;

fn thief_and_victim<'w>(world: &'w World, persona: &str) -> (Browser<'w>, Browser<'w>) {
    let victim = Browser::signed_in(world, persona);
    let thief = Browser::with(world, &victim.cookies.borrow());
    (thief, victim)
}

/// Sends many requests like a page that is still open: it keeps its cookie, whatever the answers say.
fn keeps_its_cookie(thief: &Browser<'_>, hammering: impl Fn(&Browser<'_>)) {
    let kept = thief.cookies.borrow().clone();
    for _ in 0..MANY {
        hammering(&Browser::with(thief.world, &kept));
    }
}

#[test]
fn an_ended_session_uses_up_nothing_of_its_members_rates() {
    for persona in ["member", "operator"] {
        let world = World::new();
        let (thief, victim) = thief_and_victim(&world, persona);
        assert_eq!(
            victim.post("/api/v1/me/sign-out-everywhere", "{}").status,
            204
        );
        victim.sign_in(persona);
        *world.rates.borrow_mut() = Some(Default::default());
        keeps_its_cookie(&thief, |tab| {
            assert!([401, 429].contains(&tab.get("/api/v1/me").status));
            let response = tab.get("/api/v1/admin/settings");
            assert!([404, 429].contains(&response.status), "{response:?}");
            let response = tab.send(
                "POST",
                "/api/v1/claim",
                &[
                    ("origin", "http://localhost:8787"),
                    ("content-type", "application/json"),
                    ("cf-connecting-ip", "192.0.2.66"),
                ],
                Body::Bytes(br#"{"accept_terms":1}"#.to_vec()),
            );
            assert!([401, 429].contains(&response.status), "{response:?}");
        });
        assert_eq!(victim.get("/api/v1/me").status, 200, "{persona}");
        assert_eq!(victim.claim().status, 201, "{persona}");
        if persona == "operator" {
            let response = victim.patch("/api/v1/admin/settings", r#"{"minting":"stopped"}"#);
            assert_eq!(response.status, 200);
        }
        oracle::always(&world);
    }
}

#[test]
fn a_thief_of_a_session_cannot_prevent_its_owner_from_ending_it() {
    let world = World::new();
    let (thief, victim) = thief_and_victim(&world, "member");
    *world.rates.borrow_mut() = Some(Default::default());
    // The thief does everything that the session may do, except ending it.
    keeps_its_cookie(&thief, |tab| {
        tab.get("/api/v1/me");
        tab.claim();
    });
    assert_eq!(victim.get("/api/v1/me").status, 429, "it is used up");
    let response = victim.post("/api/v1/me/sign-out-everywhere", "{}");
    assert_eq!(response.status, 204, "{response:?}");
    victim.sign_in("member");
    assert_eq!(victim.get("/api/v1/me").status, 200);
}

#[test]
fn nobody_uses_up_another_members_or_addresss_rates() {
    let world = World::new();
    let (member, second) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    *world.rates.borrow_mut() = Some(Default::default());
    let statuses: Vec<u16> = (0..MANY).map(|_| member.get("/api/v1/me").status).collect();
    assert_eq!((statuses[0], statuses[MANY - 1]), (200, 429));
    assert_eq!(second.get("/api/v1/me").status, 200);
    let from = |address| [("cf-connecting-ip", address)];
    for _ in 0..MANY {
        second.send("GET", "/auth/github", &from("192.0.2.1"), Body::Empty);
    }
    let response = second.send("GET", "/auth/github", &from("192.0.2.1"), Body::Empty);
    assert_eq!(response.status, 429);
    let response = second.send("GET", "/auth/github", &from("192.0.2.2"), Body::Empty);
    assert_eq!(response.status, 302);
}
