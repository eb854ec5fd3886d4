//! Every route that changes something, with a request that does so. The same request is refused and changes nothing
//! once its session has ended in any way, or when it comes from a page that is not ours.

use keycap::http::routes::{ROUTES, Takes, Who};
use keycap::http::server::message::Body;

use crate::caps::{assign, spends};
use crate::devices;
use crate::handoffs;
use crate::support::browser::{Response, cookie_header};
use crate::support::world::ORIGIN;
use crate::support::{Browser, Cookies, TEN_MINUTES, World};

/// A request that changes something by one route: who sends it, and what they send.
pub struct Change {
    pub method: &'static str,
    /// The path as it is in the route table.
    pub route: &'static str,
    pub who: &'static str,
    /// A query for the id that replaces `{id}` in the path.
    id: Option<&'static str>,
    pub body: &'static str,
}

const HELD_LIST: Option<&str> = Some("SELECT public_id FROM departure_lists WHERE id > 0");
const SHOWN_BULK: Option<&str> =
    Some("SELECT public_id FROM bulk_changes WHERE state = 'shown' AND id > 0");
const RUNNING_BULK: Option<&str> =
    Some("SELECT public_id FROM bulk_changes WHERE state = 'running' AND id > 0");
const KEY: Option<&str> = Some(
    "SELECT k.public_id FROM keys k JOIN members m ON m.owner_id = k.owner_id WHERE m.login = 'member' ORDER BY k.id LIMIT 1",
);
const MEMBER: Option<&str> = Some("SELECT public_id FROM members WHERE login = 'member'");
const PREPAYING: Option<&str> = Some("SELECT public_id FROM members WHERE login = 'load-1'");
const REQUEST: Option<&str> = Some("SELECT public_id FROM requests WHERE kind = 'claim'");
const FOR_MORE: Option<&str> = Some("SELECT public_id FROM requests WHERE kind = 'limit'");
const ALLOTMENT: Option<&str> = Some("SELECT public_id FROM allotments LIMIT 1");
const HELD_UPSTREAM: Option<&str> = Some(
    "SELECT k.public_id FROM keys k JOIN holds h ON h.key_id = k.id WHERE h.reason = 'upstream'",
);
const RUN: Option<&str> = Some("SELECT public_id FROM runs WHERE ended_at IS NULL");
const PROJECT: Option<&str> = Some("SELECT public_id FROM projects");
const HANDOFF_READY: Option<&str> =
    Some("SELECT public_id FROM handoffs WHERE state = 'ready' AND confirmed_at IS NULL");
const HANDOFF_CONFIRMED: Option<&str> =
    Some("SELECT public_id FROM handoffs WHERE state = 'ready' AND confirmed_at IS NOT NULL");
const PROVIDER_KEY: Option<&str> = Some("SELECT public_id FROM provider_keys");
const RAISE: Option<&str> = Some("SELECT public_id FROM raises");

const fn of(
    method: &'static str,
    route: &'static str,
    who: &'static str,
    id: Option<&'static str>,
    body: &'static str,
) -> Change {
    Change {
        method,
        route,
        who,
        id,
        body,
    }
}

/// One request for each unsafe route of the table, except the sign-out from one browser, the report of a leak by anyone and
/// the questions of terminals, which need no session, and the lookup of a terminal, which changes nothing if the code is
/// right.
pub const CHANGES: [Change; 50] = [
    of(
        "POST",
        "/api/v1/device/approve",
        "second",
        None,
        r#"{"user_code":"BCDF-GHJK","accept_terms":1}"#,
    ),
    of(
        "POST",
        "/api/v1/device/deny",
        "member",
        None,
        r#"{"user_code":"BCDF-GHJK"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/bulk-changes",
        "operator",
        None,
        r#"{"action":"disable","matching":{}}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/bulk-changes/{id}/start",
        "operator",
        SHOWN_BULK,
        r#"{"count":1}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/bulk-changes/{id}/stop",
        "operator",
        RUNNING_BULK,
        "{}",
    ),
    of(
        "POST",
        "/api/v1/providers/{slug}/start",
        "member",
        None,
        "{}",
    ),
    of(
        "POST",
        "/api/v1/handoffs/{id}/confirm",
        "member",
        HANDOFF_READY,
        r#"{"code":"{code}"}"#,
    ),
    of(
        "POST",
        "/api/v1/handoffs/{id}/redeem",
        "member",
        HANDOFF_CONFIRMED,
        "{}",
    ),
    of(
        "PATCH",
        "/api/v1/provider-keys/{id}",
        "member",
        PROVIDER_KEY,
        r#"{"label":"laptop","project":"another"}"#,
    ),
    of(
        "DELETE",
        "/api/v1/provider-keys/{id}",
        "member",
        PROVIDER_KEY,
        "{}",
    ),
    of(
        "PATCH",
        "/api/v1/admin/providers/{slug}",
        "operator",
        None,
        r#"{"position":7}"#,
    ),
    of(
        "POST",
        "/api/v1/me/sign-out-everywhere",
        "member",
        None,
        "{}",
    ),
    of(
        "DELETE",
        "/api/v1/me",
        "member",
        None,
        r#"{"confirm":"member"}"#,
    ),
    of(
        "POST",
        "/api/v1/claim",
        "second",
        None,
        r#"{"accept_terms":1}"#,
    ),
    of("POST", "/api/v1/keys/refresh", "member", None, "{}"),
    of(
        "POST",
        "/api/v1/admin/departures/{id}/release",
        "operator",
        HELD_LIST,
        "{}",
    ),
    of(
        "POST",
        "/api/v1/admin/departures/{id}/reject",
        "operator",
        HELD_LIST,
        "{}",
    ),
    of(
        "PATCH",
        "/api/v1/keys/{id}",
        "member",
        KEY,
        r#"{"disabled":true,"name":"mine"}"#,
    ),
    of("DELETE", "/api/v1/keys/{id}", "member", KEY, "{}"),
    of(
        "POST",
        "/api/v1/keys",
        "member",
        None,
        r#"{"name":"another"}"#,
    ),
    of(
        "POST",
        "/api/v1/keys/{id}/limit",
        "member",
        KEY,
        r#"{"limit_usd":"2.00"}"#,
    ),
    of("POST", "/api/v1/keys/{id}/prefer", "member", KEY, "{}"),
    of("POST", "/api/v1/keys/{id}/rotate", "member", KEY, "{}"),
    of("POST", "/api/v1/keys/{id}/leaked", "member", KEY, "{}"),
    of("POST", "/api/v1/keys/{id}/renew", "member", KEY, "{}"),
    of(
        "POST",
        "/api/v1/notices/read",
        "member",
        None,
        r#"{"ids":["ntc_aaaaaaaaaaaaaaaaaaaaaaaa"]}"#,
    ),
    of(
        "POST",
        "/api/v1/projects",
        "member",
        None,
        r#"{"name":"another"}"#,
    ),
    of(
        "PATCH",
        "/api/v1/projects/{id}",
        "member",
        PROJECT,
        r#"{"name":"renamed","archived":true}"#,
    ),
    of(
        "POST",
        "/api/v1/requests",
        "newcomer",
        None,
        r#"{"kind":"appeal","note":"please"}"#,
    ),
    of("DELETE", "/api/v1/requests/{id}", "member", FOR_MORE, "{}"),
    of(
        "PATCH",
        "/api/v1/admin/requests/{id}",
        "operator",
        REQUEST,
        r#"{"state":"approved"}"#,
    ),
    of(
        "PATCH",
        "/api/v1/admin/settings",
        "operator",
        None,
        r#"{"minting":"stopped"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/plans",
        "operator",
        None,
        r#"{"name":"more","limit_usd":"9.00","limit_reset":"daily","expiry_days":30,"max_active_keys":2}"#,
    ),
    of(
        "PATCH",
        "/api/v1/admin/plans/{name}",
        "operator",
        None,
        r#"{"limit_usd":"9.00"}"#,
    ),
    of(
        "PUT",
        "/api/v1/admin/workspaces",
        "operator",
        None,
        r#"{"workspace_ids":["5a4db0c5-0000-4000-8000-000000000001"]}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/members/{id}/plan",
        "operator",
        MEMBER,
        r#"{"plan":"basic"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/members/{id}/payments",
        "operator",
        PREPAYING,
        r#"{"payment_id":"first","amount_usd":"5.00"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/keys/{id}/raises",
        "operator",
        KEY,
        r#"{"amount_usd":"1.00","until":null}"#,
    ),
    of(
        "PATCH",
        "/api/v1/admin/keys/{id}",
        "operator",
        HELD_UPSTREAM,
        r#"{"upstream_hold":"lift"}"#,
    ),
    of(
        "PATCH",
        "/api/v1/admin/findings/{id}",
        "operator",
        Some("SELECT public_id FROM findings"),
        r#"{"acknowledged":true}"#,
    ),
    of(
        "DELETE",
        "/api/v1/admin/raises/{id}",
        "operator",
        RAISE,
        "{}",
    ),
    of(
        "PATCH",
        "/api/v1/admin/members/{id}",
        "operator",
        MEMBER,
        r#"{"status":"suspended"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/members/{id}/sign-out",
        "operator",
        MEMBER,
        "{}",
    ),
    of(
        "POST",
        "/api/v1/admin/blocks",
        "operator",
        None,
        r#"{"provider":"github","subject":"1000100"}"#,
    ),
    of(
        "DELETE",
        "/api/v1/admin/blocks",
        "operator",
        None,
        r#"{"provider":"github","subject":"1000999"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/allotments",
        "operator",
        None,
        r#"{"provider":"github","subject":"1000888"}"#,
    ),
    of(
        "DELETE",
        "/api/v1/admin/allotments/{id}",
        "operator",
        ALLOTMENT,
        "{}",
    ),
    of(
        "POST",
        "/api/v1/admin/leaks",
        "operator",
        None,
        r#"{"secret_sha256":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/jobs/{id}",
        "operator",
        None,
        r#"{"dry_run":false}"#,
    ),
    of(
        "POST",
        "/api/v1/admin/runs/{id}/stop",
        "operator",
        RUN,
        "{}",
    ),
];

/// The personas of the people who send requests.
const PEOPLE: [&str; 4] = ["member", "second", "newcomer", "operator"];

/// A world in which each of the requests finds what it changes, and the cookies of [`PEOPLE`].
pub fn begun() -> (World, Vec<Cookies>) {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assign(&world, &member, "pro");
    assert_eq!(member.claim().status, 201);
    // A notice that a request here can name.
    world.db.run(&format!(
        "INSERT INTO audit (change_id, target, action, actor, after_nano, at)
         SELECT 'chg_{}', public_id, 'limit_raised', 'mem_somebody', 1, {} FROM keys",
        "a".repeat(24),
        world.now().plus(85 * 86_400).secs()
    ));
    let project = member.post("/api/v1/projects", r#"{"name":"mine"}"#);
    assert_eq!(project.status, 201, "{project:?}");
    spends(&world, 1.0);
    // The fingerprint of the secret is replaced by one that a request here can name.
    let fingerprint = "a".repeat(64);
    world.db.run(&format!(
        "UPDATE generations SET secret_sha256 = '{fingerprint}'"
    ));
    // The key is so near to its end that it may be renewed.
    world.pass(85 * 86_400);
    assert!(world.sweep());
    let prepaying = Browser::signed_in(&world, "load-1");
    assign(&world, &prepaying, "prepaid");
    let operator = Browser::signed_in(&world, "operator");
    let key = world.db.text(KEY.unwrap());
    let response = operator.post(
        &format!("/api/v1/admin/keys/{key}/raises"),
        r#"{"amount_usd":"1.00","until":null}"#,
    );
    assert_eq!(response.status, 201, "{response:?}");
    world.block("1000999");
    let response = operator.post(
        "/api/v1/admin/allotments",
        r#"{"provider":"github","subject":"1000777"}"#,
    );
    assert_eq!(response.status, 201, "{response:?}");
    let for_more = serde_json::json!({ "kind": "limit", "key": key, "amount_usd": "1" });
    let member = Browser::signed_in(&world, "member");
    let response = member.post("/api/v1/requests", &for_more.to_string());
    assert_eq!(response.status, 201, "{response:?}");
    let asks = operator.patch("/api/v1/admin/settings", r#"{"claims":"by_approval"}"#);
    assert_eq!(asks.status, 200);
    let asking = Browser::signed_in(&world, "load-2");
    let response = asking.post("/api/v1/requests", r#"{"kind":"claim","note":null}"#);
    assert_eq!(response.status, 201, "{response:?}");
    let again = operator.patch("/api/v1/admin/settings", r#"{"claims":"open"}"#);
    assert_eq!(again.status, 200);
    let disabled = Browser::signed_in(&world, "load-3");
    assert_eq!(disabled.claim().status, 201);
    world.marker_without_row(1);
    world.pass(TEN_MINUTES);
    let hash = world
        .db
        .text("SELECT upstream_hash FROM generations ORDER BY id DESC LIMIT 1");
    let off = serde_json::json!({ "disabled": true });
    world.by_hand("PATCH", &format!("/keys/{hash}"), &off);
    assert!(world.sweep());
    let people = PEOPLE.map(|persona| Browser::signed_in(&world, persona).cookies.take());
    // A person who is blocked may appeal.
    let subject = world
        .db
        .text("SELECT subject FROM members WHERE login = 'newcomer'");
    let body = format!(r#"{{"provider":"github","subject":"{subject}"}}"#);
    assert!(operator.post("/api/v1/admin/blocks", &body).status < 300);
    world.pass(TEN_MINUTES);
    // A list of people who are gone waits for an administrator.
    world.db.run(
        "INSERT INTO audit (change_id, target, action, actor, after, at)
         VALUES ('listed', 'dep_aaaaaaaaaaaaaaaaaaaaaaaa', 'departures_listed', 'offboard', 'held', 1);
         INSERT INTO departure_lists (public_id, provider, state, made_at, expires_at, change_id)
         VALUES ('dep_aaaaaaaaaaaaaaaaaaaaaaaa', 'google', 'held', 1, 4000000000, 'listed')",
    );
    // One change of many is shown, and another one runs.
    world.db.run(
        "INSERT INTO bulk_changes (public_id, action, state, actor, made_at, expires_at)
         VALUES ('blc_aaaaaaaaaaaaaaaaaaaaaaaa', 'disable', 'shown', 'mem_somebody', 1, 4000000000),
           ('blc_bbbbbbbbbbbbbbbbbbbbbbbb', 'disable', 'shown', 'mem_somebody', 1, 4000000000);
         INSERT INTO bulk_targets (bulk_id, target_id, verdict)
         SELECT b.id, k.id, 'change' FROM bulk_changes b JOIN keys k JOIN members m ON m.owner_id = k.owner_id
         WHERE b.id > 0 AND m.login = 'load-3';
         INSERT INTO audit (change_id, target, action, actor, after, at)
         VALUES ('chg_bbbbbbbbbbbbbbbbbbbbbbbb', 'blc_bbbbbbbbbbbbbbbbbbbbbbbb', 'bulk_started', 'mem_somebody', 'disable 1', 1);
         UPDATE bulk_changes SET state = 'running', started_at = 1, change_id = 'chg_bbbbbbbbbbbbbbbbbbbbbbbb'
         WHERE public_id = 'blc_bbbbbbbbbbbbbbbbbbbbbbbb'",
    );
    world.db.run(
        "INSERT INTO runs (public_id, job, scheduled_at, started_at, lease_until, outcome)
         VALUES ('run_aaaaaaaaaaaaaaaaaaaaaaaa', 'reconcile', 1, 1, 1, 'running')",
    );
    devices::waits(&world, "BCDFGHJK");
    let mut people = people.to_vec();
    let member = Browser::with(&world, &people[0]);
    let linked = handoffs::confirmed(&member, "openrouter");
    assert_eq!(handoffs::redeems(&member, &linked).status, 201);
    handoffs::confirmed(&member, "openrouter");
    let ready = handoffs::starts(&member, "openrouter");
    handoffs::signs_in(&member, &ready);
    people[0] = member.cookies.take();
    (world, people)
}

impl Change {
    fn target(&self, world: &World) -> String {
        let id = self.id.map(|query| world.db.text(query));
        let job = self.route.contains("/jobs/");
        let named = self.route.replace("{name}", "default");
        named.replace("{slug}", "openrouter").replace(
            "{id}",
            id.as_deref().unwrap_or(if job { "sweep" } else { "{id}" }),
        )
    }

    /// The body, with the code that the member reads on the page after the sign-in.
    fn body(&self, world: &World, browser: &Browser<'_>) -> String {
        if !self.body.contains("{code}") {
            return self.body.to_owned();
        }
        let ready = world.db.text(HANDOFF_READY.unwrap());
        let page = browser.get(&format!("/auth/providers/openrouter/done?handoff={ready}"));
        let code = handoffs::code_on(&page).unwrap_or_default();
        self.body.replace("{code}", &code)
    }

    pub fn browser<'w>(&self, world: &'w World, people: &[Cookies]) -> Browser<'w> {
        let at = PEOPLE.iter().position(|persona| *persona == self.who);
        Browser::with(world, &people[at.unwrap()])
    }

    /// Sends the request as our own page does.
    pub fn send(&self, browser: &Browser<'_>, world: &World) -> Response {
        let target = self.target(world);
        let body = self.body(world, browser);
        match self.method {
            "POST" => browser.post(&target, &body),
            "PATCH" => browser.patch(&target, &body),
            _ => {
                let headers = [("origin", ORIGIN), ("content-type", "application/json")];
                browser.send(self.method, &target, &headers, Body::Bytes(body.into()))
            }
        }
    }
}

#[test]
fn every_route_that_changes_something_is_tried_here() {
    let (begun, people) = begun();
    let unsafe_routes = ROUTES.iter().filter(|route| route.method.is_unsafe());
    let with_session: Vec<String> = unsafe_routes
        .filter(|route| route.takes != Takes::EmptyForm && route.who != Who::Anyone)
        .filter(|route| route.path != "/api/v1/device/lookup")
        .map(|route| format!("{} {}", route.method.name(), route.path))
        .collect();
    let here = CHANGES.map(|change| format!("{} {}", change.method, change.route));
    let mut expected = with_session.clone();
    expected.sort_unstable();
    let mut found = here.to_vec();
    found.sort_unstable();
    assert_eq!(found, expected);
    for change in &CHANGES {
        let world = begun.forked();
        let before = world.db.dump();
        let response = change.send(&change.browser(&world, &people), &world);
        let what = format!("{} {}: {response:?}", change.method, change.route);
        assert!((200..300).contains(&response.status), "{what}");
        assert_ne!(world.db.dump(), before, "{what}");
    }
}

/// A way in which a session ends early.
type End = fn(&World, &Browser<'_>);

const ENDINGS: [(&str, End); 3] = [
    ("its member signed out everywhere", |_, browser| {
        let elsewhere = browser.at_fresh_isolate();
        let response = elsewhere.post("/api/v1/me/sign-out-everywhere", "{}");
        assert_eq!(response.status, 204, "{response:?}");
    }),
    ("an admin ended the member's sessions", |world, browser| {
        let me = browser.get("/api/v1/me").json();
        let id = me["member"]["id"].as_str().unwrap().to_owned();
        let operator = Browser::signed_in(world, "operator");
        let response = operator.post(&format!("/api/v1/admin/members/{id}/sign-out"), "{}");
        assert_eq!(response.status, 204, "{response:?}");
    }),
    ("an admin ended everybody's sessions", |world, _| {
        let operator = Browser::signed_in(world, "operator");
        let settings = "/api/v1/admin/settings";
        let epoch = operator.get(settings).json()["session_epoch"].clone();
        let body = format!(r#"{{"sessions":"end","confirm":{epoch}}}"#);
        let response = operator.patch(settings, &body);
        assert_eq!(response.status, 200, "{response:?}");
    }),
];

#[test]
fn a_session_that_was_ended_changes_nothing_whichever_route_it_asks() {
    let (begun, people) = begun();
    let mut cells = 0;
    for (how, end) in ENDINGS {
        for change in &CHANGES {
            let world = begun.forked();
            let browser = change.browser(&world, &people);
            end(&world, &browser);
            let before = world.db.dump();
            let response = change.send(&browser, &world);
            let what = format!("{how}, {} {}: {response:?}", change.method, change.route);
            // An admin's route answers 404 to anybody who has no valid session.
            let refused = if change.who == "operator" {
                [404, 401]
            } else {
                [401, 401]
            };
            assert!(refused.contains(&response.status), "{what}");
            assert_eq!(world.db.dump(), before, "{what}");
            cells += 1;
        }
    }
    println!("counted: {cells} changes asked for in sessions that were ended");
}

/// Values of Origin and of Sec-Fetch-Site, and whether together they are those of our own pages.
fn sources() -> Vec<(Option<&'static str>, Option<&'static str>, bool)> {
    let origins = [
        Some(ORIGIN),
        Some("https://elsewhere.example"),
        Some("null"),
        Some(""),
        None,
    ];
    let sites = [
        None,
        Some("same-origin"),
        Some("same-site"),
        Some("cross-site"),
        Some("none"),
    ];
    let pairs = origins
        .into_iter()
        .flat_map(|origin| sites.map(|site| (origin, site)));
    let ours = |origin, site| origin == Some(ORIGIN) && matches!(site, None | Some("same-origin"));
    pairs
        .map(|(origin, site)| (origin, site, ours(origin, site)))
        .collect()
}

#[test]
fn every_change_also_an_admins_is_accepted_only_from_our_own_pages() {
    let (begun, people) = begun();
    let mut cells = 0;
    for change in &CHANGES {
        // A refused request leaves no trace, so one world is enough for all of them.
        let refusing = begun.copied();
        let before = refusing.db.dump();
        for (origin, site, ours) in sources() {
            let taking = ours.then(|| refusing.forked());
            let world = taking.as_ref().unwrap_or(&refusing);
            let browser = change.browser(world, &people);
            let mut headers = vec![("content-type", "application/json")];
            headers.extend(origin.map(|origin| ("origin", origin)));
            headers.extend(site.map(|site| ("sec-fetch-site", site)));
            let body = change.body(world, &browser);
            let (target, body) = (change.target(world), Body::Bytes(body.into()));
            let response = browser.send(change.method, &target, &headers, body);
            let what = format!(
                "{} {} {origin:?} {site:?}: {response:?}",
                change.method, change.route
            );
            if ours {
                assert!((200..300).contains(&response.status), "{what}");
                assert_ne!(world.db.dump(), before, "{what}");
            } else {
                let refused = (403, String::from("foreign_origin"));
                assert_eq!((response.status, response.code()), refused, "{what}");
                assert_eq!(response.header("set-cookie"), "", "{what}");
            }
            cells += 1;
        }
        assert_eq!(refusing.db.dump(), before, "{}", change.route);
    }
    println!("counted: {cells} changes from our pages and from others");
}

/// Signing out of one browser needs no session, and does nothing else. A foreign page cannot even do that.
#[test]
fn a_foreign_page_signs_nobody_out() {
    let (begun, people) = begun();
    let signing_out: Vec<_> = ROUTES
        .iter()
        .filter(|route| route.method.is_unsafe() && route.takes == Takes::EmptyForm)
        .collect();
    assert_eq!(signing_out.len(), 1);
    assert_eq!(
        (signing_out[0].path, signing_out[0].who),
        ("/auth/logout", Who::Anyone)
    );
    for production in [false, true] {
        let world = begun.forked();
        let at = if production {
            "https://keys.example.org"
        } else {
            ORIGIN
        };
        world.set("PUBLIC_ORIGIN", at);
        for (origin, site, _) in sources() {
            let origin = origin.map(|origin| if origin == ORIGIN { at } else { origin });
            let ours = origin == Some(at) && matches!(site, None | Some("same-origin"));
            let mut request = http::Request::builder()
                .method("POST")
                .uri(format!("{at}/auth/logout"))
                .header("cookie", cookie_header(&people[0]));
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let service = world.service();
            let answer = service.answer(request.body(Body::Empty).unwrap());
            let response = world.run(answer).unwrap();
            let what = format!("{at} {origin:?} {site:?}: {response:?}");
            assert_eq!(response.status, if ours { 303 } else { 403 }, "{what}");
            let cleared = response.header("set-cookie").contains("Max-Age=0");
            assert_eq!(cleared, ours, "{what}");
        }
    }
}
