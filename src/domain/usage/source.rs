//! The tools that usage comes from. This table is all that the screens know of a tool: a further one is an entry here and
//! an importer beside `jobs::usage_sync`.

use serde::Serialize;

/// A column of usage that a tool reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageColumn {
    /// The member of an answer that has the figure.
    pub member: &'static str,
    /// What people are shown above the figure.
    pub title: &'static str,
}

/// A tool that usage comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UsageSource {
    /// The word in the database and in answers.
    pub id: &'static str,
    pub name: &'static str,
    /// Which of the colours of charts the tool has, everywhere.
    pub colour: u32,
    pub columns: &'static [UsageColumn],
}

const fn column(member: &'static str, title: &'static str) -> UsageColumn {
    UsageColumn { member, title }
}

/// Usage of OpenRouter keys.
pub const OPENROUTER: UsageSource = UsageSource {
    id: "openrouter",
    name: "OpenRouter",
    colour: 0,
    columns: &[
        column("cost_usd", "Spend"),
        column("byok_usd", "Own provider keys"),
        column("requests", "Requests"),
        column("prompt_tokens", "Prompt tokens"),
        column("completion_tokens", "Completion tokens"),
        column("reasoning_tokens", "Reasoning tokens"),
        column("cached_tokens", "Cached tokens"),
    ],
};

/// Every tool.
pub const SOURCES: &[UsageSource] = &[OPENROUTER];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_a_word_and_a_colour_of_its_own() {
        for (n, one) in SOURCES.iter().enumerate() {
            let others = SOURCES.iter().skip(n + 1);
            assert!(
                others
                    .clone()
                    .all(|other| other.id != one.id && other.colour != one.colour)
            );
            assert!((1..=32).contains(&one.id.len()) && !one.columns.is_empty());
        }
    }
}
