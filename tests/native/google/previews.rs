//! Signing in for a preview: two deployments with databases of their own, and the ticket between them.

use keycap::http::server::message::Body;

use super::members;
use crate::support::world::ORIGIN;
use crate::support::{Browser, Cookies, World};

const PREVIEW: &str = "http://127.0.0.1:8788";
const SECRET: &str = "relay-secret-of-native-tests-not-for-production";
const REFUSED: &str = "/?auth_error=unknown_preview";
const STATE: &str = "/?auth_error=state";

/// The deployment whose callback is registered.
fn canonical() -> World {
    let world = World::new();
    world.set("TRUSTED_ORIGINS", PREVIEW);
    world.set("RELAY_SECRET", SECRET);
    world
}

/// A preview of it, which has no app at any provider.
fn preview() -> World {
    let world = World::new();
    for setting in [
        "GITHUB_OAUTH_CLIENT_ID",
        "GITHUB_OAUTH_CLIENT_SECRET",
        "GOOGLE_OAUTH_CLIENT_ID",
        "GOOGLE_OAUTH_CLIENT_SECRET",
    ] {
        world.set(setting, "");
    }
    world.set("PUBLIC_ORIGIN", PREVIEW);
    world.set(
        "AUTH_SESSION_SECRET",
        "another-session-secret-of-the-preview-only",
    );
    world.set("RELAY_ORIGIN", ORIGIN);
    world.set("RELAY_SECRET", SECRET);
    world
}

/// A browser that visits the preview, with these cookies.
fn visitor<'a>(preview: &'a World, cookies: &Cookies) -> Browser<'a> {
    let mut browser = Browser::with(preview, cookies);
    browser.origin = PREVIEW;
    browser
}

fn new_visitor(preview: &World) -> Browser<'_> {
    visitor(preview, &Cookies::new())
}

/// Where the preview sends a browser that signs in: a path of the canonical deployment.
fn sent(browser: &Browser<'_>, provider: &str) -> String {
    let started = browser.get(&format!("/auth/{provider}?next=usage"));
    assert_eq!(started.status, 302, "{started:?}");
    let location = started.header("location");
    location
        .strip_prefix(ORIGIN)
        .expect("the canonical one")
        .to_owned()
}

/// Signs a browser in at the canonical deployment. Returns the ticket's address at the preview.
fn ticket(canonical: &World, target: &str, persona: &str) -> String {
    let browser = Browser::new(canonical);
    let started = browser.get(target);
    assert_eq!(started.status, 302, "{started:?}");
    let back = browser.get(&browser.approve(started.header("location"), persona));
    assert_eq!(back.status, 303, "{back:?}");
    assert!(
        browser.cookies.borrow().is_empty(),
        "no session and no attempt here"
    );
    let location = back.header("location");
    location
        .strip_prefix(PREVIEW)
        .expect("the preview")
        .to_owned()
}

#[test]
fn people_sign_in_to_a_preview_through_the_canonical_deployment() {
    for (provider, persona, login) in [
        ("github", "member", "member"),
        ("google", "employee", "employee@company.example"),
    ] {
        let (canonical, preview) = (canonical(), preview());
        let browser = new_visitor(&preview);
        let target = sent(&browser, provider);
        assert!(
            target.starts_with(&format!("/auth/{provider}?relay=")),
            "{target}"
        );
        let ticket = ticket(&canonical, &target, persona);
        let back = browser.get(&ticket);
        assert_eq!(
            (back.status, back.header("location")),
            (303, "/usage"),
            "{provider}"
        );
        let me = browser.get("/api/v1/me").json();
        assert_eq!(me["member"]["login"], login);
        assert_eq!((members(&canonical), members(&preview)), (0, 1));
        let told = canonical.log.borrow().join("\n") + &preview.log.borrow().join("\n");
        assert!(
            !told.contains(ticket.split_once('=').unwrap().1),
            "the ticket is in no log"
        );
    }
}

#[test]
fn a_ticket_is_used_once() {
    let (canonical, preview) = (canonical(), preview());
    let browser = new_visitor(&preview);
    let ticket = ticket(&canonical, &sent(&browser, "github"), "member");
    let attempt = browser.cookies.borrow().clone();
    assert_eq!(browser.get(&ticket).header("location"), "/usage");
    let again = visitor(&preview, &attempt);
    assert_eq!(
        again.get(&ticket).header("location"),
        STATE,
        "its record is in the database"
    );
    assert_eq!(
        browser.get(&ticket).header("location"),
        "/keys",
        "who is signed in goes on"
    );
}

#[test]
fn a_ticket_is_for_the_browser_that_asked_for_it() {
    let (canonical, preview) = (canonical(), preview());
    let browser = new_visitor(&preview);
    let ticket = ticket(&canonical, &sent(&browser, "github"), "member");
    let before = preview.db.dump();
    let thief = new_visitor(&preview);
    assert_eq!(thief.get(&ticket).header("location"), STATE);
    sent(&thief, "github");
    assert_eq!(
        thief.get(&ticket).header("location"),
        STATE,
        "an attempt of another browser is not enough"
    );
    assert_eq!(preview.db.dump(), before, "nothing is spent");
    assert_eq!(browser.get(&ticket).header("location"), "/usage");
}

#[test]
fn a_ticket_lasts_a_minute() {
    for (after, location) in [(59, "/usage"), (60, STATE)] {
        let (canonical, preview) = (canonical(), preview());
        let browser = new_visitor(&preview);
        let ticket = ticket(&canonical, &sent(&browser, "github"), "member");
        preview.pass(after);
        assert_eq!(browser.get(&ticket).header("location"), location, "{after}");
    }
}

#[test]
fn a_deployment_that_is_no_preview_takes_no_ticket() {
    let (canonical, preview) = (canonical(), preview());
    let browser = new_visitor(&preview);
    let ticket = ticket(&canonical, &sent(&browser, "github"), "member");
    let before = preview.db.dump();
    // The same deployment, browser and attempt: only the setting is that of a deployment with callbacks of its own.
    preview.set("RELAY_ORIGIN", "");
    preview.set("TRUSTED_ORIGINS", "http://127.0.0.1:8789");
    let cookies = browser.cookies.borrow().clone();
    let again = visitor(&preview, &cookies);
    assert_eq!(again.get(&ticket).header("location"), STATE);
    assert_eq!(preview.db.dump(), before, "nothing is spent");
}

#[test]
fn a_head_or_a_scanner_spends_no_ticket() {
    let (canonical, preview) = (canonical(), preview());
    let browser = new_visitor(&preview);
    let ticket = ticket(&canonical, &sent(&browser, "google"), "employee");
    assert_eq!(browser.send("HEAD", &ticket, &[], Body::Empty).status, 200);
    let ahead = browser.send("GET", &ticket, &[("purpose", "prefetch")], Body::Empty);
    assert_eq!(ahead.status, 503);
    assert_eq!(new_visitor(&preview).get(&ticket).header("location"), STATE);
    assert_eq!(browser.get(&ticket).header("location"), "/usage");
}

#[test]
fn an_origin_off_the_list_gets_nobody() {
    let canonical = canonical();
    let browser = Browser::new(&canonical);
    let proof = "a".repeat(64);
    let good =
        format!("/auth/github?relay=http%3A%2F%2F127.0.0.1%3A8788&attempt=0badcafe&proof={proof}");
    assert_eq!(browser.get(&good).status, 302);
    for bad in [
        good.replace("8788", "8789"),
        good.replace("127.0.0.1", "evil.example"),
        good.replace("8788", "8788%2F"),
        good.replace("8788", "8788%40evil.example"),
        good.replace("relay=http", "relay=HTTP"),
        good.replace("relay=http%3A%2F%2F127.0.0.1%3A8788", "relay="),
        good.replace("0badcafe", "0badcafe0"),
        good.replace("0badcafe", "keycapxx"),
        good.replace(&proof, "short"),
        good.replace(&proof, &"g".repeat(64)),
        good.replace(&format!("&proof={proof}"), ""),
    ] {
        let answer = browser.get(&bad);
        assert_eq!(answer.header("location"), REFUSED, "{bad}");
        assert!(browser.get(REFUSED).body.contains("preview"), "in words");
    }
    // Without the list or without the secret, nobody signs in for a preview.
    for setting in ["TRUSTED_ORIGINS", "RELAY_SECRET"] {
        canonical.set(setting, "");
        assert_eq!(
            Browser::new(&canonical).get(&good).header("location"),
            REFUSED,
            "{setting}"
        );
        canonical.set("TRUSTED_ORIGINS", PREVIEW);
    }
}

#[test]
fn an_origin_that_was_taken_off_the_list_meanwhile_gets_no_ticket() {
    let (canonical, preview) = (canonical(), preview());
    let target = sent(&new_visitor(&preview), "github");
    let browser = Browser::new(&canonical);
    let started = browser.get(&target);
    let callback = browser.approve(started.header("location"), "member");
    canonical.set("TRUSTED_ORIGINS", "http://127.0.0.1:9999");
    let back = browser.at_fresh_isolate().get(&callback);
    assert_eq!(back.header("location"), REFUSED);
}

#[test]
fn a_ticket_of_another_secret_another_preview_or_another_purpose_is_refused() {
    let (canonical, preview) = (canonical(), preview());
    let browser = new_visitor(&preview);
    let ticket = ticket(&canonical, &sent(&browser, "github"), "member");
    let cookies = browser.cookies.borrow().clone();
    let at = |preview: &World| {
        visitor(preview, &cookies)
            .get(&ticket)
            .header("location")
            .to_owned()
    };
    preview.set("RELAY_SECRET", "another-relay-secret-of-native-tests-only");
    assert_eq!(at(&preview), STATE);
    preview.set(
        "RELAY_SECRET",
        &format!("a-new-relay-secret-of-native-tests-first,{SECRET}"),
    );
    assert_eq!(at(&preview), "/usage", "an old secret is still taken");
    let sealed = cookies.values().next().unwrap();
    assert_eq!(
        browser
            .get(&format!("/auth/relay?ticket={sealed}"))
            .header("location"),
        STATE
    );
    for broken in ["", "x", "AAAA"] {
        assert_eq!(
            browser
                .get(&format!("/auth/relay?ticket={broken}"))
                .header("location"),
            STATE
        );
    }
    // The deployment that made it does not take it.
    assert_eq!(
        Browser::new(&canonical).get(&ticket).header("location"),
        STATE
    );
}

#[test]
fn a_preview_has_no_admins() {
    let (canonical, preview) = (canonical(), preview());
    for (provider, persona) in [("github", "operator"), ("google", "operator")] {
        let browser = new_visitor(&preview);
        let ticket = ticket(&canonical, &sent(&browser, provider), persona);
        assert_eq!(browser.get(&ticket).header("location"), "/usage");
        assert_eq!(browser.get("/admin").status, 404);
        assert_eq!(
            browser.get("/api/v1/me").json()["roles"],
            serde_json::json!(["member"])
        );
    }
    assert!(
        preview
            .db
            .texts("SELECT public_id FROM admin_pins")
            .is_empty()
    );
}
