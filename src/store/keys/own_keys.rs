//! What owners change in their own keys, and administrators in anyone's: a hold, a name, the end. It is written down
//! before anything is sent. For anyone who is neither the owner nor an administrator there is no such key.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::HoldRole;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::{ENABLES_A_DAY, RENAMES_A_DAY};
use crate::domain::time::Timestamp;
use crate::ports::{Database, Sql, SqlValue, Stmt};
use crate::store::keys::cards::{self, Card};
use crate::store::keys::due::Due;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// Who acts on which key, by ?3 to ?6: its owner or an administrator, in a current session.
macro_rules! acts {
    () => {
        " FROM own_keys o JOIN members a JOIN settings s
        WHERE o.key = ?3 AND a.public_id = ?4 AND a.epoch + s.session_epoch = ?5 AND a.status = 'active'
          AND (o.member = a.public_id OR (a.provider = 'github' AND a.subject IN (SELECT value FROM json_each(?6))))"
    };
}

/// The hold that the actor may set and lift.
macro_rules! role {
    () => {
        "CASE WHEN o.member = a.public_id THEN 'owner' ELSE 'admin' END"
    };
}

/// There is a live generation to switch. Or there is none, and an administrator decides for the next one.
macro_rules! switchable {
    () => {
        "(o.live_state IN ('active', 'disabled') OR (o.live_state IS NULL AND o.member <> a.public_id))"
    };
}

/// Whether the actor's own hold is set.
macro_rules! held {
    () => {
        concat!(
            "EXISTS (SELECT 1 FROM holds h WHERE h.key_id = o.key_id AND h.reason = ",
            role!(),
            ")"
        )
    };
}

/// No hold of another actor forbids that the key is enabled; `Reason::bars` has the same rule. The hold of a leak waits
/// for a successor, and the successor waits for the actor's own hold. So the actor may lift their own hold, and the key
/// stays disabled.
macro_rules! not_barred {
    () => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = o.key_id
            AND h.reason IN ('admin', 'offboarding', 'leak', 'switch', 'upstream') AND h.reason <> ",
            role!(),
            " AND NOT (h.reason = 'leak' AND ",
            held!(),
            "))"
        )
    };
}

/// An owner's change of their own key is within the day's quota; an administrator's change of somebody else's has none.
macro_rules! own_quota {
    ($action:literal, $quota:literal) => {
        concat!(
            "(o.member <> a.public_id OR ",
            used_today!("o.owner_id", $action, "?2"),
            " < ",
            $quota,
            ")"
        )
    };
}

statements_at! {
    // A name that comes with a switch (?8 disables, ?9 enables) is changed only together with it.
    RENAME_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, o.key, 'key_renamed', a.public_id, ?2", acts!(), "
          AND o.name IS NOT ?7 AND ", own_quota!("key_renamed", "?10"), "
          AND (?8 + ?9 = 0 OR ", switchable!(), ") AND (?9 = 0 OR ", not_barred!(), ")
          AND (?9 = 0 OR NOT ", held!(), " OR (s.pause_until <= ?2 AND ", own_quota!("hold_lifted", "?11"), "))
        ON CONFLICT DO NOTHING");

    // Only while this change is the newest of the key: a late statement changes nothing back.
    RENAME = "UPDATE keys SET name = ?1, change_id = ?2
        WHERE public_id = ?3 AND ?2 = (SELECT a.change_id FROM audit a WHERE a.target = ?3 ORDER BY a.id DESC LIMIT 1)";

    HOLD_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, o.key, 'hold_put', a.public_id, ", role!(), ", ?2", acts!(), "
          AND ", switchable!(), " AND NOT ", held!(), "
        ON CONFLICT DO NOTHING");

    HOLD = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, a.after, a.actor, a.at, a.change_id
        FROM keys k JOIN audit a ON a.id = (SELECT l.id FROM audit l WHERE l.target = k.public_id ORDER BY l.id DESC LIMIT 1)
        WHERE k.public_id = ?1 AND a.change_id = ?2 AND a.action = 'hold_put'
        ON CONFLICT DO NOTHING";

    // Not while OpenRouter has asked keycap to wait; and only together with the name that came with it.
    LIFT_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT ?1, o.key, 'hold_lifted', a.public_id, ", role!(), ", ?2", acts!(), "
          AND ", switchable!(), " AND ", not_barred!(), " AND ", held!(), "
          AND (?7 IS NULL OR o.name IS ?7) AND s.pause_until <= ?2 AND ", own_quota!("hold_lifted", "?8"), "
        ON CONFLICT DO NOTHING");

    // A hold that another actor set stays.
    LIFT = "DELETE FROM holds WHERE (key_id, reason) IN (SELECT k.id, a.before
        FROM keys k JOIN audit a ON a.id = (SELECT l.id FROM audit l WHERE l.target = k.public_id ORDER BY l.id DESC LIMIT 1)
        WHERE k.public_id = ?1 AND a.change_id = ?2 AND a.action = 'hold_lifted')";

    // Rows that were postponed after earlier failures become due at once.
    DUE_NOW = "UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?1)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)";

    // While the first mint of the key is under way there is nothing to remove yet: it ends by itself within minutes. A
    // successor that is being made is not recorded once its key has ended.
    END_GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT ?1, o.key, 'key_ended', a.public_id, ?2", acts!(), "
          AND COALESCE(o.live_state, '') NOT IN ('reserved', 'minting', 'verifying')
        ON CONFLICT DO NOTHING");

    REVOKE_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, n.public_id, 'revoke_asked', e.actor, n.state, 'revoking', e.at
        FROM audit e JOIN keys k ON k.public_id = e.target JOIN generations n ON n.key_id = k.id
        WHERE e.change_id = ?1 AND e.target = ?2 AND n.live = 1 AND n.state IN ('active', 'disabled')
        ON CONFLICT DO NOTHING";

    REVOKE = "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = ?1
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = ?2)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?1 AND target = generations.public_id)";

    END = "UPDATE keys SET ended_at = ?1, change_id = ?2
        WHERE public_id = ?3 AND ended_at IS NULL AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3)";

    // The generations that this change wants switched or removed at OpenRouter: two while a grace lasts.
    DUE = concat!("SELECT json_object(", due!(), ", 'state', n.state)
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = ?1 AND n.live = 1 AND n.state IN ('active', 'disabled', 'revoking', 'stuck')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?1)
        ORDER BY n.id LIMIT 2");

    OWNS = "SELECT json_object('owns', k.owner_id = m.owner_id)
        FROM keys k JOIN members m ON m.public_id = ?1 WHERE k.public_id = ?2";
}

/// Who wants to change which key.
pub struct KeyAct<'a> {
    pub session: &'a Session,
    /// The id in the request; it may be any text.
    pub key: &'a str,
    /// The account numbers of the administrators in the configuration, as a JSON list.
    pub admins: String,
    pub change: PublicId,
    pub now: Timestamp,
}

/// What is to change in a key.
pub struct KeyChange {
    pub disabled: Option<bool>,
    /// The new name, with a change id of its own, since a change has at most one audit row of a key.
    pub name: Option<(PublicId, String)>,
}

/// The key afterwards, the role in which the actor acted, and the generations that have to follow at OpenRouter; none
/// if nothing has changed.
pub struct Granted {
    pub card: Card,
    pub role: HoldRole,
    pub due: Vec<DueNow>,
}

from_json! {
    /// A generation that has to follow at OpenRouter, and its state.
    pub struct DueNow {
        pub state: GenerationState;
        pub row: Due,
    }
}

from_json! {
    struct Owns {
        owns: bool,
    }
}

impl KeyAct<'_> {
    /// The values of a guard: the change, and who acts on which key.
    fn values(&self, change: &PublicId) -> Vec<SqlValue> {
        let session = self.session;
        vec![
            change.into(),
            self.now.into(),
            self.key.into(),
            (&session.member).into(),
            session.epoch.into(),
            self.admins.as_str().into(),
        ]
    }

    fn guard(&self, sql: &'static Sql, change: &PublicId) -> Stmt {
        Stmt {
            sql,
            values: self.values(change),
        }
    }

    fn lift(&self, change: &PublicId, wanted: &KeyChange) -> Stmt {
        let mut values = self.values(change);
        let name = wanted.name.as_ref().map(|(_, name)| name.as_str());
        values.extend([name.into(), ENABLES_A_DAY.into()]);
        let sql = &LIFT_GUARD;
        Stmt { sql, values }
    }

    fn rename(&self, change: &PublicId, name: &str, disabled: Option<bool>) -> [Stmt; 2] {
        let mut values = self.values(change);
        values.extend([
            name.into(),
            (disabled == Some(true)).into(),
            (disabled == Some(false)).into(),
            RENAMES_A_DAY.into(),
            ENABLES_A_DAY.into(),
        ]);
        let guard = Stmt {
            sql: &RENAME_GUARD,
            values,
        };
        [guard, stmt_at!(RENAME, name, change, self.key)]
    }
}

/// Names a key, and sets or lifts the actor's hold, each if it is not so yet. Fails with `NotFound` if the actor may
/// not act on the key.
pub async fn change(
    db: &dyn Database,
    wish: &KeyAct<'_>,
    wanted: &KeyChange,
) -> Result<Granted, StoreError> {
    let (key, change) = (wish.key, &wish.change);
    let mut stmts = Vec::new();
    if let Some((change, name)) = &wanted.name {
        stmts.extend(wish.rename(change, name, wanted.disabled));
    }
    match wanted.disabled {
        Some(true) => stmts.extend([
            wish.guard(&HOLD_GUARD, change),
            stmt_at!(HOLD, key, change),
            stmt_at!(DUE_NOW, key, change),
        ]),
        Some(false) => stmts.extend([
            wish.lift(change, wanted),
            stmt_at!(LIFT, key, change),
            stmt_at!(DUE_NOW, key, change),
        ]),
        None => {}
    }
    grant(db, wish, stmts).await
}

/// Ends a key: its live generations are to be removed, and nothing brings it back.
pub async fn end(db: &dyn Database, wish: &KeyAct<'_>) -> Result<Granted, StoreError> {
    let (key, change) = (wish.key, &wish.change);
    let stmts = vec![
        wish.guard(&END_GUARD, change),
        stmt_at!(REVOKE_GUARD, change, key),
        stmt_at!(REVOKE, change, key),
        stmt_at!(END, wish.now, change, key),
    ];
    grant(db, wish, stmts).await
}

/// Runs the statements, and reads the key as it is then. A key that the actor may not act on is not found.
async fn grant(
    db: &dyn Database,
    wish: &KeyAct<'_>,
    mut stmts: Vec<Stmt>,
) -> Result<Granted, StoreError> {
    let written = stmts.len();
    stmts.extend([
        members::session_check(wish.session),
        cards::one_to_act_on(wish.session, wish.key, &wish.admins, wish.now),
        stmt_at!(DUE, wish.key, &wish.change),
        stmt_at!(OWNS, &wish.session.member, wish.key),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    members::current(read_at(0)?, wish.session)?;
    let card = cards::read_cards(read_at(1)?)?
        .pop()
        .ok_or(StoreError::NotFound)?;
    let due: Result<Vec<DueNow>, _> = read_at(2)?.iter().map(|row| read(row)).collect();
    let owns = read_at(3)?
        .first()
        .map(|row| read::<Owns>(row))
        .transpose()?;
    Ok(Granted {
        card,
        role: match owns {
            Some(Owns { owns: true }) => HoldRole::Owner,
            _ => HoldRole::Admin,
        },
        due: due?,
    })
}
