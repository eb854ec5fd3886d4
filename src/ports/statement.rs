//! SQL statements with their values, and how several that are the same become one.

/// A value bound to a statement. D1 binds every number as REAL.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    Null,
    /// An integer below 2^53, so that the REAL binding is exact.
    Int(i64),
    Text(String),
}

/// The name and the text of a statement. Both are constant, so nothing is ever formatted into SQL.
#[derive(Debug, PartialEq, Eq)]
pub struct Sql {
    pub name: &'static str,
    pub text: &'static str,
    /// It works on many rows at once. Its only value is a JSON array with an array for each row.
    pub for_each: bool,
    /// The names of `?1`, `?2` and so on, for the tests.
    #[cfg(not(target_arch = "wasm32"))]
    pub parameters: &'static [&'static str],
}

impl Sql {
    /// The name from its file on, such as `cards::OF_MEMBER`.
    pub fn short_name(&self) -> &'static str {
        let start = self
            .name
            .rmatch_indices("::")
            .nth(1)
            .map_or(0, |(at, _)| at);
        self.name
            .get(start..)
            .unwrap_or(self.name)
            .trim_start_matches(':')
    }
}

/// One statement of a batch, with its bound values.
#[derive(Clone, Debug)]
pub struct Stmt {
    pub sql: &'static Sql,
    pub values: Vec<SqlValue>,
}

impl Stmt {
    /// A statement with these values. A statement for each row gets one row.
    pub fn new(sql: &'static Sql, values: Vec<SqlValue>) -> Self {
        let values = if sql.for_each {
            vec![SqlValue::Text(format!("[{}]", row(&values)))]
        } else {
            values
        };
        Self { sql, values }
    }

    /// Adds the rows of another statement of the same text behind those of this one. Only a statement for each row can be
    /// merged.
    pub fn merge(&mut self, other: &Self) {
        let (Some(SqlValue::Text(rows)), Some(SqlValue::Text(more))) =
            (self.values.first_mut(), other.values.first())
        else {
            return;
        };
        rows.pop();
        rows.push(',');
        rows.push_str(more.strip_prefix('[').unwrap_or(more));
    }
}

/// The values of one row as a JSON array.
fn row(values: &[SqlValue]) -> serde_json::Value {
    let values = values.iter().map(|value| match value {
        SqlValue::Null => serde_json::Value::Null,
        SqlValue::Int(number) => (*number).into(),
        SqlValue::Text(text) => text.as_str().into(),
    });
    values.collect()
}
