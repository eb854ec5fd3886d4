//! Billing providers, the sign-ins there, and the keys that came of them. `begun` has what happens until a hand-off is
//! confirmed, `settled` what happens to it from its exchange on.

pub mod begun;
pub mod linked;
pub mod providers;
pub mod settled;

use crate::domain::id::PublicId;
use crate::domain::people::handoff::{HandoffState, HandoffStatus, HandoffTimes};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, KV_TTL_SECS, Rows, Stmt};
use crate::store::members;
use crate::store::query::{StoreError, read_all, rows_of};

statements! {
    // The browser that began knows the verifier of the challenge; nobody else learns anything of the hand-off.
    ONE { member: PublicId, handoff: PublicId, challenge: String } =
        "SELECT json_object('id', h.public_id, 'provider', h.provider, 'state', h.state, 'blob', h.blob,
          'confirmed', h.confirmed_at IS NOT NULL, 'wrong_codes', h.wrong_codes, 'expires_at', h.expires_at,
          'redeeming_at', h.redeeming_at, 'change', h.change_id,
          'enabled', (SELECT p.enabled FROM providers p WHERE p.slug = h.provider))
        FROM members m JOIN handoffs h ON h.owner_id = m.owner_id
        WHERE m.public_id = :member AND h.public_id = :handoff AND h.challenge = :challenge";
}

from_json! {
    /// A hand-off, for its own browser.
    #[derive(Clone, Debug)]
    pub struct Handoff {
        pub id: String,
        pub provider: String,
        pub state: HandoffState,
        /// The name in KV of what the provider sent back.
        pub blob: Option<String>,
        pub confirmed: bool,
        pub wrong_codes: i64,
        pub expires_at: Timestamp,
        redeeming_at: Option<Timestamp>,
        /// The change that wrote it last.
        pub change: String,
        /// Whether its provider is enabled.
        pub enabled: bool,
    }
}

impl Handoff {
    pub fn status(&self, now: Timestamp) -> HandoffStatus {
        let times = HandoffTimes {
            expires_at: self.expires_at,
            redeeming_at: self.redeeming_at,
        };
        HandoffStatus::of(self.state, &times, now, KV_TTL_SECS)
    }
}

/// A step of a hand-off: who takes it, in which browser, and under which change id.
pub struct HandoffAct<'a> {
    pub session: &'a Session,
    pub handoff: &'a PublicId,
    pub challenge: &'a str,
    pub change: PublicId,
    pub now: Timestamp,
}

/// Reads a hand-off. `None` if this member has none of this id, or if it began in another browser.
pub async fn find(
    db: &dyn Database,
    session: &Session,
    handoff: &PublicId,
    challenge: &str,
) -> Result<Option<Handoff>, StoreError> {
    let read = stmt!(ONE {
        member: &session.member,
        handoff,
        challenge,
    });
    let (_, rows) = members::signed_in(db, session, vec![read]).await?;
    Ok(read_all(rows_of(&rows, 0)?)?.into_iter().next())
}

/// Ends a batch of a step: the session's check and the hand-off as it is then. [`outcome`] reads both.
fn and_then_read(mut batch: Vec<Stmt>, act: &HandoffAct<'_>) -> Vec<Stmt> {
    batch.push(members::session_check(act.session));
    batch.push(stmt!(ONE {
        member: &act.session.member,
        handoff: act.handoff,
        challenge: act.challenge,
    }));
    batch
}

/// The hand-off after a step, and whether this very step was the last to write it.
fn outcome(rows: &[Rows], act: &HandoffAct<'_>) -> Result<(Handoff, bool), StoreError> {
    let at = rows.len().saturating_sub(2);
    members::current(rows_of(rows, at)?, act.session)?;
    let found: Vec<Handoff> = read_all(rows_of(rows, at.saturating_add(1))?)?;
    let found = found.into_iter().next().ok_or(StoreError::NotFound)?;
    let is_ours = found.change == act.change.as_str();
    Ok((found, is_ours))
}
