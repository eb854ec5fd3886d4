//! The documents agree with the code: commands, triggers, the steps that open the service, the tests that show each wanted
//! behaviour, and the names of types and files. The table of settings is compared in `tree.rs`.

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

/// Answers whether a line of a Rust file defines this name. An import does not, and neither does a longer name.
fn defines(text: &str, name: &str) -> bool {
    let kinds = [
        "struct",
        "enum",
        "fn",
        "const",
        "const fn",
        "async fn",
        "trait",
        "macro_rules!",
    ];
    text.lines().any(|line| {
        let line = without_visibility(line);
        let named = kinds.iter().filter_map(|kind| line.strip_prefix(kind));
        named
            .filter_map(|rest| rest.strip_prefix(' ')?.strip_prefix(name))
            .any(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Answers whether a line of a Rust file has this name as a field or a variant.
fn has_member(text: &str, name: &str) -> bool {
    let mut rests = text
        .lines()
        .filter_map(|line| without_visibility(line).strip_prefix(name));
    rests.any(|rest| rest.starts_with([':', ',', '(']) || rest.starts_with(" {"))
}

fn without_visibility(line: &str) -> &str {
    let line = line.trim_start();
    let line = line.strip_prefix("pub(crate)").unwrap_or(line);
    line.strip_prefix("pub").unwrap_or(line).trim_start()
}

/// Finds the file of a path such as `store::keys::cards::Card`, and checks that it defines what follows the module: a
/// name, and perhaps a field or a variant of it.
fn is_defined(path: &str) -> bool {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let segments: Vec<&str> = path.split("::").collect();
    let file = (1..=segments.len()).rev().find_map(|end| {
        let base = source.join(segments[..end].join("/"));
        let files = [base.with_extension("rs"), base.join("mod.rs")];
        let text = files
            .iter()
            .find_map(|file| std::fs::read_to_string(file).ok())?;
        Some((end, text))
    });
    file.is_some_and(|(end, text)| {
        let mut names = segments[end..].iter();
        names.next().is_none_or(|name| defines(&text, name))
            && names.all(|name| has_member(&text, name) || defines(&text, name))
    })
}

#[test]
fn every_name_of_our_own_in_the_glossary_is_in_the_file_that_its_path_says() {
    let glossary = include_str!("../../docs/glossary.md");
    let names = glossary.split('`').skip(1).step_by(2);
    let paths: Vec<&str> = names.filter(|name| name.contains("::")).collect();
    assert!(paths.len() > 40, "{}", paths.len());
    let wrong: Vec<_> = paths.iter().filter(|path| !is_defined(path)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A name that its module only imports, a part of a name, and a path from nowhere are noticed.
    for missing in [
        "store::keys::claims::Attempt",
        "store::keys::attempt::Attem",
        "store::keys::attempt::Rotation::grace",
        "Policy::allotted",
    ] {
        assert!(!is_defined(missing), "{missing}");
    }
}

/// The files that a text names, each once.
fn files_in(text: &str) -> BTreeSet<&str> {
    let named = text.split('`').skip(1).step_by(2);
    let is_source = |name: &&str| name.ends_with(".rs") || name.ends_with(".js");
    let files = named.filter(is_source);
    files.filter(|name| !name.starts_with("tests/")).collect()
}

#[test]
fn every_file_that_the_walks_name_exists_and_each_walk_counts_its_files() {
    let document = include_str!("../../docs/architecture.md");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in files_in(document) {
        assert!(source.join(file).is_file(), "{file}");
    }
    let walks: Vec<&str> = document.split("\n## ").skip(2).collect();
    let titles: Vec<_> = walks
        .iter()
        .filter_map(|walk| walk.lines().next())
        .collect();
    let expected = [
        "A sign-in with Google",
        "A claim",
        "A refused claim",
        "A key that is disabled, and other work of the sweep",
        "A sign-in at a billing provider",
        "A plan's change",
    ];
    assert_eq!(titles, expected);
    for walk in walks {
        let count = format!("It passes {} files", files_in(walk).len());
        assert!(walk.contains(&count), "{count}: {walk}");
    }
}
