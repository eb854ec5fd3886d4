//! The pages that the Worker fills: their figures, their words, and what they never contain.

use crate::support::{Browser, World};

const DOCUMENTS: [&str; 6] = ["/", "/docs", "/keys", "/account", "/usage", "/leak"];

/// A page's text as a reader sees it: without tags, with entities resolved, and with white space as one space.
fn text(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
    }
    for (entity, plain) in [
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#38;", "&"),
    ] {
        text = text.replace(entity, plain);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(world: &World, path: &str) -> String {
    let response = Browser::new(world).get(path);
    assert_eq!(response.status, 200, "{path}");
    text(&response.body)
}

#[test]
fn every_figure_of_the_documents_comes_from_configuration() {
    let world = World::new();
    for (name, value) in [
        ("KEY_LIMIT_USD", "7.50"),
        ("KEY_LIMIT_RESET", "weekly"),
        ("KEY_EXPIRY_DAYS", "1"),
        ("MIN_ACCOUNT_AGE_DAYS", "45"),
        ("EXAMPLE_MODEL", "meta-llama/llama-9:free"),
        ("OPENROUTER_API_URL", "https://eu.openrouter.example/api/v1"),
    ] {
        world.set(name, value);
    }
    let (landing, docs, keys) = (
        page(&world, "/"),
        page(&world, "/docs"),
        page(&world, "/keys"),
    );
    for response in [&landing, &docs] {
        for figure in [
            "$7.50 a week",
            "on Mondays at 00:00 UTC",
            "1 day after the claim",
        ] {
            assert!(response.contains(figure), "{figure}: {response}");
        }
    }
    assert!(landing.contains("capped at $7.50 a week") && landing.contains("45 days old"));
    assert!(docs.contains("Key limit exceeded (weekly limit)"));
    for response in [&landing, &docs, &keys] {
        assert!(response.contains("meta-llama/llama-9:free"), "{response}");
        assert!(response.contains("https://eu.openrouter.example/api/v1"));
        for literal in [
            "$5",
            "a day,",
            "90 days",
            "gpt-latest",
            "/openrouter.ai/api",
            "{{",
        ] {
            assert!(!response.contains(literal), "{literal}: {response}");
        }
    }
    assert!(docs.contains("ANTHROPIC_BASE_URL=\"https://eu.openrouter.example/api\""));
}

#[test]
fn the_landing_page_has_its_headline_one_button_models_steps_and_the_way_to_the_docs() {
    let world = World::new();
    let landing = Browser::new(&world).get("/").body;
    assert_eq!(landing.matches("<h1>").count(), 1);
    assert_eq!(landing.matches("is-primary").count(), 1, "one button");
    assert!(landing.contains(r#"class="button is-primary" href="/auth/github?next=keys""#));
    let steps = landing.split("<ol class=\"steps\">").nth(1).unwrap();
    let steps = steps.split("</ol>").next().unwrap();
    assert_eq!(steps.matches("<li>").count(), 3);
    assert!(landing.contains("href=\"/docs\"") && landing.contains("<dt>Models</dt>"));
}

#[test]
fn the_code_is_linked_where_its_address_is_set_and_nowhere_else() {
    let world = World::new();
    for path in DOCUMENTS {
        assert!(!page(&world, path).contains("Source code"), "{path}");
    }
    world.set("SOURCE_URL", "https://code.example/keycap?a=1&b=\"2\"");
    for path in DOCUMENTS {
        let response = Browser::new(&world).get(path).body;
        let link = "href=\"https://code.example/keycap?a=1&#38;b=%222%22\"";
        assert!(response.contains(link), "{path}: {response}");
    }
}

#[test]
fn a_closed_deployment_says_why_in_place_of_the_button_and_members_can_still_sign_in() {
    let world = World::new();
    world.set("PROJECT_STATUS", "pending");
    let landing = Browser::new(&world).get("/").body;
    let button = landing.split("<button").nth(1).unwrap();
    let button = button.split("</button>").next().unwrap();
    assert!(button.contains("disabled") && button.ends_with("Project pending"));
    assert!(button.contains("aria-describedby=\"closed-reason\""));
    assert!(landing.contains("id=\"closed-reason\">This service has not opened yet."));
    assert!(landing.contains("Continue with GitHub"));
    world.set("PROJECT_STATUS", "live");
    world.set("PROVISIONING_ENABLED", "false");
    assert!(page(&world, "/").contains("New keys are not given out at the moment."));
    world.set("API_KEYS_PAGE", "false");
    let hidden = Browser::new(&world).get("/").body;
    assert!(!hidden.contains("href=\"/keys\"") && !hidden.contains("data-continue"));
}

#[test]
fn the_docs_are_available_while_claims_are_paused() {
    let world = World::new();
    let open = page(&world, "/docs");
    assert!(!open.contains("Claims are paused."));
    for text in [
        "Base URL",
        "Authorization: Bearer $OPENROUTER_API_KEY",
        "/chat/completions",
        "Python",
        "JavaScript",
        "Claude Code",
        "Codex",
        "may finish and overshoot it",
        "not carried into the next period",
        "Key limit exceeded (daily limit)",
        "limit_remaining",
        "We keep no copy",
    ] {
        assert!(open.contains(text), "{text}: {open}");
    }
    world.set("PROJECT_STATUS", "pending");
    let paused = page(&world, "/docs");
    assert!(paused.contains("Claims are paused.") && paused.contains("$5.00 a day"));
}

#[test]
fn the_docs_have_the_rules_of_the_deployment_and_every_example_reads_the_variable() {
    let world = World::new();
    let docs = page(&world, "/docs");
    for rule in [
        "One person, one key.",
        "Do not share it, pass it on, or resell",
        "One key, one purpose.",
        "do not develop with a key that is used in production",
        "Never in code.",
        "OpenRouter’s own terms apply too",
    ] {
        assert!(docs.contains(rule), "{rule}");
    }
    for path in DOCUMENTS {
        // The page for leaks says how a key begins.
        let shown = page(&world, path).replace("sk-or-v1-…", "");
        assert!(!shown.contains("sk-or-"), "{path}");
    }
}

#[test]
fn the_docs_say_what_byok_costs_and_how_to_exclude_paid_capacity() {
    let docs = page(&World::new(), "/docs");
    for text in [
        "requests through provider keys that are stored with OpenRouter. They are not free",
        "a fee for them beyond a threshold",
        "may fall back to paid capacity",
        "allowed_models of the workspace’s default guardrail to free models",
        "Any other guardrail enforces nothing until it is assigned",
    ] {
        assert!(docs.contains(text), "{text}: {docs}");
    }
}

#[test]
fn a_sign_in_error_is_one_of_fixed_texts_and_reflects_nothing() {
    let world = World::new();
    let browser = Browser::new(&world);
    let response = browser.get("/?auth_error=denied").body;
    assert!(response.contains("role=\"alert\"") && response.contains("You did not sign in."));
    let other = browser.get("/?auth_error=1").body;
    assert!(other.contains("You are not signed in."));
    for hostile in [
        "%3Cscript%3Ecanary%3C/script%3E",
        "canary",
        "denied%00canary",
        "%22canary",
    ] {
        let response = browser.get(&format!("/?auth_error={hostile}")).body;
        assert_eq!(response, other, "{hostile}");
    }
    assert!(!browser.get("/").body.contains("data-auth-error"));
}

#[test]
fn errors_have_pages_in_words_with_the_request_id_and_a_way_on() {
    let world = World::new();
    let browser = Browser::new(&world);
    let missing = browser.send(
        "GET",
        "/nothing",
        &[("accept", "text/html")],
        keycap::http::server::message::Body::Empty,
    );
    assert_eq!(missing.status, 404);
    world.set("KEY_LIMIT_USD", "");
    let broken = Browser::new(&world).send(
        "GET",
        "/docs",
        &[("accept", "text/html")],
        keycap::http::server::message::Body::Empty,
    );
    assert_eq!(broken.status, 503);
    for (response, title) in [
        (&missing, "There is nothing here"),
        (&broken, "This service is not set up yet"),
    ] {
        let read = text(&response.body);
        assert!(read.contains(title), "{read}");
        assert!(read.contains(response.header("x-request-id")), "{read}");
        assert!(response.body.contains("href=\"/\"") && response.body.contains("class=\"lede\""));
    }
}

#[test]
fn a_security_txt_exists_only_with_a_contact_and_is_404_without_one() {
    let world = World::new();
    let response = Browser::new(&world).get("/.well-known/security.txt");
    assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
    let fields: Vec<(&str, &str)> = response
        .body
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["Contact", "Expires", "Preferred-Languages", "Canonical"]
    );
    assert_eq!(fields[0].1, "mailto:security@keys.example");
    assert_eq!(
        fields[3].1,
        "http://localhost:8787/.well-known/security.txt"
    );
    // RFC 9116, 2.5.5: the expiry is in the future, by less than a year.
    let expires = keycap::domain::time::Timestamp::parse(fields[1].1).unwrap();
    let ahead = expires.since(world.now()) / 86_400;
    assert!((100..365).contains(&ahead), "{ahead} days");
    assert!(
        Browser::new(&world)
            .get("/docs")
            .body
            .contains("href=\"/.well-known/security.txt\"")
    );

    world.set("SECURITY_CONTACT", "");
    let browser = Browser::new(&world);
    let id = [("x-request-id", "same-request-id")];
    let ask = |path| {
        let response = browser.send("GET", path, &id, keycap::http::server::message::Body::Empty);
        (response.status, response.body, response.headers)
    };
    assert_eq!(
        ask("/.well-known/security.txt"),
        ask("/.well-known/nothing.txt")
    );
    assert_eq!(ask("/.well-known/security.txt").0, 404);
    assert!(!browser.get("/docs").body.contains("security.txt"));
}

#[test]
fn the_landing_page_the_docs_and_the_health_route_show_that_an_admin_closed_claims() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let anybody = operator.at_fresh_isolate();
    anybody.cookies.borrow_mut().clear();
    let is_open = |browser: &Browser<'_>| {
        let landing = browser.get("/").body.contains("claims open");
        let docs = !browser
            .get("/docs")
            .body
            .contains("New keys are not given out");
        let health = browser.get("/healthz").json()["claims_open"] == true;
        assert_eq!((landing, docs), (health, health));
        health
    };
    assert!(is_open(&operator) && is_open(&anybody));
    for (close, open) in [
        (r#"{"minting":"stopped"}"#, r#"{"minting":"open"}"#),
        (r#"{"keys":"off","confirm":9}"#, r#"{"minting":"open"}"#),
    ] {
        assert_eq!(operator.patch("/api/v1/admin/settings", close).status, 200);
        assert!(!is_open(&operator), "at once where it was switched");
        world.pass(60);
        assert!(!is_open(&anybody), "and within a minute elsewhere");
        operator.patch("/api/v1/admin/settings", r#"{"keys":"on"}"#);
        assert_eq!(operator.patch("/api/v1/admin/settings", open).status, 200);
        world.pass(60);
        assert!(is_open(&operator) && is_open(&anybody));
    }
    // A database that does not answer closes no page, and an isolate asks it at most once a minute.
    world.effects.plan(&[]);
    for _ in 0..5 {
        anybody.get("/");
    }
    assert_eq!(world.effects.count(), 0);
}

#[test]
fn the_docs_say_that_rates_are_the_accounts_and_promise_none_for_a_key() {
    let world = World::new();
    let docs = page(&world, "/docs");
    for text in [
        "OpenRouter counts the requests of our whole account, not of each key",
        "others have to wait too",
        "we promise no rate for a key",
    ] {
        assert!(docs.contains(text), "{text}");
    }
    // No other page promises a rate either.
    for path in DOCUMENTS {
        for promise in [
            "requests per minute",
            "requests a minute",
            "requests per second",
        ] {
            assert!(!page(&world, path).contains(promise), "{path}: {promise}");
        }
    }
}

#[test]
fn links_to_the_keys_page_exist_only_if_the_page_does() {
    for (on, status) in [("true", 200), ("false", 404)] {
        let world = World::new();
        world.set("API_KEYS_PAGE", on);
        let browser = Browser::new(&world);
        for path in ["/", "/docs", "/keys", "/nothing"] {
            let html = browser
                .send(
                    "GET",
                    path,
                    &[("accept", "text/html")],
                    keycap::http::server::message::Body::Empty,
                )
                .body;
            let leads_there = html.contains("href=\"/keys\"");
            assert_eq!(leads_there, on == "true", "{on} {path}: {html}");
        }
        assert_eq!(browser.get("/keys").status, status, "{on}");
        let data = if on == "true" { 401 } else { 404 };
        assert_eq!(browser.get("/api/v1/keys").status, data, "{on}");
    }
}
