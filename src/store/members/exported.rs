//! What a member's own data looks like in the answer.

use serde::Serialize;

use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::people::device::DeviceState;
use crate::domain::people::identity::Status;
use crate::domain::people::request::RequestKind;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::store::handoffs::linked::ProviderKey;
use crate::store::members::requests::Request;

/// A page of at most 500 rows over all lists, newest first in each. The next page is asked for with `after`. It has no
/// key's secret and no fingerprint of one.
#[derive(Debug, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ExportPage {
    pub member: ExportedMember,
    pub keys: Vec<ExportedKey>,
    pub generations: Vec<ExportedGeneration>,
    pub raises: Vec<ExportedRaise>,
    pub payments: Vec<ExportedPayment>,
    pub requests: Vec<Request>,
    pub projects: Vec<ExportedProject>,
    pub provider_keys: Vec<ProviderKey>,
    pub handoffs: Vec<ExportedHandoff>,
    pub device_grants: Vec<ExportedDeviceGrant>,
    pub changes: Vec<ExportedChange>,
    /// What `after` has to be for the next page. It is null at the end.
    pub next: Option<String>,
}

from_json! {
    /// A sign-in at a billing provider.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedHandoff {
        pub id: String,
        pub provider: String,
        /// `pending`, `ready`, `redeeming`, `redeemed`, `refused` or `unknown`.
        pub state: String,
        pub created_at: Timestamp,
        pub ended_at: Option<Timestamp>,
    }
}

from_json! {
    /// A terminal that has asked for a key, for a day after the member decided about it.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedDeviceGrant {
        /// What the terminal called itself.
        pub client: String,
        /// The machine that it said it runs on.
        pub device: Option<String>,
        pub state: DeviceState,
        pub created_at: Timestamp,
    }
}

from_json! {
    /// The member, as they are on record.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedMember {
        pub id: String,
        pub provider: String,
        /// The account's number at the provider.
        pub subject: String,
        /// The login, or the e-mail address of a Google account, as it was at the last sign-in.
        pub login: String,
        /// When another account signed in under this login: since then it is a former one.
        pub login_passed_on_at: Option<Timestamp>,
        /// Null for a Google account, since Google does not say it.
        pub account_created_at: Option<Timestamp>,
        /// The domain of the Google Workspace that manages the account, if one does.
        pub hosted_domain: Option<String>,
        pub status: Status,
        pub created_at: Timestamp,
        pub signed_in_at: Timestamp,
        pub terms_revision: i64,
        pub terms_accepted_at: Option<Timestamp>,
        pub plan: String,
        pub blocked_at: Option<Timestamp>,
        pub allotted: Vec<RequestKind>,
        pub notices_read: Vec<ReadNotice>,
    }
}

from_json! {
    /// A notice that the member has read.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ReadNotice {
        pub id: String,
        pub read_at: Timestamp,
    }
}

from_json! {
    /// A key.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedKey {
        pub id: String,
        pub name: Option<String>,
        /// `claim`, `created`, `allotted` or `adopted`.
        pub origin: String,
        pub created_at: Timestamp,
        pub ended_at: Option<Timestamp>,
        pub own_limit_usd: Option<NanoUsd>,
        pub upstream_limit_usd: Option<NanoUsd>,
        pub preferred_at: Option<Timestamp>,
        pub project: Option<String>,
        pub holds: Vec<Reason>,
    }
}

from_json! {
    /// One of a key's secrets, without the secret.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedGeneration {
        pub id: String,
        pub key: String,
        pub state: GenerationState,
        pub mask: Option<String>,
        pub limit_usd: NanoUsd,
        pub limit_reset: LimitReset,
        pub created_at: Timestamp,
        pub expires_at: Timestamp,
        pub ended_at: Option<Timestamp>,
        pub spent_usd: Option<NanoUsd>,
        pub spend_read_at: Option<Timestamp>,
    }
}

from_json! {
    /// A raise of a key's limit.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedRaise {
        pub id: String,
        pub key: String,
        pub amount_usd: NanoUsd,
        pub begins_at: Timestamp,
        pub ends_at: Option<Timestamp>,
    }
}

from_json! {
    /// A payment.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedPayment {
        pub id: String,
        pub amount_usd: NanoUsd,
        pub credit_usd: NanoUsd,
        pub booked_at: Timestamp,
    }
}

from_json! {
    /// A project of the member.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedProject {
        pub id: String,
        pub name: String,
        pub created_at: Timestamp,
        pub archived_at: Option<Timestamp>,
    }
}

from_json! {
    /// A change of the member, or of something that is theirs.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ExportedChange {
        pub target: String,
        pub action: String,
        /// `member`, `administrator`, or the part of the service that acted.
        pub by: String,
        pub before: Option<String>,
        pub after: Option<String>,
        /// The amount before a change of a limit, and after it; of a raise, its own amount.
        pub before_usd: Option<NanoUsd>,
        pub after_usd: Option<NanoUsd>,
        pub happened_at: Timestamp,
    }
}
