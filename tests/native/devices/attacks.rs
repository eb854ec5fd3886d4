//! Others who try to get a key by somebody's approval, or an approval by guessing; and many questions at once.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::*;
use crate::support::oracle;

#[test]
fn asked_fifty_times_at_once_one_question_makes_one_key() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = approved(&terminal, &member);
    let held: Vec<(usize, Fate)> = (0..50 * 10).map(|k| (k, Fate::HeldBefore)).collect();
    world.effects.plan(&held);
    type Answering = Pin<Box<dyn Future<Output = Response>>>;
    let mut all: Vec<Answering> = (0..50)
        .map(|_| {
            let service = world.service();
            let request = by_terminal(
                "/api/v1/device/token",
                &[
                    ("grant_type", GRANT_TYPE),
                    ("device_code", &begun.device_code),
                    ("client_id", "shell"),
                ],
            );
            let answering: Answering = Box::pin(async move { service.answer(request).await });
            answering
        })
        .collect();
    let mut answers = Vec::new();
    while !all.is_empty() {
        all.retain_mut(|answering| {
            let mut context = Context::from_waker(Waker::noop());
            match answering.as_mut().poll(&mut context) {
                Poll::Ready(answer) => {
                    answers.push(answer);
                    false
                }
                Poll::Pending => true,
            }
        });
    }
    world.effects.plan(&[]);
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((answers.len(), good, mints(&world)), (50, 1, 1));
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(error(answer), "invalid_grant", "{answer:?}");
    }
    oracle::settled(&world);
}

#[test]
fn no_order_of_an_attackers_and_a_victims_steps_gives_a_key_without_a_typed_approval() {
    let world = World::new();
    let victim = Browser::signed_in(&world, "member");
    let attacker = Browser::signed_in(&world, "second");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    // The attacker's link, opened by the victim, decides nothing.
    assert_eq!(victim.get("/device").status, 200);
    assert_eq!(looks_up(&victim, &begun.user_code).status, 200);
    assert_eq!(error(&terminal.asks(&begun)), "authorization_pending");
    // What one member has decided is nobody else's to see or to change.
    assert_eq!(approves(&victim, &begun.user_code).status, 200);
    for response in [
        looks_up(&attacker, &begun.user_code),
        approves(&attacker, &begun.user_code),
        denies(&attacker, &begun.user_code),
    ] {
        assert_eq!(
            (response.status, response.code()),
            (404, String::from("device_code_unknown"))
        );
    }
    // The code that people see asks for nothing.
    let guess = Begun {
        device_code: begun.user_code.clone(),
        user_code: begun.user_code.clone(),
    };
    assert_eq!(error(&terminal.asks(&guess)), "invalid_grant");
    assert_eq!(mints(&world), 0);
    // The key is the victim's, who is told so: it counts as theirs, and they can end it.
    world.pass(5);
    assert_eq!(terminal.asks(&begun).status, 200);
    assert_eq!(
        victim.get("/api/v1/keys").json()["keys"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(attacker.get("/api/v1/keys").json()["keys"], json!([]));
}

#[test]
fn twenty_wrong_codes_a_day_are_all_that_a_member_can_type() {
    let world = World::new();
    let guesser = Browser::signed_in(&world, "second");
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    // What cannot be a code is not counted, and neither is a right one.
    for code in ["", "BCDF", "BCDF-GHJK-L", "12345678"] {
        assert_eq!(looks_up(&guesser, code).code(), "device_code_unknown");
    }
    for n in 0..19 {
        let response = [looks_up, approves, denies][n % 3](&guesser, "BBBB-BBBB");
        assert_eq!(response.code(), "device_code_unknown", "{n}");
    }
    assert_eq!(looks_up(&guesser, &begun.user_code).status, 200);
    assert_eq!(looks_up(&guesser, "BBBB-BBBB").code(), "daily_quota");
    // From now on also the right code is refused, so that nobody learns which one is.
    for code in ["BBBB-BBBB", begun.user_code.as_str()] {
        for response in [
            looks_up(&guesser, code),
            approves(&guesser, code),
            denies(&guesser, code),
        ] {
            assert_eq!(
                (response.status, response.code()),
                (429, String::from("daily_quota"))
            );
        }
    }
    let counted = "SELECT COUNT(*) FROM audit WHERE action = 'device_code_wrong'";
    assert_eq!(world.db.number(counted), 20);
    let another = Browser::signed_in(&world, "member");
    assert_eq!(approves(&another, &begun.user_code).status, 200);
    world.pass(86_400);
    let begun = terminal.begins();
    let guesser = Browser::signed_in(&world, "second");
    assert_eq!(looks_up(&guesser, &begun.user_code).status, 200);
}

#[test]
fn nothing_that_is_stored_is_a_code_or_gives_one_away() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let begun = approved(&terminal, &member);
    let plain: String = begun.user_code.replace('-', "");
    let dump = format!("{}{}", world.db.dump(), world.log.borrow().join("\n"));
    for secret in [
        begun.device_code.clone(),
        begun.user_code.clone(),
        plain.clone(),
        // Of eight letters every plain hash is quickly found.
        keycap::crypto::sha256_hex(plain.as_bytes()),
        keycap::crypto::sha256_hex(begun.user_code.as_bytes()),
        String::from(terminal.address),
    ] {
        assert!(!dump.contains(&secret), "{secret}");
    }
    let secret = terminal.asks(&begun).secret().unwrap();
    let rest = format!("{}{}", world.db.dump(), world.log.borrow().join("\n"));
    assert!(!rest.contains(&secret));
}

#[test]
fn the_page_learns_whether_the_terminal_has_the_same_network_address() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let mut terminal = Terminal::new(&world);
    let body = |begun: &Begun| json!({ "user_code": begun.user_code }).to_string();
    let from = |address: Option<&'static str>, begun: &Begun| {
        let mut headers = vec![("origin", ORIGIN), ("content-type", "application/json")];
        headers.extend(address.map(|address| ("cf-connecting-ip", address)));
        let asked = Body::Bytes(body(begun).into());
        let response = member.send("POST", "/api/v1/device/lookup", &headers, asked);
        response.json()["grant"]["same_address"].clone()
    };
    let begun = terminal.begins();
    assert_eq!(from(Some("192.0.2.7"), &begun), json!(true));
    assert_eq!(from(Some("192.0.2.8"), &begun), json!(false));
    assert_eq!(from(None, &begun), Value::Null);
    terminal.address = "no address";
    let begun = terminal.begins();
    assert_eq!(from(Some("192.0.2.7"), &begun), Value::Null);
}

#[test]
fn a_page_can_neither_begin_a_grant_nor_ask_for_its_key() {
    let world = World::new();
    let terminal = Terminal::new(&world);
    let begun = terminal.begins();
    let before = world.db.dump();
    for (name, value) in [
        ("origin", ORIGIN),
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-site", "none"),
    ] {
        for (target, fields) in [
            ("/api/v1/device/code", vec![("client_id", "shell")]),
            (
                "/api/v1/device/token",
                vec![
                    ("grant_type", GRANT_TYPE),
                    ("device_code", begun.device_code.as_str()),
                    ("client_id", "shell"),
                ],
            ),
        ] {
            let headers = [("content-type", FORM), (name, value)];
            let body = Body::Bytes(form(&fields).into());
            let response = Browser::new(&world).send("POST", target, &headers, body);
            assert_eq!(
                (response.status, error(&response)),
                (403, String::from("invalid_request"))
            );
        }
    }
    for (kind, body, status) in [
        ("application/json", String::from("{}"), 415),
        (FORM, format!("client_id={}", "x".repeat(1_024)), 413),
    ] {
        let headers = [("content-type", kind)];
        let body = Body::Bytes(body.into());
        let response = Browser::new(&world).send("POST", "/api/v1/device/code", &headers, body);
        assert_eq!(
            (response.status, error(&response)),
            (status, String::from("invalid_request"))
        );
    }
    assert_eq!(world.db.dump(), before);
}

#[test]
fn what_a_terminal_says_about_itself_is_one_visible_line() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let terminal = Terminal::new(&world);
    let hostile = "<script>\u{202e}\r\nalert(1)</script>\u{200b}";
    let response = terminal.send(
        "/api/v1/device/code",
        &[("client_id", hostile), ("device_name", hostile)],
    );
    let shown = looks_up(&member, &begun(&response).user_code).json()["grant"].clone();
    assert_eq!(shown["client"], "<script>alert(1)</script>");
    assert_eq!(shown["device"], shown["client"]);
    assert!(!world.log.borrow().join("\n").contains("alert"));
}

#[test]
fn only_so_many_grants_can_wait_at_once() {
    let world = World::new();
    let at = world.now().secs();
    world.db.run(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
         INSERT INTO device_grants (device_code_sha256, user_code_hmac, client, created_at, expires_at)
         SELECT printf('%064d', i), printf('%064d', i), 'shell', {at}, {at} + 600 FROM n"
    ));
    let terminal = Terminal::new(&world);
    let full = terminal.send("/api/v1/device/code", &[("client_id", "shell")]);
    assert_eq!(
        (full.status, error(&full)),
        (503, String::from("temporarily_unavailable"))
    );
    assert_eq!(full.header("retry-after"), "600");
    world.pass(600);
    terminal.begins();
}
