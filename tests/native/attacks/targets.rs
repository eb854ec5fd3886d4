//! Return targets: whatever `next` says, a sign-in ends on one of four pages of our own.

use std::collections::BTreeSet;

use keycap::domain::policy::return_target::ReturnTarget;

use super::{Caller, Chance};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

const PAGES: &[(&str, &str)] = &[("keys", "/keys"), ("usage", "/usage"), ("docs", "/docs")];

const BASES: &[&str] = &[
    "",
    "keys",
    "usage",
    "docs",
    "admin",
    "KEYS",
    "evil.example",
    "evil.example/keys",
    "evil.example:443/..",
    "localhost:8787.evil.example",
    "localhost:8787@evil.example",
    "127.0.0.1",
    "[::1]",
    "2130706433",
    "xn--80ak6aa92e.example",
    "evil\u{3002}example",
    "ｅvil.example",
    "alert(1)",
];

const PREFIXES: &[&str] = &[
    "",
    "/",
    "//",
    "///",
    "////",
    "/\\",
    "\\",
    "\\\\",
    "\\/",
    "/\\/",
    "/./",
    "/../",
    "../",
    "./",
    "/.//",
    "//@",
    "@",
    "?",
    "#",
    ";",
    ":",
    "//;@",
    "/%2f",
    "/%5c",
    "%2f%2f",
    "keys/",
    "/keys//",
    "/keys/..//",
    "keys?next=",
    "keys#",
    "keys@",
    "admin/../",
    "/%09/",
    "\u{ff0f}\u{ff0f}",
];

const SCHEMES: &[&str] = &[
    "",
    "http:",
    "https:",
    "HTTPS:",
    "https:/",
    "https://",
    "https:\\\\",
    "javascript:",
    "JaVaScRiPt:",
    "data:text/html,",
    "vbscript:",
    "file://",
    "blob:https://",
    "about:",
    "view-source:",
    "http://localhost:8787@",
];

const CONTROLS: &[&str] = &[
    "",
    "\0",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\u{b}",
    "\u{c}",
    "\u{1b}",
    "\u{1f}",
    " ",
    "\u{7f}",
    "\u{85}",
    "\u{a0}",
    "\u{ad}",
    "\u{200b}",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\u{feff}",
    "\r\nlocation: //evil.example\r\n",
    "\u{fffd}",
];

/// The places in the text at which a control character is put.
const PLACES: &[fn(&str, &str) -> String] = &[
    |text, control| format!("{control}{text}"),
    |text, control| format!("{text}{control}"),
    |text, control| {
        let middle = text.char_indices().nth(text.chars().count() / 2);
        let at = middle.map_or(0, |(at, _)| at);
        format!("{}{control}{}", &text[..at], &text[at..])
    },
    |text, control| text.replace('/', &format!("/{control}")),
];

/// The ways to encode the text in the query.
const ENCODINGS: &[fn(&str) -> String] = &[
    |text| url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
    |text| text.bytes().map(|b| format!("%{b:02x}")).collect(),
    |text| text.bytes().map(|b| format!("%{b:02X}")).collect(),
    |text| text.bytes().map(|b| format!("%25{b:02x}")).collect(),
    |text| text.bytes().map(|b| format!("%2525{b:02X}")).collect(),
    // A decoder that accepts overlong UTF-8 would read this as a slash.
    |text| {
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        encoded.replace("%2F", "%c0%af")
    },
];

struct Payload {
    query: String,
    choice: [usize; 6],
}

/// One payload. Each part of `choice` is an index into its table.
fn payload(choice: [usize; 6]) -> Payload {
    let [base, prefix, scheme, control, place, encoding] = choice;
    let text = format!("{}{}{}", SCHEMES[scheme], PREFIXES[prefix], BASES[base]);
    let text = PLACES[place](&text, CONTROLS[control]);
    Payload {
        query: format!("next={}", ENCODINGS[encoding](&text)),
        choice,
    }
}

fn sizes() -> [usize; 6] {
    [
        BASES.len(),
        PREFIXES.len(),
        SCHEMES.len(),
        CONTROLS.len(),
        PLACES.len(),
        ENCODINGS.len(),
    ]
}

/// The path to which the first `next` of the query must lead: only the exact name of a page counts.
fn expected(query: &str) -> &'static str {
    let query = query.split('#').next().unwrap();
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let next = pairs
        .find(|(name, _)| name == "next")
        .map(|(_, value)| value.into_owned());
    let page = PAGES.iter().find(|(name, _)| next.as_deref() == Some(name));
    page.map_or("/keys", |(_, path)| path)
}

/// Runs a whole sign-in that began with this query. Returns `None` if no client could send the query.
fn signs_in(world: &World, caller: &Caller<'_>, query: &str) -> Option<Response> {
    let started = super::request(
        "GET",
        &format!("/auth/github?{query}"),
        &[],
        keycap::http::server::message::Body::Empty,
    )?;
    let started = caller.ask(started);
    assert_eq!(started.status, 302, "{query}");
    let location = started.header("location");
    assert!(location.starts_with("http://127.0.0.1:8790/github/login/oauth/authorize?"));
    assert!(
        !location.contains("evil") && !location.contains("next="),
        "{location}"
    );
    let set = started.header("set-cookie").split(';').next().unwrap();
    let callback = Browser::new(world).approve(location, "member");
    Some(caller.get(&callback, &[("cookie", set.as_bytes())]))
}

#[test]
fn every_return_target_of_a_sign_in_is_one_of_our_pages() {
    const SEED: u64 = 0x0054_4152;
    const WANTED: usize = 420;
    let mut chance = Chance(SEED);
    let mut payloads: Vec<Payload> = Vec::new();
    let mut seen: [BTreeSet<usize>; 6] = Default::default();
    while payloads.len() < WANTED || seen.iter().zip(sizes()).any(|(seen, all)| seen.len() < all) {
        let made = payload(sizes().map(|size| chance.below(size)));
        for (seen, part) in seen.iter_mut().zip(made.choice) {
            seen.insert(part);
        }
        payloads.push(made);
    }
    let by_hand = [
        "",
        "next",
        "next=",
        "next[]=//evil.example",
        "NEXT=//evil.example",
        "next=keys&next=//evil.example",
        "next=//evil.example&next=docs",
        "redirect_uri=//evil.example",
        "next=docs&redirect_uri=https://evil.example",
        "n%65xt=docs",
        "next=%64ocs",
        "next=docs+",
        "next=docs%00",
        "next=d%C3%B6cs",
        "next=usage#//evil.example",
        "next=docs&client_id=evil&scope=repo&state=evil",
        "return_to=//evil.example",
        "&&&next=admin&&&",
        "next==docs",
    ];
    let world = World::new();
    let caller = Caller::new(&world);
    let queries = payloads
        .iter()
        .map(|payload| payload.query.as_str())
        .chain(by_hand);
    let (mut whole, mut elsewhere) = (0, BTreeSet::new());
    for query in queries {
        // A request line with such a character never reaches the service.
        let Some(back) = signs_in(&world, &caller, query) else {
            continue;
        };
        let location = back.headers.get_all("location").iter().collect::<Vec<_>>();
        assert_eq!((back.status, location.len()), (303, 1), "{query}");
        assert_eq!(location[0], expected(query), "{query}");
        elsewhere.insert(back.header("location").to_owned());
        whole += 1;
    }
    assert!(whole >= 400, "{whole}");
    assert_eq!(elsewhere.len(), PAGES.len());
    oracle::always(&world);
    println!("counted: {whole} return targets after whole sign-ins (seed {SEED:#x})");
}

#[test]
fn no_hostile_return_target_names_a_page() {
    let mut count = 0_u32;
    for base in BASES {
        for prefix in PREFIXES {
            for scheme in SCHEMES {
                for control in CONTROLS {
                    let text = PLACES[1](&format!("{scheme}{prefix}{base}"), control);
                    let page = PAGES.iter().find(|(name, _)| *name == text);
                    let path = page.map_or("/keys", |(_, path)| path);
                    assert_eq!(
                        ReturnTarget::from_name(Some(&text)).path(true),
                        path,
                        "{text:?}"
                    );
                    count += 1;
                }
            }
        }
    }
    println!("counted: {count} names of return targets");
}
