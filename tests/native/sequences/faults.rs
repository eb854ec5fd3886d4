//! The faults of upstream services in a sequence.

use serde_json::json;

use super::{Dice, Play};

/// Operations of the sandbox, each with the faults that may happen to one call of it.
pub const FAULTS: &[(&str, &[&str])] = &[
    (
        "openrouter.keys.create",
        &[
            "refuse",
            "reset_before",
            "reset_after",
            "error_after",
            "rate_limited",
            "truncated",
            "stall_after",
            "late",
            "duplicate",
            "echo_limit_larger",
            "echo_limit_missing",
            "hash_missing",
            "key_missing",
        ],
    ),
    (
        "openrouter.keys.update",
        &[
            "refuse",
            "reset_before",
            "reset_after",
            "error_before",
            "error_after",
            "rate_limited",
            "truncated",
            "html",
            "stall_before",
            "stall_after",
            "late",
        ],
    ),
    (
        "openrouter.keys.get",
        &[
            "reset_before",
            "error_before",
            "rate_limited",
            "truncated",
            "html",
            "stall_before",
        ],
    ),
    (
        "openrouter.keys.delete",
        &[
            "reset_before",
            "reset_after",
            "error_before",
            "error_after",
            "rate_limited",
            "html_error",
            "stall_after",
            "late",
        ],
    ),
    (
        "openrouter.keys.list",
        &[
            "reset_before",
            "error_before",
            "rate_limited",
            "truncated",
            "html",
        ],
    ),
];

pub fn fault(play: &mut Play, dice: &mut Dice) {
    let (operation, kinds) = dice.of(FAULTS);
    let kind = dice.of(kinds);
    play.world.add_fault(operation, kind, json!({}));
    play.done = format!("{operation} {kind}");
}
