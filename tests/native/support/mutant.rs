//! One SQL text in another form: a mutant, which `npm run mutants` names in `KEYCAP_MUTANT`. Statements and the schema
//! are texts at run time, so no mutant of them needs a build of its own.

use std::sync::LazyLock;

use keycap::ports::Sql;
use serde_json::Value as Json;

use super::coverage;

enum Mutant {
    Statement {
        name: String,
        text: &'static str,
    },
    /// An object of the schema: its text in the migrations, and the text in its place.
    Object {
        was: String,
        sql: String,
    },
}

static MUTANT: LazyLock<Option<Mutant>> = LazyLock::new(|| {
    let path = std::env::var("KEYCAP_MUTANT").ok()?;
    let file: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let member = |name: &str| file[name].as_str().map(str::to_owned);
    if let (Some(was), Some(sql)) = (member("was"), member("sql")) {
        return Some(Mutant::Object { was, sql });
    }
    let name = member("statement").expect("a statement or an object");
    let known = keycap::store::statements();
    assert!(known.iter().any(|sql| sql.name == name), "{name}");
    let text = member("text").expect("the text of the statement").leak();
    Some(Mutant::Statement { name, text })
});

/// The text of a statement that a test runs.
pub fn in_force(sql: &Sql) -> &'static str {
    coverage::runs(sql);
    match &*MUTANT {
        Some(Mutant::Statement { name, text }) if name == sql.name => text,
        _ => sql.text,
    }
}

/// Whether a mutant of the schema is in force.
pub fn is_of_the_schema() -> bool {
    matches!(&*MUTANT, Some(Mutant::Object { .. }))
}

/// The migrations that are run.
pub fn in_schema(mut migrations: Vec<(String, String)>) -> Vec<(String, String)> {
    if let Some(Mutant::Object { was, sql }) = &*MUTANT {
        let all = migrations
            .iter()
            .map(|(_, text)| text.matches(was.as_str()).count());
        assert_eq!(
            all.sum::<usize>(),
            1,
            "a mutant of a text that is not in force: {was}"
        );
        for (_, text) in &mut migrations {
            *text = text.replace(was.as_str(), sql);
        }
    }
    migrations
}
