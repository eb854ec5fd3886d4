//! The deployment's switches. The guards of other statements read them in the database, so one write takes effect in
//! every isolate at once.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::policy::switches::{
    AccountSwitch, Claims, KeysSwitch, Minting, Restore, UpstreamTerms, WorkspaceClosure,
};
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

statements! {
    SWITCH_GUARD { change: PublicId, minting: String, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'minting_switched', a.member, s.minting, :minting, :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    SWITCH { minting: String, change: PublicId } = "UPDATE settings SET minting = :minting, change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    // The administrator names how many live keys the switch may disable. If there are more at this moment, nothing
    // changes.
    KEYS_OFF_GUARD { change: PublicId, now: Timestamp, actor: PublicId, epoch: i64, confirmed_keys: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'keys_switched', a.member, s.keys, 'off', :now
        FROM current_sessions a JOIN settings s JOIN seats
        WHERE a.member = :actor AND a.epoch = :epoch AND seats.live <= :confirmed_keys
        ON CONFLICT DO NOTHING";

    KEYS_OFF { change: PublicId } = "UPDATE settings SET keys = 'off', minting = 'stopped', change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    HOLD_ALL { actor: PublicId, now: Timestamp, change: PublicId } =
        "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT n.key_id, 'switch', :actor, :now, :change FROM generations n
        WHERE n.live = 1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')
        ON CONFLICT DO NOTHING";

    // Rows that were postponed after earlier failures become due at once.
    DUE_NOW { change: PublicId } = "UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    KEYS_ON_GUARD { change: PublicId, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'keys_switched', a.member, s.keys, 'on', :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    // Minting stays stopped until an administrator opens it separately.
    KEYS_ON { change: PublicId } = "UPDATE settings SET keys = 'on', change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    // This lifts only the holds that the switch set: a key with another hold stays disabled.
    RELEASE_ALL { change: PublicId } = "DELETE FROM holds WHERE reason = 'switch'
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    CLAIMS_GUARD { change: PublicId, claims: String, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'claims_switched', a.member, s.claims, :claims, :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    CLAIMS { claims: String, change: PublicId } = "UPDATE settings SET claims = :claims, change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    CONFIRM_GUARD { change: PublicId, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'upstream_terms_confirmed', a.member, s.upstream_terms, 'confirmed', :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    CONFIRM { actor: PublicId, now: Timestamp, change: PublicId } =
        "UPDATE settings SET upstream_terms = 'confirmed', upstream_terms_by = :actor, upstream_terms_at = :now,
          change_id = :change
        WHERE EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    // The request names the epoch that it ends. If it is sent twice, or by two administrators, the sessions end only
    // once.
    END_SESSIONS_GUARD { change: PublicId, now: Timestamp, actor: PublicId, epoch: i64, confirmed_epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'settings', 'sessions_ended', a.member, s.session_epoch, s.session_epoch + 1, :now
        FROM current_sessions a JOIN settings s
        WHERE a.member = :actor AND a.epoch = :epoch AND s.session_epoch = :confirmed_epoch
        ON CONFLICT DO NOTHING";

    END_SESSIONS { change: PublicId } = "UPDATE settings SET session_epoch = session_epoch + 1, change_id = :change
        WHERE change_id IS NOT :change AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = 'settings')";

    SETTINGS { change: Option<PublicId> } =
        "SELECT json_object(
          'done', EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target IN ('settings', 'instance')),
          'minting', s.minting, 'keys', s.keys, 'live_keys', seats.live, 'bound_to', i.public_origin,
          'session_epoch', s.session_epoch, 'claims', s.claims, 'restore', s.restore, 'account', s.account,
          'upstream_terms', s.upstream_terms, 'upstream_terms_by', s.upstream_terms_by, 'upstream_terms_at', s.upstream_terms_at,
          'workspace', (SELECT CASE WHEN c.confirmed = 0 AND c.wanted = 'closed' THEN 'closing'
              WHEN c.wanted = 'closed' THEN 'closed' ELSE 'opening' END
            FROM closed_workspaces c ORDER BY c.workspace_id LIMIT 1))
        FROM settings s JOIN seats JOIN instance i";
}

from_json! {
    /// The settings of the deployment.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Settings {
        pub minting: Minting,
        pub keys: KeysSwitch,
        /// The number of live keys. A request that disables all keys has to name at least this number.
        pub live_keys: i64,
        /// The public origin that this database belongs to. A deployment at another origin mints and sweeps nothing.
        pub bound_to: Option<String>,
        /// How many times all sessions were ended. A request that ends them again has to name this number.
        pub session_epoch: i64,
        pub claims: Claims,
        pub restore: Restore,
        pub account: AccountSwitch,
        pub upstream_terms: UpstreamTerms,
        /// The id of the administrator who last confirmed OpenRouter's terms.
        pub upstream_terms_by: Option<String>,
        pub upstream_terms_at: Option<Timestamp>,
        /// Whether the workspace of our keys lets no request through, because all keys must be disabled.
        pub workspace: Option<WorkspaceClosure>,
    }
}

from_json! {
    struct SettingsRow {
        done: bool;
        settings: Settings,
    }
}

/// The outcome of a change, with the settings as they are afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsOutcome {
    Done(Settings),
    /// The guard refused: the session has ended, or the confirmed number does not fit the present one.
    Refused(Settings),
}

/// Opens or stops minting for everyone.
pub async fn switch_minting(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    minting: Minting,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(SWITCH_GUARD {
            change,
            minting: minting.name(),
            now,
            actor: &session.member,
            epoch: session.epoch,
        }),
        stmt!(SWITCH {
            minting: minting.name(),
            change
        }),
    ];
    switch(db, change, stmts).await
}

/// Disables every key and stops minting, if at most `confirmed` keys are live. The sweep sends the switches.
pub async fn keys_off(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    confirmed: i64,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let actor = &session.member;
    let stmts = vec![
        stmt!(KEYS_OFF_GUARD {
            change,
            now,
            actor,
            epoch: session.epoch,
            confirmed_keys: confirmed,
        }),
        stmt!(KEYS_OFF { change }),
        stmt!(HOLD_ALL { actor, now, change }),
        stmt!(DUE_NOW { change }),
    ];
    switch(db, change, stmts).await
}

/// Lifts the stronger switch: the sweep then enables every key that has no other hold.
pub async fn keys_on(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(KEYS_ON_GUARD {
            change,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(KEYS_ON { change }),
        stmt!(RELEASE_ALL { change }),
        stmt!(DUE_NOW { change }),
    ];
    switch(db, change, stmts).await
}

/// Lets everyone claim, or only people whom an administrator has let in.
pub async fn switch_claims(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    claims: Claims,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(CLAIMS_GUARD {
            change,
            claims: claims.name(),
            now,
            actor: &session.member,
            epoch: session.epoch,
        }),
        stmt!(CLAIMS {
            claims: claims.name(),
            change
        }),
    ];
    switch(db, change, stmts).await
}

/// Records that this administrator confirms OpenRouter's terms.
pub async fn confirm_upstream_terms(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let actor = &session.member;
    let stmts = vec![
        stmt!(CONFIRM_GUARD {
            change,
            now,
            actor,
            epoch: session.epoch
        }),
        stmt!(CONFIRM { actor, now, change }),
    ];
    switch(db, change, stmts).await
}

/// Ends every session of every member, this one included, if `confirmed` is still the epoch.
pub async fn end_sessions(
    db: &dyn Database,
    session: &Session,
    change: &PublicId,
    confirmed: i64,
    now: Timestamp,
) -> Result<SettingsOutcome, DbError> {
    let stmts = vec![
        stmt!(END_SESSIONS_GUARD {
            change,
            now,
            actor: &session.member,
            epoch: session.epoch,
            confirmed_epoch: confirmed,
        }),
        stmt!(END_SESSIONS { change }),
    ];
    switch(db, change, stmts).await
}

/// Runs the statements of a change, and reads the settings in the same batch.
pub(crate) async fn switch(
    db: &dyn Database,
    change: &PublicId,
    mut stmts: Vec<Stmt>,
) -> Result<SettingsOutcome, DbError> {
    stmts.push(stmt!(SETTINGS {
        change: Some(change)
    }));
    let row: SettingsRow =
        last_row(&batch_retrying_unknown(db, stmts).await?)?.ok_or(DbError::Broken)?;
    Ok(if row.done {
        SettingsOutcome::Done(row.settings)
    } else {
        SettingsOutcome::Refused(row.settings)
    })
}

/// The statement that reads the settings; [`read_settings`] reads the row.
pub fn settings() -> Stmt {
    stmt!(SETTINGS {
        change: None::<&PublicId>
    })
}

/// Returns the settings from the last statement of a batch.
pub fn read_settings(batch: &[Rows]) -> Result<Settings, DbError> {
    let row: SettingsRow = last_row(batch)?.ok_or(DbError::Broken)?;
    Ok(row.settings)
}
