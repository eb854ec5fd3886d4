//! What is wrong with a setting.

/// What is wrong with one setting. Names the variable, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub setting: &'static str,
    pub problem: &'static str,
}
