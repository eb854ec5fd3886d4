//! Tokens that are signed with the key, and must still be refused.

use serde_json::{Value, json};

use super::{Token, WEEK, encoded, hs256_header, hs384, hs512, session_key, signed};
use crate::attacks::SECRET;

/// Tokens signed with the right key whose content makes them invalid.
pub(super) fn signed_and_wrong(token: &Token, now: i64) -> Vec<(String, String)> {
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
