//! Migrations over data: a database of every earlier version, with the rows of a deployment that was in use, is brought
//! to the newest version. It gets the schema of a fresh database, and no row is lost or changed.

use std::collections::BTreeMap;

use rusqlite::Connection;
use rusqlite::types::Value;

use crate::changes::{CHANGES, begun};
use crate::later_migrations::CAME_LATER;
use crate::support::database::migrations;

/// A table's rows, with the values of the requested columns, in order.
type Rows = Vec<Vec<Value>>;

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// The objects of the schema, with the SQL that made them.
fn schema(connection: &Connection) -> Vec<String> {
    texts(
        connection,
        "SELECT type || ' ' || name || ' ' || COALESCE(sql, '') FROM sqlite_master ORDER BY type, name",
    )
}

fn tables(connection: &Connection) -> Vec<String> {
    texts(
        connection,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    )
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let sql = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
    texts(connection, &sql)
}

fn rows(connection: &Connection, table: &str, columns: &[String]) -> Rows {
    let names = columns.join(", ");
    let sql = format!("SELECT {names} FROM {table} ORDER BY {names}");
    let mut statement = connection.prepare(&sql).unwrap();
    let count = columns.len();
    let rows = statement.query_map([], |row| (0..count).map(|n| row.get(n)).collect());
    rows.unwrap().map(Result::unwrap).collect()
}

/// Makes a database as it was after this many migrations.
fn of_version(count: usize) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .pragma_update(None, "foreign_keys", true)
        .unwrap();
    migrate(&connection, 0, count);
    connection
}

/// Runs each migration in one transaction, as wrangler does.
fn migrate(connection: &Connection, from: usize, to: usize) {
    for (name, sql) in &migrations()[from..to] {
        let run = connection.execute_batch(&format!("BEGIN;\n{sql}\nCOMMIT;"));
        run.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Writes rows as a backup would: without the triggers and without foreign keys.
fn load(connection: &Connection, all: &BTreeMap<String, (Vec<String>, Rows)>) {
    let triggers = texts(
        connection,
        "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid",
    );
    let made = texts(
        connection,
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid",
    );
    connection
        .pragma_update(None, "foreign_keys", false)
        .unwrap();
    for trigger in triggers {
        connection
            .execute_batch(&format!("DROP TRIGGER {trigger}"))
            .unwrap();
    }
    for table in tables(connection) {
        let Some((lived_in, rows)) = all.get(&table) else {
            continue;
        };
        let has = columns(connection, &table);
        let names: Vec<&String> = lived_in.iter().filter(|name| has.contains(name)).collect();
        let marks: Vec<String> = (1..=names.len()).map(|n| format!("?{n}")).collect();
        let list: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let (list, marks) = (list.join(", "), marks.join(", "));
        connection
            .execute_batch(&format!("DELETE FROM {table}"))
            .unwrap();
        for row in rows {
            let values = lived_in.iter().zip(row);
            let values = values.filter(|(name, _)| has.contains(name));
            let values: Vec<&Value> = values.map(|(_, value)| value).collect();
            let insert = format!("INSERT INTO {table} ({list}) VALUES ({marks})");
            let put = connection.execute(&insert, rusqlite::params_from_iter(values));
            match put.map_err(|error| error.to_string()) {
                Err(error) if CAME_LATER.iter().any(|rule| error.contains(rule)) => {}
                other => assert!(other.is_ok(), "{table}: {other:?}"),
            }
        }
    }
    for trigger in made {
        connection.execute_batch(&trigger).unwrap();
    }
    connection
        .pragma_update(None, "foreign_keys", true)
        .unwrap();
}

/// Every row of a deployment in which people have claimed, spent, paid, made requests, been blocked and rotated.
fn lived_in() -> BTreeMap<String, (Vec<String>, Rows)> {
    let (world, people) = begun();
    // Adds some more rows: a hold, a payment, a remembered request.
    for change in CHANGES.iter().filter(|change| {
        change.route.ends_with("/payments")
            || (change.method, change.route) == ("PATCH", "/api/v1/keys/{id}")
    }) {
        let response = change.send(&change.browser(&world, &people), &world);
        assert!((200..300).contains(&response.status), "{response:?}");
    }
    let connection = world.db.connection().borrow();
    let tables = tables(&connection).into_iter().map(|table| {
        let columns = columns(&connection, &table);
        let rows = rows(&connection, &table, &columns);
        (table, (columns, rows))
    });
    tables.collect()
}

#[test]
fn every_earlier_version_with_data_reaches_the_schema_of_a_fresh_database_and_loses_nothing() {
    let all = lived_in();
    let count = migrations().len();
    let fresh = schema(&of_version(count));
    let mut kept = 0;
    for version in 0..=count {
        let connection = of_version(version);
        load(&connection, &all);
        let before: Vec<_> = tables(&connection)
            .into_iter()
            .map(|table| {
                let columns = columns(&connection, &table);
                let rows = rows(&connection, &table, &columns);
                (table, columns, rows)
            })
            .collect();
        migrate(&connection, version, count);
        assert_eq!(schema(&connection), fresh, "from version {version}");
        for (table, columns, was) in before {
            let is = rows(&connection, &table, &columns);
            assert_eq!(is, was, "{table}, from version {version}");
            kept += was.len();
        }
        let broken = texts(
            &connection,
            "SELECT \"table\" FROM pragma_foreign_key_check",
        );
        // A row may point to a row that only a later version has, until that version is reached.
        assert!(version < count || broken.is_empty(), "{broken:?}");
        let sound = texts(&connection, "PRAGMA integrity_check");
        assert_eq!(sound, ["ok"], "from version {version}");
    }
    let empty: Vec<&String> = all
        .iter()
        .filter(|(_, (_, rows))| rows.is_empty())
        .map(|(table, _)| table)
        .collect();
    println!("counted: {kept} rows kept over {count} migrations; tables without a row: {empty:?}");
    assert!(
        kept > 100 && empty.len() < all.len() / 2,
        "{kept} {empty:?}"
    );
}

/// A migration that fails half way leaves the version before it, and it is safe to run it again.
#[test]
fn a_migration_that_is_cut_at_any_statement_leaves_the_version_before_it() {
    let all = migrations();
    let fresh = schema(&of_version(all.len()));
    let mut cuts = 0;
    for (version, (name, sql)) in all.iter().enumerate() {
        let ends: Vec<usize> = sql.match_indices(";\n").map(|(at, _)| at + 2).collect();
        for at in ends {
            let connection = of_version(version);
            let before = schema(&connection);
            let cut = format!(
                "BEGIN;\n{}\nSELECT no_such_function();\nCOMMIT;",
                &sql[..at]
            );
            assert!(connection.execute_batch(&cut).is_err(), "{name} at {at}");
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK").unwrap();
            }
            assert_eq!(schema(&connection), before, "{name} at {at}");
            migrate(&connection, version, all.len());
            assert_eq!(schema(&connection), fresh, "{name} at {at}");
            cuts += 1;
        }
    }
    println!("counted: {cuts} cuts within migrations");
}

#[test]
fn a_migration_that_was_run_already_is_refused_and_changes_nothing() {
    let all = migrations();
    let connection = of_version(all.len());
    load(&connection, &lived_in());
    let before = schema(&connection);
    let tables = tables(&connection);
    let all_rows = |connection: &Connection| -> Vec<Rows> {
        let rows_of = |table: &String| rows(connection, table, &columns(connection, table));
        tables.iter().map(rows_of).collect()
    };
    let rows_before = all_rows(&connection);
    for (name, sql) in &all {
        // Wrangler keeps a list and does not run a migration again. A person who does so by hand breaks nothing.
        let again = connection.execute_batch(&format!("BEGIN;\n{sql}\nCOMMIT;"));
        assert!(again.is_err(), "{name} was taken twice");
        if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK").unwrap();
        }
        assert_eq!(schema(&connection), before, "{name}");
        assert!(all_rows(&connection) == rows_before, "{name}");
    }
}
