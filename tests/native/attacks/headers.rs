//! Request headers: values that cannot be sent, values that must not come back, and extreme Idempotency-Keys.

use http::{HeaderName, HeaderValue};
use keycap::http::server::message::Body;

use super::{Caller, Chance, cookie_of, ours, request};
use crate::support::browser::CLAIM;
use crate::support::world::ORIGIN;
use crate::support::{Browser, World, oracle};

/// Every header that the service reads (`src/platform/inbound.rs`), and some that it does not read.
const READ: &[&str] = &[
    "accept",
    "cf-connecting-ip",
    "content-type",
    "cookie",
    "host",
    "idempotency-key",
    "origin",
    "sec-fetch-site",
    "x-keycap-member",
    "x-request-id",
    "authorization",
    "content-length",
    "transfer-encoding",
    "expect",
    "range",
    "if-none-match",
];

const TARGETS: &[(&str, &str)] = &[
    ("GET", "/"),
    ("GET", "/keys"),
    ("GET", "/auth/github"),
    ("GET", "/auth/github/callback"),
    ("GET", "/auth/google/callback"),
    ("GET", "/auth/relay"),
    ("GET", "/api/v1/me"),
    ("POST", "/api/v1/claim"),
    ("GET", "/healthz"),
    ("GET", "/nothing"),
];

fn hostile_values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [
        "",
        " ",
        "\t",
        "canary",
        "canary\tcanary",
        "\"canary\"",
        "<script>canary()</script>",
        "canary; canary=canary; canary",
        "canary,canary",
        "canary%0d%0aset-cookie:%20canary=1",
        "canary\\r\\nset-cookie: canary=1",
        "\u{560a}\u{560d}canary",
        "canary\u{85}canary",
        "\u{2028}canary",
        "() { canary; }; canary",
        "${jndi:ldap://canary.example}",
        "' OR 'canary'='canary",
        "../../canary",
        "-1",
        "0",
        "99999999999999999999",
        "null",
        "true",
        "{}",
        "*/*",
        "application/json",
        "http://localhost:8787",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    // One value has every ASCII byte that a header may hold, and one every byte of the upper half. More have a byte of
    // the upper half each.
    values.push((0x20..=0x7e).collect());
    values.push((0x80..=0xff).collect());
    values.extend(
        (0x80..=0xff_u8)
            .step_by(9)
            .map(|byte| vec![b'c', byte, b'x']),
    );
    for size in [256, 4_096, 16_384, 65_536, 1_048_576] {
        values.push(b"canary".iter().copied().cycle().take(size).collect());
        values.push(vec![0xe9; size / 4]);
    }
    values
}

#[test]
fn no_header_of_a_request_comes_back_in_an_answer_or_breaks_one() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    let values = hostile_values();
    // Twenty of the claims would be valid. The block refuses them, so that only the headers matter.
    world.block("1000100");
    let before = world.db.dump();
    let mut count = 0;
    for (method, target) in TARGETS.iter().copied() {
        for name in READ.iter().copied() {
            for value in &values {
                let mut headers = Vec::new();
                if method == "POST" {
                    headers.extend(
                        ours(cookie.as_bytes())
                            .into_iter()
                            .filter(|(own, _)| *own != name),
                    );
                } else if name != "cookie" {
                    headers.push(("cookie", cookie.as_bytes()));
                }
                headers.push((name, value));
                let body = if method == "POST" {
                    Body::Bytes(b"{}".to_vec())
                } else {
                    Body::Empty
                };
                let response = caller.ask(request(method, target, &headers, body).unwrap());
                let what = || {
                    format!(
                        "{method} {target} {name}: {:?}",
                        String::from_utf8_lossy(&value[..value.len().min(60)])
                    )
                };
                assert!(!response.body.contains("canary"), "{}", what());
                // Only a request id of plain letters and digits may come back.
                let own_id = response.header("x-request-id").as_bytes() == value.as_slice();
                assert!(
                    !own_id
                        || (name == "x-request-id" && value.iter().all(u8::is_ascii_alphanumeric)),
                    "{}",
                    what()
                );
                for (answered, text) in &response.headers {
                    let echoed = text.to_str().unwrap().contains("canary");
                    assert!(
                        !echoed || (own_id && answered == "x-request-id"),
                        "{}",
                        what()
                    );
                }
                count += 1;
            }
        }
    }
    assert_eq!(world.db.dump(), before, "no header writes");
    for line in world.log.borrow().iter() {
        assert!(!line.contains('\n') && !line.contains("canary"), "{line}");
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    oracle::always(&world);
    println!("counted: {count} header payloads");
}

#[test]
fn no_header_value_can_contain_a_line_break() {
    let mut count = 0;
    for byte in (0..=0x1f_u8).chain([0x7f]).filter(|byte| *byte != b'\t') {
        for value in [
            vec![byte],
            vec![b'a', byte, b'b'],
            vec![b'a', b'\r', b'\n', byte],
        ] {
            assert!(HeaderValue::from_bytes(&value).is_err(), "{value:?}");
            count += 1;
        }
    }
    for name in ["a b", "a:b", "a\r\nb", "", "a\0", "é", "a\n"] {
        assert!(HeaderName::from_bytes(name.as_bytes()).is_err(), "{name:?}");
        count += 1;
    }
    println!("counted: {count} headers that cannot be sent");
}

#[test]
fn a_request_id_is_taken_only_as_eight_to_sixty_four_plain_characters() {
    let world = World::new();
    let caller = Caller::new(&world);
    let mut chance = Chance(0x1d);
    let mut ids: Vec<Vec<u8>> = Vec::new();
    for length in [0, 1, 7, 8, 9, 63, 64, 65, 128, 4_096] {
        ids.push(vec![b'a'; length]);
        ids.push(vec![b'-'; length]);
    }
    // Every other character is put into a valid id, at the beginning, in the middle and at the end.
    for byte in (0x20..=0xff_u8).filter(|byte| *byte != 0x7f).chain([b'\t']) {
        for at in [0, 5, 10] {
            let mut id = b"good-id-09".to_vec();
            id.insert(at, byte);
            ids.push(id);
        }
    }
    for _ in 0..500 {
        let length = chance.below(70);
        let letters = b"abcXYZ019-_.;/ =\xe9";
        ids.push((0..length).map(|_| *chance.pick(letters)).collect());
    }
    let (mut taken, mut made) = (0, 0);
    for id in &ids {
        let response = caller.get("/nothing", &[("x-request-id", id)]);
        let given = response.header("x-request-id");
        assert_eq!(response.json()["instance"], given);
        let plain = (8..=64).contains(&id.len())
            && id
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_');
        if plain {
            assert_eq!(given.as_bytes(), id.as_slice());
            taken += 1;
        } else {
            let hex = given.strip_prefix("req_").unwrap();
            assert!(
                hex.len() == 24 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{given}"
            );
            made += 1;
        }
        assert!(world.log.borrow().last().unwrap().contains(given));
    }
    println!(
        "counted: {} request ids, {taken} of them taken",
        taken + made
    );
}

#[test]
fn only_our_exact_origin_given_once_is_accepted() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    let ask = |more: &[(&str, &[u8])]| {
        let headers = [
            &[
                ("cookie", cookie.as_bytes()),
                ("content-type", b"application/json".as_slice()),
            ],
            more,
        ]
        .concat();
        let mut statuses = Vec::new();
        for (method, target) in [
            ("POST", "/api/v1/claim"),
            ("POST", "/api/v1/me/sign-out-everywhere"),
            ("POST", "/auth/logout"),
        ] {
            let response =
                caller.ask(request(method, target, &headers, Body::Bytes(b"{}".to_vec())).unwrap());
            assert_eq!(response.code(), "foreign_origin", "{target} {more:?}");
            statuses.push(response.status);
        }
        assert_eq!(statuses, [403; 3]);
    };
    let before = world.db.dump();
    let origins: &[&[u8]] = &[
        b"",
        b"null",
        b"NULL",
        b"*",
        b"http://localhost:8787/",
        b"http://localhost:8787 ",
        b"http://localhost:8787,http://localhost:8787",
        b"http://localhost:8787, https://evil.example",
        b"https://evil.example, http://localhost:8787",
        b"HTTP://LOCALHOST:8787",
        b"http://LOCALHOST:8787",
        b"https://localhost:8787",
        b"//localhost:8787",
        b"localhost:8787",
        b"http://localhost",
        b"http://localhost:80",
        b"http://localhost:8788",
        b"http://localhost:08787",
        b"http://localhost:87870",
        b"http://localhost:8787.evil.example",
        b"http://localhost:8787@evil.example",
        b"http://evil.example#http://localhost:8787",
        b"http://localhost:8787\t",
        b"http://127.0.0.1:8787",
        b"http://[::1]:8787",
        b"http://localhost.:8787",
        b"http://a.localhost:8787",
        b"http://user@localhost:8787",
        b"http://localhost:8787\xff",
        b"\xef\xbb\xbfhttp://localhost:8787",
        b"http://localhost:8787;",
        b"\"http://localhost:8787\"",
        b"file://",
        b"data:",
        b"chrome-extension://abc",
        b"undefined",
    ];
    for origin in origins {
        ask(&[("origin", origin)]);
    }
    // A Referer of our origin does not replace an Origin.
    ask(&[("referer", b"http://localhost:8787/keys")]);
    ask(&[
        ("origin", b"https://evil.example"),
        ("origin", ORIGIN.as_bytes()),
    ]);
    let sites: &[&[u8]] = &[
        b"cross-site",
        b"same-site",
        b"none",
        b"",
        b"Same-Origin",
        b"SAME-ORIGIN",
        b"same-origin, cross-site",
        b"cross-site, same-origin",
        b"same-origin;",
        b" ",
    ];
    for site in sites {
        ask(&[("origin", ORIGIN.as_bytes()), ("sec-fetch-site", site)]);
    }
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
    println!(
        "counted: {} CSRF cells of foreign origins and sites",
        (origins.len() + 2 + sites.len()) * 3
    );
}

#[test]
fn only_the_content_type_of_json_is_accepted_as_json() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    let kinds: &[&[u8]] = &[
        b"",
        b" ",
        b";",
        b"json",
        b"application",
        b"application/",
        b"/json",
        b"application/jso",
        b"application/jsonx",
        b"application/json-patch+json",
        b"application/problem+json",
        b"application/vnd.api+json",
        b"application/json, text/plain",
        b"text/plain, application/json",
        b"text/plain;application/json",
        b"text/json",
        b"text/html",
        b"multipart/form-data; boundary=application/json",
        b"application/x-www-form-urlencoded",
        b"application /json",
        b"application/json\xff",
        b"\xef\xbb\xbfapplication/json",
        b"\"application/json\"",
        b"application\\json",
        b"*/*",
        b"application/*",
    ];
    let before = world.db.dump();
    for kind in kinds {
        for target in ["/api/v1/claim", "/api/v1/me/sign-out-everywhere"] {
            let headers = [
                ("origin", ORIGIN.as_bytes()),
                ("cookie", cookie.as_bytes()),
                ("content-type", kind),
            ];
            let response =
                caller.ask(request("POST", target, &headers, Body::Bytes(b"{}".to_vec())).unwrap());
            assert_eq!(
                response.code(),
                "unsupported_media_type",
                "{target} {:?}",
                String::from_utf8_lossy(kind)
            );
        }
    }
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
    println!("counted: {} content types at routes", kinds.len() * 2);
}

#[test]
fn an_idempotency_key_of_any_shape_mints_at_most_once() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    let claim = |key: &[u8], body: &[u8]| {
        let mut headers = ours(cookie.as_bytes()).to_vec();
        headers.push(("idempotency-key", key));
        let response = caller.ask(
            request(
                "POST",
                "/api/v1/claim",
                &headers,
                Body::Bytes(body.to_vec()),
            )
            .unwrap(),
        );
        assert_eq!(response.secret(), None);
        (response.status, response.code())
    };
    let bad: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"\t".to_vec(),
        b" a".to_vec(),
        b"a ".to_vec(),
        b"a b".to_vec(),
        b"a\tb".to_vec(),
        b"a, b".to_vec(),
        vec![b'k'; 129],
        vec![b'k'; 130],
        vec![b'k'; 65_536],
        vec![0xff],
        vec![b'a', 0xe9],
        "k\u{e9}y".as_bytes().to_vec(),
        "\u{1f511}".as_bytes().to_vec(),
        "\u{ff41}".as_bytes().to_vec(),
        vec![0xc3; 128],
        vec![0x80; 43],
    ];
    let before = world.db.dump();
    for key in &bad {
        assert_eq!(
            claim(key, b"{}"),
            (400, String::from("bad_request")),
            "{:?}",
            String::from_utf8_lossy(key)
        );
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("openrouter.keys.create"), 0);

    // The longest Idempotency-Key mints. The same one gets the first answer again, or is refused with another body.
    // Every other one shows the existing key.
    let longest = vec![b'~'; 128];
    let text = String::from_utf8(longest.clone()).unwrap();
    let headers = [
        ("origin", ORIGIN),
        ("content-type", "application/json"),
        ("idempotency-key", text.as_str()),
    ];
    let first = member.send("POST", "/api/v1/claim", &headers, Body::Bytes(CLAIM.into()));
    assert_eq!(first.status, 201);
    assert_eq!(claim(&longest, CLAIM.as_bytes()).0, 201);
    assert_eq!(
        claim(&longest, b"{ }"),
        (422, String::from("idempotency_mismatch"))
    );
    let good: Vec<Vec<u8>> = (0x21..=0x7e_u8)
        .map(|byte| vec![byte])
        .chain([
            b"' OR '1'='1"
                .iter()
                .copied()
                .filter(u8::is_ascii_graphic)
                .collect(),
            b"../../etc/passwd".to_vec(),
            b"{}".to_vec(),
            b"null".to_vec(),
            vec![b'~'; 127],
            b"%00".to_vec(),
            b"\\0".to_vec(),
            b"?1".to_vec(),
        ])
        .collect();
    for key in &good {
        assert_eq!(
            claim(key, b"{}").0,
            200,
            "{:?}",
            String::from_utf8_lossy(key)
        );
    }
    // The same Idempotency-Key of another member is a different key.
    let other = Browser::signed_in(&world, "second");
    let response = other.send("POST", "/api/v1/claim", &headers, Body::Bytes(CLAIM.into()));
    assert_eq!(response.status, 201);
    assert_eq!(world.calls("openrouter.keys.create"), 2);
    oracle::always(&world);
    println!(
        "counted: {} idempotency keys, {} of them taken",
        bad.len() + good.len() + 2,
        good.len() + 2
    );
}

#[test]
fn a_sec_fetch_site_header_that_cannot_be_read_is_refused() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    for site in [b"cross-site\xff".as_slice(), b"\xe9", b"same-origin\xa0"] {
        let mut headers = ours(cookie.as_bytes()).to_vec();
        headers.push(("sec-fetch-site", site));
        let asked = request(
            "POST",
            "/api/v1/claim",
            &headers,
            Body::Bytes(b"{}".to_vec()),
        );
        assert_eq!(
            caller.ask(asked.unwrap()).code(),
            "foreign_origin",
            "{site:?}"
        );
    }
    oracle::always(&world);
    println!("counted: 3 sites that cannot be read");
}

#[test]
fn no_header_of_a_request_decides_who_the_caller_is() {
    let world = World::new();
    let (member, second) = (
        Browser::signed_in(&world, "member"),
        Browser::signed_in(&world, "second"),
    );
    assert_eq!(member.claim().status, 201);
    let id = world.member("member");
    let subject = "1000100";
    let bearer = format!("Bearer {id}");
    let session = member.cookies.borrow()[super::SESSION].clone();
    let bearer_session = format!("Bearer {session}");
    for name in [
        "x-user-id",
        "x-user",
        "x-forwarded-user",
        "x-remote-user",
        "remote-user",
        "x-auth-user",
        "x-member-id",
        "x-keycap-member",
        "x-github-user-id",
        "cf-access-authenticated-user-email",
        "x-authenticated-userid",
        "x-ms-client-principal-id",
        "authorization",
        "x-session",
        "x-admin",
        "x-original-user",
    ] {
        for value in [
            id.as_str(),
            subject,
            "member",
            bearer.as_str(),
            bearer_session.as_str(),
            "true",
        ] {
            let headers = [(name, value)];
            let nobody = Browser::new(&world);
            for target in ["/api/v1/me", "/api/v1/keys"] {
                let response = nobody.send("GET", target, &headers, Body::Empty);
                assert_eq!(
                    response.code(),
                    "sign_in_required",
                    "{name}: {value} {response:?}"
                );
            }
            let response = second.send("GET", "/api/v1/me", &headers, Body::Empty);
            assert_eq!(
                response.json()["member"]["login"],
                "second",
                "{name}: {value}"
            );
            let response = second.send("GET", "/api/v1/keys", &headers, Body::Empty);
            assert_eq!(
                response.json()["keys"],
                serde_json::json!([]),
                "{name}: {value}"
            );
            let response = second.send("GET", "/api/v1/admin/settings", &headers, Body::Empty);
            // A page that names another member than its session gets 409. Nothing else can be learned.
            let other = name == "x-keycap-member";
            assert_eq!(
                response.status,
                if other { 409 } else { 404 },
                "{name}: {value}"
            );
        }
    }
}
