//! `GET /api/v1/usage.csv`: the same figures as the API's, in a form that a spreadsheet reads and does not run.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// The rows of a file, each by the names of its columns. A CSV library reads it back.
fn rows_of(body: &str) -> Vec<BTreeMap<String, String>> {
    let text = body.strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

fn file(browser: &Browser<'_>, query: &str) -> Vec<BTreeMap<String, String>> {
    let response = browser.get(&format!("/api/v1/usage.csv{query}"));
    assert_eq!(response.status, 200, "{query}: {response:?}");
    rows_of(&response.body)
}

/// What a column of a file adds up to. Money is in nano-USD.
fn column(rows: &[BTreeMap<String, String>], name: &str) -> i64 {
    let cells = rows.iter().map(|row| row[name].as_str());
    cells
        .filter(|cell| !cell.is_empty())
        .map(|cell| match cell.contains('.') {
            true => nano(&Value::from(cell)),
            false => cell.parse().unwrap(),
        })
        .sum()
}

#[test]
fn the_file_has_exactly_the_figures_of_the_api_and_says_how_certain_they_are() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let hash = hash_of(&world, &key);
    for model in ["openai/gpt-5", "anthropic/claude-sonnet-4.5"] {
        uses(&world, &hash, model, 1_234_567_891, 0);
    }
    night(&world);
    uses(&world, &hash, "openai/gpt-5", 7, 0);
    world.pass(crate::support::TEN_MINUTES);
    assert!(world.tick());
    let member = Browser::with(&world, &member.cookies.borrow());
    for query in [
        "",
        "?group=model",
        "?group=key,model",
        "?group=project&top=1",
        "?from=2026-11-20&to=2026-11-20&group=model",
        "?from=2026-08-01&group=model",
    ] {
        let (body, rows) = (usage(&member, query), file(&member, query));
        for name in ["spend_usd", "cost_usd", "not_broken_down_usd", "byok_usd"] {
            assert_eq!(
                column(&rows, name),
                nano(&body["totals"][name]),
                "{query} {name}"
            );
        }
        for name in [
            "requests",
            "prompt_tokens",
            "completion_tokens",
            "reasoning_tokens",
            "cached_tokens",
        ] {
            assert_eq!(column(&rows, name), body["totals"][name], "{query} {name}");
        }
        let times = body["buckets"].as_array().unwrap();
        for bucket in times {
            let of_it: Vec<_> = rows
                .iter()
                .filter(|row| bucket["from"] == row["from"].as_str())
                .collect();
            assert!(!of_it.is_empty(), "{query}: a row for each time");
            let settled = match bucket["certainty"].as_str().unwrap() {
                "settled" | "by_month" => "yes",
                "open" => "no",
                other => other,
            };
            for row in of_it {
                assert_eq!(row["settled"], settled);
                assert_eq!(row["as_of"], bucket["as_of"].as_str().unwrap_or_default());
                assert_eq!(row["source"], bucket["source"].as_str().unwrap_or_default());
                let is_unknown = bucket["totals"].is_null();
                assert_eq!(row["spend_usd"].is_empty(), is_unknown, "a gap is no zero");
            }
        }
    }
    let models = file(&member, "?group=model");
    let names: Vec<&str> = models.iter().map(|row| row["model"].as_str()).collect();
    assert!(names.contains(&"Claude Sonnet 4.5"), "{names:?}");
}

#[test]
fn the_file_is_one_that_spreadsheets_open_as_it_is_and_its_name_has_the_range() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 5, 0);
    night(&world);
    let member = Browser::signed_in(&world, "member");
    let response = member.get("/api/v1/usage.csv?from=2026-11-01&group=model");
    assert_eq!(response.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(
        response.header("content-disposition"),
        "attachment; filename=\"keycap-usage_2026-11-01_2026-11-22_UTC.csv\""
    );
    assert_eq!(response.header("cache-control"), "no-store, no-transform");
    let text = response.body.strip_prefix('\u{feff}').unwrap();
    assert!(text.starts_with("from,to,kind,model,model_id,spend_usd,"));
    assert!(text.ends_with("\r\n"));
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    assert!(text.contains(",0.000000005,"), "numbers are bare: {text}");
}

#[test]
fn a_name_that_a_spreadsheet_would_run_or_count_is_a_text_in_the_file() {
    let world = World::new();
    let (_, key) = holder(&world, "member");
    uses(&world, &hash_of(&world, &key), "m", 5, 0);
    night(&world);
    for name in [
        "=HYPERLINK(\"https://evil.example\",\"free\")",
        "+1+1",
        "-2",
        "@SUM(A1)",
        "\u{ff1d}1+1",
        "12345678901234567890",
        "007",
        "1e5",
        "nan",
    ] {
        let member = Browser::signed_in(&world, "member");
        let body = json!({ "name": name }).to_string();
        let changed = member.patch(&format!("/api/v1/keys/{key}"), &body);
        assert_eq!(changed.status, 200, "{changed:?}");
        let rows = file(&member, "?group=key");
        let names: Vec<&str> = rows
            .iter()
            .map(|row| row["key"].as_str())
            .filter(|name| !name.is_empty())
            .collect();
        assert!(!names.is_empty());
        for read in names {
            assert_eq!(read, format!("'{name}"));
        }
        world.pass(DAY);
        synced(&world);
    }
    let member = Browser::signed_in(&world, "member");
    let quoted = r#"{"name":"a \"b\", c"}"#;
    assert_eq!(
        member.patch(&format!("/api/v1/keys/{key}"), quoted).status,
        200
    );
    let response = member.get("/api/v1/usage.csv?group=key");
    assert!(response.body.contains(",\"a \"\"b\"\", c\","));
    assert!(
        rows_of(&response.body)
            .iter()
            .any(|row| row["key"] == "a \"b\", c")
    );
}

#[test]
fn no_file_is_made_while_a_day_that_can_still_be_read_is_not_read_completely() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    holder(&world, "second");
    uses(&world, &hash_of(&world, &key), "m", 100, 0);
    let refused = |query: &str| {
        let member = Browser::with(&world, &member.cookies.borrow());
        let response = member.get(&format!("/api/v1/usage.csv{query}"));
        assert_eq!(
            (response.status, response.code().as_str()),
            (503, "usage_unread"),
            "{query}: {response:?}"
        );
        assert_eq!(response.header("retry-after"), "3600");
        assert_eq!(response.header("content-disposition"), "");
        response.json()["detail"].as_str().unwrap().to_owned()
    };
    assert!(refused("?from=2026-11-19").contains("the usage of 2026-11-19 is not read completely"));
    night(&world);
    let whole = Browser::with(&world, &member.cookies.borrow());
    assert!(!file(&whole, "?from=2026-11-19").is_empty());
    // A day that OpenRouter no longer reports is marked, and never refused: nobody could wait for it.
    let rows = file(&whole, "?from=2026-10-01&to=2026-10-03&group=model");
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert_eq!(
            [
                &row["kind"],
                &row["settled"],
                &row["spend_usd"],
                &row["as_of"]
            ],
            ["unknown", "unknown", "", ""]
        );
    }
    // Some key of a day could not be read, so that day may be too low.
    for fault in ["openrouter.analytics.query", "openrouter.analytics.meta"] {
        world.add_fault(fault, "refuse", json!({ "status": 404, "times": 0 }));
    }
    let failing = json!({ "nth": 3, "times": 3 });
    world.add_fault("openrouter.activity.get", "error_before", failing);
    to_next_night(&world);
    assert!(world.sync_usage());
    assert_eq!(world.last_run(), "partial keys_failed");
    assert!(refused("").contains("the usage of 2026-11-2"));
    assert!(
        refused("?from=2026-09-01").contains("2026-11-2"),
        "by month"
    );
    let member = Browser::with(&world, &member.cookies.borrow());
    assert!(
        !file(&member, "?to=2026-11-15").is_empty(),
        "without that day"
    );
}

#[test]
fn the_file_answers_only_those_whom_the_api_answers() {
    let world = World::new();
    let (member, key) = holder(&world, "member");
    let second = Browser::signed_in(&world, "second");
    night(&world);
    let second = Browser::with(&world, &second.cookies.borrow());
    for query in [format!("?key={key}"), String::from("?scope=all")] {
        let response = second.get(&format!("/api/v1/usage.csv{query}"));
        assert_eq!(response.code(), "not_found", "{query}");
    }
    let member = Browser::with(&world, &member.cookies.borrow());
    let response = member.get("/api/v1/usage.csv?from=30d");
    assert_eq!(response.code(), "bad_request");
    assert_eq!(response.json()["errors"][0]["pointer"], "/from");
    assert_eq!(Browser::new(&world).get("/api/v1/usage.csv").status, 401);
    let operator = Browser::signed_in(&world, "operator");
    let rows = file(&operator, "?scope=all&group=member");
    assert!(rows.iter().all(|row| row.contains_key("member_id")));
}
