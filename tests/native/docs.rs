//! What the documents say is what there is: commands, settings, triggers, and the way to open the service.

use std::collections::BTreeSet;

const README: &str = include_str!("../../README.md");
const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const WRANGLER: &str = include_str!("../../wrangler.toml");
const PACKAGE: &str = include_str!("../../package.json");

/// The rows of the table below this heading of README: their cells, without the head.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, below) = README.split_once(heading).expect(heading);
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
fn the_readmes_table_of_triggers_is_wranglers_and_says_what_each_starts() {
    let (_, crons) = WRANGLER.split_once("crons = [").unwrap();
    let (crons, _) = crons.split_once(']').unwrap();
    let deployed: BTreeSet<&str> = crons.split('"').skip(1).step_by(2).collect();
    let rows = table("**The clock.**");
    let told: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    assert_eq!(told, deployed);
    let of = |cron: &str| {
        let row = rows.iter().find(|row| row[0].contains(cron)).unwrap();
        row[1].clone()
    };
    assert!(of(keycap::jobs::EVERY_TEN_MINUTES).contains("sweep"));
    assert!(of(keycap::jobs::EVERY_NIGHT).contains("comparison"));
}

#[test]
fn every_command_is_told_and_every_command_that_is_told_exists() {
    let package: serde_json::Value = serde_json::from_str(PACKAGE).unwrap();
    let scripts = package["scripts"].as_object().unwrap();
    let sandbox = include_str!("../../sandbox/README.md");
    let security = include_str!("../../SECURITY.md");
    let documents = [README, CONTRIBUTING, security, sandbox].join("\n");
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
    // What OpenRouter is to have: a management key, best of an account of its own, with a limit; its terms; its workspace.
    for said in [
        "make a management key",
        "credit limit",
        "OpenRouter's terms",
        "`OPENROUTER_WORKSPACE_ID`",
        "`guardrail_id`",
    ] {
        assert!(README.contains(said), "{said}");
    }
    // What keeps it closed, in the order in which it is opened.
    let (_, road) = README.split_once("## The road to production").unwrap();
    let steps = [
        "npm run deploy -- --dry-run",
        "wrangler d1 create",
        "/auth/github/callback",
        "wrangler secret put",
        "`npm run deploy` applies the migrations",
        "/healthz",
        "PROJECT_STATUS = \"live\"",
        "PROVISIONING_ENABLED = \"true\"",
        "upstream_terms",
    ];
    let mut at = 0;
    for step in steps {
        let found = road[at..].find(step);
        at += found.unwrap_or_else(|| panic!("{step} is not told, or too late"));
    }
}
