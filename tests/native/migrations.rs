//! The form of the migrations: they are numbered, written so that Cloudflare's remote endpoint can split them into
//! statements, and unchanged once they are released.
//!
//! `wrangler d1 migrations apply --remote` sends each file whole, and the endpoint splits it more simply than SQLite
//! does. It has refused triggers over several lines, `begin` in small letters, `CASE … END` within a trigger, CR line
//! ends and files that end in a trigger. No local run shows that, so these tests check the form.

use keycap::crypto::sha256_hex;

use crate::support::database::migrations;

/// Splits a line of SQL into its words.
fn words(line: &str) -> Vec<&str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .collect()
}

/// Lists what the remote endpoint would refuse in one line of a migration.
fn faults_of_line(line: &str) -> Vec<&'static str> {
    let words = words(line);
    let holds = |wanted: &str| words.iter().any(|word| word.eq_ignore_ascii_case(wanted));
    if !holds("TRIGGER") || (holds("DROP") && !holds("CREATE")) {
        return Vec::new();
    }
    let begins = words.iter().filter(|word| **word == "BEGIN").count();
    [
        (
            line.starts_with("CREATE TRIGGER "),
            "CREATE TRIGGER does not begin its line",
        ),
        (
            line.ends_with(" END;"),
            "a trigger stands on more than one line",
        ),
        (begins == 1, "a trigger needs one BEGIN in capitals"),
        (
            line.matches("END;").count() == 1,
            "a trigger needs exactly one END;",
        ),
        (!holds("CASE"), "a trigger holds CASE"),
    ]
    .into_iter()
    .filter_map(|(held, fault)| (!held).then_some(fault))
    .collect()
}

/// Lists what the remote endpoint would refuse in a whole migration.
fn faults(sql: &str) -> Vec<&'static str> {
    let code: Vec<&str> = sql
        .split('\n')
        .map(|line| line.split("--").next().unwrap().trim_end_matches(' '))
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut found: Vec<&str> = code.iter().flat_map(|line| faults_of_line(line)).collect();
    if sql.contains('\r') {
        found.push("a line ends in CR");
    }
    if code
        .last()
        .is_some_and(|line| line.starts_with("CREATE TRIGGER "))
    {
        found.push("the file ends in a trigger");
    }
    found
}

#[test]
fn every_migration_has_the_form_that_the_remote_endpoint_reads() {
    for (name, sql) in migrations() {
        assert_eq!(faults(&sql), Vec::<&str>::new(), "{name}");
    }
}

const TRIGGER: &str =
    "CREATE TRIGGER t_kept BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'kept'); END;";

#[test]
fn a_migration_that_the_remote_endpoint_refuses_is_refused_here() {
    let index = "CREATE INDEX t_by_a ON t (a);\n";
    assert_eq!(faults(&format!("{TRIGGER}\n{index}")), Vec::<&str>::new());
    for (sql, fault) in [
        (TRIGGER.replace(" BEGIN", "\nBEGIN"), "more than one line"),
        (TRIGGER.replace("; END;", ";\nEND;"), "more than one line"),
        (TRIGGER.replace("BEGIN", "begin"), "one BEGIN in capitals"),
        (TRIGGER.replace("END;", "end;"), "exactly one END;"),
        (format!("{TRIGGER} END;"), "exactly one END;"),
        (
            TRIGGER.replace("'kept'", "CASE WHEN 1 THEN 'kept' END"),
            "CASE",
        ),
        (
            TRIGGER.replace("'kept'", "case when 1 then 'kept' end"),
            "CASE",
        ),
        (format!("{TRIGGER}\r"), "CR"),
        (format!("  {TRIGGER}"), "begin its line"),
        (TRIGGER.replace("CREATE", "create"), "begin its line"),
    ] {
        let found = faults(&format!("{sql}\n{index}"));
        assert!(
            found.iter().any(|found| found.contains(fault)),
            "{sql}: {found:?}"
        );
    }
    for end in ["", "\n", "\n-- A comment is no statement.\n"] {
        let found = faults(&format!("{index}{TRIGGER}{end}"));
        assert_eq!(found, ["the file ends in a trigger"], "{end:?}");
    }
}

/// Lists the columns and tables that a migration drops although their data may be nowhere else: a table may go in a
/// file that has copied its rows before, a column in none.
fn lost(sql: &str) -> Vec<String> {
    let code: Vec<&str> = sql
        .lines()
        .map(|line| line.split("--").next().unwrap().trim())
        .collect();
    let mut found = Vec::new();
    for (n, line) in code.iter().enumerate() {
        let words = words(line);
        let is = |at: usize, wanted: &str| {
            words
                .get(at)
                .is_some_and(|word| word.eq_ignore_ascii_case(wanted))
        };
        for at in 0..words.len() {
            if is(at, "DROP") && is(at + 1, "COLUMN") {
                found.push(format!("column {}", words[at + 2]));
            }
            if is(at, "DROP") && is(at + 1, "TABLE") {
                let table = words[at + 2];
                let copied = code[..n].join("\n");
                let copied = copied.split(';').any(|sql| {
                    sql.contains("INSERT INTO") && sql.contains(&format!("FROM {table}"))
                });
                if !copied {
                    found.push(format!("table {table}"));
                }
            }
        }
    }
    found
}

#[test]
fn a_table_is_dropped_only_after_its_rows_were_copied_and_a_column_never() {
    for (name, sql) in migrations() {
        assert_eq!(lost(&sql), Vec::<String>::new(), "{name}");
    }
    let copy = "INSERT INTO u (a)\nSELECT a FROM t;\n";
    assert_eq!(lost("DROP TABLE t;"), ["table t"]);
    assert_eq!(lost(&format!("DROP TABLE t;\n{copy}")), ["table t"]);
    assert_eq!(lost(&format!("{copy}DROP TABLE t;")), Vec::<String>::new());
    assert_eq!(lost("ALTER TABLE t DROP COLUMN a;"), ["column a"]);
}

#[test]
fn migrations_are_numbered_without_a_gap() {
    for (n, (name, _)) in migrations().iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", n + 1)), "{name}");
    }
}

/// Lists the released migrations that are gone, moved or changed. `listed` has a line for each, in order: hash and
/// name.
fn edited(listed: &str, found: &[(String, String)]) -> Vec<String> {
    let listed = listed.lines().filter(|line| !line.starts_with('#'));
    listed
        .enumerate()
        .filter_map(|(n, line)| {
            let now = found.get(n);
            let now = now.map(|(name, sql)| format!("{}  {name}", sha256_hex(sql.as_bytes())));
            (now.as_deref() != Some(line)).then(|| line.to_owned())
        })
        .collect()
}

#[test]
fn a_migration_that_was_released_is_never_edited() {
    let listed = include_str!("migrations.sha256");
    assert_eq!(edited(listed, &migrations()), Vec::<String>::new());
}

#[test]
fn an_edited_renamed_or_removed_migration_is_detected() {
    let file = |name: &str, sql: &str| (String::from(name), String::from(sql));
    let released = [
        file("0001_a.sql", "SELECT 1;"),
        file("0002_b.sql", "SELECT 2;"),
    ];
    let mut listed = String::from("# A comment.\n");
    for (name, sql) in &released {
        listed.push_str(&format!("{}  {name}\n", sha256_hex(sql.as_bytes())));
    }
    let [first, second] = released.clone();
    assert!(edited(&listed, &released).is_empty());
    assert!(edited(&listed, &[first.clone(), second, file("0003_c.sql", "")]).is_empty());
    for now in [
        vec![first.clone(), file("0002_b.sql", "SELECT 3;")],
        vec![first.clone(), file("0002_c.sql", "SELECT 2;")],
        vec![first],
    ] {
        assert_eq!(edited(&listed, &now).len(), 1, "{now:?}");
    }
}
