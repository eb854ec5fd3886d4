//! What owners want of their keys, written down before anything is sent: a hold put or lifted, a name, the end.

use serde::Deserialize;

use super::cards::{self, Card};
use super::generations::Due;
use super::{members, read, rows_of, twice};
use crate::crypto::session::Session;
use crate::domain::generation::State;
use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::error::Error;
use crate::ports::{Database, Stmt};

statements! {
    // A name that comes with a switch comes with it or not at all.
    RENAME_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, o.key, 'key_renamed', o.member, ?2 FROM own_keys o
        WHERE o.key = ?3 AND o.member = ?4 AND o.epoch = ?5 AND o.name IS NOT ?6
          AND (?7 = 0 OR o.live_state IN ('active', 'disabled'))
        ON CONFLICT DO NOTHING";

    // Only while nothing newer was written down: what lands late changes nothing back.
    RENAME = "UPDATE keys SET name = ?1, change_id = ?2
        WHERE public_id = ?3 AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?3 ORDER BY a.id DESC LIMIT 1)";

    HOLD_GUARD = "INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, o.key, 'hold_put', o.member, 'owner', ?2 FROM own_keys o
        WHERE o.key = ?3 AND o.member = ?4 AND o.epoch = ?5
          AND o.live_state IN ('active', 'disabled') AND o.held_by_owner = 0
        ON CONFLICT DO NOTHING";

    HOLD = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT o.key_id, 'owner', o.member, ?1, ?2 FROM own_keys o
        WHERE o.key = ?3 AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?3 ORDER BY a.id DESC LIMIT 1)
        ON CONFLICT DO NOTHING";

    LIFT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, o.key, 'hold_lifted', o.member, 'owner', ?2 FROM own_keys o
        WHERE o.key = ?3 AND o.member = ?4 AND o.epoch = ?5
          AND o.live_state IN ('active', 'disabled') AND o.held_by_owner = 1
        ON CONFLICT DO NOTHING";

    // The owner's own: what another put stays (A2).
    LIFT = "DELETE FROM holds WHERE reason = 'owner' AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?1)
        AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?1 ORDER BY a.id DESC LIMIT 1)";

    // What was postponed after earlier failures has its turn at once.
    DUE_NOW = "UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?1)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)";

    // While a mint is under way there is nothing to remove yet: it ends by itself within minutes.
    END_GUARD = "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, o.key, 'key_ended', o.member, ?2 FROM own_keys o
        WHERE o.key = ?3 AND o.member = ?4 AND o.epoch = ?5
          AND COALESCE(o.live_state, '') NOT IN ('reserved', 'minting', 'verifying')
        ON CONFLICT DO NOTHING";

    REVOKE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'revoke_asked', o.member, n.state, 'revoking', ?2
        FROM own_keys o JOIN generations n ON n.key_id = o.key_id
        WHERE o.key = ?3 AND n.live = 1 AND n.state IN ('active', 'disabled')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = ?3)
        ON CONFLICT DO NOTHING";

    REVOKE = "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = ?1
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = generations.public_id)";

    END = "UPDATE keys SET ended_at = ?1, change_id = ?2
        WHERE public_id = ?3 AND ended_at IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // What this very change wants done upstream: of two in grace, the newer one at once.
    DUE = "SELECT json_object('public_id', n.public_id, 'upstream_hash', n.upstream_hash,
            'workspace_id', n.workspace_id, 'attempts', n.attempts,
            'delivered', n.recorded_at IS NOT NULL, 'doubted_at', n.switch_doubted_at, 'state', n.state)
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = ?1 AND n.live = 1 AND n.state IN ('active', 'disabled', 'revoking', 'stuck')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)
        ORDER BY n.id DESC";
}

/// Who wants something of which key.
pub struct Wish<'a> {
    pub session: &'a Session,
    /// As the request names it; anything may stand there.
    pub key: &'a str,
    pub change: PublicId,
    pub now: Timestamp,
}

/// What of a key is to be otherwise.
pub struct Wanted {
    pub disabled: Option<bool>,
    /// With a change of its own: one change touches a key once.
    pub name: Option<(PublicId, String)>,
}

/// The key afterwards, and the generation that has to follow upstream; none where nothing has changed.
pub struct Granted {
    pub card: Card,
    pub due: Option<DueNow>,
}

#[derive(Deserialize)]
pub struct DueNow {
    #[serde(flatten)]
    pub row: Due,
    pub state: State,
}

/// Names a key, and puts the owner's hold on or lifts it, each where it is not so yet.
pub async fn change(db: &dyn Database, wish: &Wish<'_>, wanted: &Wanted) -> Result<Granted, Error> {
    let (key, change, now) = (wish.key, &wish.change, wish.now);
    let (member, epoch) = (&wish.session.member, wish.session.epoch);
    let mut stmts = Vec::new();
    if let Some((change, name)) = &wanted.name {
        let (name, switches) = (name.as_str(), wanted.disabled.is_some());
        stmts.extend([
            stmt!(
                RENAME_GUARD,
                change,
                now,
                key,
                member,
                epoch,
                name,
                switches
            ),
            stmt!(RENAME, name, change, key),
        ]);
    }
    match wanted.disabled {
        Some(true) => stmts.extend([
            stmt!(HOLD_GUARD, change, now, key, member, epoch),
            stmt!(HOLD, now, change, key),
            stmt!(DUE_NOW, key, change),
        ]),
        Some(false) => stmts.extend([
            stmt!(LIFT_GUARD, change, now, key, member, epoch),
            stmt!(LIFT, key, change),
            stmt!(DUE_NOW, key, change),
        ]),
        None => {}
    }
    grant(db, wish, stmts).await
}

/// Ends a key: what is live of it is to be removed, and nothing brings it back.
pub async fn end(db: &dyn Database, wish: &Wish<'_>) -> Result<Granted, Error> {
    let (key, change, now) = (wish.key, &wish.change, wish.now);
    let (member, epoch) = (&wish.session.member, wish.session.epoch);
    let stmts = vec![
        stmt!(END_GUARD, change, now, key, member, epoch),
        stmt!(REVOKE_GUARD, change, now, key),
        stmt!(REVOKE, change, key),
        stmt!(END, now, change, key),
    ];
    grant(db, wish, stmts).await
}

/// Runs them, and reads how everything stands then: somebody else's key is no key.
async fn grant(db: &dyn Database, wish: &Wish<'_>, mut stmts: Vec<Stmt>) -> Result<Granted, Error> {
    let written = stmts.len();
    stmts.extend([
        members::standing(wish.session),
        cards::one_of_member(wish.session, wish.key),
        stmt!(DUE, wish.key, &wish.change),
    ]);
    let rows = twice(db, stmts).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    members::current(read_at(0)?, wish.session)?;
    let card = cards::read_cards(read_at(1)?)?.pop();
    let due = read_at(2)?.first().map(|row| read(row)).transpose()?;
    Ok(Granted {
        card: card.ok_or(Error::NotFound)?,
        due,
    })
}
