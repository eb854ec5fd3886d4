//! The words of an SQL text, with their places.

/// A word, a literal, a parameter or a sign of an SQL text. Comments and spaces between them are left out.
#[derive(Clone, Copy, Debug)]
pub struct Token<'t> {
    pub text: &'t str,
    /// Where it begins in the whole text, in bytes.
    pub start: usize,
    /// How many parentheses are open before it. A closing parenthesis has the depth of its opening one.
    pub depth: usize,
    /// How many `CASE` are open before it. An `END` has the number of its `CASE`.
    pub cases: usize,
}

impl Token<'_> {
    pub const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Whether it is this keyword or sign.
    pub fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    pub fn is_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }

    /// Whether it is a text in quotes or a number.
    pub fn is_literal(&self) -> bool {
        self.text
            .starts_with(|first: char| first == '\'' || first.is_ascii_digit())
    }

    /// Whether it stands in the same parentheses and the same `CASE` as another token.
    pub const fn is_beside(&self, other: &Self) -> bool {
        self.depth == other.depth && self.cases == other.cases
    }
}

/// Signs of more than one character.
const SIGNS: [&str; 8] = ["->>", "->", "||", "<=", ">=", "<>", "!=", "=="];

/// Returns the tokens of a text.
pub fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let (mut depth, mut cases): (usize, usize) = (0, 0);
    let mut start = 0;
    while let Some(first) = text[start..].chars().next() {
        let rest = &text[start..];
        let skipped = skipped(rest, first);
        if skipped > 0 {
            start += skipped;
            continue;
        }
        let text = &rest[..length(rest, first)];
        if text == ")" {
            // A part of a text may close more than it opens.
            depth = depth.saturating_sub(1);
        } else if text.eq_ignore_ascii_case("END") && cases > 0 {
            cases -= 1;
        }
        found.push(Token {
            text,
            start,
            depth,
            cases,
        });
        if text == "(" {
            depth += 1;
        } else if text.eq_ignore_ascii_case("CASE") {
            cases += 1;
        }
        start += text.len();
    }
    found
}

/// The text on one line and without comments.
pub fn plain(text: &str) -> String {
    let mut line = String::new();
    let mut end = 0;
    for token in tokens(text) {
        if token.start > end && end > 0 {
            line.push(' ');
        }
        line.push_str(token.text);
        end = token.end();
    }
    line
}

/// The length of the space or comment that the rest of a text begins with.
fn skipped(rest: &str, first: char) -> usize {
    if first.is_whitespace() {
        return first.len_utf8();
    }
    if rest.starts_with("--") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    0
}

/// The length of the token that the rest of a text begins with.
fn length(rest: &str, first: char) -> usize {
    let of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let run = |from: usize| {
        let after = rest[from..].find(|c| !of_a_name(c));
        after.map_or(rest.len(), |after| from + after)
    };
    if first == '\'' || first == '"' {
        return quoted(rest, first);
    }
    if first == '?' || first == ':' || of_a_name(first) {
        return run(1);
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    sign.map_or(first.len_utf8(), |sign| sign.len())
}

/// The length of a text in quotes, in which two quotes stand for one.
fn quoted(rest: &str, quote: char) -> usize {
    let mut at = 1;
    loop {
        let end = at + rest[at..].find(quote).expect("the end of a quoted text") + 1;
        if !rest[end..].starts_with(quote) {
            return end;
        }
        at = end + 1;
    }
}
