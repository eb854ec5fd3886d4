//! The changes that owners make in their own keys, and administrators in anyone's: a hold, a name, the end. A change is
//! stored before anything is sent to OpenRouter. Anyone who is neither the owner nor an administrator gets `NotFound`.

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::HoldRole;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::{ENABLES_A_DAY, RENAMES_A_DAY};
use crate::domain::time::Timestamp;
use crate::ports::{Database, Stmt};
use crate::store::keys::cards::{self, Card};
use crate::store::keys::due::Due;
use crate::store::members;
use crate::store::query::StoreError;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::read;
use crate::store::query::rows_of;

/// The key `o` and its actor `a`, who is its owner or an administrator in a current session. The statement declares the
/// parameters `key`, `actor`, `epoch` and `admins`.
macro_rules! acts {
    () => {
        concat!(
            " FROM own_keys o JOIN current_sessions a JOIN settings s
        WHERE o.key = :key AND a.member = :actor AND a.epoch = :epoch
          AND (o.member = a.member OR ",
            is_admins!("a"),
            ")"
        )
    };
}

/// The hold that the actor may set and lift.
macro_rules! role {
    () => {
        "CASE WHEN o.member = a.member THEN 'owner' ELSE 'admin' END"
    };
}

/// There is a live generation to switch. Or there is none, and an administrator decides for the next one.
macro_rules! switchable {
    () => {
        "(o.live_state IN ('active', 'disabled') OR (o.live_state IS NULL AND o.member <> a.member))"
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
/// The statement declares the parameter `now`.
macro_rules! own_quota {
    ($action:literal, $quota:literal) => {
        concat!(
            "(o.member <> a.member OR ",
            used_today!("o.owner_id", $action, ":now"),
            " < ",
            $quota,
            ")"
        )
    };
}

statements! {
    // A name that comes together with `disabled` is changed only if the key can be disabled or enabled.
    RENAME_GUARD {
        change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64, admins: String, name: String,
        disables: bool, enables: bool, renames_a_day: i64, enables_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, o.key, 'key_renamed', a.member, :now", acts!(), "
          AND o.name IS NOT :name AND ", own_quota!("key_renamed", ":renames_a_day"), "
          AND (:disables + :enables = 0 OR ", switchable!(), ") AND (:enables = 0 OR ", not_barred!(), ")
          AND (:enables = 0 OR NOT ", held!(), "
            OR (s.pause_until <= :now AND ", own_quota!("hold_lifted", ":enables_a_day"), "))
        ON CONFLICT DO NOTHING");

    // The name changes only while this change is the newest of the key, so a statement that arrives late undoes nothing.
    RENAME { name: String, change: PublicId, key: String } = concat!("UPDATE keys
        SET name = :name, change_id = :change WHERE public_id = :key AND ", newest_change!(":key"));

    HOLD_GUARD { change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64, admins: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, o.key, 'hold_put', a.member, ", role!(), ", :now", acts!(), "
          AND ", switchable!(), " AND NOT ", held!(), "
        ON CONFLICT DO NOTHING");

    HOLD { key: String, change: PublicId } = "INSERT INTO holds (key_id, reason, actor, since, change_id)
        SELECT k.id, a.after, a.actor, a.at, a.change_id
        FROM keys k JOIN audit a ON a.id = (SELECT l.id FROM audit l WHERE l.target = k.public_id ORDER BY l.id DESC LIMIT 1)
        WHERE k.public_id = :key AND a.change_id = :change AND a.action = 'hold_put'
        ON CONFLICT DO NOTHING";

    // A hold is not lifted while OpenRouter has asked keycap to wait. A name that came with the change must be stored
    // already.
    LIFT_GUARD {
        change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64, admins: String, name: Option<String>,
        enables_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, o.key, 'hold_lifted', a.member, ", role!(), ", :now", acts!(), "
          AND ", switchable!(), " AND ", not_barred!(), " AND ", held!(), "
          AND (:name IS NULL OR o.name IS :name) AND s.pause_until <= :now
          AND ", own_quota!("hold_lifted", ":enables_a_day"), "
        ON CONFLICT DO NOTHING");

    // A hold that another actor set stays.
    LIFT { key: String, change: PublicId } = "DELETE FROM holds WHERE (key_id, reason) IN (SELECT k.id, a.before
        FROM keys k JOIN audit a ON a.id = (SELECT l.id FROM audit l WHERE l.target = k.public_id ORDER BY l.id DESC LIMIT 1)
        WHERE k.public_id = :key AND a.change_id = :change AND a.action = 'hold_lifted')";

    // Rows that were postponed after earlier failures become due at once.
    DUE_NOW { key: String, change: PublicId } = "UPDATE generations SET attempts = 0, next_attempt_at = 0
        WHERE live = 1 AND state IN ('active', 'disabled') AND next_attempt_at > 0
          AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    // While the first mint of the key is under way there is nothing to remove yet: it ends by itself within minutes. A
    // successor that is being made is not recorded once its key has ended.
    END_GUARD { change: PublicId, now: Timestamp, key: String, actor: PublicId, epoch: i64, admins: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, o.key, 'key_ended', a.member, :now", acts!(), "
          AND COALESCE(o.live_state, '') NOT IN ('reserved', 'minting', 'verifying')
        ON CONFLICT DO NOTHING");

    REVOKE_GUARD { change: PublicId, key: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_asked', e.actor, n.state, 'revoking', e.at
        FROM audit e JOIN keys k ON k.public_id = e.target JOIN generations n ON n.key_id = k.id
        WHERE e.change_id = :change AND e.target = :key AND n.live = 1 AND n.state IN ('active', 'disabled')
        ON CONFLICT DO NOTHING";

    REVOKE { change: PublicId, key: String } = "UPDATE generations
        SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE live = 1 AND state IN ('active', 'disabled') AND key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = generations.public_id)";

    END { now: Timestamp, change: PublicId, key: String } = "UPDATE keys SET ended_at = :now, change_id = :change
        WHERE public_id = :key AND ended_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)";

    // The generations that this change wants switched or removed at OpenRouter: two while a grace lasts.
    DUE { key: String, change: PublicId } = concat!("SELECT json_object(", due!(), ", 'state', n.state)
        FROM keys k JOIN generations n ON n.key_id = k.id
        WHERE k.public_id = :key AND n.live = 1 AND n.state IN ('active', 'disabled', 'revoking', 'stuck')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :key)
        ORDER BY n.id LIMIT 2");

    OWNS { actor: PublicId, key: String } = "SELECT json_object('owns', k.owner_id = m.owner_id)
        FROM keys k JOIN members m ON m.public_id = :actor WHERE k.public_id = :key";
}

/// Who wants to change which key, and under which change id.
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
    fn rename(&self, change: &PublicId, name: &str, disabled: Option<bool>) -> [Stmt; 2] {
        let guard = stmt!(RENAME_GUARD {
            change,
            now: self.now,
            key: self.key,
            actor: &self.session.member,
            epoch: self.session.epoch,
            admins: self.admins.as_str(),
            name,
            disables: disabled == Some(true),
            enables: disabled == Some(false),
            renames_a_day: RENAMES_A_DAY,
            enables_a_day: ENABLES_A_DAY,
        });
        let rename = stmt!(RENAME {
            name,
            change,
            key: self.key
        });
        [guard, rename]
    }

    fn hold(&self) -> [Stmt; 3] {
        let (key, change) = (self.key, &self.change);
        [
            stmt!(HOLD_GUARD {
                change,
                now: self.now,
                key,
                actor: &self.session.member,
                epoch: self.session.epoch,
                admins: self.admins.as_str(),
            }),
            stmt!(HOLD { key, change }),
            stmt!(DUE_NOW { key, change }),
        ]
    }

    fn lift(&self, name: Option<&str>) -> [Stmt; 3] {
        let (key, change) = (self.key, &self.change);
        [
            stmt!(LIFT_GUARD {
                change,
                now: self.now,
                key,
                actor: &self.session.member,
                epoch: self.session.epoch,
                admins: self.admins.as_str(),
                name,
                enables_a_day: ENABLES_A_DAY,
            }),
            stmt!(LIFT { key, change }),
            stmt!(DUE_NOW { key, change }),
        ]
    }

    fn end(&self) -> [Stmt; 4] {
        let (key, change, now) = (self.key, &self.change, self.now);
        [
            stmt!(END_GUARD {
                change,
                now,
                key,
                actor: &self.session.member,
                epoch: self.session.epoch,
                admins: self.admins.as_str(),
            }),
            stmt!(REVOKE_GUARD { change, key }),
            stmt!(REVOKE { change, key }),
            stmt!(END { now, change, key }),
        ]
    }
}

/// Names a key, and sets or lifts the actor's hold, each if it is not so yet. Fails with `NotFound` if the actor may
/// not act on the key.
pub async fn change(
    db: &dyn Database,
    act: &KeyAct<'_>,
    wanted: &KeyChange,
) -> Result<Granted, StoreError> {
    let mut stmts = Vec::new();
    if let Some((change, name)) = &wanted.name {
        stmts.extend(act.rename(change, name, wanted.disabled));
    }
    match wanted.disabled {
        Some(true) => stmts.extend(act.hold()),
        Some(false) => stmts.extend(act.lift(wanted.name.as_ref().map(|(_, name)| name.as_str()))),
        None => {}
    }
    grant(db, act, stmts).await
}

/// Ends a key: its live generations are to be removed, and nothing brings it back.
pub async fn end(db: &dyn Database, act: &KeyAct<'_>) -> Result<Granted, StoreError> {
    grant(db, act, act.end().into()).await
}

/// Runs the statements, and reads the key as it is then. A key that the actor may not act on is not found.
async fn grant(
    db: &dyn Database,
    act: &KeyAct<'_>,
    mut stmts: Vec<Stmt>,
) -> Result<Granted, StoreError> {
    let written = stmts.len();
    stmts.extend([
        members::session_check(act.session),
        cards::one_to_act_on(act.session, act.key, &act.admins, act.now),
        stmt!(DUE {
            key: act.key,
            change: &act.change
        }),
        stmt!(OWNS {
            actor: &act.session.member,
            key: act.key
        }),
    ]);
    let rows = batch_retrying_unknown(db, stmts).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    members::current(read_at(0)?, act.session)?;
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
