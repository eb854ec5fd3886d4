//! Settings with careless or hostile values: each setting, with each of these texts. Either the Worker stops and names
//! the setting, or it continues with a value that is valid for the setting. A gate opens only with its own exact word.
//! No value is ever shown.

use keycap::config::Config;
use keycap::domain::policy::relay::Relay;

use crate::support::{Browser, World};

/// A text that no message may repeat.
const CANARY: &str = "canary-of-a-setting";

/// Hostile texts for any setting. Each contains the canary or nothing worth hiding.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "0",
        "-1",
        "-0",
        "+1",
        "1.5",
        "1e3",
        "0x10",
        "١٢",
        "NaN",
        "Infinity",
        "null",
        "undefined",
        "none",
        "TRUE",
        "True",
        "true;",
        "'true'",
        "\"true\"",
        "yes",
        "on",
        "LIVE",
        "live,pending",
        "999999999999999999999999",
        "18446744073709551616",
        "-9223372036854775809",
        ",",
        ",,",
        ";",
        "//evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://evil.example",
        "http://evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "https://",
        "https://evil.example/path?x=1",
        "https://evil.example/#x",
        "https://evil.example@localhost",
        "\\\\evil.example",
        "00000000-0000-0000-0000-00000000000",
        "00000000-0000-0000-0000-0000000000000",
        "../../../etc/passwd",
        "' OR 1=1 --",
        "</script><script>alert(1)</script>",
        "a/b\"; rm -rf / #",
        "$(id)",
        "`id`",
        "%00",
        "{\"a\":1}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.extend([
        CANARY.to_owned(),
        format!("{CANARY}\u{0}"),
        format!("{CANARY}\r\nx-injected: 1"),
        format!("{CANARY}\nSet-Cookie: a=b"),
        format!("{CANARY}\u{202e}\u{200b}"),
        format!("{CANARY}é漢🙂"),
        format!("https://user:{CANARY}@evil.example"),
        format!("http://localhost:8787/{CANARY}?a=b"),
        format!("{CANARY},{CANARY}"),
        CANARY.repeat(5_000),
    ]);
    texts
}

/// The names of the settings in the README's table, which another test compares with the code.
fn names() -> Vec<&'static str> {
    let readme = include_str!("../../../README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    names
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .collect()
}

const GATES: [&str; 3] = ["PROJECT_STATUS", "PROVISIONING_ENABLED", "MAX_TOTAL_KEYS"];

/// Checks that every accepted value is valid for its setting, whatever the text was.
fn is_sound(config: &Config, what: &str) {
    let is_header = |text: &str| text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let app = config.github.as_ref();
    let secrets = [
        config.management_key.as_ref().map(|key| key.expose()),
        app.map(|app| app.client_secret.expose()),
        app.map(|app| app.client_id.as_str()),
        config.google.as_ref().map(|app| app.client_secret.expose()),
        config.google.as_ref().map(|app| app.client_id.as_str()),
    ];
    for secret in secrets.into_iter().flatten() {
        assert!(is_header(secret), "{what}: no header can carry it");
    }
    for admin in &config.admins {
        let is_number = |id: &str| id.parse::<u64>().is_ok_and(|n| n.to_string() == id);
        let is_hash = admin.len() == 64 && admin.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(is_number(admin) || is_hash, "{what}: {admin}");
    }
    for domain in &config.google_domains {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
        assert!(domain.contains('.') && domain.bytes().all(plain), "{what}");
    }
    if let Relay::Through(origin) = &config.relay {
        assert!(
            !config.relay_secrets.is_empty() && config.admins.is_empty(),
            "{what}"
        );
        assert_ne!(origin, &config.public_origin, "{what}");
    }
    for secret in config.relay_secrets.iter().chain(&config.session_secrets) {
        assert!(secret.expose().len() >= 32, "{what}");
    }
    let upstreams = &config.upstreams;
    for url in [
        &upstreams.openrouter_api,
        &upstreams.github,
        &upstreams.github_api,
        &upstreams.google_auth,
        &upstreams.google_token,
        &upstreams.google_keys,
        &upstreams.openrouter_auth,
        &upstreams.daydream_auth,
        &upstreams.daydream_api,
    ] {
        let loopback = ["localhost", "127.0.0.1"].contains(&url.host_str().unwrap());
        assert!(url.scheme() == "https" || loopback, "{what}: {url}");
        assert!(
            url.username().is_empty() && url.password().is_none(),
            "{what}: {url}"
        );
        assert!(
            url.query().is_none() && url.fragment().is_none(),
            "{what}: {url}"
        );
    }
    let origin = url::Url::parse(config.public_origin.as_str()).unwrap();
    assert_eq!(origin.path(), "/", "{what}");
    if let Some(seed) = &config.plan_seed {
        assert!((1..=365).contains(&seed.expiry_days), "{what}");
        assert!(seed.limit.nano() >= 10_000_000, "{what}");
        let is_id =
            |id: &String| id.len() == 36 && id.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
        assert!(seed.workspace_id.as_ref().is_none_or(is_id), "{what}");
    }
    assert!(
        (0..=10_000_000).contains(&config.terms.max_total_keys),
        "{what}"
    );
    for link in [
        &config.published.source_url,
        &config.published.security_contact,
    ] {
        let is_link = |url: &url::Url| ["https", "mailto"].contains(&url.scheme());
        assert!(link.as_ref().is_none_or(is_link), "{what}");
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "~-_./:".contains(c);
    assert!(config.published.example_model.chars().all(plain), "{what}");
}

#[test]
fn no_malformed_setting_is_accepted_opens_a_gate_or_is_repeated_in_a_message() {
    let world = World::new();
    let usual = world.settings();
    let (mut cells, mut taken) = (0, 0);
    let names = names();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        for text in hostile() {
            let what = format!("{name}={}", text.chars().take(60).collect::<String>());
            let read = |asked: &str| {
                if asked == name {
                    Some(text.clone())
                } else {
                    usual.get(asked).cloned()
                }
            };
            cells += 1;
            match Config::from_env(&read) {
                Ok(config) => {
                    taken += 1;
                    is_sound(&config, &what);
                    let closed_by = serde_json::to_string(&config.closed_by).unwrap();
                    assert!(!closed_by.contains(CANARY), "{what}");
                    let closed = config.closed_by.iter().any(|p| p.setting == name);
                    let opens =
                        name == "MAX_TOTAL_KEYS" && text.parse::<i64>().is_ok_and(|n| n > 0);
                    if GATES.contains(&name) && !opens {
                        assert!(closed && !config.claims_open(), "{what}");
                    }
                }
                Err(problems) => {
                    assert!(
                        problems.iter().any(|p| p.setting == name),
                        "{what}: {problems:?}"
                    );
                    let text = serde_json::to_string(&problems).unwrap();
                    assert!(!text.contains(CANARY), "{what}: {text}");
                }
            }
        }
    }
    println!("counted: {cells} hostile settings, {taken} of them taken as they are meant");
}

#[test]
fn a_plan_takes_a_workspace_only_by_its_id() {
    let world = World::new();
    let operator = Browser::signed_in(&world, "operator");
    let before = world.db.dump();
    for text in hostile() {
        let body = serde_json::json!({ "workspace_id": text }).to_string();
        let response = operator.patch("/api/v1/admin/plans/default", &body);
        let again = operator.post(
            "/api/v1/admin/plans",
            &serde_json::json!({
                "name": "hostile", "limit_usd": "1.00", "limit_reset": "daily", "expiry_days": 30,
                "max_active_keys": 1, "workspace_id": text,
            })
            .to_string(),
        );
        for response in [response, again] {
            assert!(
                [400, 413].contains(&response.status),
                "{text}: {response:?}"
            );
            assert!(!response.body.contains(CANARY), "{response:?}");
        }
        assert_eq!(world.db.dump(), before, "{text}");
    }
}
