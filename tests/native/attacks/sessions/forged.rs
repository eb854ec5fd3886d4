//! Tokens made from a valid one without the signing key.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keycap::crypto::keyring::Purpose;
use serde_json::json;

use super::{Token, encoded, hs256, hs256_header, purpose_key, session_key, signed};
use crate::attacks::SECRET;

pub(super) fn segments_bent(token: &Token) -> Vec<(String, String)> {
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
pub(super) fn characters_changed(token: &Token) -> Vec<(String, String)> {
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
pub(super) fn changed_without_the_key(token: &Token, other_member: &str) -> Vec<(String, String)> {
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
pub(super) fn signed_by_other_keys(token: &Token) -> Vec<(String, String)> {
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
