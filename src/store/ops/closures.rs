//! Workspaces that are closed while every key must be disabled: a change of the default guardrail is marked as in flight
//! before it is sent, and OpenRouter's answer settles it.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::query::{batch_retrying_unknown, last_row, read, rows_of};

/// What audit rows about a workspace name as their target.
const TARGET: &str = "workspace";

statements! {
    STATE = "SELECT json_object('keys_off', s.keys = 'off', 'change', (SELECT json_object(
            'workspace', c.workspace_id, 'guardrail', c.guardrail_id, 'rules_before', c.rules_before, 'wanted', c.wanted,
            'confirmed', c.confirmed = 1, 'sent_at', c.sent_at)
          FROM closed_workspaces c ORDER BY c.workspace_id LIMIT 1))
        FROM settings s";

    BEGIN_GUARD { change: PublicId, actor: String, now: Timestamp, workspace: String } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, 'workspace', 'workspace_closing', :actor, 'closed', :now FROM settings s
        WHERE s.keys = 'off' AND NOT EXISTS (SELECT 1 FROM closed_workspaces WHERE workspace_id = :workspace)
        ON CONFLICT DO NOTHING";

    BEGIN { workspace: String, guardrail: String, rules_before: String, change: PublicId } =
        "INSERT INTO closed_workspaces (workspace_id, guardrail_id, rules_before, wanted, change_id)
        SELECT :workspace, :guardrail, :rules_before, 'closed', :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'workspace')
        ON CONFLICT DO NOTHING";

    EARLIER { workspace: String } =
        "SELECT json_object('sent_at', sent_at) FROM closed_workspaces WHERE workspace_id = :workspace";

    // With a new nonce, earlier code can no longer settle what it sent, and that stays in flight.
    ABOUT_TO { wanted: String, now: Timestamp, nonce: String, workspace: String } =
        "UPDATE closed_workspaces SET wanted = :wanted, confirmed = 0, sent_at = :now, nonce = :nonce
        WHERE workspace_id = :workspace
          AND (SELECT iif(s.keys = 'off', 'closed', 'open') FROM settings s) = :wanted
        RETURNING json_object('marked', 1)";

    CONFIRMED_GUARD { change: PublicId, actor: String, now: Timestamp, workspace: String, nonce: String } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, 'workspace', iif(c.wanted = 'closed', 'workspace_closed', 'workspace_opened'), :actor, c.wanted,
          :now
        FROM closed_workspaces c WHERE c.workspace_id = :workspace AND c.nonce = :nonce
        ON CONFLICT DO NOTHING";

    CONFIRMED { earlier_sent_at: Option<Timestamp>, change: PublicId, workspace: String, nonce: String } =
        "UPDATE closed_workspaces SET confirmed = 1, sent_at = :earlier_sent_at, change_id = :change
        WHERE workspace_id = :workspace AND nonce = :nonce
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'workspace')";

    // An open workspace is forgotten once no change that closes it can take effect any more.
    FORGET { workspace: String, change: PublicId } =
        "DELETE FROM closed_workspaces WHERE workspace_id = :workspace AND wanted = 'open' AND confirmed = 1
          AND sent_at IS NULL AND change_id = :change";
}

from_json! {
    /// Whether a workspace has to be closed, and the latest change that was sent for that.
    #[derive(Clone, Debug)]
    pub struct ClosureState {
        /// An administrator has disabled every key.
        pub keys_off: bool,
        pub change: Option<ClosureChange>,
    }
}

from_json! {
    /// The latest change of a default guardrail.
    #[derive(Clone, Debug)]
    pub struct ClosureChange {
        pub workspace: String,
        pub guardrail: String,
        /// The guardrail's rules before its first change, as JSON.
        pub rules_before: String,
        wanted: String,
        /// OpenRouter has confirmed the change.
        pub confirmed: bool,
        sent_at: Option<Timestamp>,
    }
}

impl ClosureChange {
    /// Answers whether nothing has to be sent: what is wanted was confirmed, and whatever was sent before it has taken
    /// effect by then, or still may.
    pub fn is_settled(&self, closed: bool, now: Timestamp) -> bool {
        let is_over = |at: Timestamp| at <= now.plus(-LANDS_WITHIN_SECS);
        self.confirmed && self.wanted == name(closed) && !self.sent_at.is_some_and(is_over)
    }
}

const fn name(closed: bool) -> &'static str {
    if closed { "closed" } else { "open" }
}

/// Reads whether every key must be disabled, and what was sent for that to the workspace that is closed.
pub async fn state(db: &dyn Database) -> Result<ClosureState, DbError> {
    last_row(&db.batch(vec![stmt!(STATE)]).await?)?.ok_or(DbError::Broken)
}

/// Writes down what the workspace's default guardrail allowed, before it is changed for the first time. Answers false if
/// the keys are no longer to be disabled, or if another run has begun to close the workspace.
pub fn begin(
    db: &dyn Database,
    workspace: &str,
    guardrail: &str,
    rules_before: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(BEGIN_GUARD {
            change,
            actor,
            now,
            workspace
        }),
        stmt!(BEGIN {
            workspace,
            guardrail,
            rules_before,
            change
        }),
    ];
    audit::run(db, batch, change, TARGET)
}

/// One change that is to be sent.
pub struct PendingClosure<'a> {
    pub workspace: &'a str,
    pub closes: bool,
    /// Only this sending knows the nonce.
    pub nonce: &'a str,
}

from_json! {
    /// When an earlier change was sent whose outcome is not known.
    #[derive(Clone, Copy, Debug)]
    pub struct ClosureInFlight {
        sent_at: Option<Timestamp>,
    }
}

impl ClosureInFlight {
    /// When it was sent, if it may still take effect.
    fn lands(self, now: Timestamp) -> Option<Timestamp> {
        let lands = |at: &Timestamp| *at > now.plus(-LANDS_WITHIN_SECS);
        self.sent_at.filter(lands)
    }
}

/// Marks the change as in flight before it is sent. Returns `None` if it is no longer wanted: then nothing may be sent.
pub async fn mark_in_flight(
    db: &dyn Database,
    pending: &PendingClosure<'_>,
    now: Timestamp,
) -> Result<Option<ClosureInFlight>, DbError> {
    let workspace = pending.workspace;
    let batch = vec![
        stmt!(EARLIER { workspace }),
        stmt!(ABOUT_TO {
            wanted: name(pending.closes),
            now,
            nonce: pending.nonce,
            workspace
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    if rows_of(&rows, 1)?.is_empty() {
        return Ok(None);
    }
    let earlier = rows_of(&rows, 0)?.first().map(|row| read(row));
    earlier.transpose()
}

/// Settles a change after OpenRouter's answer agreed. An earlier one that may still take effect stays in flight, so that
/// this one is sent again later. Answers false if another one was sent meanwhile.
pub fn settle(
    db: &dyn Database,
    pending: &PendingClosure<'_>,
    in_flight: ClosureInFlight,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let PendingClosure {
        workspace, nonce, ..
    } = *pending;
    let batch = vec![
        stmt!(CONFIRMED_GUARD {
            change,
            actor,
            now,
            workspace,
            nonce
        }),
        stmt!(CONFIRMED {
            earlier_sent_at: in_flight.lands(now),
            change,
            workspace,
            nonce
        }),
        stmt!(FORGET { workspace, change }),
    ];
    audit::run(db, batch, change, TARGET)
}
