//! The mutants of one SQL text: each takes out one guard.

use std::collections::HashSet;

use super::conditions::{clause, parts, split};
use super::tokens::{Token, plain, tokens};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Statement,
    Table,
    Index,
    Trigger,
    View,
}

/// The texts of which mutants are made.
pub struct Source {
    pub kind: Kind,
    /// The whole name of a statement, or the name of an object of the schema.
    pub name: String,
    pub text: String,
    /// The names of the parameters `?1`, `?2` and so on.
    pub parameters: Vec<String>,
}

/// One mutant of a text: what stands in place of a part of it.
#[derive(Clone, Debug)]
pub struct Edit {
    pub start: usize,
    pub end: usize,
    pub with: String,
    /// What is taken out, in words.
    pub label: String,
    /// Whether the part is an expression, which could as well stand in parentheses.
    pub is_expression: bool,
}

/// Takes the place of a statement that does nothing.
const NOTHING: &str = "SELECT '' WHERE 0";

impl Source {
    /// The text with an edit made.
    pub fn edited(&self, edit: &Edit) -> String {
        [&self.text[..edit.start], &edit.with, &self.text[edit.end..]].concat()
    }

    /// A part of the text on one line, with the names of its parameters.
    fn shown(&self, text: &str) -> String {
        let line = with_names(&plain(text), &self.parameters);
        match line.char_indices().nth(100) {
            Some((at, _)) => format!("{}…", &line[..at]),
            None => line,
        }
    }

    /// Every mutant of this text. No two have the same label.
    pub fn edits(&self) -> Vec<Edit> {
        let tokens = tokens(&self.text);
        let mut edits = Edits {
            source: self,
            made: Vec::new(),
            places: HashSet::new(),
        };
        match self.kind {
            Kind::Table => edits.of_a_table(&tokens),
            Kind::Index => edits.of_an_index(&tokens),
            Kind::Trigger => edits.of_a_trigger(&tokens),
            Kind::View => edits.of_queries(&tokens),
            Kind::Statement => {
                edits.of_queries(&tokens);
                if !tokens[0].is("SELECT") && !tokens[0].is("WITH") {
                    edits.push(&tokens, NOTHING, "not run".to_owned(), false);
                }
            }
        }
        edits.numbered()
    }
}

/// The text with `:name` in place of each `?N`.
pub fn with_names(text: &str, parameters: &[String]) -> String {
    replaced(text, |parameter| {
        let number: usize = parameter.strip_prefix('?')?.parse().ok()?;
        let name = parameters.get(number.checked_sub(1)?)?;
        Some(format!(":{name}"))
    })
}

/// The text with `?N` in place of each `:name`.
pub fn with_numbers(text: &str, parameters: &[String]) -> String {
    replaced(text, |parameter| {
        let named = parameter.strip_prefix(':')?;
        let at = parameters.iter().position(|name| name == named)?;
        Some(format!("?{}", at + 1))
    })
}

fn replaced(text: &str, with: impl Fn(&str) -> Option<String>) -> String {
    let (mut all, mut end) = (String::new(), 0);
    for token in tokens(text) {
        all.push_str(&text[end..token.start]);
        all.push_str(&with(token.text).unwrap_or_else(|| token.text.to_owned()));
        end = token.end();
    }
    all + &text[end..]
}

struct Edits<'s> {
    source: &'s Source,
    made: Vec<Edit>,
    /// The places and replacements that there are already: a part may belong to two clauses.
    places: HashSet<(usize, usize, String)>,
}

impl Edits<'_> {
    fn push(&mut self, part: &[Token<'_>], with: &str, label: String, is_expression: bool) {
        let (Some(first), Some(last)) = (part.first(), part.last()) else {
            return;
        };
        self.put(first.start, last.end(), with, label, is_expression);
    }

    fn put(&mut self, start: usize, end: usize, with: &str, label: String, is_expression: bool) {
        if self.places.insert((start, end, with.to_owned())) {
            let with = with.to_owned();
            self.made.push(Edit {
                start,
                end,
                with,
                label,
                is_expression,
            });
        }
    }

    fn shown(&self, part: &[Token<'_>]) -> String {
        match (part.first(), part.last()) {
            (Some(first), Some(last)) => self
                .source
                .shown(&self.source.text[first.start..last.end()]),
            _ => String::new(),
        }
    }

    /// The edits by their places. Where several have one label, all but the first are numbered.
    fn numbered(mut self) -> Vec<Edit> {
        self.made.sort_by_key(|edit| (edit.start, edit.end));
        let labels: Vec<String> = self.made.iter().map(|edit| edit.label.clone()).collect();
        for (at, edit) in self.made.iter_mut().enumerate() {
            let before = labels[..at]
                .iter()
                .filter(|label| **label == edit.label)
                .count();
            if before > 0 {
                edit.label = format!("{} ({})", edit.label, before + 1);
            }
        }
        self.made
    }

    /// A statement, a view, or the body of a trigger.
    fn of_queries(&mut self, tokens: &[Token<'_>]) {
        self.conditions(tokens);
        self.lists(tokens);
        self.comparisons(tokens);
        for at in 0..tokens.len() {
            self.limit(tokens, at);
            self.conflict(tokens, at);
            self.extremes(tokens, at);
            self.newest(tokens, at);
            self.assignments(tokens, at);
        }
    }

    /// Each part of each condition.
    fn conditions(&mut self, tokens: &[Token<'_>]) {
        for (at, keyword) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1);
            let begins = match () {
                () if keyword.is_any(&["WHERE", "HAVING"]) => true,
                () if keyword.is("ON") => {
                    next.is_some_and(|next| !next.is_any(&["CONFLICT", "DELETE", "UPDATE"]))
                }
                // `CASE a WHEN b` compares two values, and neither is a condition.
                () if keyword.is("WHEN") => {
                    let of = tokens[..at]
                        .iter()
                        .rposition(|t| t.is("CASE") && t.cases + 1 == keyword.cases);
                    of.is_none_or(|of| keyword.cases == 0 || tokens[of + 1].is("WHEN"))
                }
                () => false,
            };
            let clause = clause(tokens, at + 1, keyword);
            // A value is a condition if it is made of several.
            let is_value = keyword.is_any(&["THEN", "ELSE"]);
            let has_parts = || split(clause, "AND").len() > 1 || split(clause, "OR").len() > 1;
            if begins || (is_value && has_parts()) {
                self.condition(clause);
            }
        }
    }

    fn condition(&mut self, condition: &[Token<'_>]) {
        for part in parts(condition) {
            let shown = self.shown(part.tokens);
            let label = match part.neutral {
                "1" => format!("without \"{shown}\""),
                _ => format!("without the alternative \"{shown}\""),
            };
            self.push(part.tokens, part.neutral, label, true);
        }
    }

    /// Each value of a list such as `IN ('active', 'disabled')`.
    fn lists(&mut self, tokens: &[Token<'_>]) {
        for (at, token) in tokens.iter().enumerate() {
            if !token.is("IN") || !tokens.get(at + 1).is_some_and(|next| next.is("(")) {
                continue;
            }
            let all = &tokens[at + 2..];
            let all = &all[..all
                .iter()
                .position(|t| t.is(")") && t.depth == token.depth)
                .unwrap_or(0)];
            let values = split(all, ",");
            if values.len() < 2
                || !values
                    .iter()
                    .all(|value| matches!(value, [one] if one.is_literal()))
            {
                continue;
            }
            for (n, value) in values.iter().enumerate() {
                let rest = values.iter().enumerate().filter(|(other, _)| *other != n);
                let rest: Vec<&str> = rest.map(|(_, value)| value[0].text).collect();
                let label = format!(
                    "without {} of \"{}\"",
                    value[0].text,
                    self.shown(around(tokens, at, (3, all.len() + 2)))
                );
                self.push(all, &rest.join(", "), label, false);
            }
        }
    }

    /// Each comparison, with and without the equal case.
    fn comparisons(&mut self, tokens: &[Token<'_>]) {
        for (at, token) in tokens.iter().enumerate() {
            let Some(with) = [(">=", ">"), (">", ">="), ("<=", "<"), ("<", "<=")]
                .iter()
                .find_map(|(sign, other)| token.is(sign).then_some(*other))
            else {
                continue;
            };
            let label = format!(
                "\"{with}\" in \"{}\"",
                self.shown(around(tokens, at, (4, 5)))
            );
            self.push(&tokens[at..=at], with, label, false);
        }
    }

    /// A limit. A query that stands for one value, or for whether there is a row, needs none.
    fn limit(&mut self, tokens: &[Token<'_>], at: usize) {
        if tokens[at].is("LIMIT") && !is_one_value(tokens, at) {
            let limit = clause(tokens, at + 1, &tokens[at]);
            let all = &tokens[at..=at + limit.len()];
            let label = format!("without \"{}\"", self.shown(all));
            self.push(all, "", label, false);
        }
    }

    fn conflict(&mut self, tokens: &[Token<'_>], at: usize) {
        // The trigger `audit_never_replaced` ignores such a row before it is in conflict with another.
        let is_of_the_audit = tokens[0].is("INSERT") && tokens[2].is("audit");
        let is_one = !is_of_the_audit
            && tokens[at].is("DO")
            && tokens.get(at + 1).is_some_and(|next| next.is("NOTHING"));
        if is_one && let Some(on) = tokens[..at].iter().rposition(|token| token.is("ON")) {
            let all = &tokens[on..=at + 1];
            let label = format!("without \"{}\"", self.shown(all));
            self.push(all, "", label, false);
        }
    }

    /// Each argument of a `MIN` or `MAX` of several.
    fn extremes(&mut self, tokens: &[Token<'_>], at: usize) {
        let is_one = tokens[at].is_any(&["MIN", "MAX"])
            && tokens.get(at + 1).is_some_and(|next| next.is("("));
        if !is_one {
            return;
        }
        let rest = &tokens[at + 2..];
        let Some(closes) = rest
            .iter()
            .position(|t| t.is(")") && t.depth == tokens[at].depth)
        else {
            return;
        };
        let arguments = split(&rest[..closes], ",");
        if arguments.len() < 2 {
            return;
        }
        let all = &tokens[at..=at + 2 + closes];
        for argument in arguments {
            let text = &self.source.text[argument[0].start..argument[argument.len() - 1].end()];
            let label = format!("\"{}\" for \"{}\"", self.shown(argument), self.shown(all));
            self.push(all, &format!("({text})"), label, false);
        }
    }

    /// Each comparison with the first of a query's rows, such as the newest: with any of the rows instead.
    fn newest(&mut self, tokens: &[Token<'_>], at: usize) {
        let [select, rest @ ..] = &tokens[at + 1..] else {
            return;
        };
        if !tokens[at].is("(") || !select.is("SELECT") {
            return;
        }
        let before = match &tokens[..at] {
            [.., is, not] if is.is("IS") && not.is("NOT") => Some((at - 2, "NOT IN")),
            [.., sign] if sign.is("=") || sign.is("IS") => Some((at - 1, "IN")),
            _ => None,
        };
        let closes = rest
            .iter()
            .position(|token| token.is(")") && token.depth == tokens[at].depth);
        let orders = rest
            .iter()
            .position(|token| token.is("ORDER") && token.is_beside(select));
        if let (Some((begins, with)), Some(closes), Some(orders)) = (before, closes, orders)
            && orders < closes
        {
            let query = &self.source.text[tokens[at].start..rest[orders].start];
            let all = &tokens[begins..=at + 2 + closes];
            let label = format!("any row for the first in \"{}\"", self.shown(all));
            self.push(all, &format!("{with} {})", query.trim_end()), label, false);
        }
    }

    /// Each change that an `UPDATE` makes of a column.
    fn assignments(&mut self, tokens: &[Token<'_>], at: usize) {
        if !tokens[at].is("SET") {
            return;
        }
        let ends = ["WHERE", "FROM", "RETURNING", ";"];
        let rest = &tokens[at + 1..];
        let ends = |token: &Token<'_>| {
            token.depth < tokens[at].depth || (token.is_beside(&tokens[at]) && token.is_any(&ends))
        };
        let all = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        let made = split(all, ",");
        let of_a_conflict = at > 1 && tokens[at - 2].is("DO");
        for (n, assignment) in made.iter().enumerate() {
            let label = format!("without the change \"{}\"", self.shown(assignment));
            if made.len() == 1 {
                // Without a conflict, the statement as a whole does nothing else.
                if of_a_conflict {
                    let column = assignment[0].text;
                    self.push(assignment, &format!("{column} = {column}"), label, false);
                }
                continue;
            }
            // With the comma after it, or before the last.
            let (start, end) = match made.get(n + 1) {
                Some(next) => (assignment[0].start, next[0].start),
                None => {
                    let before = made[n - 1];
                    (
                        before[before.len() - 1].end(),
                        assignment[assignment.len() - 1].end(),
                    )
                }
            };
            self.put(start, end, "", label, false);
        }
    }

    /// A trigger as a whole, its columns, its conditions, and each statement of its body.
    fn of_a_trigger(&mut self, tokens: &[Token<'_>]) {
        self.push(tokens, "", "dropped".to_owned(), false);
        let on = tokens
            .iter()
            .position(|token| token.is("ON"))
            .expect("the table of a trigger");
        let begin = tokens
            .iter()
            .position(|token| token.is("BEGIN"))
            .expect("the body of a trigger");
        if let Some(of) = tokens[..on].iter().position(|token| token.is("OF")) {
            let columns = split(&tokens[of + 1..on], ",");
            for column in columns.iter().filter(|_| columns.len() > 1) {
                let rest: Vec<&str> = columns
                    .iter()
                    .map(|c| c[0].text)
                    .filter(|c| *c != column[0].text)
                    .collect();
                let label = format!("not on a change of {}", column[0].text);
                self.push(&tokens[of + 1..on], &rest.join(", "), label, false);
            }
        }
        self.of_queries(&tokens[on + 1..]);
        let statements = split_at_semicolons(&tokens[begin + 1..tokens.len() - 1]);
        for statement in statements.iter().filter(|_| statements.len() > 1) {
            let (first, last) = (statement[0], statement[statement.len() - 1]);
            let rest = &self.source.text[last.end()..];
            let semicolon = last.end() + rest.find(';').map_or(0, |at| at + 1);
            let label = format!("without \"{}\"", self.shown(statement));
            self.put(first.start, semicolon, "", label, false);
        }
    }

    /// Whether an index is unique, and the rows that it is about.
    fn of_an_index(&mut self, tokens: &[Token<'_>]) {
        if tokens[1].is("UNIQUE") {
            self.push(&tokens[1..2], "", "not unique".to_owned(), false);
            let on = tokens
                .iter()
                .position(|token| token.is("ON"))
                .expect("the table of an index");
            self.conditions(&tokens[on + 1..]);
        }
    }

    /// Each constraint of a table.
    fn of_a_table(&mut self, tokens: &[Token<'_>]) {
        for (at, token) in tokens.iter().enumerate() {
            if token.is("CHECK") {
                let inner = clause(
                    tokens,
                    at + 2,
                    &Token {
                        depth: token.depth + 1,
                        ..*token
                    },
                );
                let name = if tokens[at - 2].is("CONSTRAINT") {
                    tokens[at - 1].text
                } else {
                    ""
                };
                self.push(inner, "1", format!("without the check {name}"), true);
                self.condition(inner);
                self.comparisons(inner);
            } else if token.is("UNIQUE") && tokens[at - 2].is("CONSTRAINT") {
                let rest = &tokens[at..];
                let closes = rest
                    .iter()
                    .position(|t| t.is(")"))
                    .expect("the columns of a constraint");
                let label = format!("without the constraint {}", tokens[at - 1].text);
                self.push(&rest[..=closes], "CHECK (1)", label, false);
            }
        }
    }
}

/// Whether `LIMIT 1` ends a query of which only the first row matters anyway: a value, or the query of an `EXISTS`.
fn is_one_value(tokens: &[Token<'_>], limit: usize) -> bool {
    let is_inside = |token: &Token<'_>| token.depth >= tokens[limit].depth;
    let Some(opens) = tokens[..limit].iter().rposition(|token| !is_inside(token)) else {
        return false;
    };
    let [_, one, closes, rest @ ..] = &tokens[limit..] else {
        return false;
    };
    let is_a_table = rest
        .first()
        .is_some_and(|next| next.text.starts_with(|c: char| c.is_ascii_lowercase()));
    let of_many = opens > 0 && tokens[opens - 1].is_any(&["IN", "FROM", "JOIN"]);
    one.is("1") && closes.is(")") && !is_a_table && !of_many
}

/// The tokens around a place that stand in the same parentheses or deeper.
fn around<'t, 'a>(
    tokens: &'a [Token<'t>],
    at: usize,
    (before, after): (usize, usize),
) -> &'a [Token<'t>] {
    let depth = tokens[at].depth;
    let shallower = |token: &&Token<'_>| token.depth >= depth && !token.is(";");
    let left = tokens[..at]
        .iter()
        .rev()
        .take(before)
        .take_while(shallower)
        .count();
    let right = tokens[at + 1..]
        .iter()
        .take(after)
        .take_while(shallower)
        .count();
    &tokens[at - left..=at + right]
}

fn split_at_semicolons<'t, 'a>(body: &'a [Token<'t>]) -> Vec<&'a [Token<'t>]> {
    let statements = body.split(|token| token.is(";"));
    statements
        .filter(|statement| !statement.is_empty())
        .collect()
}
