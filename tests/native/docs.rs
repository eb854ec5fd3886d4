//! The documents agree with the code: commands, settings, triggers, and the steps that open the service.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const README: &str = include_str!("../../README.md");
const OPERATING: &str = include_str!("../../docs/operating.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const WRANGLER: &str = include_str!("../../wrangler.toml");
const PACKAGE: &str = include_str!("../../package.json");

/// Reads the table below this heading of docs/operating.md: the cells of each row, without the head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = OPERATING.split_once(heading).expect(heading);
    let lines = below.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_manuals_table_of_triggers_is_wranglers_and_says_what_each_starts() {
    let (_, crons) = WRANGLER.split_once("crons = [").unwrap();
    let (crons, _) = crons.split_once(']').unwrap();
    let deployed: BTreeSet<&str> = crons.split('"').skip(1).step_by(2).collect();
    let rows = table("\n## The clock");
    let response: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    assert_eq!(response, deployed);
    let of = |cron: &str| {
        let row = rows.iter().find(|row| row[0].contains(cron)).unwrap();
        row[1].clone()
    };
    assert!(of(keycap::jobs::EVERY_TEN_MINUTES).contains("sweep"));
    assert!(of(keycap::jobs::EVERY_NIGHT).contains("comparison"));
}

#[test]
fn every_command_is_documented_and_every_documented_command_exists() {
    let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
    let scripts = package["scripts"].as_object().unwrap();
    let sandbox = include_str!("../../sandbox/README.md");
    let security = include_str!("../../SECURITY.md");
    let documents = [README, OPERATING, CONTRIBUTING, security, sandbox].join("\n");
    for script in scripts.keys() {
        let run = format!("npm run {script}");
        let short = format!("npm {script}");
        assert!(
            documents.contains(&run) || documents.contains(&short),
            "{script} is told nowhere"
        );
    }
    let words: Vec<&str> = documents.split_whitespace().collect();
    for command in words.windows(3).filter(|three| three[0].ends_with("npm")) {
        let script = if command[1] == "run" {
            command[2]
        } else {
            command[1]
        };
        let script: String = script
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == ':')
            .collect();
        assert!(scripts.contains_key(&script), "npm {script} is no command");
    }
}

#[test]
fn an_operator_finds_the_upstream_account_its_settings_and_how_the_service_is_opened() {
    // What the operator sets up at OpenRouter: a management key, best in an account of its own with a limit; its terms;
    // its workspace.
    for said in [
        "make a management key",
        "credit limit",
        "OpenRouter's terms",
        "`OPENROUTER_WORKSPACE_ID`",
        "`guardrail_id`",
    ] {
        assert!(README.contains(said), "{said}");
    }
    // The steps that open the service, in the order in which the operator takes them.
    let (_, road) = README.split_once("## The road to production").unwrap();
    let steps = [
        "npm run deploy -- --dry-run",
        "wrangler d1 create",
        "/auth/github/callback",
        "wrangler secret put",
        "`npm run deploy` applies the migrations",
        "/healthz",
        "upstream_terms",
        "PROJECT_STATUS = \"live\"",
        "PROVISIONING_ENABLED = \"true\"",
    ];
    let mut at = 0;
    for step in steps {
        let found = road[at..].find(step);
        at += found.unwrap_or_else(|| panic!("{step} is not told, or too late"));
    }
}

const ACCEPTANCE: &str = include_str!("../../docs/acceptance.md");

/// How many rows each part of the acceptance list has.
const PARTS: [(&str, u32); 5] = [("S0", 168), ("S1", 21), ("S2", 84), ("S3", 61), ("S4", 85)];

/// Answers whether a Rust test file has a test of this name.
fn has_rust_test(text: &str, name: &str) -> bool {
    let tests = text.split("#[test]").skip(1);
    let mut names = tests.filter_map(|after| after.split("fn ").nth(1)?.split('(').next());
    names.any(|found| found == name)
}

/// Checks that what a row names exists: a test of a file, or documentation examples that must not compile. An error
/// says what is missing.
fn exists(shown_by: &str) -> Result<(), String> {
    let (file, name) = shown_by.split_once("::").ok_or("no file::test")?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).map_err(|error| format!("{file}: {error}"))?;
    let found = match file.rsplit('.').next() {
        Some("rs") if name.starts_with(char::is_uppercase) => {
            let (before, _) = text
                .split_once(&format!("pub struct {name}"))
                .unwrap_or_default();
            before.contains("```compile_fail")
        }
        Some("rs") => has_rust_test(&text, name),
        Some("mjs") => ["\"", "`"]
            .iter()
            .any(|quote| text.contains(&format!("test({quote}{name}"))),
        _ => false,
    };
    found
        .then_some(())
        .ok_or(format!("{file} has no test {name:?}"))
}

/// Reads the rows of the acceptance table: the id, the behaviour, and what shows it.
fn acceptance() -> Vec<(&'static str, &'static str, &'static str)> {
    let rows = ACCEPTANCE.lines().filter(|line| line.starts_with("| S"));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').splitn(3, " | ").map(str::trim);
        let mut next = || cells.next().expect(row);
        (next(), next(), next())
    })
    .collect()
}

#[test]
fn every_acceptance_row_is_answered_by_tests_that_exist() {
    let rows = acceptance();
    let ids: Vec<&str> = rows.iter().map(|(id, _, _)| *id).collect();
    let expected: Vec<String> = PARTS
        .iter()
        .flat_map(|(part, count)| (1..=*count).map(move |n| format!("{part}-{n:02}")))
        .collect();
    assert_eq!(ids, expected, "each row once, in order");
    let (mut wrong, mut shown) = (Vec::new(), BTreeMap::new());
    for (id, behaviour, shown_by) in &rows {
        assert!(
            behaviour.ends_with('.') && behaviour.len() > 10,
            "{id}: {behaviour}"
        );
        let part = &id[..2];
        let count: &mut (u32, u32) = shown.entry(part).or_default();
        if *shown_by == "not yet" {
            count.1 += 1;
            continue;
        }
        count.0 += 1;
        for one in shown_by.split("<br>") {
            let one = one.trim().trim_matches('`');
            if let Err(why) = exists(one) {
                wrong.push(format!("{id}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    println!("counted: rows of the acceptance list that are shown, and not yet: {shown:?}");
}

#[test]
fn a_missing_test_is_noticed() {
    let file = "tests/native/docs.rs";
    assert_eq!(
        exists(&format!("{file}::a_missing_test_is_noticed")),
        Ok(())
    );
    for wrong in [
        format!("{file}::not_there_is_missed"),
        format!("{file}::a_test_that_is_not_there"),
        format!("{file}::exists"),
        String::from("tests/native/nothing.rs::a_test"),
        String::from("tests/browser/claim.test.mjs::no such title"),
        String::from("src/domain/money.rs::NanoUsd"),
        String::from("a test"),
    ] {
        assert!(exists(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_name_of_our_own_in_the_glossary_is_in_the_file_that_its_path_says() {
    let glossary = include_str!("../../docs/glossary.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for path in glossary.split('`').skip(1).step_by(2) {
        let segments: Vec<&str> = path.split("::").collect();
        let is_ours = segments.len() > 1 && source.join(segments[0]).is_dir();
        if !is_ours {
            continue;
        }
        seen += 1;
        let file = (1..=segments.len()).rev().find_map(|end| {
            let base = source.join(segments[..end].join("/"));
            let files = [base.with_extension("rs"), base.join("mod.rs")];
            let text = files
                .iter()
                .find_map(|file| std::fs::read_to_string(file).ok())?;
            Some((end, text))
        });
        let is_there =
            file.is_some_and(|(end, text)| segments[end..].iter().all(|name| text.contains(name)));
        if !is_there {
            wrong.push(path);
        }
    }
    assert!(seen > 20, "{seen}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_that_the_walks_name_exists() {
    let walks = include_str!("../../docs/architecture.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = walks.split('`').skip(1).step_by(2);
    let files: Vec<&str> = named
        .filter(|name| name.ends_with(".rs") && !name.starts_with("tests/"))
        .collect();
    assert!(files.len() > 20, "{}", files.len());
    for file in files {
        assert!(source.join(file).is_file(), "{file}");
    }
}
