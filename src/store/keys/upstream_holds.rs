//! Keys that someone outside keycap disabled at OpenRouter, or gave a lower limit there. Both stay until an
//! administrator lifts them by name.

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Sql, Stmt};
use crate::store::audit;
use crate::store::keys::cards::{self, Card};
use crate::store::keys::due::Due;
use crate::store::keys::own_keys::KeyAct;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// An administrator is shown at most this many keys, the newest.
const SHOWN: i64 = 100;

/// Keycap has sent nothing since the row was read, and nothing is in flight: what OpenRouter showed in between was done
/// by someone outside keycap.
macro_rules! untouched {
    () => {
        "n.op_nonce = ?5 AND n.state IN ('active', 'disabled') AND n.switch_doubted_at IS NULL AND n.limit_sent_at IS NULL"
    };
}

statements_at! {
    HOLD_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, k.public_id, 'hold_put', ?2, 'upstream', ?3 FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = ?4 AND n.op_nonce = ?5 AND n.state IN ('active', 'disabled') AND n.switch_doubted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'upstream')
        ON CONFLICT DO NOTHING";

    HOLD = concat!("INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, 'upstream', ?3, ?4, ?1 FROM keys k
        WHERE k.public_id = ?2 AND ", written!(), "
        ON CONFLICT DO NOTHING");

    // OpenRouter shows the key disabled already: the row follows.
    OFF_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'disabled', ?2, 'active', 'disabled', ?3 FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = ?4 AND n.state = 'active' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = k.public_id)
        ON CONFLICT DO NOTHING";

    OFF = "UPDATE generations SET state = 'disabled', attempts = 0, next_attempt_at = 0, change_id = ?1
        WHERE public_id = ?2 AND state = 'active' AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?2)";

    LIMIT_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, k.public_id, 'upstream_limit_kept', ?2, ?3 FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = ?4 AND ", untouched!(), " AND n.limit_nano > ?6
        ON CONFLICT DO NOTHING");

    CAP_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'cap_changed', ?2, n.state, n.state, ?3 FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = ?4 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = k.public_id)
        ON CONFLICT DO NOTHING";

    // A limit that counts the whole life of a key also counts what was spent before the owner began to prepay, so that
    // part is subtracted.
    LIMIT = "UPDATE keys SET change_id = ?1, upstream_limit_nano = (SELECT MAX(10000000, MIN(COALESCE(keys.upstream_limit_nano, ?2),
            ?2 - CASE n.limit_reset WHEN 'none' THEN n.lifetime_at_switch_nano ELSE 0 END))
          FROM generations n WHERE n.public_id = ?3)
        WHERE public_id = ?4 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?4)";

    CAP = "UPDATE generations SET limit_nano = ?1, change_id = ?2
        WHERE public_id = ?3 AND limit_nano > ?1 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // Done by an administrator, as the route has checked. If there is nothing to lift, nothing changes.
    LIFT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, k.public_id, 'upstream_lifted', m.public_id, 'upstream', ?2 FROM keys k JOIN members m JOIN settings s
        WHERE k.public_id = ?3 AND m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active'
          AND (k.upstream_limit_nano IS NOT NULL
            OR EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'upstream'))
        ON CONFLICT DO NOTHING";

    LIFT_HOLD = concat!("DELETE FROM holds
        WHERE reason = 'upstream' AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?2) AND ", written!());

    LIFT_LIMIT = concat!("UPDATE keys SET upstream_limit_nano = NULL, change_id = ?1
        WHERE public_id = ?2 AND ", written!());

    // From here on it is unknown what is in force at OpenRouter: the wanted switch is sent again, and the limit is
    // computed again.
    AGAIN = "UPDATE generations SET switch_doubted_at = COALESCE(switch_doubted_at, ?1), attempts = 0, next_attempt_at = 0,
            cap_due_at = MIN(COALESCE(cap_due_at, ?1), ?1), limit_sent_nano = COALESCE(limit_sent_nano, limit_nano),
            limit_sent_at = COALESCE(limit_sent_at, ?2)
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?3)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?3)";

    DUE = concat!("SELECT json_object(", due!(), ")
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = ?1 AND n.live = 1 AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)
        ORDER BY n.id LIMIT 2");

    // However many holds there are, only as many are read as are shown.
    KEPT = "SELECT json_object('key', e.key, 'since', e.since, 'disabled', json(iif(e.held, 'true', 'false')),
            'limit_nano', e.limit_nano)
        FROM (SELECT k.id, k.public_id AS key, h.key_id IS NOT NULL AS held, k.upstream_limit_nano AS limit_nano,
            MAX(COALESCE(h.since, 0), COALESCE((SELECT a.at FROM audit a WHERE a.target = k.public_id
              AND a.action = 'upstream_limit_kept' ORDER BY a.id DESC LIMIT 1), 0)) AS since
          FROM (SELECT n.key_id AS id FROM (SELECT d.key_id FROM holds d WHERE d.reason = 'upstream'
              ORDER BY d.since DESC LIMIT ?1) n
            UNION SELECT u.id FROM keys u WHERE u.upstream_limit_nano IS NOT NULL) f
          JOIN keys k ON k.id = f.id LEFT JOIN holds h ON h.key_id = k.id AND h.reason = 'upstream') e
        ORDER BY e.since DESC, e.id DESC LIMIT ?1";
}

/// A reading of a key that shows what someone outside keycap did, and the actor that made it.
pub struct Sight<'a> {
    /// The public ids of the key and of its generation.
    pub key: &'a str,
    pub generation: &'a str,
    /// The row's nonce before the key was read.
    pub nonce: &'a str,
    pub actor: &'a str,
    pub change: &'a PublicId,
    pub now: Timestamp,
}

impl Sight<'_> {
    /// The guard that writes the audit row of the key, if keycap has sent nothing meanwhile.
    fn guard(&self, guard: &'static Sql) -> Stmt {
        let mut stmt = self.follows(guard);
        stmt.values.push(self.nonce.into());
        stmt
    }

    /// The guard that writes the audit row of the generation, which follows that one.
    fn follows(&self, guard: &'static Sql) -> Stmt {
        let (change, actor, now) = (self.change.into(), self.actor.into(), self.now.into());
        Stmt {
            sql: guard,
            values: vec![change, actor, now, self.generation.into()],
        }
    }
}

/// Sets the hold `upstream` on a key that someone outside keycap disabled. `is_off` says whether OpenRouter shows it
/// disabled. Answers false if keycap has sent something meanwhile, or the hold is set already.
pub fn hold(
    db: &dyn Database,
    sight: &Sight<'_>,
    is_off: bool,
) -> impl Future<Output = Result<bool, DbError>> {
    let mut batch = vec![
        sight.guard(&HOLD_GUARD),
        stmt_at!(HOLD, sight.change, sight.key, sight.actor, sight.now),
    ];
    if is_off {
        batch.extend([
            sight.follows(&OFF_GUARD),
            stmt_at!(OFF, sight.change, sight.generation),
        ]);
    }
    audit::run(db, batch, sight.change, sight.key)
}

/// Stores a lower limit that someone outside keycap set. Answers false if keycap has sent something meanwhile, or if
/// the limit is not lower than the row's.
pub fn keep_limit(
    db: &dyn Database,
    sight: &Sight<'_>,
    limit: NanoUsd,
) -> impl Future<Output = Result<bool, DbError>> {
    let mut guard = sight.guard(&LIMIT_GUARD);
    guard.values.push(limit.into());
    let (change, generation) = (sight.change, sight.generation);
    let batch = vec![
        guard,
        sight.follows(&CAP_GUARD),
        stmt_at!(LIMIT, change, limit, generation, sight.key),
        stmt_at!(CAP, limit, change, generation),
    ];
    audit::run(db, batch, change, sight.key)
}

/// Lifts both the hold and the limit from a key, and has what is wanted sent again. Returns the key as it is then, and
/// the generations that have to follow; none if there was nothing to lift.
pub async fn lift(db: &dyn Database, wish: &KeyAct<'_>) -> Result<(Card, Vec<Due>), StoreError> {
    let KeyAct {
        session,
        key,
        ref admins,
        ref change,
        now,
    } = *wish;
    let (member, epoch) = (&session.member, session.epoch);
    let batch = vec![
        stmt_at!(LIFT_GUARD, change, now, key, member, epoch),
        stmt_at!(LIFT_HOLD, change, key),
        stmt_at!(LIFT_LIMIT, change, key),
        stmt_at!(AGAIN, now, now.plus(-LANDS_WITHIN_SECS), key, change),
        members::session_check(session),
        cards::one_to_act_on(session, key, admins, now),
        stmt_at!(DUE, key, change),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 4)?, session)?;
    let card = cards::read_cards(rows_of(&rows, 5)?)?.pop();
    let due: Result<Vec<Due>, _> = rows_of(&rows, 6)?.iter().map(|row| read(row)).collect();
    Ok((card.ok_or(StoreError::NotFound)?, due?))
}

/// The statement that reads the keys with such a hold or limit, newest first; the rows go into the answer unchanged.
pub fn kept() -> Stmt {
    stmt_at!(KEPT, SHOWN)
}
