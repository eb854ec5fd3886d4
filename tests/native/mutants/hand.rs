//! The mutants of SQL texts that somebody wrote, in `tests/mutants/texts.json`: what no generator does, such as another
//! value or another column. And the list of mutants that no test can notice, in `tests/mutants/equivalent.json`.

use serde::Deserialize;

use super::generate::{Source, with_names, with_numbers};
use super::tokens::plain;

/// A mutant. Its text is found in the text in force: on one line, without comments, and with the names of parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// A sentence that states the rule.
    pub name: String,
    /// The statement, or the object of the schema.
    pub of: String,
    pub find: String,
    pub replace: String,
}

/// Mutants after which nothing is different that a test could see.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    pub reason: String,
    pub mutants: Vec<String>,
}

pub fn written() -> Vec<Written> {
    serde_json::from_str(include_str!("../../mutants/texts.json")).unwrap()
}

pub fn equivalent() -> Vec<Equivalent> {
    serde_json::from_str(include_str!("../../mutants/equivalent.json")).unwrap()
}

impl Written {
    /// The text that it makes of the text in force, or what is wrong with it.
    pub fn text(&self, sources: &[Source]) -> Result<String, String> {
        let source = self.source(sources)?;
        let text = with_names(&plain(&source.text), &source.parameters);
        match text.matches(&self.find).count() {
            1 => Ok(with_numbers(
                &text.replace(&self.find, &self.replace),
                &source.parameters,
            )),
            times => Err(format!("its text is {times} times in {text}")),
        }
    }

    pub fn source<'s>(&self, sources: &'s [Source]) -> Result<&'s Source, String> {
        let of = sources.iter().find(|source| source.name == self.of);
        of.ok_or_else(|| format!("there is no {}", self.of))
    }
}
