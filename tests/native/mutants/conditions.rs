//! The conditions of an SQL text, and what they are made of.

use super::tokens::Token;

/// What ends a condition, in the same parentheses and the same `CASE`.
const ENDS: [&str; 23] = [
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "RETURNING",
    "JOIN",
    "LEFT",
    "INNER",
    "CROSS",
    "ON",
    "SET",
    "DO",
    "BEGIN",
    "THEN",
    "ELSE",
    "WHEN",
    "WINDOW",
    ";",
    ",",
];

/// A part of a condition that can be taken out, and what then stands in its place.
pub struct Part<'t, 'a> {
    pub tokens: &'a [Token<'t>],
    /// `1` for one of several that must all hold, and `0` for one of several of which one is enough.
    pub neutral: &'static str,
}

/// Returns the condition that begins at a place: the tokens up to the end of its clause.
pub fn clause<'t, 'a>(
    tokens: &'a [Token<'t>],
    begins: usize,
    keyword: &Token<'t>,
) -> &'a [Token<'t>] {
    let rest = &tokens[begins..];
    let ends = |token: &Token<'_>| {
        token.depth < keyword.depth
            || token.cases < keyword.cases
            || (token.is_beside(keyword) && token.is_any(&ENDS))
    };
    &rest[..rest.iter().position(ends).unwrap_or(rest.len())]
}

/// Returns every part of a condition, whichever parentheses it is in. Subqueries have conditions of their own.
pub fn parts<'t, 'a>(condition: &'a [Token<'t>]) -> Vec<Part<'t, 'a>> {
    let mut found = Vec::new();
    collect(condition, &mut found);
    found
}

fn collect<'t, 'a>(condition: &'a [Token<'t>], found: &mut Vec<Part<'t, 'a>>) {
    let alternatives = split(condition, "OR");
    for alternative in &alternatives {
        let one_of_several = alternatives.len() > 1;
        if one_of_several {
            found.push(Part {
                tokens: alternative,
                neutral: "0",
            });
        }
        let conjuncts = split(alternative, "AND");
        for conjunct in &conjuncts {
            if conjuncts.iter().any(|other| implies(other, conjunct)) {
                continue;
            }
            if conjuncts.len() > 1 || !one_of_several {
                found.push(Part {
                    tokens: conjunct,
                    neutral: "1",
                });
            }
            if let Some(inner) = in_parentheses(conjunct) {
                collect(inner, found);
            }
        }
    }
}

/// The states that a generated column of `generations` stands for. A statement names both where an index needs it.
pub const COLUMNS_OF_STATES: [(&str, &[&str]); 2] = [
    (
        "live",
        &[
            "'reserved'",
            "'minting'",
            "'verifying'",
            "'active'",
            "'disabled'",
            "'revoking'",
            "'stuck'",
        ],
    ),
    (
        "unsettled",
        &["'minting'", "'verifying'", "'revoking'", "'stuck'"],
    ),
];

/// Whether one condition, such as `g.state = 'minting'`, implies another, such as `g.unsettled = 1`.
fn implies(condition: &[Token<'_>], other: &[Token<'_>]) -> bool {
    let texts = |tokens: &[Token<'_>]| {
        tokens
            .iter()
            .map(|token| token.text.to_owned())
            .collect::<Vec<_>>()
    };
    let (condition, other) = (texts(condition), texts(other));
    let [table @ .., column, equals, one] = &other[..] else {
        return false;
    };
    let states = COLUMNS_OF_STATES.iter().find(|(name, _)| name == column);
    let (Some((_, states)), "=", "1") = (states, equals.as_str(), one.as_str()) else {
        return false;
    };
    let Some([state, sign, values @ ..]) = condition.strip_prefix(table) else {
        return false;
    };
    let mut values = values
        .iter()
        .filter(|value| !["(", ")", ","].contains(&value.as_str()));
    state == "state"
        && (sign == "=" || sign == "IN")
        && values.all(|value| states.contains(&value.as_str()))
}

/// Splits a condition at a word. The `AND` of a `BETWEEN` splits nothing.
pub fn split<'t, 'a>(condition: &'a [Token<'t>], word: &str) -> Vec<&'a [Token<'t>]> {
    let Some(first) = condition.first() else {
        return Vec::new();
    };
    // A `CASE` and a parenthesis at the beginning have the depth of the condition too.
    let mut parts = Vec::new();
    let (mut begins, mut between) = (0, false);
    for (at, token) in condition.iter().enumerate() {
        if !token.is_beside(first) {
            continue;
        }
        if token.is("BETWEEN") {
            between = true;
        } else if token.is("AND") && between {
            between = false;
        } else if token.is(word) {
            parts.push(&condition[begins..at]);
            begins = at + 1;
        }
    }
    parts.push(&condition[begins..]);
    parts
}

/// What is in the parentheses that enclose all of a condition, if it is made of several parts.
fn in_parentheses<'t, 'a>(condition: &'a [Token<'t>]) -> Option<&'a [Token<'t>]> {
    let condition = match condition {
        [not, rest @ ..] if not.is("NOT") => rest,
        all => all,
    };
    let [first, inner @ .., last] = condition else {
        return None;
    };
    let closes = condition
        .iter()
        .position(|token| token.is(")") && token.is_beside(first));
    if !first.is("(") || closes != Some(condition.len() - 1) || !last.is(")") {
        return None;
    }
    if inner.first()?.is("SELECT") || split(inner, ",").len() > 1 {
        return None;
    }
    if split(inner, "OR").len() == 1 && split(inner, "AND").len() == 1 {
        return in_parentheses(inner);
    }
    Some(inner)
}
