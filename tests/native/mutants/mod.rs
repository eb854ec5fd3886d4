//! The mutants of the SQL texts: each takes out one guard. They are made from the statements and the schema in force,
//! so no list of them can become outdated. `npm run mutants` runs the tests under each.
//!
//! A small tokenizer finds the conditions. That it finds them rightly is proved by SQLite: each part that a mutant takes
//! out makes the same program if it is put in parentheses instead.

mod check;
mod conditions;
mod generate;
mod hand;
mod tokens;

use std::collections::HashSet;

use rusqlite::Connection;
use serde_json::{Value as Json, json};

use crate::support::database::migrations;
use check::Reader;
use generate::{Edit, Kind, Source};

/// How many of the parts are checked in a normal run. Making the list for `npm run mutants` checks all.
const ONE_OF: usize = 16;

fn migrated() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for (_, sql) in migrations() {
        connection.execute_batch(&sql).unwrap();
    }
    connection
}

/// The texts of all statements, and of the schema in force.
fn sources(connection: &Connection) -> Vec<Source> {
    let statements = keycap::store::statements().into_iter().map(|sql| Source {
        kind: Kind::Statement,
        name: sql.name.trim_start_matches("keycap::store::").to_owned(),
        text: sql.text.to_owned(),
        parameters: sql
            .parameters
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    });
    statements.chain(check::schema(connection)).collect()
}

/// The edit of a text, in the form in which `npm run mutants` gives it to the tests.
fn written(source: &Source, name: &str, text: &str, by: &str) -> Json {
    let on = || {
        let words = source.text.split_whitespace();
        words
            .skip_while(|word| *word != "ON")
            .nth(1)
            .unwrap_or_default()
    };
    let (name, is) = (json!(name), &source.name);
    match source.kind {
        Kind::Statement => {
            let statement = format!("keycap::store::{is}");
            json!({ "name": name, "by": by, "noticed": [format!("runs {statement}")], "statement": statement, "text": text })
        }
        kind => {
            let noticed = match kind {
                Kind::Trigger => vec![format!("through {is}")],
                Kind::View => vec![format!("reads {is}"), format!("through {is}")],
                Kind::Index => vec![format!("writes {}", on())],
                _ => vec![format!("writes {is}")],
            };
            json!({ "name": name, "by": by, "noticed": noticed, "object": is, "was": source.text, "sql": text })
        }
    }
}

/// Every mutant that the generator makes, with its name.
fn generated(sources: &[Source]) -> Vec<(&Source, Edit, String)> {
    let of = |source| {
        let edits: Vec<Edit> = Source::edits(source);
        edits.into_iter().map(move |edit| {
            let name = format!("{}: {}", source.name, edit.label);
            (source, edit, name)
        })
    };
    sources.iter().flat_map(of).collect()
}

/// Writes the list for `npm run mutants`, if it asks for it.
#[test]
fn every_mutant_takes_out_a_part_of_its_own_that_sqlite_can_do_without() {
    let list = std::env::var("KEYCAP_MUTANTS").ok();
    let one_of = if list.is_some() { 1 } else { ONE_OF };
    let connection = migrated();
    let sources = sources(&connection);
    let texts = keycap::store::statements();
    let reader = Reader::new(connection, texts.iter().map(|sql| sql.text).collect());
    let (mut made, mut unreadable, mut all) = (Vec::new(), 0, 0);
    for (source, edit, name) in generated(&sources).into_iter().step_by(one_of) {
        all += 1;
        assert!(
            !edit.is_expression || reader.is_a_part(source, &edit),
            "{name}: {}",
            source.text
        );
        if reader.reads(source, &edit) {
            made.push(written(source, &name, &source.edited(&edit), "generator"));
        } else {
            unreadable += 1;
        }
    }
    // What cannot be read is a constraint that a statement names.
    assert!(unreadable * 100 <= all, "{unreadable} of {all}");
    println!(
        "counted: {} mutants of SQL texts, and {unreadable} that SQLite cannot read",
        made.len()
    );
    if let Some(list) = list {
        made.extend(hand::written().iter().map(|mutant| {
            let source = mutant.source(&sources).unwrap();
            let text = mutant.text(&sources).unwrap();
            written(source, &mutant.name, &text, "hand")
        }));
        std::fs::write(
            list,
            json!({ "mutants": made, "unreadable": unreadable }).to_string(),
        )
        .unwrap();
    }
}

#[test]
fn no_two_mutants_have_one_name() {
    let mut names = HashSet::new();
    for (_, _, name) in generated(&sources(&migrated())) {
        assert!(names.insert(name.clone()), "{name}");
    }
}

#[test]
fn every_mutant_that_somebody_wrote_changes_one_text_in_force_once() {
    let connection = migrated();
    let sources = sources(&connection);
    let texts = keycap::store::statements();
    let reader = Reader::new(connection, texts.iter().map(|sql| sql.text).collect());
    let mut names = HashSet::new();
    let mut wrong = Vec::new();
    for mutant in hand::written() {
        let reads = |text: &String| reader.takes(mutant.source(&sources).unwrap(), text);
        match mutant.text(&sources) {
            Err(why) => wrong.push(format!("{}: {why}", mutant.name)),
            Ok(text) if mutant.find == mutant.replace || !reads(&text) => {
                wrong.push(format!("{}: {text}", mutant.name));
            }
            Ok(_) if !names.insert(mutant.name.clone()) => {
                wrong.push(format!("{}: listed twice", mutant.name));
            }
            Ok(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_said_to_change_nothing_is_a_mutant() {
    let sources = sources(&migrated());
    let generated = generated(&sources).into_iter().map(|(_, _, name)| name);
    let written = hand::written().into_iter().map(|mutant| mutant.name);
    let all: HashSet<String> = generated.chain(written).collect();
    let mut names = HashSet::new();
    for group in hand::equivalent() {
        assert!(group.reason.len() > 20, "no reason: {:?}", group.mutants);
        for name in group.mutants {
            assert!(all.contains(&name), "there is no mutant {name}");
            assert!(names.insert(name.clone()), "{name} is listed twice");
        }
    }
}

/// The labels of the mutants of a text.
fn labels(text: &str) -> Vec<String> {
    let source = Source {
        kind: Kind::Statement,
        name: "t::SET".to_owned(),
        text: text.to_owned(),
        parameters: Vec::new(),
    };
    source.edits().into_iter().map(|edit| edit.label).collect()
}

#[test]
fn a_limit_of_one_is_taken_out_only_where_a_second_row_would_count() {
    let without = |text| labels(text).contains(&"without \"LIMIT 1\"".to_owned());
    for one_value in [
        "SELECT (SELECT a FROM t LIMIT 1)",
        "SELECT COALESCE((SELECT a FROM t LIMIT 1), 0)",
        "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u LIMIT 1)",
    ] {
        assert!(!without(one_value), "{one_value}");
    }
    for several_rows in [
        "SELECT a FROM t LIMIT 1",
        "SELECT a FROM t WHERE a IN (SELECT a FROM u LIMIT 1)",
        "SELECT SUM(a) FROM (SELECT a FROM t LIMIT 1)",
        "SELECT SUM(u.a) FROM v, (SELECT a FROM t LIMIT 1) u",
    ] {
        assert!(without(several_rows), "{several_rows}");
    }
}

#[test]
fn the_audit_refuses_a_second_row_of_a_change_whatever_the_statement_says_of_conflicts() {
    let nothing = "without \"ON CONFLICT DO NOTHING\"".to_owned();
    let into = |table| {
        labels(&format!(
            "INSERT INTO {table} (a) VALUES (1) ON CONFLICT DO NOTHING"
        ))
    };
    assert!(into("keys").contains(&nothing));
    assert!(!into("audit").contains(&nothing));
    let connection = migrated();
    let row = "INSERT INTO audit (change_id, target, action, actor, at) VALUES ('c', 't', 'blocked', 'a', 1)";
    assert_eq!(connection.execute(row, []), Ok(1));
    assert_eq!(connection.execute(row, []), Ok(0));
}

#[test]
fn a_column_that_the_state_decides_is_not_taken_out_beside_the_state() {
    let without = |text: &str, part: &str| labels(text).contains(&format!("without \"{part}\""));
    let implied = "SELECT 1 FROM g WHERE g.live = 1 AND g.state IN ('active', 'stuck')";
    assert!(!without(implied, "g.live = 1"));
    for (text, part) in [
        (
            "SELECT 1 FROM g WHERE g.live = 1 AND g.state IN ('active', 'void')",
            "g.live = 1",
        ),
        (
            "SELECT 1 FROM g WHERE g.unsettled = 1 AND g.state = 'active'",
            "g.unsettled = 1",
        ),
        (
            "SELECT 1 FROM g WHERE g.live = 1 AND o.state = 'active'",
            "g.live = 1",
        ),
        (
            "SELECT 1 FROM g WHERE live = 1 AND state <> 'active'",
            "live = 1",
        ),
        (
            "SELECT 1 FROM g WHERE live = 1 OR state = 'active'",
            "live = 1",
        ),
    ] {
        assert!(
            without(text, part)
                || labels(text).contains(&format!("without the alternative \"{part}\"")),
            "{text}"
        );
    }
    let connection = migrated();
    let text: String = connection
        .query_row(
            "SELECT sql FROM sqlite_master WHERE name = 'generations'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    for (column, states) in conditions::COLUMNS_OF_STATES {
        let (_, expression) = text
            .split_once(&format!("{column} INTEGER GENERATED ALWAYS AS ("))
            .unwrap();
        let (expression, _) = expression.split_once(") STORED").unwrap();
        let sql = format!(
            "SELECT group_concat(quote(state)) FROM (SELECT before AS state FROM transitions UNION SELECT after FROM transitions) WHERE {expression}"
        );
        let decided: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        let decided: HashSet<&str> = decided.split(',').collect();
        assert_eq!(decided, states.iter().copied().collect(), "{column}");
    }
}

#[test]
fn the_guards_of_a_statement_are_taken_out_one_at_a_time() {
    let text = "UPDATE t SET a = ?1, b = MAX(b, ?2) WHERE id = ?3 AND (a BETWEEN 1 AND 2 OR NOT (b >= 3 AND c = 'x AND y'))
        AND CASE WHEN d = 1 AND e THEN f OR g ELSE h END AND EXISTS (SELECT 1 FROM u WHERE u.a IN ('p', 'q') LIMIT 1) AND a = (SELECT v.a FROM v ORDER BY v.id)";
    let source = Source {
        kind: Kind::Statement,
        name: "t::SET".to_owned(),
        text: text.to_owned(),
        parameters: vec!["a".to_owned(), "b".to_owned(), "id".to_owned()],
    };
    let made: Vec<String> = source.edits().into_iter().map(|edit| edit.label).collect();
    let expected = [
        "not run",
        "without the change \"a = :a\"",
        "without the change \"b = MAX(b, :b)\"",
        "\"b\" for \"MAX(b, :b)\"",
        "\":b\" for \"MAX(b, :b)\"",
        "without \"id = :id\"",
        "without \"(a BETWEEN 1 AND 2 OR NOT (b >= 3 AND c = 'x AND y'))\"",
        "without the alternative \"a BETWEEN 1 AND 2\"",
        "without the alternative \"NOT (b >= 3 AND c = 'x AND y')\"",
        "without \"b >= 3\"",
        "\">\" in \"b >= 3 AND c = 'x AND y'\"",
        "without \"c = 'x AND y'\"",
        "without \"CASE WHEN d = 1 AND e THEN f OR g ELSE h END\"",
        "without \"d = 1\"",
        "without \"e\"",
        "without the alternative \"f\"",
        "without the alternative \"g\"",
        "without \"EXISTS (SELECT 1 FROM u WHERE u.a IN ('p', 'q') LIMIT 1)\"",
        "without \"u.a IN ('p', 'q')\"",
        "without 'p' of \"u.a IN ('p', 'q')\"",
        "without 'q' of \"u.a IN ('p', 'q')\"",
        "without \"a = (SELECT v.a FROM v ORDER BY v.id)\"",
        "any row for the first in \"= (SELECT v.a FROM v ORDER BY v.id)\"",
    ];
    let (mut sorted, mut wanted) = (made.clone(), expected.map(str::to_owned).to_vec());
    sorted.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
}
