//! What the database knew about a claim, as the last statement of the claim's batch returns it.

use crate::domain::key::generation::GenerationState;
use crate::domain::people::identity::Status;
use crate::domain::people::request;
use crate::domain::policy::gate::{ClaimFacts, HOUR_SECS, Policy, Seats, WorkspaceChoice};
use crate::domain::time::Timestamp;

from_json! {
    pub(crate) struct FactsRow {
        status: Status,
        session_current: bool,
        minting_open: bool,
        /// NULL until the database is bound to a public origin; the gate refuses until then.
        same_instance: Option<i64>,
        pause_until: Timestamp,
        blocked: bool,
        held: bool,
        account_created_at: Timestamp,
        attempts_today: i64,
        live_state: Option<GenerationState>,
        keys_live: i64,
        keys_allowed: i64,
        unsettled: bool,
        workspaces: WorkspaceChoice,
    }
}

from_json! {
    pub(crate) struct SeatsRow {
        taken: i64,
        live: i64,
        /// A seat is retained for the key that is claimed.
        of_claimed_key: bool,
        /// A seat is retained for any next key of this owner.
        of_owner: bool,
        next_free_at: Option<Timestamp>,
    }
}

impl From<SeatsRow> for Seats {
    fn from(row: SeatsRow) -> Self {
        Self {
            taken: row.taken,
            live: row.live,
            reusable: row.of_claimed_key || row.of_owner,
            next_free_at: row.next_free_at,
        }
    }
}

from_json! {
    /// A separate object, since a function in D1 takes at most 32 arguments.
    pub(crate) struct PolicyRow {
        terms_rev: i64,
        terms_at: Option<Timestamp>,
        upstream_terms_confirmed: bool,
        by_approval: bool,
        restored: bool,
        foreign_account: bool,
        google_admitted: bool,
        allotted: bool,
        age_waived: bool,
        claim_request: Option<request::RequestState>,
        appeal: Option<request::RequestState>,
        /// When the claim was made that must be an hour old before there is room; NULL while there is room.
        hour_began: Option<Timestamp>,
    }
}

impl FactsRow {
    pub(crate) fn facts(self, seats: SeatsRow, policy: PolicyRow) -> ClaimFacts {
        ClaimFacts {
            status: self.status,
            session_current: self.session_current,
            minting_open: self.minting_open,
            same_instance: self.same_instance == Some(1),
            pause_until: self.pause_until,
            blocked: self.blocked,
            held: self.held,
            account_created_at: self.account_created_at,
            attempts_today: self.attempts_today,
            seats: seats.into(),
            live_state: self.live_state,
            keys_live: self.keys_live,
            keys_allowed: self.keys_allowed,
            unsettled: self.unsettled,
            workspaces: self.workspaces,
            policy: policy.into(),
        }
    }
}

impl From<PolicyRow> for Policy {
    fn from(row: PolicyRow) -> Self {
        Self {
            terms_rev: row.terms_rev,
            terms_at: row.terms_at,
            upstream_terms_confirmed: row.upstream_terms_confirmed,
            by_approval: row.by_approval,
            restored: row.restored,
            foreign_account: row.foreign_account,
            google_admitted: row.google_admitted,
            allotted: row.allotted,
            age_waived: row.age_waived,
            claim_request: row.claim_request,
            appeal: row.appeal,
            full_until: row.hour_began.map(|at| at.plus(HOUR_SECS)),
        }
    }
}
