//! Turns the named parameters of a statement into numbered ones while it is compiled. D1 takes `?1`, `?2` and so on, but
//! no names.
//!
//! Every function here runs in the compiler. There, a panic or an index out of bounds is an error of the build, with the
//! text of the panic.
#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "they run in the compiler"
)]

/// D1 takes at most 100 parameters in a statement. Source: the limits in Cloudflare's documentation of D1.
const MOST_PARAMETERS: usize = 100;

/// Returns the length of the text that [`numbered`] returns, in bytes.
pub(crate) const fn numbered_length(text: &str, parameters: &[&str], each: bool) -> usize {
    let mut counted = NumberedText::<0>::counting();
    write(text.as_bytes(), parameters, each, &mut counted);
    counted.length
}

/// Returns the text with `?1` for the first of the parameters, `?2` for the second, and so on. Texts in quotes and
/// comments stay as they are. Panics if a declared parameter is not in the text, if the text has a parameter that is not
/// declared, or if the text has a number in place of a name.
///
/// With `each`, the statement works on many rows: `:rows` is its only parameter, a JSON array with an array of values for
/// each row, and the other names become the values of the row `chunk`.
pub(crate) const fn numbered<const LENGTH: usize>(
    text: &str,
    parameters: &[&str],
    each: bool,
) -> [u8; LENGTH] {
    let mut output = NumberedText::<LENGTH>::writing();
    write(text.as_bytes(), parameters, each, &mut output);
    output.bytes
}

/// Returns the numbered text as a text again.
pub(crate) const fn as_text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("a statement is not UTF-8"),
    }
}

/// Counts the bytes that it is given, and keeps them if it has room.
struct NumberedText<const LENGTH: usize> {
    bytes: [u8; LENGTH],
    length: usize,
    keeps: bool,
}

impl<const LENGTH: usize> NumberedText<LENGTH> {
    const fn counting() -> Self {
        Self {
            bytes: [0; LENGTH],
            length: 0,
            keeps: false,
        }
    }

    const fn writing() -> Self {
        Self {
            keeps: true,
            ..Self::counting()
        }
    }

    const fn push(&mut self, byte: u8) {
        if self.keeps {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    const fn push_all(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            self.push(bytes[at]);
            at += 1;
        }
    }

    const fn push_number(&mut self, number: usize) {
        if number >= 100 {
            self.push(digit(number / 100));
        }
        if number >= 10 {
            self.push(digit(number / 10));
        }
        self.push(digit(number));
    }
}

/// The last decimal digit of a number.
const fn digit(number: usize) -> u8 {
    (number % 10) as u8 + b'0'
}

const fn write<const LENGTH: usize>(
    text: &[u8],
    parameters: &[&str],
    each: bool,
    output: &mut NumberedText<LENGTH>,
) {
    assert!(parameters.len() <= MOST_PARAMETERS, "too many parameters");
    let mut used = [false; MOST_PARAMETERS];
    let mut has_rows = false;
    let mut quoted = false;
    let mut in_comment = false;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte == b'-' && !quoted && at + 1 < text.len() && text[at + 1] == b'-' {
            in_comment = true;
        } else if byte == b'\n' {
            in_comment = false;
        } else if byte == b'\'' && !in_comment {
            quoted = !quoted;
        }
        let is_literal = quoted || in_comment;
        if is_literal || byte != b':' {
            assert!(
                is_literal || byte != b'?',
                "a parameter has a number instead of a name"
            );
            output.push(byte);
            at += 1;
            continue;
        }
        let start = at + 1;
        let mut end = start;
        while end < text.len() && is_of_a_name(text[end]) {
            end += 1;
        }
        at = end;
        if each && is_same(text, start, end, b"rows") {
            has_rows = true;
            output.push_all(b"?1");
            continue;
        }
        let number = position(text, start, end, parameters);
        used[number] = true;
        if each {
            output.push_all(b"(chunk.value ->> ");
            output.push_number(number);
            output.push(b')');
        } else {
            output.push(b'?');
            output.push_number(number + 1);
        }
    }
    assert!(has_rows == each, "a statement for each row reads `:rows`");
    let mut number = 0;
    while number < parameters.len() {
        assert!(used[number], "a declared parameter is not in the text");
        number += 1;
    }
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// Returns which of the parameters is named by the bytes from `start` to `end`.
const fn position(text: &[u8], start: usize, end: usize, parameters: &[&str]) -> usize {
    let mut number = 0;
    while number < parameters.len() {
        if is_same(text, start, end, parameters[number].as_bytes()) {
            return number;
        }
        number += 1;
    }
    panic!("the text has a parameter that is not declared")
}

/// Answers whether the bytes from `start` to `end` are this name.
const fn is_same(text: &[u8], start: usize, end: usize, name: &[u8]) -> bool {
    let mut same = 0;
    while same < name.len() && start + same < end && name[same] == text[start + same] {
        same += 1;
    }
    same == name.len() && start + same == end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str, parameters: &[&str]) -> String {
        let mut bytes = numbered::<200>(text, parameters, false).to_vec();
        bytes.truncate(numbered_length(text, parameters, false));
        as_text(&bytes).to_owned()
    }

    #[test]
    fn a_statement_for_each_row_reads_its_values_from_the_row() {
        let text = "UPDATE t SET a = :at FROM json_each(:rows) chunk WHERE b = :name AND c = ':at'";
        let bytes = numbered::<200>(text, &["name", "at"], true);
        let length = numbered_length(text, &["name", "at"], true);
        assert_eq!(
            as_text(&bytes[..length]),
            "UPDATE t SET a = (chunk.value ->> 1) FROM json_each(?1) chunk WHERE b = (chunk.value ->> 0) AND c = ':at'"
        );
        let without_rows =
            std::panic::catch_unwind(|| numbered_length("SELECT :at", &["at"], true));
        assert!(without_rows.is_err());
    }

    #[test]
    fn each_name_becomes_its_number_wherever_it_is() {
        let text = "SELECT :at, :at_most FROM t -- t's :at\nWHERE a = :at AND b = ':at' AND c=:c";
        assert_eq!(
            number(text, &["at_most", "at", "c"]),
            "SELECT ?2, ?1 FROM t -- t's :at\nWHERE a = ?2 AND b = ':at' AND c=?3"
        );
    }

    #[test]
    fn a_number_has_as_many_digits_as_it_needs() {
        let names: Vec<String> = (1..=100).map(|n| ["p", &n.to_string()].concat()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = names
            .iter()
            .map(|name| [":", name, " "].concat())
            .collect::<String>();
        let length = numbered_length(&text, &names, false);
        let bytes = numbered::<400>(&text, &names, false);
        let numbers: String = (1..=100)
            .map(|n| ["?", &n.to_string(), " "].concat())
            .collect();
        assert_eq!(as_text(&bytes[..length]), numbers);
    }

    #[test]
    fn a_parameter_that_is_not_declared_or_not_used_does_not_compile() {
        for (text, parameters) in [
            ("SELECT :at", &[][..]),
            ("SELECT :at", &["a"]),
            ("SELECT :a", &["at"]),
            ("SELECT :at", &["at", "key"]),
            ("SELECT ?1", &[]),
            ("SELECT ':at'", &["at"]),
        ] {
            let refused = std::panic::catch_unwind(|| numbered_length(text, parameters, false));
            assert!(refused.is_err(), "{text} {parameters:?}");
        }
    }
}
