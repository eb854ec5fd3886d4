//! A fuzzer driven by the OpenAPI description: it sends valid and invalid requests to each operation. Every answer must
//! be one that the description has, with the body that it describes.

use std::collections::BTreeMap;

use http::HeaderValue;
use keycap::http::routes::MEMBER_HEADER;
use keycap::http::server::message::Body;
use serde_json::{Value, json};

use super::{Caller, Chance, SESSION, cookie_of};
use crate::support::browser::{CLAIM, member_of};
use crate::support::described::{is_described, public};
use crate::support::world::ORIGIN;
use crate::support::{Browser, World, oracle};

const SEED: u64 = 0x0F02_2070;
/// The number of worlds. Each begins afresh, with members who have no key yet.
const WORLDS: u64 = 10;
const CASES: usize = 840;

const PERSONAS: &[&str] = &[
    "member", "second", "operator", "newcomer", "bigid", "load-1",
];
/// Faults that the sandbox applies to a create now and then. Each leads to an answer about a failure outside keycap, or
/// to no visible failure.
const FAULTS: &[&str] = &[
    "refuse",
    "reset_before",
    "reset_after",
    "error_before",
    "error_after",
    "rate_limited",
    "html",
    "echo_limit_larger",
    "key_missing",
    "hash_missing",
];

struct Operation {
    method: String,
    path: String,
    says: Value,
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(move |(method, says)| Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                says: says.clone(),
            })
    });
    all.collect()
}

/// A body that matches the operation's schema, or one that matches none.
fn body(chance: &mut Chance, operation: &Operation) -> Body {
    let wants_one = operation.says.get("requestBody").is_some();
    if chance.one_in(2) {
        let good: &[&str] = match operation.path.rsplit('/').next() {
            Some("claim") => &[CLAIM, r#"{ "accept_terms": 1 }"#],
            Some("keys") => &[r#"{"name":"laptop"}"#, r#"{"name":"x","limit_usd":"1.50"}"#],
            Some("limit") => &[r#"{"limit_usd":"2"}"#, r#"{"limit_usd":null}"#],
            Some("requests") => &[r#"{"kind":"appeal","note":"x"}"#, r#"{"kind":"claim"}"#],
            Some("me") => &[r#"{"confirm":"member"}"#, r#"{"confirm":"second"}"#],
            Some("{id}") if operation.method == "PATCH" => {
                &[r#"{"disabled":true}"#, r#"{"disabled":false,"name":" x "}"#]
            }
            _ => &["{}", "{ }"],
        };
        return if wants_one {
            Body::Bytes(chance.pick(good).as_bytes().to_vec())
        } else {
            Body::Empty
        };
    }
    let values = [
        json!({}),
        json!({ "limit": 1_000 }),
        json!([]),
        json!(null),
        json!("{}"),
        json!(-1),
        json!({ "a": { "b": [1.5, null, "\u{0}"] } }),
        json!({ "minting": "stopped" }),
        json!([[[[[[[[]]]]]]]]),
        json!("x".repeat(2_000)),
    ];
    let mut bytes = chance.pick(&values).to_string().into_bytes();
    for _ in 0..chance.below(4) {
        let at = chance.below(bytes.len() + 1);
        match chance.below(3) {
            0 => bytes.insert(at, chance.next().to_le_bytes()[0]),
            1 => bytes.truncate(at),
            _ => bytes.extend_from_within(..at.min(500)),
        }
    }
    match chance.below(12) {
        0 => Body::Empty,
        1 => Body::TooLarge,
        _ if bytes.is_empty() => Body::Empty,
        _ => Body::Bytes(bytes),
    }
}

fn noise(chance: &mut Chance, most: usize) -> Vec<u8> {
    let length = chance.below(most + 1);
    let mut bytes = (0..length)
        .map(|_| chance.next().to_le_bytes()[0])
        .collect::<Vec<_>>();
    bytes.retain(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f));
    bytes
}

/// Answers whether the operation makes keys.
fn mints(operation: &Operation) -> bool {
    let verbs = ["claim", "rotate", "leaked", "renew"];
    verbs.iter().any(|verb| operation.path.ends_with(verb))
        || (operation.path.ends_with("/keys") && operation.method == "POST")
}

fn idempotency_key(chance: &mut Chance) -> Vec<u8> {
    match chance.below(5) {
        0 => noise(chance, 200),
        1 => vec![b'k'; chance.below(260)],
        _ => format!("key-{}", chance.below(2)).into_bytes(),
    }
}

fn headers(
    chance: &mut Chance,
    operation: &Operation,
    cookie: &str,
) -> Vec<(&'static str, Vec<u8>)> {
    let mut headers: Vec<(&'static str, Vec<u8>)> = Vec::new();
    // Nine of ten requests have the headers of our own page.
    if !chance.one_in(10) {
        headers.push(("origin", ORIGIN.as_bytes().to_vec()));
    }
    if !chance.one_in(10) {
        let kinds = [
            "application/json",
            "application/json",
            "application/json",
            "application/json; charset=utf-8",
            "text/plain",
            "Application/JSON",
        ];
        headers.push(("content-type", chance.pick(&kinds).as_bytes().to_vec()));
    }
    let mut cookie = cookie.as_bytes().to_vec();
    if chance.one_in(12) && !cookie.is_empty() {
        let at = chance.below(cookie.len());
        cookie[at] = b'A';
    }
    if operation.method != "GET"
        && let Some(member) = member_of(&String::from_utf8_lossy(&cookie))
    {
        match chance.below(12) {
            0 => {}
            1 => headers.push((MEMBER_HEADER, b"mem_000000000000000000000000".to_vec())),
            _ => headers.push((MEMBER_HEADER, member.into_bytes())),
        }
    }
    if !cookie.is_empty() && !chance.one_in(12) {
        headers.push(("cookie", cookie));
    }
    if mints(operation) && chance.one_in(2) {
        headers.push(("idempotency-key", idempotency_key(chance)));
    }
    for name in [
        "accept",
        "x-request-id",
        "sec-fetch-site",
        "cf-connecting-ip",
        "x-anything",
    ] {
        if chance.one_in(8) {
            let usual = [
                "text/html",
                "same-origin",
                "cross-site",
                "request-id-1",
                "192.0.2.7",
                "2001:db8::1",
            ];
            let value = if chance.one_in(2) {
                noise(chance, 90)
            } else {
                chance.pick(&usual).as_bytes().to_vec()
            };
            headers.push((name, value));
        }
    }
    headers
}

/// The id of somebody's key, an id that no key has, or a text that is no id.
fn key_id(chance: &mut Chance, world: &World) -> String {
    let mut ids = world.db.texts("SELECT public_id FROM keys");
    ids.push(String::from("key_000000000000000000000000"));
    ids.push(String::from("%00'--"));
    chance.pick(&ids).clone()
}

fn query(chance: &mut Chance) -> String {
    let letters = b"abcxyz019=&%+;/?:@!$'()*,-._~[]";
    match chance.below(4) {
        0 => format!(
            "?{}",
            (0..chance.below(60))
                .map(|_| char::from(*chance.pick(letters)))
                .collect::<String>()
        ),
        1 => String::from("?limit=1000&secret=true"),
        _ => String::new(),
    }
}

#[test]
fn every_answer_to_a_fuzzed_request_is_in_the_api_description() {
    let mut tally: BTreeMap<String, BTreeMap<u16, u32>> = BTreeMap::new();
    for round in 0..WORLDS {
        let mut chance = Chance(SEED + round);
        let world = World::new();
        let caller = Caller::new(&world);
        let document = public();
        let operations = operations(document);
        assert_eq!(
            operations.len(),
            44,
            "{:?}",
            operations.iter().map(|o| &o.path).collect::<Vec<_>>()
        );
        let people: Vec<Browser<'_>> = PERSONAS
            .iter()
            .map(|persona| Browser::signed_in(&world, persona))
            .collect();
        for case in 0..CASES {
            let operation = chance.pick(&operations);
            let person = chance.below(people.len() + 1);
            let cookie = people.get(person).map(cookie_of).unwrap_or_default();
            let mints = mints(operation);
            let faulty = mints && chance.one_in(6);
            if faulty {
                world.add_fault(
                    "openrouter.keys.create",
                    FAULTS[chance.below(FAULTS.len())],
                    json!({}),
                );
            }
            let method = if operation.method == "GET" && chance.one_in(6) {
                "HEAD"
            } else {
                operation.method.as_str()
            };
            let path = operation
                .path
                .replace("{id}", &key_id(&mut chance, &world))
                .replace("{slug}", "openrouter");
            let target = format!("{ORIGIN}{path}{}", query(&mut chance));
            let mut asked = http::Request::builder().method(method).uri(&target);
            for (name, value) in headers(&mut chance, operation, &cookie) {
                asked = asked.header(name, HeaderValue::from_bytes(&value).unwrap());
            }
            let asked = asked.body(body(&mut chance, operation)).unwrap();
            let what = format!(
                "seed {:#x} case {case}: {method} {target} {:?} {:?}",
                SEED + round,
                asked.headers(),
                asked.body()
            );
            let response = caller.ask_whatever(asked);
            // Only the sandbox's faults may lead to a 5xx. A fault may wait for a later claim.
            // A file of usage is refused while a completed day was not read.
            let is_unread = operation.path.ends_with("/usage.csv");
            let world_s = (mints || is_unread) && matches!(response.status, 502 | 503);
            assert!(response.status < 500 || world_s, "{what}: {response:?}");
            is_described(document, &operation.says, method, &response, &what);
            let made_a_key = response.status == 201 && mints;
            assert!(
                !made_a_key || response.secret().is_some(),
                "{what}: {response:?}"
            );
            *tally
                .entry(format!("{method} {}", operation.path))
                .or_default()
                .entry(response.status)
                .or_insert(0) += 1;
            if response.status == 204 {
                people[person].sign_in(PERSONAS[person]);
                assert!(people[person].cookies.borrow().contains_key(SESSION));
            }
            if chance.one_in(25) {
                world.pass(i64::try_from(chance.below(4_000)).unwrap());
                assert!(world.sweep());
            }
        }
        oracle::always(&world);
    }
    let answered = |status: u16| {
        tally
            .values()
            .any(|statuses| statuses.contains_key(&status))
    };
    for status in [
        200, 201, 204, 400, 401, 403, 409, 413, 415, 422, 428, 502, 503,
    ] {
        assert!(answered(status), "{status} was never met");
    }
    let count: u32 = tally.values().flat_map(BTreeMap::values).sum();
    println!(
        "counted: {count} fuzzed requests (seeds {SEED:#x} to {:#x})",
        SEED + WORLDS - 1
    );
}
