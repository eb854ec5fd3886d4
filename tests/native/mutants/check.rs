//! What SQLite says of a mutant: whether it can read it, and whether it takes out a part of its own.

use rusqlite::Connection;

use super::generate::{Edit, Kind, Source};

/// The texts of the schema in force, in the order in which they were made.
pub fn schema(connection: &Connection) -> Vec<Source> {
    let sql = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let kind: String = row.get(0)?;
        let kind = match kind.as_str() {
            "table" => Kind::Table,
            "index" => Kind::Index,
            "trigger" => Kind::Trigger,
            _ => Kind::View,
        };
        Ok(Source {
            kind,
            name: row.get(1)?,
            text: row.get(2)?,
            parameters: Vec::new(),
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// A database with the schema in force, to read mutants with.
pub struct Reader {
    connection: Connection,
    schema: Vec<Source>,
    /// The texts of all statements: a mutant of a table must leave them readable.
    statements: Vec<&'static str>,
}

impl Reader {
    pub fn new(connection: Connection, statements: Vec<&'static str>) -> Self {
        let schema = schema(&connection);
        Self {
            connection,
            schema,
            statements,
        }
    }

    /// Whether SQLite can read a mutant, and every statement beside it.
    pub fn reads(&self, source: &Source, edit: &Edit) -> bool {
        self.read(source, edit).is_ok()
    }

    /// Whether the part that a mutant takes out is an expression of its own: in parentheses, it makes the same program.
    pub fn is_a_part(&self, source: &Source, edit: &Edit) -> bool {
        let with = format!("({})", &source.text[edit.start..edit.end]);
        let enclosed = source.edited(&Edit {
            with,
            ..edit.clone()
        });
        let in_force = self.programs(source, &source.text).unwrap();
        self.programs(source, &enclosed)
            .is_ok_and(|programs| programs == in_force)
    }

    fn read(&self, source: &Source, edit: &Edit) -> rusqlite::Result<()> {
        let edited = source.edited(edit);
        let is_of_a_table = matches!(source.kind, Kind::Table | Kind::Index);
        if is_of_a_table && !edit.is_expression {
            // A statement may name what is unique.
            let connection = self.with_another(source, &edited)?;
            for statement in &self.statements {
                connection.prepare(statement)?;
            }
        }
        self.programs(source, &edited).map(drop)
    }

    /// Whether SQLite can read another text in place of the one in force.
    pub fn takes(&self, source: &Source, text: &str) -> bool {
        self.programs(source, text).is_ok()
    }

    /// The programs that SQLite makes of a text, or of what runs it.
    fn programs(&self, source: &Source, text: &str) -> rusqlite::Result<Vec<String>> {
        match source.kind {
            Kind::Statement => Ok(vec![program(&self.connection, text)?]),
            Kind::Index => Ok(Vec::new()),
            Kind::Table => {
                let connection = self.with_another(source, text)?;
                let insert = format!("INSERT INTO {} DEFAULT VALUES", source.name);
                Ok(vec![program(&connection, &insert)?])
            }
            Kind::Trigger | Kind::View => {
                self.connection.execute_batch("SAVEPOINT mutant")?;
                let programs = self.of_an_object(source, text);
                let back = "ROLLBACK TO mutant; RELEASE mutant";
                self.connection.execute_batch(back)?;
                programs
            }
        }
    }

    fn of_an_object(&self, source: &Source, text: &str) -> rusqlite::Result<Vec<String>> {
        let (kind, runs) = match source.kind {
            Kind::Trigger => ("TRIGGER", self.runs_a_trigger(source)),
            _ => ("VIEW", vec![format!("SELECT * FROM {}", source.name)]),
        };
        self.connection
            .execute_batch(&format!("DROP {kind} {}; {text}", source.name))?;
        runs.iter()
            .map(|sql| program(&self.connection, sql))
            .collect()
    }

    /// Statements that run a trigger, one for each column that it watches.
    fn runs_a_trigger(&self, source: &Source) -> Vec<String> {
        let (head, _) = source
            .text
            .split_once(" BEGIN ")
            .expect("the body of a trigger");
        let words: Vec<&str> = head
            .split(|c: char| c.is_whitespace() || c == ',')
            .filter(|word| !word.is_empty())
            .collect();
        let on = words
            .iter()
            .position(|word| *word == "ON")
            .expect("the table of a trigger");
        let table = words[on + 1];
        if words[..on].contains(&"INSERT") {
            return vec![format!("INSERT INTO {table} DEFAULT VALUES")];
        }
        if words[..on].contains(&"DELETE") {
            return vec![format!("DELETE FROM {table}")];
        }
        let columns = match words[..on].iter().position(|word| *word == "OF") {
            Some(of) => words[of + 1..on]
                .iter()
                .map(|column| (*column).to_owned())
                .collect(),
            None => self.columns(table),
        };
        columns
            .iter()
            .map(|column| format!("UPDATE {table} SET {column} = {column}"))
            .collect()
    }

    fn columns(&self, table: &str) -> Vec<String> {
        let sql = format!("SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden = 0");
        let mut statement = self.connection.prepare(&sql).unwrap();
        let names = statement.query_map([], |row| row.get(0)).unwrap();
        names.map(Result::unwrap).collect()
    }

    /// A database in which an object has another text. A table cannot be dropped and made anew under its triggers, so
    /// the whole schema is made.
    fn with_another(&self, source: &Source, text: &str) -> rusqlite::Result<Connection> {
        let connection = Connection::open_in_memory()?;
        for object in &self.schema {
            let is_it = object.name == source.name;
            connection.execute_batch(if is_it { text } else { &object.text })?;
        }
        Ok(connection)
    }
}

/// The program that SQLite makes of a statement.
fn program(connection: &Connection, sql: &str) -> rusqlite::Result<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut program = String::new();
    while let Some(row) = rows.next()? {
        let operation: String = row.get(1)?;
        // One has the version of the schema, the other has the text of a trigger's statement.
        if ["Transaction", "Trace"].contains(&operation.as_str()) {
            continue;
        }
        for column in 1..7 {
            program.push_str(&format!("{:?} ", row.get_ref(column)?));
        }
        program.push('\n');
    }
    Ok(program)
}
