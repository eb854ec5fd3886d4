//! Several sign-ins of one browser, and the page on which they begin and end.

use super::{
    Attempt, DENIED, EXPIRED, OWN, STATE, come_back, cookies_set, gives_a_session, parameter,
};
use crate::attacks::{Caller, SESSION};
use crate::support::{Browser, World, oracle};

#[test]
fn the_first_callback_uses_up_a_sign_in() {
    let world = World::new();
    let caller = Caller::new(&world);
    let (attempt, location) = Attempt::begun(&caller, "keys");
    let codes: Vec<String> = (0..6)
        .map(|_| parameter(&Browser::new(&world).approve(&location, "member"), "code"))
        .collect();
    let again = |code: &str| {
        let query = format!("code={code}&state={}", attempt.state);
        let response = come_back(&caller, &query, &attempt.cookie());
        assert_eq!(
            gives_a_session(&response),
            response.header("location") == OWN
        );
        response.header("location").to_owned()
    };
    assert_eq!(again(&codes[0]), OWN);
    let written = world.db.dump();
    for code in &codes[1..] {
        assert_eq!(again(code), STATE, "a fresh code, a used state");
    }
    for code in &codes {
        assert_eq!(again(code), EXPIRED, "a used code");
    }
    assert_eq!(world.db.dump(), written, "a replay writes nothing");
    oracle::always(&world);
    println!("counted: {} replayed sign-ins", codes.len() * 2 - 1);
}

#[test]
fn tabs_side_by_side_finish_in_any_order_each_on_its_own_page() {
    let tabs = [("keys", "/keys"), ("docs", "/docs"), ("usage", "/usage")];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        for declined in 0..=tabs.len() {
            let world = World::new();
            let caller = Caller::new(&world);
            let begun: Vec<Attempt> = tabs
                .iter()
                .map(|(next, _)| Attempt::approved(&caller, next, "member"))
                .collect();
            let mut jar: Vec<String> = begun.iter().map(Attempt::cookie).collect();
            let mut signed_in = false;
            for n in order {
                let attempt = &begun[n];
                let declines = n == declined;
                let query = if declines {
                    format!("error=access_denied&state={}", attempt.state)
                } else {
                    attempt.query()
                };
                // A person whom another tab has signed in goes to the page of this tab, whatever GitHub returned.
                let leads_to = if declines && !signed_in {
                    DENIED
                } else {
                    tabs[n].1
                };
                let response = come_back(&caller, &query, &jar.join("; "));
                assert_eq!(
                    response.header("location"),
                    leads_to,
                    "{order:?} {declined}"
                );
                let set = cookies_set(&response);
                if declines && !signed_in {
                    let own = |set: &String| set.starts_with(&attempt.name);
                    assert!(set.iter().all(own), "{set:?}: another tab's is left alone");
                }
                for line in &set {
                    let cookie = line.split(';').next().unwrap();
                    let name = cookie.split('=').next().unwrap();
                    jar.retain(|kept| kept.split('=').next() != Some(name));
                    if !line.contains("Max-Age=0") {
                        jar.push(cookie.to_owned());
                    }
                }
                signed_in |= gives_a_session(&response);
                let left = jar.iter().filter(|kept| !kept.starts_with(SESSION));
                assert!(
                    !signed_in || left.count() == 0,
                    "{jar:?}: all attempts are over"
                );
            }
            assert!(signed_in, "{order:?} {declined}");
            let members = world.db.number("SELECT COUNT(*) FROM members");
            assert_eq!(members, 1, "one person, however many tabs");
            oracle::always(&world);
        }
    }
    println!(
        "counted: {} interleavings of three tabs",
        orders.len() * (tabs.len() + 1)
    );
}

#[test]
fn the_start_page_never_repeats_text_of_its_address() {
    let world = World::new();
    let caller = Caller::new(&world);
    let payloads = [
        "<script>canary()</script>",
        "\"><img src=x onerror=canary()>",
        "canary",
        "denied canary",
        "denied\u{0}canary",
        "javascript:canary()",
        "{{canary}}",
        "${canary}",
        "%3Ccanary%3E",
        "<!--canary-->",
        "\u{202e}canary",
        "state\r\ncanary: 1",
    ];
    let mut count = 0;
    for payload in payloads {
        let encoded: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        for query in [
            format!("auth_error={encoded}"),
            format!("auth_error=denied&auth_error={encoded}"),
            format!("auth_error=denied&error_description={encoded}"),
            format!("{encoded}=1"),
            format!("next={encoded}&auth_error={encoded}"),
            encoded.clone(),
        ] {
            let response = caller.get(&format!("/?{query}"), &[("accept", b"text/html")]);
            assert_eq!(response.status, 200, "{query}");
            assert!(!response.body.contains("canary"), "{query}");
            count += 1;
        }
    }
    println!("counted: {count} addresses of the start page");
}
