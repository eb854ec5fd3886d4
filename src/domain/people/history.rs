//! What has happened to a key or an account, as its owner is told: the changes that the audit has, without the steps in
//! between.

/// What has happened. The audit has its own names for the same changes; a change that only prepares another one is no
/// event.
// It is read from the audit's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum HistoryEvent {
    #[serde(rename(serialize = "renamed", deserialize = "key_renamed"))]
    Renamed,
    /// A hold was set, as `reason` says. A leak that was reported is one, too.
    #[serde(rename(serialize = "disabled", deserialize = "hold_put"))]
    Disabled,
    /// A hold was lifted. The key works again once there is none.
    #[serde(rename(serialize = "enabled", deserialize = "hold_lifted"))]
    Enabled,
    /// The owner's own limit, from `before_usd` to `after_usd`; `null` is none.
    #[serde(rename = "own_limit_set")]
    OwnLimitSet,
    #[serde(rename(serialize = "preferred", deserialize = "key_preferred"))]
    Preferred,
    #[serde(rename(serialize = "ended", deserialize = "key_ended"))]
    Ended,
    /// Someone outside keycap lowered the limit at OpenRouter, from `before_usd` to `after_usd`.
    #[serde(rename(
        serialize = "limit_lowered_upstream",
        deserialize = "upstream_limit_kept"
    ))]
    LimitLoweredUpstream,
    /// What someone outside keycap had done at OpenRouter was lifted.
    #[serde(rename = "upstream_lifted")]
    UpstreamLifted,
    /// A raise by `after_usd`.
    #[serde(rename = "limit_raised")]
    LimitRaised,
    /// A raise by `before_usd` was ended early.
    #[serde(rename = "raise_ended")]
    RaiseEnded,
    /// OpenRouter has confirmed another limit, from `before_usd` to `after_usd`.
    #[serde(rename(serialize = "limit_changed", deserialize = "cap_changed"))]
    LimitChanged,
    #[serde(rename = "guardrail_changed")]
    GuardrailChanged,
    /// A secret was issued, the one with the number `generation`.
    #[serde(rename(serialize = "secret_issued", deserialize = "recorded"))]
    SecretIssued,
    /// A secret was asked for and not made.
    #[serde(rename(serialize = "secret_not_made", deserialize = "refused"))]
    SecretNotMade,
    /// It was uncertain whether a secret had been made. There is none.
    #[serde(rename(serialize = "secret_cleared", deserialize = "cleared"))]
    SecretCleared,
    /// OpenRouter has confirmed that the secret does not work.
    #[serde(rename(serialize = "secret_off", deserialize = "disabled"))]
    SecretOff,
    /// OpenRouter has confirmed that the secret works.
    #[serde(rename(serialize = "secret_on", deserialize = "enabled"))]
    SecretOn,
    /// A newer secret has taken its place.
    #[serde(rename(serialize = "secret_replaced", deserialize = "superseded"))]
    SecretReplaced,
    /// The time in which it worked beside its successor was over.
    #[serde(rename = "grace_ended")]
    GraceEnded,
    #[serde(rename(serialize = "secret_expired", deserialize = "expired"))]
    SecretExpired,
    /// OpenRouter no longer had the secret's key.
    #[serde(rename(serialize = "secret_missing", deserialize = "key_missed"))]
    SecretMissing,
    #[serde(rename(serialize = "secret_found", deserialize = "key_found"))]
    SecretFound,
    /// OpenRouter has confirmed that the secret is disabled for good.
    #[serde(rename(serialize = "secret_removed", deserialize = "revoke_confirmed"))]
    SecretRemoved,
    /// OpenRouter has refused to disable it six times. It is still tried.
    #[serde(rename(serialize = "removal_delayed", deserialize = "revoke_given_up"))]
    RemovalDelayed,
    /// OpenRouter has confirmed that the secret's key is deleted there.
    #[serde(rename(serialize = "secret_deleted", deserialize = "erased"))]
    SecretDeleted,
    #[serde(rename(serialize = "joined", deserialize = "member_created"))]
    Joined,
    #[serde(rename = "signed_in")]
    SignedIn,
    /// Another account signed in under the same login.
    #[serde(rename = "login_passed_on")]
    LoginPassedOn,
    /// A billing provider, `after`, made a key that the member's own account there pays for.
    #[serde(rename = "provider_key_linked")]
    ProviderKeyLinked,
    /// Such a key was forgotten here.
    #[serde(rename = "provider_key_unlinked")]
    ProviderKeyUnlinked,
    /// Somebody reported such a key as found.
    #[serde(rename = "provider_key_leaked")]
    ProviderKeyLeaked,
    /// It is not known whether a billing provider made a key.
    #[serde(rename(serialize = "provider_key_unknown", deserialize = "handoff_unknown"))]
    ProviderKeyUnknown,
    /// A terminal was let have the key.
    #[serde(rename(serialize = "terminal_approved", deserialize = "device_approved"))]
    TerminalApproved,
    #[serde(rename(serialize = "terminal_denied", deserialize = "device_denied"))]
    TerminalDenied,
    /// The terminal that was approved asked for its key.
    #[serde(rename(serialize = "terminal_asked", deserialize = "device_redeemed"))]
    TerminalAsked,
    /// Every session was ended.
    #[serde(rename = "sessions_ended")]
    SessionsEnded,
    /// The revision of the terms, from `before` to `after`.
    #[serde(rename = "terms_accepted")]
    TermsAccepted,
    #[serde(rename(serialize = "suspended", deserialize = "member_suspended"))]
    Suspended,
    #[serde(rename(serialize = "banned", deserialize = "member_banned"))]
    Banned,
    /// A directory said that the account is gone.
    #[serde(rename(serialize = "departed", deserialize = "member_departed"))]
    Departed,
    #[serde(rename(serialize = "reinstated", deserialize = "member_reinstated"))]
    Reinstated,
    #[serde(rename(serialize = "left", deserialize = "member_left"))]
    Left,
    #[serde(rename(serialize = "returned", deserialize = "member_returned"))]
    Returned,
    /// Another plan, from `before` to `after`.
    #[serde(rename = "plan_assigned")]
    PlanAssigned,
    #[serde(rename = "payment_booked")]
    PaymentBooked,
    #[serde(rename = "request_made")]
    RequestMade,
    /// Another project, from `before` to `after`; each is the id of a project.
    #[serde(rename = "key_moved")]
    KeyMoved,
    #[serde(rename = "project_created")]
    ProjectCreated,
    #[serde(rename = "project_renamed")]
    ProjectRenamed,
    #[serde(rename = "project_archived")]
    ProjectArchived,
    #[serde(rename = "project_restored")]
    ProjectRestored,
    /// `after` is the decision.
    #[serde(rename = "request_decided")]
    RequestDecided,
    #[serde(rename = "request_withdrawn")]
    RequestWithdrawn,
}

/// Who has done something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum HistoryActor {
    /// The member who reads it.
    You,
    Administrator,
    Keycap,
    /// OpenRouter, or someone there who is not keycap.
    OpenRouter,
    /// Someone who found the secret and reported it. Anyone can.
    Finder,
}

impl HistoryEvent {
    /// Answers whether `before` and `after` of the audit say more than the event: the name of a plan, the number of a
    /// revision, the decision on a request, or a billing provider.
    pub const fn has_words(self) -> bool {
        matches!(
            self,
            Self::TermsAccepted
                | Self::PlanAssigned
                | Self::RequestDecided
                | Self::KeyMoved
                | Self::ProviderKeyLinked
                | Self::ProviderKeyUnlinked
                | Self::ProviderKeyLeaked
                | Self::ProviderKeyUnknown
        )
    }

    /// Answers whether `before` or `after` of the audit is the reason of a hold.
    pub const fn is_of_a_hold(self) -> bool {
        matches!(self, Self::Disabled | Self::Enabled)
    }
}
