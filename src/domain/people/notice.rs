//! Notices: what members are told on every page until they have read it.

/// For how many seconds a notice is shown after what it tells.
pub const KEPT_SECS: i64 = 60 * 86_400;
/// The most notices that one request marks as read.
pub const READ_AT_ONCE: usize = 50;

/// What a notice is about.
// It is read from the audit's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum NoticeKind {
    /// A key expires within 30, 10 or 3 days.
    Expiry,
    /// An administrator has decided a request.
    RequestDecided,
    /// Somebody else reported the key's secret as leaked, so it is disabled.
    Leak,
    /// Somebody reported a key that a billing provider made, `after`, as found. It goes on working until its owner ends it
    /// there.
    ProviderKeyLeaked,
    /// An administrator raised a key's limit by `after_usd`.
    LimitRaised,
    /// An administrator ended a raise of `before_usd`.
    RaiseEnded,
    /// An administrator gave the member another plan.
    PlanAssigned,
    /// An administrator changed the limit of the member's plan.
    PlanChanged,
}
