//! Hostile bodies: very deep or very large ones, texts that are almost JSON, and false headers about them. Every route
//! that takes JSON refuses them, and nothing changes.

use keycap::http::routes::{ROUTES, Takes};
use keycap::http::server::message::Body;
use keycap::http::server::message::MAX_BODY;

use super::{Caller, Chance, cookie_of, ours, request};
use crate::support::{Browser, World, oracle};

/// Very deep, very long and malformed bodies, which no route takes.
fn bombs() -> Vec<Vec<u8>> {
    let mut bombs: Vec<Vec<u8>> = Vec::new();
    for depth in (1..140).chain([
        200, 255, 256, 500, 511, 512, 513, 1_000, 1_024, 1_025, 2_000, 5_000,
    ]) {
        bombs.push(b"[".repeat(depth));
        bombs.push([b"[".repeat(depth), b"]".repeat(depth)].concat());
        bombs.push(b"{\"a\":".repeat(depth));
        bombs.push([b"{\"a\":".repeat(depth), b"1".to_vec(), b"}".repeat(depth)].concat());
        bombs.push(
            [
                b"{\"minting\":".repeat(depth),
                b"\"stopped\"".to_vec(),
                b"}".repeat(depth),
                b"}".to_vec(),
            ]
            .concat(),
        );
        bombs.push(b"[{\"a\":".repeat(depth));
    }
    for size in [100, 1_000, 1_023, 1_025, MAX_BODY, MAX_BODY + 1, 1_000_000] {
        for byte in [b'1', b'9', b'"', b'-', b'{', b'\\', 0, 0xff] {
            bombs.push(vec![byte; size]);
        }
        bombs.push([b"{\"confirm\":".to_vec(), vec![b'9'; size], b"}".to_vec()].concat());
        bombs.push(
            [
                b"{\"confirm\":1.".to_vec(),
                vec![b'0'; size],
                b"1}".to_vec(),
            ]
            .concat(),
        );
        bombs.push([b"{\"confirm\":1e".to_vec(), vec![b'9'; size], b"}".to_vec()].concat());
        bombs.push([b"{\"".to_vec(), vec![b'a'; size], b"\":1}".to_vec()].concat());
        bombs.push(
            [
                b"{\"a\":\"".to_vec(),
                b"\\u0000".repeat(size / 6),
                b"\"}".to_vec(),
            ]
            .concat(),
        );
        bombs.push(
            [
                b"{".to_vec(),
                b"\"a\":1,".repeat(size / 6),
                b"\"a\":1}".to_vec(),
            ]
            .concat(),
        );
    }
    bombs
}

/// Texts that some parser would accept as the expected JSON, or as an empty body.
const NEARLY: &[&str] = &[
    "",
    " ",
    "\n",
    "\0",
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "\"\"",
    "\"{}\"",
    "[]",
    "[[]]",
    "[{}]",
    "[null]",
    "{",
    "}",
    "{}}",
    "{{}",
    "{{}}",
    "{}{}",
    "{},",
    "{},{}",
    "{};",
    "{}x",
    "{}null",
    "{}\0",
    "{} {}",
    "{}\n{}",
    "{}//",
    "{}/**/",
    "/**/{}",
    "//\n{}",
    "#\n{}",
    "{/**/}",
    "{//\n}",
    "{,}",
    "{:}",
    "{\"\"}",
    "{\"\":}",
    "{\"\":1}",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":0x1}",
    "{\"a\":NaN}",
    "{\"a\":Infinity}",
    "{\"a\":1_000}",
    "{\"a\":'b'}",
    "{\"a\":`b`}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":\"\\x41\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\udc00\\ud800\"}",
    "{\"\\ud83d\":1}",
    "{\"a\":1,\"a\":2}",
    "{\"__proto__\":{}}",
    "{\"constructor\":{}}",
    "{\"limit\":1000}",
    "{\"limit_usd\":1000}",
    "{\"a\":1e309}",
    "{\"a\":-0}",
    "{\"a\":18446744073709551616}",
    "\u{feff}{}",
    "\u{feff}",
    "\u{200b}{}",
    "{}\u{feff}",
    "\u{a0}{}",
    "\u{2028}{}",
    "\u{c}{}",
    "\u{b}{}",
    "｛｝",
    "a=b",
    "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    "{\"$ref\":\"#\"}",
    "{\"a\":{\"$ne\":null}}",
    ")]}',\n{}",
    "for(;;);{}",
    "{}--",
    "\u{1e}{}\n",
    "%7B%7D",
];

/// Bytes that are not UTF-8, or not its shortest form.
const BYTES: [&[u8]; 12] = [
    b"\xff",
    b"\xff\xfe{\0}\0",
    b"\xfe\xff\0{\0}",
    b"\xef\xbb\xbf{}",
    b"{\"a\":\"\xff\"}",
    b"{\"a\":\"\xc0\x80\"}",
    b"{\"a\":\"\xed\xa0\x80\"}",
    b"{\"\xc3\":1}",
    b"{}\xff",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\xae\x05\0",
    b"{\0\0\0}\0\0\0",
    b"\xf4\x90\x80\x80",
];

/// Settings that no page of an admin would send.
const SWITCHES: &[&str] = &[
    "{}",
    "{\"minting\":null}",
    "{\"minting\":\"\"}",
    "{\"minting\":\"Open\"}",
    "{\"minting\":\"OPEN\"}",
    "{\"minting\":\"open \"}",
    "{\"minting\":\" stopped\"}",
    "{\"minting\":\"stopped\\u0000\"}",
    "{\"minting\":[\"stopped\"]}",
    "{\"minting\":{}}",
    "{\"minting\":true}",
    "{\"minting\":1}",
    "{\"Minting\":\"stopped\"}",
    "{\"minting \":\"stopped\"}",
    "{\"minting\":\"stopped\",\"a\":1}",
    "{\"minting\":\"stopped\",\"keys\":\"on\"}",
    "{\"minting\":\"open\",\"keys\":\"off\",\"confirm\":1000}",
    "{\"minting\":\"open\",\"instance\":\"take_over\"}",
    "{\"keys\":\"off\"}",
    "{\"keys\":\"off\",\"confirm\":null}",
    "{\"keys\":\"off\",\"confirm\":\"1\"}",
    "{\"keys\":\"off\",\"confirm\":1.0}",
    "{\"keys\":\"off\",\"confirm\":1.5}",
    "{\"keys\":\"off\",\"confirm\":1e0}",
    "{\"keys\":\"off\",\"confirm\":1e3}",
    "{\"keys\":\"off\",\"confirm\":1e400}",
    "{\"keys\":\"off\",\"confirm\":true}",
    "{\"keys\":\"off\",\"confirm\":[1]}",
    "{\"keys\":\"off\",\"confirm\":{}}",
    "{\"keys\":\"off\",\"confirm\":9223372036854775808}",
    "{\"keys\":\"off\",\"confirm\":18446744073709551615}",
    "{\"keys\":\"off\",\"confirm\":18446744073709551616}",
    "{\"keys\":\"off\",\"confirm\":-9223372036854775809}",
    "{\"keys\":\"off\",\"confirm\":99999999999999999999999999}",
    "{\"keys\":\"off\",\"confirm\":NaN}",
    "{\"keys\":\"off\",\"confirm\":Infinity}",
    "{\"keys\":\"off\",\"confirm\":01}",
    "{\"keys\":\"off\",\"confirm\":+1}",
    "{\"keys\":\"off\",\"confirm\":0x1}",
    "{\"keys\":\"off\",\"confirm\":1,}",
    "{\"keys\":\"OFF\",\"confirm\":1}",
    "{\"keys\":\"off\",\"confirm\":1,\"force\":true}",
    "{\"keys\":\"off\",\"confirm\":1,\"minting\":\"open\"}",
    "{\"keys\":null,\"confirm\":1}",
    "{\"keys\":[\"off\"],\"confirm\":1}",
    "{\"keys\":{\"off\":null},\"confirm\":1,\"a\":1}",
    "{\"confirm\":1}",
    "{\"minting\":{\"stopped\":[]}}",
    "{\"minting\":{\"stopped\":{}}}",
    "{\"keys\":\"on\",\"confirm\":1}",
    "{\"keys\":\"on\",\"a\":1}",
    "{\"keys\":\"ON\"}",
    "{\"keys\":\"on\\n\"}",
    "{\"keys\":true}",
    "{\"keys\":\"\"}",
    "{\"instance\":\"takeover\"}",
    "{\"instance\":\"take_over\",\"public_origin\":\"https://evil.example\"}",
    "{\"instance\":\"TAKE_OVER\"}",
    "{\"instance\":\"https://evil.example\"}",
    "{\"instance\":true}",
    "{\"instance\":null}",
    "[\"stopped\"]",
    "[{\"minting\":\"stopped\"}]",
    "\"minting\"",
    "{\"minting\":\"stopped\"}{\"minting\":\"open\"}",
];

/// A good body with up to four bytes changed, inserted or removed, each at random.
fn bent(chance: &mut Chance, good: &[u8]) -> Vec<u8> {
    let mut body = good.to_vec();
    for _ in 0..=chance.below(3) {
        let at = chance.below(body.len().max(1));
        let letters = b"{}[]\",:\\/0123456789eE+-.truefalsn \0\x7f\xff\xc3\xa9";
        match chance.below(3) {
            0 if !body.is_empty() => body[at] = *chance.pick(letters),
            1 if !body.is_empty() => drop(body.remove(at)),
            _ => body.insert(at, *chance.pick(letters)),
        }
    }
    body
}

#[test]
fn no_hostile_body_is_accepted_or_changes_anything() {
    const SEED: u64 = 0x0B0D;
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    assert_eq!(operator.claim().status, 201);
    let cookie = cookie_of(&operator);
    let caller = Caller::new(&world);
    let takes_json: Vec<_> = ROUTES
        .iter()
        .filter(|route| matches!(route.takes, Takes::Json(_)))
        .collect();
    assert_eq!(
        takes_json.len(),
        52,
        "a new route that takes JSON belongs here"
    );
    let mut bodies = bombs();
    bodies.extend(NEARLY.iter().map(|text| text.as_bytes().to_vec()));
    bodies.extend(BYTES.iter().map(|bytes| bytes.to_vec()));
    let mut chance = Chance(SEED);
    let before = world.db.dump();
    let (mut count, mut by_status) = (0, std::collections::BTreeMap::new());
    let mut taken: Vec<String> = Vec::new();
    for route in &takes_json {
        let Takes::Json(max) = route.takes else {
            continue;
        };
        // The id does not exist. The body is checked before the id.
        let target = route
            .path
            .replace("{id}", "ask_000000000000000000000000")
            .replace("{slug}", "openrouter");
        let mut here = bodies.clone();
        if route.path.ends_with("settings") {
            here.extend(SWITCHES.iter().map(|text| text.as_bytes().to_vec()));
            // A number below the count of live keys is refused for its value, not for its form.
            for confirm in ["-1", "0", "-0", "-9223372036854775808"] {
                let response = operator.patch(
                    route.path,
                    &format!("{{\"keys\":\"off\",\"confirm\":{confirm}}}"),
                );
                assert!(
                    matches!(response.status, 400 | 409),
                    "{confirm}: {response:?}"
                );
            }
        } else {
            // These routes take no object but the empty one. A changed body that is still an empty object is left out.
            let is_empty_object = |body: &Vec<u8>| {
                let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
                    serde_json::from_slice(body);
                parsed.is_ok_and(|members| members.is_empty())
            };
            here.extend(
                (0..600)
                    .map(|_| bent(&mut chance, b"{ \"a\": [1, \"b\"] }"))
                    .filter(|body| !is_empty_object(body)),
            );
        }
        for body in here {
            let size = body.len();
            let headers = ours(cookie.as_bytes());
            let sent = if body.is_empty() {
                Body::Empty
            } else {
                Body::Bytes(body.clone())
            };
            let response =
                caller.ask(request(route.method.name(), &target, &headers, sent).unwrap());
            let expected = if size > max {
                (413, "body_too_large")
            } else {
                (400, "malformed_json")
            };
            let shown = String::from_utf8_lossy(&body[..size.min(80)]).into_owned();
            // A body that is wrongly taken may change the next answer, so all wrong answers are reported together at
            // the end.
            let is = (
                response.status,
                if response.status < 400 {
                    String::new()
                } else {
                    response.code()
                },
            );
            if (is.0, is.1.as_str()) != expected {
                taken.push(format!("{} {shown:?}: {is:?}", route.path));
            }
            *by_status.entry(response.status).or_insert(0) += 1;
            count += 1;
        }
        for (kind, body) in [
            ("text/plain", Body::Bytes(b"{}".to_vec())),
            ("", Body::Bytes(b"{}".to_vec())),
            ("application/json", Body::TooLarge),
        ] {
            let mut headers = ours(cookie.as_bytes());
            headers[1] = ("content-type", kind.as_bytes());
            let response =
                caller.ask(request(route.method.name(), &target, &headers, body).unwrap());
            assert!(matches!(response.status, 413 | 415), "{kind}");
            *by_status.entry(response.status).or_insert(0) += 1;
            count += 1;
        }
    }
    assert!(taken.is_empty(), "{taken:#?}");
    assert_eq!(world.db.dump(), before, "nothing changed");
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    oracle::always(&world);
    println!("counted: {count} body payloads {by_status:?} (seed {SEED:#x})");
}

#[test]
fn routes_without_a_body_take_none() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let cookie = cookie_of(&operator);
    let caller = Caller::new(&world);
    let before = world.db.dump();
    let mut count = 0;
    for route in ROUTES.iter().filter(|route| route.takes == Takes::Nothing) {
        for (body, status) in [
            (Body::Bytes(b"{}".to_vec()), 400),
            (Body::Bytes(vec![0]), 400),
            (Body::Bytes(vec![b'['; 1_000_000]), 400),
            (Body::TooLarge, 413),
        ] {
            let response = caller.ask(
                request(
                    route.method.name(),
                    route.path,
                    &ours(cookie.as_bytes()),
                    body,
                )
                .unwrap(),
            );
            assert_eq!(response.status, status, "{}", route.path);
            count += 1;
        }
    }
    for (kind, body, status) in [
        ("application/x-www-form-urlencoded", b"a=b".as_slice(), 400),
        ("text/plain", b"a", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("", b"a", 415),
    ] {
        let mut headers = ours(cookie.as_bytes());
        headers[1] = ("content-type", kind.as_bytes());
        let response = caller
            .ask(request("POST", "/auth/logout", &headers, Body::Bytes(body.to_vec())).unwrap());
        assert_eq!(response.status, status, "{kind}");
        assert_eq!(response.header("set-cookie"), "", "{kind}");
        count += 1;
    }
    assert_eq!(world.db.dump(), before);
    oracle::always(&world);
    println!("counted: {count} bodies where none belongs");
}

/// Other spellings of good settings. The description does not have them, and serde accepts them all the same.
const SPELLINGS: &[&str] = &[
    "{\"minting\":\"open\",\"minting\":\"stopped\"}",
    "{\"keys\":{\"off\":null},\"confirm\":9}",
    "{\"keys\":{\"on\":null}}",
    "{\"instance\":{\"take_over\":null}}",
    "{\"keys\":\"on\",\"keys\":\"on\"}",
    "{\"keys\":\"off\",\"confirm\":0,\"confirm\":9}",
    "{\"minting\":{\"stopped\":null}}",
];

#[test]
fn a_switch_is_accepted_in_one_spelling_only() {
    for body in SPELLINGS {
        let world = World::new();
        let operator = Browser::signed_in(&world, "operator");
        let before = world.db.dump();
        let response = operator.patch("/api/v1/admin/settings", body);
        assert_eq!(
            (response.status, world.db.dump() == before),
            (400, true),
            "{body}"
        );
    }
    println!("counted: {} spellings of a switch", SPELLINGS.len());
}
