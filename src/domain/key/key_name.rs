//! The name that an owner gives to a key. It stays in this service and is never sent to OpenRouter.

use crate::domain::people::text::{self, Refused};

/// The most characters of a name.
const NAME_CHARS: usize = 64;

/// The name as it is stored: one line of 1 to 64 characters, without invisible characters.
pub fn key_name(text: &str) -> Result<String, Refused> {
    text::line(text, NAME_CHARS)
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS, Refused, key_name};

    #[test]
    fn a_name_has_1_to_64_characters() {
        let full = "ü".repeat(NAME_CHARS);
        for (text, kept) in [
            ("  laptop ", Ok("laptop")),
            ("今日", Ok("今日")),
            ("", Err(Refused::Invisible)),
            (" \u{200f}\r\n ", Err(Refused::Invisible)),
            (full.as_str(), Ok(full.as_str())),
            (&format!("{full}x"), Err(Refused::TooLong)),
        ] {
            assert_eq!(
                key_name(text).as_deref().map_err(|why| *why),
                kept,
                "{text:?}"
            );
        }
    }
}
