//! Forged and stale sessions: tokens made from a valid one without the signing key, and tokens that are signed with the
//! key and must still be refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use keycap::crypto::keyring::{Keyring, Purpose};
use keycap::domain::key::secret::Secret;
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use super::{Caller, SECRET, SESSION, cookie_of};
use crate::support::{Browser, World, oracle};

/// What was done, and the resulting token or `Cookie` header.
type Forged = (String, Vec<u8>);

const WEEK: i64 = 7 * 86_400;

macro_rules! signer {
    ($name:ident, $hash:ty) => {
        fn $name(key: &[u8], text: &str) -> String {
            let mut mac = Hmac::<$hash>::new_from_slice(key).unwrap();
            mac.update(text.as_bytes());
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        }
    };
}
signer!(hs256, Sha256);
signer!(hs384, Sha384);
signer!(hs512, Sha512);

fn session_key(secret: &str) -> Vec<u8> {
    purpose_key(secret, Purpose::Session)
}

fn purpose_key(secret: &str, purpose: Purpose) -> Vec<u8> {
    let secrets = [Secret::new(secret.to_owned())];
    Keyring::new(&secrets).newest(purpose).unwrap().to_vec()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn signed(key: &[u8], header: &Value, payload: &str) -> String {
    let text = format!("{}.{}", encoded(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{text}.{}", hs256(key, &text))
}

fn hs256_header() -> Value {
    json!({ "alg": "HS256" })
}

/// A valid token, taken apart.
struct Token {
    text: String,
    parts: [String; 3],
    payload: Value,
}

impl Token {
    fn of(browser: &Browser<'_>) -> Self {
        let text = browser.cookies.borrow()[SESSION].clone();
        let parts: Vec<String> = text.split('.').map(str::to_owned).collect();
        let payload = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
        let parts = parts.try_into().unwrap();
        Self {
            text,
            parts,
            payload,
        }
    }

    fn with_part(&self, n: usize, part: &str) -> String {
        let mut parts = self.parts.clone();
        part.clone_into(&mut parts[n]);
        parts.join(".")
    }

    /// The payload with one member changed, or removed if `value` is `None`.
    fn payload_with(&self, name: &str, value: Option<Value>) -> String {
        let mut payload = self.payload.clone();
        let members = payload.as_object_mut().unwrap();
        match value {
            Some(value) => members.insert(name.to_owned(), value),
            None => members.remove(name),
        };
        payload.to_string()
    }
}

fn segments_bent(token: &Token) -> Vec<(String, String)> {
    let mut forms = Vec::new();
    for (n, part) in token.parts.iter().enumerate() {
        let bytes = URL_SAFE_NO_PAD.decode(part).unwrap();
        let last = part.len() - 1;
        let middle = part.len() / 2;
        let bent = [
            ("emptied", String::new()),
            ("cut by one", part[..last].to_owned()),
            ("cut to one", part[..1].to_owned()),
            ("halved", part[..middle].to_owned()),
            ("without its first", part[1..].to_owned()),
            ("doubled", format!("{part}{part}")),
            ("one more", format!("{part}A")),
            ("four more", format!("{part}AAAA")),
            ("padded once", format!("{part}=")),
            ("padded twice", format!("{part}==")),
            ("in standard base64", STANDARD.encode(&bytes)),
            ("with a plus", format!("+{}", &part[1..])),
            ("with a slash", format!("/{}", &part[1..])),
            ("in capitals", part.to_uppercase()),
            ("in small letters", part.to_lowercase()),
            ("reversed", part.chars().rev().collect()),
            ("in hexadecimal", hex::encode(&bytes)),
            (
                "with a blank inside",
                format!("{} {}", &part[..middle], &part[middle..]),
            ),
            (
                "with a tab inside",
                format!("{}\t{}", &part[..middle], &part[middle..]),
            ),
            ("after a blank", format!(" {part}")),
            ("quoted", format!("\"{part}\"")),
            (
                "percent-encoded",
                format!("%{:02X}{}", part.as_bytes()[0], &part[1..]),
            ),
            ("null", String::from("null")),
            ("not base64", String::from("!!!!")),
            ("not UTF-8", URL_SAFE_NO_PAD.encode([0xff, 0xfe, 0xfd])),
        ];
        for (what, bent) in bent {
            forms.push((format!("segment {n} {what}"), token.with_part(n, &bent)));
        }
    }
    let [header, payload, signature] = &token.parts;
    for (what, text) in [
        ("no segment", String::new()),
        ("dots alone", String::from("..")),
        ("three dots", String::from("...")),
        ("two segments", format!("{header}.{payload}")),
        ("four segments", format!("{}.{signature}", token.text)),
        ("five segments, as of a JWE", format!("{}..", token.text)),
        ("a dot before", format!(".{}", token.text)),
        ("a dot after", format!("{}.", token.text)),
        ("commas", token.text.replace('.', ",")),
        ("encoded dots", token.text.replace('.', "%2E")),
        (
            "in another order",
            format!("{payload}.{header}.{signature}"),
        ),
        (
            "as JSON",
            json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
        ),
        ("a token in a token", STANDARD.encode(&token.text)),
        ("twice", format!("{}{}", token.text, token.text)),
        ("Bearer", format!("Bearer {}", token.text)),
    ] {
        forms.push((what.to_owned(), text));
    }
    forms
}

/// Forms of the token in which one character is changed, each character in turn.
fn characters_changed(token: &Token) -> Vec<(String, String)> {
    let mut forms = Vec::new();
    for (at, was) in token.text.char_indices().filter(|(_, c)| *c != '.') {
        let to = if was == 'A' { 'B' } else { 'A' };
        let (before, after) = (&token.text[..at], &token.text[at + 1..]);
        forms.push((format!("character {at}"), format!("{before}{to}{after}")));
    }
    // Two bits of the last character of 32 bytes in base64url mean nothing: its three neighbours decode to the same
    // signature.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = token.text.chars().last().unwrap();
    let is = alphabet.find(last).unwrap();
    for neighbour in (is & !3)..(is & !3) + 4 {
        let to = &alphabet[neighbour..=neighbour];
        let text = format!("{}{to}", &token.text[..token.text.len() - 1]);
        forms.push((format!("last character {to}"), text));
    }
    forms
}

/// Headers and payloads changed by a caller without the signing key: with the old signature, without one, or with a
/// signature by the caller's own key.
fn changed_without_the_key(token: &Token, other_member: &str) -> Vec<(String, String)> {
    let own = b"a key of the caller's own, 32 byt";
    let mut forms = Vec::new();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "None" }),
        json!({ "alg": "NONE" }),
        json!({ "alg": "nOnE" }),
        json!({ "alg": "" }),
        json!({ "alg": "HS256", "typ": "JWT" }),
        json!({ "alg": "HS256", "crit": ["exp"], "exp": 1 }),
        json!({ "alg": "HS256", "crit": ["b64"], "b64": false }),
        json!({ "alg": "HS256", "b64": false }),
        json!({ "alg": "HS256", "kid": "0" }),
        json!({ "alg": "HS256", "kid": "../../../../dev/null" }),
        json!({ "alg": "HS256", "kid": "' UNION SELECT 'a" }),
        json!({ "alg": "HS256", "jwk": { "kty": "oct", "k": URL_SAFE_NO_PAD.encode(own) } }),
        json!({ "alg": "HS256", "jku": "https://evil.example/keys" }),
        json!({ "alg": "HS256", "x5u": "https://evil.example/cert" }),
        json!({ "alg": "HS256", "zip": "DEF" }),
        json!({}),
    ] {
        let text = format!("{}.{}", encoded(&header), token.parts[1]);
        let name = header.to_string();
        forms.push((
            format!("{name}, old signature"),
            format!("{text}.{}", token.parts[2]),
        ));
        forms.push((format!("{name}, no signature"), format!("{text}.")));
        forms.push((
            format!("{name}, own signature"),
            format!("{text}.{}", hs256(own, &text)),
        ));
        forms.push((
            format!("{name}, empty key"),
            format!("{text}.{}", hs256(b"", &text)),
        ));
    }
    let later = token.payload["exp"].as_i64().unwrap() + 60;
    let epoch = token.payload["epoch"].as_i64().unwrap() + 1;
    for (name, value) in [
        ("sub", json!(other_member)),
        ("epoch", json!(epoch)),
        ("exp", json!(later)),
        ("roles", json!(["admin"])),
    ] {
        let payload = URL_SAFE_NO_PAD.encode(token.payload_with(name, Some(value)));
        forms.push((
            format!("{name} changed, old signature"),
            token.with_part(1, &payload),
        ));
    }
    forms
}

/// Tokens that are correct except for the key that signed them.
fn signed_by_other_keys(token: &Token) -> Vec<(String, String)> {
    let session = session_key(SECRET);
    let payload = token.payload.to_string();
    let reversed: Vec<u8> = session.iter().rev().copied().collect();
    [
        (
            "another secret",
            session_key("another-session-secret-not-for-production"),
        ),
        (
            "the purpose of sign-in attempts",
            purpose_key(SECRET, Purpose::SignInAttempt),
        ),
        (
            "the purpose of rate limits",
            purpose_key(SECRET, Purpose::RateLimit),
        ),
        ("the secret itself", SECRET.as_bytes().to_vec()),
        ("the key in hexadecimal", hex::encode(&session).into_bytes()),
        ("half the key", session[..16].to_vec()),
        ("the key and more", [session.as_slice(), b"x"].concat()),
        ("the key reversed", reversed),
        ("an empty key", Vec::new()),
        ("a blank", b" ".to_vec()),
        ("zeros", vec![0; 32]),
        ("secret", b"secret".to_vec()),
        (
            "the client secret",
            sandbox::GITHUB_CLIENT_SECRET.as_bytes().to_vec(),
        ),
        (
            "the management key",
            sandbox::MANAGEMENT_KEY.as_bytes().to_vec(),
        ),
        (
            "the member's id",
            token.payload["sub"].as_str().unwrap().as_bytes().to_vec(),
        ),
        (
            "the token's own payload",
            token.parts[1].as_bytes().to_vec(),
        ),
    ]
    .into_iter()
    .map(|(what, key)| {
        (
            format!("signed by {what}"),
            signed(&key, &hs256_header(), &payload),
        )
    })
    .collect()
}

/// Tokens signed with the right key whose content makes them invalid.
fn signed_and_wrong(token: &Token, now: i64) -> Vec<(String, String)> {
    let key = session_key(SECRET);
    let good = token.payload.to_string();
    let mut forms = Vec::new();
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("HS384"),
        json!("HS512"),
        json!("RS256"),
        json!("ES256"),
        json!("PS256"),
        json!("EdDSA"),
        json!("hs256"),
        json!("Hs256"),
        json!("HS256 "),
        json!(" HS256"),
        json!("HS256\u{0}"),
        json!("HS-256"),
        json!("SHA256"),
        json!(""),
        json!(null),
        json!(256),
        json!(true),
        json!(["HS256"]),
        json!({ "HS256": 1 }),
    ] {
        let header = json!({ "alg": alg });
        forms.push((format!("alg {alg}"), signed(&key, &header, &good)));
    }
    forms.push((String::from("alg missing"), signed(&key, &json!({}), &good)));
    for (alg, sign) in [
        ("HS384", hs384 as fn(&[u8], &str) -> String),
        ("HS512", hs512),
    ] {
        let text = format!("{}.{}", encoded(&json!({ "alg": alg })), token.parts[1]);
        forms.push((
            format!("a true {alg}"),
            format!("{text}.{}", sign(&key, &text)),
        ));
        let text = format!("{}.{}", token.parts[0], token.parts[1]);
        forms.push((
            format!("a true {alg} that says HS256"),
            format!("{text}.{}", sign(&key, &text)),
        ));
    }
    for header in [
        json!([]),
        json!("HS256"),
        json!(null),
        json!(1),
        json!({ "alg": "HS256", "cty": "JWT" }),
    ] {
        forms.push((format!("header {header}"), signed(&key, &header, &good)));
    }
    for payload in [
        "",
        "null",
        "{}",
        "[]",
        "1",
        "\"sub\"",
        "{",
        "{\"sub\":",
        "true",
        "{\"sub\":\"\",\"epoch\":0,\"iat\":0,\"exp\":0}",
    ] {
        forms.push((
            format!("payload {payload:?}"),
            signed(&key, &hs256_header(), payload),
        ));
    }
    forms.push((
        String::from("payload twice"),
        signed(&key, &hs256_header(), &format!("{good}{good}")),
    ));
    let sub = token.payload["sub"].as_str().unwrap();
    let digits = sub.strip_prefix("mem_").unwrap();
    let epoch = token.payload["epoch"].as_i64().unwrap();
    let huge = 9.9e99;
    let changes: Vec<(&str, Option<Value>)> = vec![
        ("sub", None),
        ("sub", Some(json!(null))),
        ("sub", Some(json!(1))),
        ("sub", Some(json!(""))),
        ("sub", Some(json!([sub]))),
        ("sub", Some(json!({ "id": sub }))),
        ("sub", Some(json!(true))),
        ("sub", Some(json!("mem_"))),
        ("sub", Some(json!(digits))),
        ("sub", Some(json!("mem_000000000000000000000000"))),
        ("sub", Some(json!(format!("key_{digits}")))),
        ("sub", Some(json!(format!("gen_{digits}")))),
        ("sub", Some(json!(format!("MEM_{digits}")))),
        ("sub", Some(json!(sub.to_uppercase()))),
        ("sub", Some(json!(format!("{sub} ")))),
        ("sub", Some(json!(format!(" {sub}")))),
        ("sub", Some(json!(format!("{sub}\u{0}")))),
        ("sub", Some(json!(format!("{sub}\n")))),
        ("sub", Some(json!(format!("{sub}0")))),
        ("sub", Some(json!("mem_' OR '1'='1' --------"))),
        ("sub", Some(json!("1000100"))),
        ("sub", Some(json!("member"))),
        ("sub", Some(json!("%"))),
        ("epoch", None),
        ("epoch", Some(json!(null))),
        ("epoch", Some(json!(epoch - 1))),
        ("epoch", Some(json!(epoch + 1))),
        ("epoch", Some(json!(-1))),
        ("epoch", Some(json!(-epoch))),
        ("epoch", Some(json!(epoch.to_string()))),
        (
            "epoch",
            Some(serde_json::from_str(&format!("{epoch}.0")).unwrap()),
        ),
        ("epoch", Some(json!(0.5))),
        ("epoch", Some(json!([epoch]))),
        ("epoch", Some(json!(true))),
        ("epoch", Some(json!(i64::MAX))),
        ("epoch", Some(json!(i64::MIN))),
        ("epoch", Some(json!(u64::MAX))),
        ("epoch", Some(json!(1_i64 << 53))),
        ("epoch", Some(json!(huge))),
        ("exp", None),
        ("exp", Some(json!(null))),
        ("exp", Some(json!(now))),
        ("exp", Some(json!(now - 1))),
        ("exp", Some(json!(now - WEEK))),
        ("exp", Some(json!(0))),
        ("exp", Some(json!(-1))),
        ("exp", Some(json!(now + WEEK + 1))),
        ("exp", Some(json!(now + 10 * WEEK))),
        ("exp", Some(json!(i64::MAX))),
        ("exp", Some(json!(i64::MIN))),
        ("exp", Some(json!(u64::MAX))),
        ("exp", Some(json!(253_402_300_799_i64))),
        ("exp", Some(json!(0.5))),
        ("exp", Some(json!(huge))),
        ("exp", Some(json!((now + 60).to_string()))),
        ("exp", Some(json!("2099-01-01T00:00:00Z"))),
        ("exp", Some(json!([now + 60]))),
        ("exp", Some(json!(true))),
        ("iat", None),
        ("iat", Some(json!(null))),
        ("iat", Some(json!(now + 61))),
        ("iat", Some(json!(now + WEEK))),
        ("iat", Some(json!(now - 1))),
        ("iat", Some(json!(0))),
        ("iat", Some(json!(-1))),
        ("iat", Some(json!(i64::MAX))),
        ("iat", Some(json!(i64::MIN))),
        ("iat", Some(json!(huge))),
        ("iat", Some(json!(now.to_string()))),
        ("iat", Some(json!([]))),
    ];
    for (name, value) in changes {
        let payload = token.payload_with(name, value.clone());
        let what = value.map_or_else(|| String::from("missing"), |value| value.to_string());
        forms.push((
            format!("{name} {what}"),
            signed(&key, &hs256_header(), &payload),
        ));
    }
    for (what, more) in [
        ("a second sub", format!("\"sub\":\"{sub}\",")),
        ("a second epoch", format!("\"epoch\":{epoch},")),
        ("a second exp", format!("\"exp\":{},", now + 60)),
    ] {
        let payload = good.replacen('{', &format!("{{{more}"), 1);
        forms.push((what.to_owned(), signed(&key, &hs256_header(), &payload)));
    }
    forms
}

/// `Cookie` headers that hold the valid token in a place where it must not count.
fn cookie_headers(token: &str, attempt: &str) -> Vec<Forged> {
    let mut forms: Vec<Forged> = [
        format!("{SESSION}=\"{token}\""),
        format!("{SESSION}='{token}'"),
        format!("{SESSION}=={token}"),
        format!("={SESSION}={token}"),
        format!("x{SESSION}={token}"),
        format!("{SESSION}x={token}"),
        format!("{SESSION}[0]={token}"),
        format!("{SESSION}%20={token}"),
        format!("%5F%5FHost-keycap_session={token}"),
        format!("${SESSION}={token}"),
        format!("{}={token}", SESSION.to_lowercase()),
        format!("{}={token}", SESSION.to_uppercase()),
        format!("__Secure-keycap_session={token}"),
        format!("keycap_session={token}"),
        format!("__Host-session={token}"),
        format!("session={token}"),
        format!("{attempt}={token}"),
        format!("{SESSION}:{token}"),
        format!("{SESSION} {token}"),
        format!("a=1, {SESSION}={token}"),
        format!("a=1 {SESSION}={token}"),
        format!("a=1&{SESSION}={token}"),
        format!("a=\"; {SESSION}={token}\""),
        format!("a={SESSION}={token}"),
        token.to_owned(),
        SESSION.to_owned(),
        format!("{SESSION}="),
        format!("{SESSION}=; {SESSION}={token}"),
        format!("{SESSION}=x; {SESSION}={token}"),
        format!("{SESSION}=deleted; {SESSION}={token}"),
        format!("{SESSION}=x;{SESSION}={token};{SESSION}={token}"),
        format!("{SESSION}={}", "A".repeat(4_096)),
        format!("{SESSION}={token}{}", "A".repeat(4_096)),
        format!(
            "{SESSION}={}.{}.{}",
            "A".repeat(65_536),
            "B".repeat(9),
            "C".repeat(43)
        ),
        format!("{SESSION}={}", ".".repeat(4_096)),
        ";".repeat(4_096),
        "=".repeat(4_096),
        format!("{SESSION}={token}\u{e9}"),
    ]
    .into_iter()
    .map(|text| (text.chars().take(60).collect(), text.into_bytes()))
    .collect();
    // Some languages trim these characters from a cookie's name, and browsers do not. That would circumvent the
    // `__Host-` prefix.
    for blank in [
        "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2028}", "\u{3000}", "\u{feff}",
    ] {
        forms.push((
            format!("{blank:?} before the name"),
            format!("{blank}{SESSION}={token}").into_bytes(),
        ));
        forms.push((
            format!("{blank:?} before the value"),
            format!("{SESSION}={blank}{token}").into_bytes(),
        ));
    }
    for byte in [0x85_u8, 0xa0, 0xff] {
        let text = [&[byte], format!("{SESSION}={token}").as_bytes()].concat();
        forms.push((format!("byte {byte:#x} before the name"), text));
    }
    forms
}

/// Sends the session in other places than its cookie. Returns how many requests were sent.
fn elsewhere(caller: &Caller<'_>, token: &str) -> u32 {
    let bearer = format!("Bearer {token}");
    let pair = format!("{SESSION}={token}");
    let mut count = 0;
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("authorization", token),
        ("cookie2", pair.as_str()),
        ("set-cookie", pair.as_str()),
        ("x-session", token),
        ("x-forwarded-user", "member"),
        ("cf-access-jwt-assertion", token),
    ] {
        let response = caller.get("/api/v1/me", &[(name, value.as_bytes())]);
        assert_eq!(response.status, 401, "{name}");
        count += 1;
    }
    for query in [
        pair.clone(),
        format!("token={token}"),
        format!("session={token}"),
    ] {
        let response = caller.get(&format!("/api/v1/me?{query}"), &[]);
        assert_eq!(response.status, 401, "{query}");
        count += 1;
    }
    count
}

#[test]
fn every_forged_or_expired_session_belongs_to_nobody_and_mints_nothing() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let ended = Token::of(&member);
    // The epoch is raised above zero, so that lower epochs exist.
    assert_eq!(
        member.post("/api/v1/me/sign-out-everywhere", "{}").status,
        204
    );
    member.sign_in("member");
    let other = Token::of(&Browser::signed_in(&world, "second"));
    let valid = Token::of(&member);
    let now = world.now().secs();
    let caller = Caller::new(&world);

    let tokens = [
        segments_bent(&valid),
        characters_changed(&valid),
        changed_without_the_key(&valid, other.payload["sub"].as_str().unwrap()),
        signed_by_other_keys(&valid),
        signed_and_wrong(&valid, now),
        vec![(String::from("ended by signing out everywhere"), ended.text)],
    ];
    let tokens = tokens
        .into_iter()
        .flatten()
        .filter(|(_, token)| token.trim() != valid.text);
    let as_headers = tokens.map(|(what, token)| (what, format!("{SESSION}={token}").into_bytes()));
    let forms: Vec<Forged> = as_headers
        .chain(cookie_headers(
            &valid.text,
            "__Host-keycap_attempt_00000000",
        ))
        .collect();

    let before = world.db.dump();
    for (what, cookie) in &forms {
        assert!(http::HeaderValue::from_bytes(cookie).is_ok(), "{what}");
        let response = caller.me(cookie);
        assert_eq!(
            (response.status, response.code().as_str()),
            (401, "sign_in_required"),
            "{what}"
        );
        let response = caller.post("/api/v1/claim", cookie, b"{}");
        assert_eq!(
            (response.status, response.code().as_str()),
            (401, "sign_in_required"),
            "{what}"
        );
    }
    let more = elsewhere(&caller, &valid.text);
    assert_eq!(world.db.dump(), before, "no forged session writes");
    assert_eq!(world.calls("openrouter.keys.create"), 0);

    let works = [
        format!("{SESSION}={}", valid.text),
        format!("a=1; {SESSION}={}; b=2", valid.text),
        format!("a=1;{SESSION}={};b=2", valid.text),
        format!("a; =; ;; {SESSION}={}", valid.text),
        format!("{SESSION}={}; {SESSION}=x", valid.text),
        format!("a={}; {SESSION}={}", "A".repeat(4_096), valid.text),
        format!("{SESSION}x=1; x{SESSION}=2; {SESSION}={}", valid.text),
    ];
    for cookie in &works {
        assert_eq!(caller.me(cookie.as_bytes()).status, 200, "{cookie}");
    }
    assert_eq!(member.claim().status, 201);
    assert_eq!(world.calls("openrouter.keys.create"), 1);
    oracle::always(&world);
    println!(
        "counted: {} forged or stale sessions, beside {} good ones",
        forms.len() + usize::try_from(more).unwrap(),
        works.len()
    );
    assert!(forms.len() >= 60);
}

#[test]
fn a_removed_session_secret_signs_nobody_in() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let old = Token::of(&member);
    let new = "another-session-secret-not-for-production";
    let payload = old.payload.to_string();
    let by_new = signed(&session_key(new), &hs256_header(), &payload);
    let by_list = signed(
        &session_key(&format!("{new},{SECRET}")),
        &hs256_header(),
        &payload,
    );
    let mut count = 0;
    for (setting, old_works, new_works) in [
        (SECRET.to_owned(), true, false),
        (format!("{new},{SECRET}"), true, true),
        (format!("{SECRET},{new}"), true, true),
        (new.to_owned(), false, true),
    ] {
        world.set("AUTH_SESSION_SECRET", &setting);
        let caller = Caller::new(&world);
        let status = |token: &str| caller.me(format!("{SESSION}={token}").as_bytes()).status;
        assert_eq!(status(&old.text) == 200, old_works, "{setting}");
        assert_eq!(status(&by_new) == 200, new_works, "{setting}");
        assert_eq!(status(&by_list), 401, "the list is no secret: {setting}");
        count += 3;
    }
    oracle::always(&world);
    println!("counted: {count} sessions of rotated secrets");
}

#[test]
fn a_session_ends_after_seven_days_and_when_its_member_is_suspended() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let cookie = cookie_of(&member);
    let caller = Caller::new(&world);
    world.pass(WEEK - 1);
    assert_eq!(caller.me(cookie.as_bytes()).status, 200);
    world.pass(1);
    for _ in 0..3 {
        assert_eq!(caller.me(cookie.as_bytes()).code(), "sign_in_required");
        let response = caller.post("/api/v1/claim", cookie.as_bytes(), b"{}");
        assert_eq!(
            response.code(),
            "sign_in_required",
            "refused before any call"
        );
        assert!(response.header("set-cookie").contains("Max-Age=0"));
        world.pass(WEEK);
    }
    assert_eq!(world.calls("openrouter.keys.create"), 0);
    for status in ["suspended", "banned", "left"] {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let id = member.get("/api/v1/me").json()["member"]["id"].clone();
        let cookies = member.cookies.borrow().clone();
        if status == "left" {
            assert_eq!(member.leave("member").status, 204);
        } else {
            let of = format!("/api/v1/admin/members/{}", id.as_str().unwrap());
            let body = format!(r#"{{"status":"{status}"}}"#);
            let operator = Browser::signed_in(&world, "operator");
            assert_eq!(operator.patch(&of, &body).status, 200);
        }
        // These are the cookies of a tab that was open meanwhile.
        let member = Browser::with(&world, &cookies);
        let caller = Caller::new(&world);
        let cookie = cookie_of(&member);
        assert_eq!(caller.me(cookie.as_bytes()).status, 403, "{status}");
        assert_eq!(
            caller
                .post("/api/v1/claim", cookie.as_bytes(), b"{}")
                .status,
            403,
            "{status}"
        );
        assert_eq!(world.calls("openrouter.keys.create"), 0);
        oracle::always(&world);
    }
    println!("counted: 10 ends of sessions");
}

#[test]
fn a_cookie_of_another_application_with_any_bytes_signs_nobody_out() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let ours = cookie_of(&member);
    let caller = Caller::new(&world);
    for neighbour in [
        "name=J\u{fc}rgen".as_bytes(),
        b"name=J\xfcrgen",
        "\u{1f36a}=1".as_bytes(),
    ] {
        for cookie in [
            [neighbour, b"; ", ours.as_bytes()].concat(),
            [ours.as_bytes(), b"; ", neighbour].concat(),
        ] {
            assert_eq!(caller.me(&cookie).status, 200, "{neighbour:?}");
        }
    }
    println!("counted: 6 cookies of neighbours");
}
