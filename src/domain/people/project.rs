//! The name of a project. It stays in this service and is never sent to OpenRouter.

use crate::domain::people::text::{self, Refused};

/// The most characters of a name. The schema has the same number.
const NAME_CHARS: usize = 64;
/// How many projects a member may have, archived ones included.
pub const PROJECTS: i64 = 100;

/// A name as it is stored, and the form in which two names are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName {
    pub name: String,
    /// In small letters, and with one blank between two words.
    pub normal: String,
}

impl ProjectName {
    /// Reads a name: one line of 1 to 64 characters, without invisible characters.
    pub fn new(text: &str) -> Result<Self, Refused> {
        let name = text::line(text, NAME_CHARS)?;
        let words: Vec<&str> = name.split_whitespace().collect();
        let normal = words.join(" ").to_lowercase();
        Ok(Self { name, normal })
    }
}

#[cfg(test)]
mod tests {
    use super::{NAME_CHARS, ProjectName, Refused};

    #[test]
    fn names_that_differ_in_case_or_blanks_are_one_project() {
        let normal = |text: &str| ProjectName::new(text).unwrap().normal;
        for same in [
            "Web  Shop",
            " web shop ",
            "WEB\u{a0}SHOP",
            "web\u{200b} shop",
        ] {
            assert_eq!(normal(same), "web shop", "{same:?}");
        }
        assert_eq!(normal("ÄRGER"), normal("ärger"));
        assert_ne!(normal("webshop"), normal("web shop"));
        assert_eq!(ProjectName::new("Web  Shop").unwrap().name, "Web  Shop");
    }

    #[test]
    fn a_name_has_1_to_64_characters() {
        let full = "ü".repeat(NAME_CHARS);
        assert!(ProjectName::new(&full).is_ok());
        assert_eq!(ProjectName::new(&format!("{full}x")), Err(Refused::TooLong));
        assert_eq!(ProjectName::new(" \u{200f} "), Err(Refused::Invisible));
    }
}
