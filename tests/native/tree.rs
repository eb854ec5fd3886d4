//! Promises about the source tree itself.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use keycap::config::Config;

use crate::support::{Browser, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Reads the files below a folder.
fn files(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path, text));
            }
        }
    }
    found
}

/// The names of every setting that the Worker reads when it starts.
fn settings() -> Vec<String> {
    let asked = RefCell::new(BTreeSet::new());
    let problems = Config::from_env(&|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    assert!(problems.is_err(), "one setting is required");
    let names: Vec<String> = asked.into_inner().into_iter().collect();
    assert!(names.len() >= 17, "{names:?}");
    names
}

#[test]
fn the_readmes_table_of_settings_agrees_with_the_code() {
    let readme = read("README.md");
    let mut response: Vec<String> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split('`').next())
        .filter(|name| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
        .map(str::to_owned)
        .collect();
    response.sort_unstable();
    assert_eq!(response, settings());
}

#[test]
fn static_files_contain_no_name_or_value_of_a_setting() {
    let sources = ["public", "src/http/pages/scripts", "src/http/pages/styles"];
    for (path, text) in sources.into_iter().flat_map(files) {
        for name in settings() {
            assert!(!text.contains(&name), "{}: {name}", path.display());
        }
        for value in ["sk-or-v1-", "gho_", "BEGIN PRIVATE KEY"] {
            assert!(!text.contains(value), "{}: {value}", path.display());
        }
    }
}

#[test]
fn no_workspace_is_compiled_in() {
    let is_uuid =
        |word: &str| word.len() == 36 && word.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    for (path, text) in files("src") {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        assert!(!words.into_iter().any(is_uuid), "{}", path.display());
    }
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    assert_eq!(
        world
            .db
            .text("SELECT COALESCE(workspace_id, 'none') FROM plans WHERE is_default = 1"),
        "none"
    );
}

#[test]
fn a_member_reads_only_their_own_rows() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    let other = Browser::signed_in(&world, "second");
    assert_eq!(
        other.get("/api/v1/keys").json()["keys"],
        serde_json::json!([])
    );
    let mine = world.db.text("SELECT public_id FROM keys");
    for target in ["/api/v1/keys", "/api/v1/me", "/api/v1/keys?owner=1000100"] {
        assert!(!other.get(target).body.contains(&mine), "{target}");
    }
    // No answer to a member contains an upstream hash, because anyone who knows a hash could have the key disabled.
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    for target in ["/api/v1/keys", "/api/v1/me"] {
        assert!(!member.get(target).body.contains(&hash), "{target}");
    }
}

#[test]
fn keys_are_deleted_by_openrouters_hash() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    world.add_fault(
        "openrouter.keys.create",
        "echo_limit_larger",
        serde_json::json!({}),
    );
    world.effects.plan(&[]);
    assert_eq!(member.claim().code(), "openrouter_mismatch");
    let hash = world.db.text("SELECT upstream_hash FROM generations");
    let call = format!("http DELETE /openrouter/api/v1/keys/{hash}");
    assert!(
        world.effects.names().contains(&call),
        "{:?}",
        world.effects.names()
    );
    assert_eq!(world.usable().len(), 0);
}

#[test]
fn secrets_are_compared_only_in_constant_time() {
    // `Secret` itself cannot be compared: its documentation has examples that must not compile.
    for (path, text) in files("src") {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let compares = ["==", "!=", ".eq(", "starts_with("]
                .iter()
                .any(|sign| line.contains(sign));
            let is_secret = ["expose()", "pending.state", "pending.verifier"]
                .iter()
                .any(|secret| line.contains(secret));
            assert!(!(compares && is_secret), "{}: {line}", path.display());
        }
    }
    assert!(
        read("src/http/server/attempts.rs")
            .contains("pending.state.as_bytes().ct_eq(state.as_bytes())")
    );
}

#[test]
fn a_mint_is_sent_from_one_place_only() {
    let callers: Vec<String> = files("src")
        .into_iter()
        .filter(|(_, text)| text.contains("openrouter::create_key"))
        .map(|(path, _)| {
            path.strip_prefix(ROOT)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(callers, ["src/app/claim.rs"]);
    // A key is minted only with all of its bounds: the documentation of `MintSpec` has examples that must not compile.
    let takes =
        "pub async fn create_key(upstream: &UpstreamClient<'_>, spec: &MintSpec) -> Created";
    let mints = |text: &str| text.matches("\"POST\", \"/keys\"").count();
    let found = files("src").into_iter();
    let found: Vec<_> = found.filter(|(_, text)| mints(text) > 0).collect();
    assert_eq!(found.len(), 1);
    let (path, text) = &found[0];
    assert!(path.ends_with("src/upstream/openrouter.rs"), "{path:?}");
    assert!(mints(text) == 1 && text.contains(takes));
}

#[test]
fn upstreams_are_called_only_by_their_clients_through_a_port() {
    let who = |what: &str| {
        let found = files("src").into_iter();
        let found = found.filter(|(_, text)| text.contains(what));
        let places = found.map(|(path, _)| path.strip_prefix(ROOT).unwrap().to_owned());
        let mut places: Vec<String> = places.map(|p| p.to_str().unwrap().to_owned()).collect();
        places.sort_unstable();
        places
    };
    let callers = who(".http.send(");
    assert!(
        callers
            .iter()
            .all(|place| place.starts_with("src/upstream/")),
        "{callers:?}"
    );
    assert_eq!(
        who("dyn HttpClient"),
        [
            // These two count a client's call, or let it wait, and pass it on.
            "src/app/budget.rs",
            "src/app/chunk/lanes.rs",
            "src/app/context.rs",
            "src/upstream/client.rs",
        ],
        "what is behind it is chosen outside"
    );
    let credential = who("\"OPENROUTER_MANAGEMENT_KEY\"");
    assert!(
        credential
            .iter()
            .all(|place| place.starts_with("src/config")),
        "{credential:?}"
    );
    assert!(!callers.is_empty() && !credential.is_empty());
}

/// Names of modules that say nothing about their content.
const NAMES_OF_NOTHING: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "misc", "manager", "service",
];

#[test]
fn files_stay_small_enough_to_read() {
    let mut lines = Vec::new();
    let mut folders: HashMap<PathBuf, usize> = HashMap::new();
    for (path, text) in files("src") {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap();
        let count = code.lines().count();
        assert!(count <= 400, "{}: {count} lines", path.display());
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!NAMES_OF_NOTHING.contains(&name), "{}", path.display());
        *folders
            .entry(path.parent().unwrap().to_owned())
            .or_default() += 1;
        // A list of modules is no part with a behaviour of its own.
        if name != "mod" {
            lines.push(count);
        }
    }
    // The tree also does not have so many parts that one must search all of them for a behaviour: a folder is for more
    // than one file, and most files have at least 25 lines.
    let alone: Vec<_> = folders.iter().filter(|(_, count)| **count < 2).collect();
    let has_a_file_beside = |folder: &&(&PathBuf, &usize)| !folder.0.with_extension("rs").exists();
    assert_eq!(
        alone.iter().filter(has_a_file_beside).count(),
        0,
        "{alone:?}"
    );
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    let tiny = lines.iter().filter(|count| **count < 25).count();
    assert!(
        median >= 60,
        "half of the files have fewer than {median} lines"
    );
    assert!(
        tiny * 10 <= lines.len(),
        "{tiny} of {} files have fewer than 25 lines",
        lines.len()
    );
}

#[test]
fn migrations_contain_no_data_of_a_deployment() {
    let is_id = |word: &str| {
        let hex = word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let long = word.len() >= 16 && hex && !digits;
        let number = word.len() >= 5 && digits;
        // Amounts are written in thousands, and a day in seconds.
        long || (number && !word.ends_with("000") && word != "86400")
    };
    for (name, sql) in crate::support::database::migrations() {
        let code = sql.lines().map(|line| line.split("--").next().unwrap());
        for line in code {
            assert!(
                !line.contains("://") && !line.contains('@'),
                "{name}: {line}"
            );
            let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            for word in words {
                assert!(!is_id(word), "{name}: {line}");
            }
        }
    }
}

#[test]
fn the_lints_are_errors_and_no_code_is_exempt_or_unused() {
    let manifest = read("Cargo.toml");
    for lint in [
        "unsafe_code = \"forbid\"",
        "unwrap_used = \"deny\"",
        "panic = \"deny\"",
        "indexing_slicing = \"deny\"",
        "todo = \"deny\"",
    ] {
        assert!(manifest.contains(lint), "{lint}");
    }
    // The compiler warns about dead code, and the checks turn warnings into errors, natively and for the Worker.
    let checks = read("scripts/check.mjs");
    assert_eq!(checks.matches("\"-D\", \"warnings\"").count(), 2);
    for (path, text) in files("src").into_iter().chain(files("sandbox/src")) {
        for let_off in ["#[allow(", "#![allow("] {
            assert!(!text.contains(let_off), "{}: {let_off}", path.display());
        }
        assert!(!text.contains("expect(dead_code"), "{}", path.display());
    }
    for options in ["tsconfig.json", "tsconfig.pages.json"] {
        let strict = read(options).contains("\"strict\": true");
        let extends = read(options).contains("\"extends\"");
        assert!(strict || extends, "{options}");
    }
}
