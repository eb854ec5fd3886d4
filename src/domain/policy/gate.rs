//! The gates of a claim: which of them refuses first, ordered by what a person can do something about.
//!
//! The database decides, in the statement that reserves (`store::keys::claims`). This module names the reason, from the
//! facts that the same transaction returned. Every path that mints uses it.

use serde::Deserialize;

use crate::domain::key::generation::GenerationState;
use crate::domain::people::identity::{Status, account_age_days, made_by};
use crate::domain::people::request::{self, Offer};
use crate::domain::policy::terms;
use crate::domain::time::Timestamp;

/// How many mint attempts a member has in a UTC day.
pub const ATTEMPTS_A_DAY: i64 = 10;

/// What the configuration says about claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimTerms {
    /// `PROJECT_STATUS` is `live`.
    pub project_live: bool,
    /// `PROVISIONING_ENABLED` is `true`.
    pub provisioning_enabled: bool,
    /// A management key is configured, so keys can be made.
    pub can_mint: bool,
    /// `MAX_TOTAL_KEYS`. It is zero when the setting is missing or malformed, and then nobody can claim.
    pub max_total_keys: i64,
    pub min_account_age_days: u32,
    /// `CLAIMS_PER_HOUR`. Without the setting there is no limit.
    pub claims_per_hour: Option<i64>,
    /// In development there is no OpenRouter account, so nobody can break its terms.
    pub upstream_terms_waived: bool,
}

/// What configuration has to say, as the guards bind it.
#[derive(Clone)]
pub struct ClaimPolicy {
    pub terms: ClaimTerms,
    pub public_origin: String,
    /// `OPENROUTER_WORKSPACE_ID`. A plan that names it, or none, ties its keys to no workspace.
    pub default_workspace: Option<String>,
    /// The domains of `GOOGLE_ALLOWED_DOMAINS`, as a JSON list.
    pub google_domains: String,
}

/// The length of time in which `CLAIMS_PER_HOUR` counts, in seconds.
pub const HOUR_SECS: i64 = 3_600;

impl ClaimTerms {
    /// Answers whether the configuration lets anybody claim.
    pub const fn open(&self) -> bool {
        self.project_live && self.provisioning_enabled && self.can_mint && self.max_total_keys > 0
    }

    /// The latest creation of an account that is old enough to claim. Accounts made later are too young.
    pub fn account_made_by(&self, now: Timestamp) -> Timestamp {
        made_by(now, self.min_account_age_days)
    }
}

/// What the database knew about a member's claim, in the transaction that decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimFacts {
    pub status: Status,
    pub session_current: bool,
    pub minting_open: bool,
    pub same_instance: bool,
    pub pause_until: Timestamp,
    pub blocked: bool,
    pub held: bool,
    pub account_created_at: Timestamp,
    pub attempts_today: i64,
    pub seats: Seats,
    pub live_state: Option<GenerationState>,
    /// How many of the member's keys live. The next field says how many the plan allows.
    pub keys_live: i64,
    pub keys_allowed: i64,
    /// More ended keys of the member have unsettled spend than the plan allows keys.
    pub unsettled: bool,
    pub workspaces: WorkspaceChoice,
    pub policy: Policy,
}

/// What the enabled workspaces, the plan and the request say about where a key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkspaceChoice {
    /// There is one workspace for the key.
    One,
    /// There are several, and the request names none of them.
    Several,
    /// There is none: the one that the request names is not offered, or the one of the plan is not enabled.
    Nowhere,
}

/// The seats of all keys, and whether this claim may take one over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seats {
    /// The seats of live keys, and of ended keys whose window is not over.
    pub taken: i64,
    pub live: i64,
    /// The claim can take over a seat that an ended key of this member retains.
    pub reusable: bool,
    /// When the next seat that an ended key retains becomes free.
    pub next_free_at: Option<Timestamp>,
}

impl Seats {
    const fn has_room(&self, ceiling: i64) -> bool {
        self.taken < ceiling || (self.taken == ceiling && self.reusable)
    }

    fn free_at(&self, ceiling: i64) -> Option<Timestamp> {
        self.next_free_at.filter(|_| self.live < ceiling)
    }
}

/// What administrators have decided about claims, and what concerns this member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The newest revision of our terms that the member has accepted. It is 0 if there is none.
    pub terms_rev: i64,
    pub terms_at: Option<Timestamp>,
    /// An administrator has confirmed what OpenRouter's terms say.
    pub upstream_terms_confirmed: bool,
    pub by_approval: bool,
    /// The database may have been restored to an earlier state.
    pub restored: bool,
    /// The management key belongs to another account.
    pub foreign_account: bool,
    /// The member's provider may vouch for a claim: it is GitHub, or it is Google and the account is of a Workspace that
    /// the configuration lists.
    pub google_admitted: bool,
    /// An administrator has permitted this person to claim.
    pub allotted: bool,
    /// An administrator has also waived the age of this person's account.
    pub age_waived: bool,
    /// The state of the member's last request of each kind.
    pub claim_request: Option<request::RequestState>,
    pub appeal: Option<request::RequestState>,
    /// When another claim is possible within the hour, if `CLAIMS_PER_HOUR` is used up now.
    pub full_until: Option<Timestamp>,
}

impl Policy {
    /// When the member accepted the terms in force, or `None` if they have not.
    pub fn accepted_at(&self) -> Option<Timestamp> {
        self.terms_at.filter(|_| self.terms_rev >= terms::REVISION)
    }
}

/// The rule about the age of accounts, and the age of an account that fails it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooYoung {
    pub age_days: i64,
    pub required_days: u32,
    pub offer: Offer,
}

/// Why a claim makes no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    SessionEnded,
    NotActive(Status),
    /// The member has a key already. The page shows it.
    Exists,
    InProgress,
    BeingRemoved,
    Unsettled,
    /// The member has as many keys as the plan allows.
    KeysUsedUp {
        allowed: i64,
    },
    ProjectNotLive,
    ProvisioningClosed,
    /// No management key is configured.
    NotConfigured,
    UpstreamTermsUnconfirmed,
    DatabaseRestored,
    ForeignAccount,
    MintingStopped,
    /// The database belongs to another public origin.
    ForeignInstance,
    Blocked {
        offer: Offer,
    },
    Held,
    /// The account is a Google account of no Workspace whose people may claim.
    GoogleNotAdmitted,
    AccountTooYoung(TooYoung),
    ApprovalNeeded {
        offer: Offer,
    },
    TooManyAttempts,
    TermsNotAccepted,
    /// Several workspaces are enabled, and the request names none.
    WorkspaceNeeded,
    /// The request names a workspace that is not offered, or the plan has one that is not enabled.
    WorkspaceClosed,
    SeatsFull {
        /// When the next seat that an ended key retains is free. It is `None` if live keys take all seats.
        free_at: Option<Timestamp>,
    },
    ClaimsBusy {
        until: Timestamp,
    },
    Paused {
        until: Timestamp,
    },
}

/// The first gate that refuses, or `None` when all gates are open.
pub fn first_refusal(facts: &ClaimFacts, terms: &ClaimTerms, now: Timestamp) -> Option<Refusal> {
    account_refusal(facts)
        .or_else(|| existing(facts.live_state))
        .or_else(|| deployment_refusal(facts, terms))
        .or_else(|| person(facts, terms, now))
        .or_else(|| {
            (facts.keys_live >= facts.keys_allowed).then_some(Refusal::KeysUsedUp {
                allowed: facts.keys_allowed,
            })
        })
        .or_else(|| facts.unsettled.then_some(Refusal::Unsettled))
        .or(match facts.workspaces {
            WorkspaceChoice::One => None,
            WorkspaceChoice::Several => Some(Refusal::WorkspaceNeeded),
            WorkspaceChoice::Nowhere => Some(Refusal::WorkspaceClosed),
        })
        .or_else(|| room(facts, terms, now))
}

fn account_refusal(facts: &ClaimFacts) -> Option<Refusal> {
    if facts.status != Status::Active {
        Some(Refusal::NotActive(facts.status))
    } else if !facts.session_current {
        Some(Refusal::SessionEnded)
    } else {
        None
    }
}

fn existing(live: Option<GenerationState>) -> Option<Refusal> {
    match live? {
        GenerationState::Active | GenerationState::Disabled => Some(Refusal::Exists),
        GenerationState::Reserved | GenerationState::Minting | GenerationState::Verifying => {
            Some(Refusal::InProgress)
        }
        GenerationState::Revoking | GenerationState::Stuck => Some(Refusal::BeingRemoved),
        GenerationState::Revoked | GenerationState::Expired | GenerationState::Void => None,
    }
}

fn deployment_refusal(facts: &ClaimFacts, terms: &ClaimTerms) -> Option<Refusal> {
    if !terms.project_live {
        Some(Refusal::ProjectNotLive)
    } else if !terms.provisioning_enabled || terms.max_total_keys <= 0 {
        Some(Refusal::ProvisioningClosed)
    } else if !terms.can_mint {
        Some(Refusal::NotConfigured)
    } else if !facts.policy.upstream_terms_confirmed && !terms.upstream_terms_waived {
        Some(Refusal::UpstreamTermsUnconfirmed)
    } else if facts.policy.restored {
        Some(Refusal::DatabaseRestored)
    } else if facts.policy.foreign_account {
        Some(Refusal::ForeignAccount)
    } else if !facts.minting_open {
        Some(Refusal::MintingStopped)
    } else if !facts.same_instance {
        Some(Refusal::ForeignInstance)
    } else {
        None
    }
}

/// The gates that a person can do something about. Last comes what the claim itself can bring along.
fn person(facts: &ClaimFacts, terms: &ClaimTerms, now: Timestamp) -> Option<Refusal> {
    let policy = &facts.policy;
    let appeal = Offer::new(request::RequestKind::Appeal, policy.appeal);
    let too_young = facts.account_created_at > terms.account_made_by(now);
    if facts.blocked {
        Some(Refusal::Blocked { offer: appeal })
    } else if facts.held {
        Some(Refusal::Held)
    } else if !policy.google_admitted {
        Some(Refusal::GoogleNotAdmitted)
    } else if too_young && !policy.age_waived {
        Some(Refusal::AccountTooYoung(TooYoung {
            age_days: account_age_days(facts.account_created_at, now),
            required_days: terms.min_account_age_days,
            offer: appeal,
        }))
    } else if policy.by_approval && !policy.allotted {
        Some(Refusal::ApprovalNeeded {
            offer: Offer::new(request::RequestKind::Claim, policy.claim_request),
        })
    } else if facts.attempts_today >= ATTEMPTS_A_DAY {
        Some(Refusal::TooManyAttempts)
    } else if policy.accepted_at().is_none() {
        Some(Refusal::TermsNotAccepted)
    } else {
        None
    }
}

fn room(facts: &ClaimFacts, terms: &ClaimTerms, now: Timestamp) -> Option<Refusal> {
    if !facts.seats.has_room(terms.max_total_keys) {
        Some(Refusal::SeatsFull {
            free_at: facts.seats.free_at(terms.max_total_keys),
        })
    } else if let Some(until) = facts.policy.full_until {
        Some(Refusal::ClaimsBusy { until })
    } else if facts.pause_until > now {
        Some(Refusal::Paused {
            until: facts.pause_until,
        })
    } else {
        None
    }
}
