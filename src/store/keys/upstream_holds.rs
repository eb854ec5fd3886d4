//! Keys that someone outside keycap disabled at OpenRouter, or gave a lower limit there. Both stay until an
//! administrator lifts them by name.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::key::generation::LANDS_WITHIN_SECS;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
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

statements! {
    // The guards check the nonce and that nothing is in flight. Keycap has then sent nothing since the row was read, so
    // what OpenRouter showed was done by someone outside keycap.
    HOLD_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String, nonce: String } =
        "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, k.public_id, 'hold_put', :actor, 'upstream', :now FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = :generation AND n.op_nonce = :nonce AND n.state IN ('active', 'disabled')
          AND n.switch_doubted_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = n.key_id AND h.reason = 'upstream')
        ON CONFLICT DO NOTHING";

    HOLD { change: PublicId, key: String, actor: String, now: Timestamp } =
        concat!("INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, 'upstream', :actor, :now, :change FROM keys k
        WHERE k.public_id = :key AND ", newest_change!(":key"), "
        ON CONFLICT DO NOTHING");

    // OpenRouter shows the key disabled already: the row follows.
    OFF_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'disabled', :actor, 'active', 'disabled', :now
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = :generation AND n.state = 'active'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = k.public_id)
        ON CONFLICT DO NOTHING";

    OFF { change: PublicId, generation: String } =
        "UPDATE generations SET state = 'disabled', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE public_id = :generation AND state = 'active'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    LIMIT_GUARD {
        change: PublicId, actor: String, now: Timestamp, generation: String, nonce: String, limit: NanoUsd,
    } = "INSERT INTO audit (change_id, target, action, actor, before_nano, after_nano, at)
        SELECT :change, k.public_id, 'upstream_limit_kept', :actor, n.limit_nano, :limit, :now
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = :generation AND n.op_nonce = :nonce AND n.state IN ('active', 'disabled')
          AND n.switch_doubted_at IS NULL AND n.limit_sent_at IS NULL AND n.limit_nano > :limit
        ON CONFLICT DO NOTHING";

    CAP_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'cap_changed', :actor, n.state, n.state, :now
        FROM generations n JOIN keys k ON k.id = n.key_id
        WHERE n.public_id = :generation AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = k.public_id)
        ON CONFLICT DO NOTHING";

    // A limit that counts the whole life of a key also counts what was spent before the owner began to prepay, so that
    // part is subtracted.
    LIMIT { change: PublicId, limit: NanoUsd, generation: String, key: String } = "UPDATE keys SET change_id = :change,
          upstream_limit_nano = (SELECT MAX(10000000, MIN(COALESCE(keys.upstream_limit_nano, :limit),
            :limit - CASE n.limit_reset WHEN 'none' THEN n.lifetime_at_switch_nano ELSE 0 END))
          FROM generations n WHERE n.public_id = :generation)
        WHERE public_id = :key AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    CAP { limit: NanoUsd, change: PublicId, generation: String } =
        "UPDATE generations SET limit_nano = :limit, change_id = :change
        WHERE public_id = :generation AND limit_nano > :limit
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // The route has checked that the actor is an administrator. If there is nothing to lift, nothing changes.
    LIFT_GUARD { change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, k.public_id, 'upstream_lifted', a.member, 'upstream', :now
        FROM keys k JOIN current_sessions a
        WHERE k.public_id = :key AND a.member = :actor AND a.epoch = :epoch
          AND (k.upstream_limit_nano IS NOT NULL
            OR EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'upstream'))
        ON CONFLICT DO NOTHING";

    LIFT_HOLD { change: PublicId, key: String } = concat!("DELETE FROM holds
        WHERE reason = 'upstream' AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          AND ", newest_change!(":key"));

    LIFT_LIMIT { change: PublicId, key: String } = concat!("UPDATE keys SET upstream_limit_nano = NULL, change_id = :change
        WHERE public_id = :key AND ", newest_change!(":key"));

    // From here on it is unknown what is in force at OpenRouter: the wanted switch is sent again, and the limit is
    // computed again.
    AGAIN { now: Timestamp, assumed_sent_at: Timestamp, key: String, change: PublicId } =
        "UPDATE generations SET switch_doubted_at = COALESCE(switch_doubted_at, :now), attempts = 0, next_attempt_at = 0,
            cap_due_at = MIN(COALESCE(cap_due_at, :now), :now), limit_sent_nano = COALESCE(limit_sent_nano, limit_nano),
            limit_sent_at = COALESCE(limit_sent_at, :assumed_sent_at)
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    DUE { key: String, change: PublicId } = concat!("SELECT json_object(", due!(), ")
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = :key AND n.live = 1 AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)
        ORDER BY n.id LIMIT 2");

    // However many holds there are, only as many are read as are shown.
    OUTSIDE_CHANGES { most: i64 } = "SELECT json_object('key', e.key, 'since', e.since, 'disabled', json(iif(e.held, 'true', 'false')),
            'limit_usd', e.limit_nano)
        FROM (SELECT k.id, k.public_id AS key, h.key_id IS NOT NULL AS held, k.upstream_limit_nano AS limit_nano,
            MAX(COALESCE(h.since, 0), COALESCE((SELECT a.at FROM audit a WHERE a.target = k.public_id
              AND a.action = 'upstream_limit_kept' ORDER BY a.id DESC LIMIT 1), 0)) AS since
          FROM (SELECT n.key_id AS id FROM (SELECT d.key_id FROM holds d WHERE d.reason = 'upstream'
              ORDER BY d.since DESC LIMIT :most) n
            UNION SELECT u.id FROM keys u WHERE u.upstream_limit_nano IS NOT NULL) f
          JOIN keys k ON k.id = f.id LEFT JOIN holds h ON h.key_id = k.id AND h.reason = 'upstream') e
        ORDER BY e.since DESC, e.id DESC LIMIT :most";
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

/// Sets the hold `upstream` on a key that someone outside keycap disabled. `is_off` says whether OpenRouter shows it
/// disabled. Answers false if keycap has sent something meanwhile, or the hold is set already.
pub fn hold(
    db: &dyn Database,
    sight: &Sight<'_>,
    is_off: bool,
) -> impl Future<Output = Result<bool, DbError>> {
    let Sight {
        key,
        generation,
        nonce,
        actor,
        change,
        now,
    } = *sight;
    let mut batch = vec![
        stmt!(HOLD_GUARD {
            change,
            actor,
            now,
            generation,
            nonce,
        }),
        stmt!(HOLD {
            change,
            key,
            actor,
            now,
        }),
    ];
    if is_off {
        batch.extend([
            stmt!(OFF_GUARD {
                change,
                actor,
                now,
                generation,
            }),
            stmt!(OFF { change, generation }),
        ]);
    }
    audit::run(db, batch, change, key)
}

/// Stores a lower limit that someone outside keycap set. Answers false if keycap has sent something meanwhile, or if
/// the limit is not lower than the row's.
pub fn keep_limit(
    db: &dyn Database,
    sight: &Sight<'_>,
    limit: NanoUsd,
) -> impl Future<Output = Result<bool, DbError>> {
    let Sight {
        key,
        generation,
        nonce,
        actor,
        change,
        now,
    } = *sight;
    let batch = vec![
        stmt!(LIMIT_GUARD {
            change,
            actor,
            now,
            generation,
            nonce,
            limit,
        }),
        stmt!(CAP_GUARD {
            change,
            actor,
            now,
            generation,
        }),
        stmt!(LIMIT {
            change,
            limit,
            generation,
            key,
        }),
        stmt!(CAP {
            limit,
            change,
            generation,
        }),
    ];
    audit::run(db, batch, change, key)
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
    let batch = vec![
        stmt!(LIFT_GUARD {
            change,
            now,
            key,
            actor: &session.member,
            epoch: session.epoch,
        }),
        stmt!(LIFT_HOLD { change, key }),
        stmt!(LIFT_LIMIT { change, key }),
        stmt!(AGAIN {
            now,
            assumed_sent_at: now.plus(-LANDS_WITHIN_SECS),
            key,
            change,
        }),
        members::session_check(session),
        cards::one_to_act_on(session, key, admins, now),
        stmt!(DUE { key, change }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 4)?, session)?;
    let card = cards::read_cards(rows_of(&rows, 5)?)?.pop();
    let due: Result<Vec<Due>, _> = rows_of(&rows, 6)?.iter().map(|row| read(row)).collect();
    Ok((card.ok_or(StoreError::NotFound)?, due?))
}

from_json! {
    /// A key that someone outside keycap disabled or lowered at OpenRouter, and that stays so.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct OutsideChange {
        pub key: String,
        pub since: Timestamp,
        pub disabled: bool,
        /// The lower limit, if there is one.
        pub limit_usd: Option<NanoUsd>,
    }
}

/// The statement that reads the keys with such a hold or limit as [`OutsideChange`], newest first.
pub fn outside_changes() -> Stmt {
    stmt!(OUTSIDE_CHANGES { most: SHOWN })
}
