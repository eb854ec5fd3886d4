//! What an owner calls a key. It is ours alone and never sent upstream.

use super::request::is_plain;

/// The most characters of a name.
const NAME_CHARS: usize = 64;

/// A name as it is kept: no control characters and none that turn the direction of what is read, no space around.
/// `None` when nothing is left, or too much.
pub fn key_name(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| is_plain(*c)).collect();
    let name = plain.trim();
    (1..=NAME_CHARS)
        .contains(&name.chars().count())
        .then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS, key_name};

    #[test]
    fn a_name_is_kept_plain_and_has_1_to_64_characters() {
        let full = "ü".repeat(NAME_CHARS);
        for (text, kept) in [
            ("  laptop ", Some("laptop")),
            ("my\tkey\n\u{0}\u{202e}", Some("mykey")),
            ("今日", Some("今日")),
            ("", None),
            (" \u{200f}\r\n ", None),
            (full.as_str(), Some(full.as_str())),
            (&format!(" {full}\0"), Some(full.as_str())),
            (&format!("{full}x"), None),
        ] {
            assert_eq!(key_name(text).as_deref(), kept, "{text:?}");
        }
    }
}
