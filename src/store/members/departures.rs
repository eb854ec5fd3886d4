//! Lists of people who are gone: they are made by the job, held if they are implausibly long, decided by administrators,
//! and carried out. Carrying out ends the sessions and the keys of a member, as a suspension does.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::audit;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::read_all;
use crate::store::query::rows_of;

/// The number of lists that administrators are shown, newest first.
const LISTS: i64 = 20;
/// The number of people of held lists that they are shown.
const PEOPLE: i64 = 2_000;

/// People who are gone and may be put out. The administrators of the configuration may not. The statement declares
/// `:provider` and `:admins`.
macro_rules! may_go {
    () => {
        concat!(
            "departing g WHERE g.provider = :provider
          AND NOT ",
            is_admins!("g")
        )
    };
}

statements! {
    EXPIRE_GUARD { change: PublicId, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, l.public_id, 'departures_expired', 'offboard', l.state, 'expired', :now
        FROM departure_lists l WHERE l.state = 'held' AND l.expires_at <= :now
        ON CONFLICT DO NOTHING";

    EXPIRE { change: PublicId, now: Timestamp } =
        "UPDATE departure_lists SET state = 'expired', decided_at = :now, change_id = :change
        WHERE state = 'held' AND EXISTS (SELECT 1 FROM audit
          WHERE change_id = :change AND target = departure_lists.public_id AND action = 'departures_expired')";

    // Fewer than three people are always plausible. More than 25, or more than a tenth of all whom the directory knows, are
    // held, and so is everybody who is found gone as long as another list is held: they are part of the same doubt.
    LIST_GUARD { change: PublicId, list: PublicId, provider: String, admins: String, now: Timestamp } =
        concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :list, 'departures_listed', 'offboard',
          CASE WHEN t.waits OR (t.n >= 3 AND (t.n > 25 OR t.n * 10 > t.known)) THEN 'held' ELSE 'released' END, :now
        FROM (SELECT (SELECT COUNT(*) FROM ", may_go!(), ") AS n,
          EXISTS (SELECT 1 FROM departure_lists l JOIN departures x ON x.list_id = l.id JOIN presences p ON p.owner_id = x.owner_id
            JOIN members m ON m.owner_id = p.owner_id JOIN directories d ON d.provider = m.provider AND d.source = p.source
            WHERE l.state = 'held' AND l.provider = :provider AND x.blocked_at IS NULL AND m.status = 'active') AS waits,
          (SELECT COUNT(*) FROM presences p JOIN members m ON m.owner_id = p.owner_id
            JOIN directories d ON d.provider = m.provider AND d.source = p.source
            WHERE m.provider = :provider AND m.status = 'active') AS known) t
        WHERE t.n > 0
        ON CONFLICT DO NOTHING");

    LIST { change: PublicId, list: PublicId, provider: String, now: Timestamp, expires_at: Timestamp } =
        "INSERT INTO departure_lists (public_id, provider, state, made_at, expires_at, decided_at, change_id)
        SELECT a.target, :provider, a.after, :now, :expires_at, iif(a.after = 'held', NULL, :now), :change
        FROM audit a WHERE a.change_id = :change AND a.target = :list
        ON CONFLICT DO NOTHING";

    LISTED { change: PublicId, list: PublicId, provider: String, admins: String } =
        concat!("INSERT INTO departures (list_id, owner_id, reason, since)
        SELECT (SELECT l.id FROM departure_lists l WHERE l.public_id = :list AND l.change_id = :change),
          g.owner_id, g.reason, g.since
        FROM ", may_go!(), "
          AND EXISTS (SELECT 1 FROM departure_lists l WHERE l.public_id = :list AND l.change_id = :change)
        ON CONFLICT DO NOTHING");

    MADE { list: PublicId } = "SELECT json_object('state', l.state, 'people', (SELECT COUNT(*) FROM departures d WHERE d.list_id = l.id))
        FROM departure_lists l WHERE l.public_id = :list";

    DECIDE_GUARD {
        change: PublicId, list: PublicId, action: String, state: String, now: Timestamp, actor: PublicId, epoch: i64,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, l.public_id, :action, a.member, l.state, :state, :now
        FROM departure_lists l JOIN current_sessions a
        WHERE l.public_id = :list AND l.state = 'held' AND l.expires_at > :now AND a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    DECIDE { change: PublicId, list: PublicId, state: String, now: Timestamp } =
        "UPDATE departure_lists SET state = :state, decided_at = :now, change_id = :change
        WHERE public_id = :list AND state = 'held' AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :list)";

    // The people of a rejected list begin anew, with the next day.
    ACQUIT { change: PublicId, list: PublicId } = "UPDATE presences SET strikes = 0, since = NULL
        WHERE owner_id IN (SELECT d.owner_id FROM departures d JOIN departure_lists l ON l.id = d.list_id
            WHERE l.public_id = :list AND l.state = 'rejected' AND l.change_id = :change)";

    DUE { after: i64, most: i64 } = "SELECT json_object('owner', d.owner_id)
        FROM departures d JOIN departure_lists l ON l.id = d.list_id
        WHERE d.blocked_at IS NULL AND l.state = 'released' AND d.owner_id > :after ORDER BY d.owner_id LIMIT :most";

    // The configuration may name administrators whom it did not name when the list was made.
    DEPART_GUARD { change: PublicId, people: String, admins: String, now: Timestamp } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'member_departed', 'offboard', m.status, 'suspended', :now
        FROM json_each(:people) j JOIN members m ON m.owner_id = j.value
        WHERE m.status = 'active' AND EXISTS (SELECT 1 FROM departures d JOIN departure_lists l ON l.id = d.list_id
            WHERE d.owner_id = m.owner_id AND d.blocked_at IS NULL AND l.state = 'released')
          AND NOT ", is_admins!("m"), "
        ON CONFLICT DO NOTHING");

    DEPART { change: PublicId, people: String } =
        "UPDATE members SET status = 'suspended', epoch = epoch + 1, change_id = :change
        WHERE owner_id IN (SELECT value FROM json_each(:people)) AND change_id <> :change
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = members.public_id)";

    RECORD { change: PublicId, now: Timestamp } = "INSERT INTO departed (owner_id, reason, since, change_id)
        SELECT m.owner_id, (SELECT d.reason FROM departures d JOIN departure_lists l ON l.id = d.list_id
            WHERE d.owner_id = m.owner_id AND d.blocked_at IS NULL AND l.state = 'released' ORDER BY d.list_id LIMIT 1), :now, :change
        FROM audit a JOIN members m ON m.public_id = a.target
        WHERE a.change_id = :change AND a.action = 'member_departed'
        ON CONFLICT DO NOTHING";

    END_KEYS_GUARD { change: PublicId, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'key_ended', 'offboard', :now
        FROM audit a JOIN members m ON m.public_id = a.target JOIN keys k ON k.owner_id = m.owner_id
        WHERE a.change_id = :change AND a.action = 'member_departed' AND k.ended_at IS NULL
        ON CONFLICT DO NOTHING";

    REVOKE_GUARD { change: PublicId, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'revoke_asked', 'offboard', n.state, 'revoking', :now
        FROM audit a JOIN members m ON m.public_id = a.target JOIN generations n ON n.owner_id = m.owner_id
        WHERE a.change_id = :change AND a.action = 'member_departed' AND n.live = 1 AND n.state IN ('active', 'disabled')
        ON CONFLICT DO NOTHING";

    REVOKE { change: PublicId } =
        "UPDATE generations SET state = 'revoking', attempts = 0, next_attempt_at = 0, change_id = :change
        WHERE public_id IN (SELECT a.target FROM audit a WHERE a.change_id = :change AND a.action = 'revoke_asked')
          AND live = 1 AND state IN ('active', 'disabled')";

    END_KEYS { change: PublicId, now: Timestamp } = "UPDATE keys SET ended_at = :now, change_id = :change
        WHERE public_id IN (SELECT a.target FROM audit a WHERE a.change_id = :change AND a.action = 'key_ended')
          AND ended_at IS NULL";

    // A member who is not active any more needs nothing further, also if an administrator has put them out before. An
    // administrator of the configuration stays, and needs nothing further either.
    DONE { people: String, admins: String, now: Timestamp } = concat!("UPDATE departures SET blocked_at = :now
        WHERE blocked_at IS NULL AND owner_id IN (SELECT value FROM json_each(:people))
          AND EXISTS (SELECT 1 FROM departure_lists l WHERE l.id = departures.list_id AND l.state = 'released')
          AND EXISTS (SELECT 1 FROM members m WHERE m.owner_id = departures.owner_id AND (m.status <> 'active' OR ", is_admins!("m"), "))");

    WENT { change: PublicId } = "SELECT json_object('people', COALESCE(SUM(a.action = 'member_departed'), 0),
          'keys', COALESCE(SUM(a.action = 'key_ended'), 0)) FROM audit a WHERE a.change_id = :change";

    LEFT = "SELECT json_object('left', EXISTS (SELECT 1 FROM departures d JOIN departure_lists l ON l.id = d.list_id
          WHERE d.blocked_at IS NULL AND l.state = 'released'))";

    LISTS_SHOWN { most: i64 } = "SELECT json_object('id', l.public_id, 'directory', l.provider, 'state', l.state, 'made_at', l.made_at,
          'expires_at', l.expires_at, 'decided_at', l.decided_at,
          'people', (SELECT COUNT(*) FROM departures d WHERE d.list_id = l.id),
          'blocked', (SELECT COUNT(*) FROM departures d WHERE d.list_id = l.id AND d.blocked_at IS NOT NULL))
        FROM departure_lists l ORDER BY l.id DESC LIMIT :most";

    PEOPLE_SHOWN { most: i64 } = "SELECT json_object('list', l.public_id, 'member', m.public_id, 'login', m.login,
          'reason', d.reason, 'since', d.since)
        FROM departure_lists l JOIN departures d ON d.list_id = l.id JOIN members m ON m.owner_id = d.owner_id
        WHERE l.state = 'held' ORDER BY l.id, d.owner_id LIMIT :most";

    // Lists that were decided long ago, with their people.
    FORGET_PEOPLE { before: Timestamp } = "DELETE FROM departures WHERE list_id IN
        (SELECT l.id FROM departure_lists l WHERE l.decided_at <= :before)
        AND (blocked_at IS NOT NULL OR list_id IN (SELECT l.id FROM departure_lists l WHERE l.state <> 'released'))";
}

/// Lets held lists expire, and lists those who are gone now. The administrators of the configuration, a JSON list of account
/// numbers, are in no list. Returns how many people are in the new list if it is held, and 0 if it is not.
pub async fn list(
    db: &dyn Database,
    provider: &str,
    admins: &str,
    ids: [&PublicId; 3],
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<i64, DbError> {
    from_json! {
        struct ListMadeRow {
            state: String,
            people: i64,
        }
    }
    let [expired, change, list] = ids;
    let batch = vec![
        stmt!(EXPIRE_GUARD {
            change: expired,
            now
        }),
        stmt!(EXPIRE {
            change: expired,
            now
        }),
        stmt!(LIST_GUARD {
            change,
            list,
            provider,
            admins,
            now
        }),
        stmt!(LIST {
            change,
            list,
            provider,
            now,
            expires_at
        }),
        stmt!(LISTED {
            change,
            list,
            provider,
            admins
        }),
        stmt!(MADE { list }),
    ];
    let made: Option<ListMadeRow> = last_row(&batch_retrying_unknown(db, batch).await?)?;
    let held = made.filter(|made| made.state == "held");
    Ok(held.map_or(0, |made| made.people))
}

/// An administrator's decision about a held list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListDecision {
    Release,
    Reject,
}

/// Decides a held list. Answers false if it is not held any more, or if there is no such list or session.
pub async fn decide(
    db: &dyn Database,
    session: &Session,
    list: &PublicId,
    decision: ListDecision,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let (action, state) = match decision {
        ListDecision::Release => ("departures_released", "released"),
        ListDecision::Reject => ("departures_rejected", "rejected"),
    };
    let batch = vec![
        stmt!(DECIDE_GUARD {
            change,
            list,
            action,
            state,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(DECIDE {
            change,
            list,
            state,
            now
        }),
        stmt!(ACQUIT { change, list }),
    ];
    audit::run(db, batch, change, list.as_str()).await
}

/// Returns at most `most` owners, behind the owner `after`, who are in a released list and were not put out yet.
pub async fn due(db: &dyn Database, after: i64, most: i64) -> Result<Vec<i64>, DbError> {
    from_json! {
        struct DepartureDueRow {
            owner: i64,
        }
    }
    let rows = db.batch(vec![stmt!(DUE { after, most })]).await?;
    let due: Vec<DepartureDueRow> = read_all(rows_of(&rows, 0)?)?;
    Ok(due.into_iter().map(|row| row.owner).collect())
}

from_json! {
    /// How many people went, and how many of their keys.
    #[derive(Clone, Copy, Debug)]
    pub struct Went {
        pub people: i64,
        pub keys: i64,
    }
}

/// Puts out those of the owners who are in a released list: ends their sessions and all of their keys, in one batch. The
/// administrators of the configuration, a JSON list of their names, stay.
pub async fn depart(
    db: &dyn Database,
    owners: &[i64],
    admins: &str,
    change: &PublicId,
    now: Timestamp,
) -> Result<Went, DbError> {
    let people = serde_json::to_string(owners).map_err(|_| DbError::Broken)?;
    let people = people.as_str();
    let batch = vec![
        stmt!(DEPART_GUARD {
            change,
            people,
            admins,
            now
        }),
        stmt!(DEPART { change, people }),
        stmt!(RECORD { change, now }),
        stmt!(END_KEYS_GUARD { change, now }),
        stmt!(REVOKE_GUARD { change, now }),
        stmt!(REVOKE { change }),
        stmt!(END_KEYS { change, now }),
        stmt!(DONE {
            people,
            admins,
            now
        }),
        stmt!(WENT { change }),
    ];
    last_row(&batch_retrying_unknown(db, batch).await?)?.ok_or(DbError::Broken)
}

/// Answers whether people of a released list were not put out yet.
pub async fn is_left(db: &dyn Database) -> Result<bool, DbError> {
    from_json! {
        struct LeftRow {
            left: bool,
        }
    }
    let row: Option<LeftRow> = last_row(&db.batch(vec![stmt!(LEFT)]).await?)?;
    Ok(row.is_some_and(|row| row.left))
}

/// Forgets the people of lists that were decided before this moment.
pub async fn forget(db: &dyn Database, before: Timestamp) -> Result<(), DbError> {
    let forget = stmt!(FORGET_PEOPLE { before });
    batch_retrying_unknown(db, vec![forget]).await.map(|_| ())
}

from_json! {
    /// A list of people who are gone.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct DepartureList {
        pub id: String,
        /// The directory that says so: `google` or `github`.
        pub directory: String,
        /// `held` (an administrator has to decide), `released`, `rejected` or `expired`.
        pub state: String,
        pub made_at: Timestamp,
        /// Until when an administrator can release it.
        pub expires_at: Timestamp,
        pub decided_at: Option<Timestamp>,
        /// How many people are in it.
        pub people: i64,
        /// How many of them were put out.
        pub blocked: i64,
    }
}

from_json! {
    /// A person in a held list.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct DepartingMember {
        /// The id of the list.
        pub list: String,
        pub member: String,
        pub login: String,
        /// What the directory says: `suspended`, `archived`, `deleted`, `gone`, `no_account` or `not_a_member`.
        pub reason: String,
        /// When it said so first.
        pub since: Timestamp,
    }
}

/// The statements that read the newest lists, and the people of those that are held.
pub fn shown() -> [Stmt; 2] {
    [
        stmt!(LISTS_SHOWN { most: LISTS }),
        stmt!(PEOPLE_SHOWN { most: PEOPLE }),
    ]
}

/// Reads the rows of [`shown`].
pub fn read_shown(
    lists: &Rows,
    people: &Rows,
) -> Result<(Vec<DepartureList>, Vec<DepartingMember>), DbError> {
    Ok((read_all(lists)?, read_all(people)?))
}
