//! What an administrator has selected, frozen at the moment of asking, and how it is started and stopped. Nothing is started
//! that is not what was shown.

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::bulk::BulkAction;
use crate::store::bulk::shown::{self, BulkReport};
use crate::store::keys::listed::KeyFilter;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;

/// A bulk change has at most this many targets.
pub const MOST: i64 = 10_000;
/// What was shown can be started for so many seconds.
const SHOWN_SECS: i64 = 3_600;
/// Appended to the beginning of a login, it sorts behind every login that begins so.
const BEHIND: &str = "\u{10FFFF}";

/// Into the new change `b`, once. The statement declares `bulk`.
macro_rules! into_new {
    () => {
        "b.public_id = :bulk AND b.state = 'shown' AND NOT EXISTS (SELECT 1 FROM bulk_targets f WHERE f.bulk_id = b.id)"
    };
}

/// The row, the card, the generation and the plan of each key that `x` names.
macro_rules! keys {
    () => {
        " x CROSS JOIN keys k ON k.id = x.key_id JOIN key_cards c ON c.public_id = k.public_id
        JOIN generations n ON n.id = c.generation_id JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id "
    };
}

statements! {
    MAKE {
        bulk: PublicId, action: String, now: Timestamp, expires_at: Timestamp, actor: PublicId, epoch: i64,
    } = "INSERT INTO bulk_changes (public_id, action, state, actor, made_at, expires_at)
        SELECT :bulk, :action, 'shown', a.member, :now, :expires_at FROM current_sessions a
        WHERE a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    KEYS_NAMED {
        bulk: PublicId, ids: String, state: Option<String>, hold: Option<String>, plan: Option<String>, more: String,
    } = concat!("INSERT INTO bulk_targets (bulk_id, target_id, verdict)
        SELECT b.id, k.id, '' FROM bulk_changes b CROSS JOIN
          (SELECT l.id AS key_id FROM json_each(:ids) i JOIN keys l ON l.public_id = i.value)", keys!(), "
        WHERE ", into_new!(), " AND ", key_meets!(), "
        ON CONFLICT DO NOTHING");

    KEYS_MATCHING {
        bulk: PublicId, most: i64, state: Option<String>, hold: Option<String>, plan: Option<String>, more: String,
    } = concat!("INSERT INTO bulk_targets (bulk_id, target_id, verdict)
        SELECT b.id, k.id, '' FROM bulk_changes b CROSS JOIN (SELECT l.id AS key_id FROM keys l)", keys!(), "
        WHERE ", into_new!(), " AND ", key_meets!(), "
        LIMIT :most
        ON CONFLICT DO NOTHING");

    MEMBERS_NAMED { bulk: PublicId, ids: String, status: Option<String>, login_from: String, login_before: String } =
        concat!("INSERT INTO bulk_targets (bulk_id, target_id, verdict)
        SELECT b.id, m.owner_id, '' FROM bulk_changes b CROSS JOIN json_each(:ids) i CROSS JOIN members m ON m.public_id = i.value
        WHERE ", into_new!(), " AND (:status IS NULL OR m.status = :status)
          AND lower(m.login) >= :login_from AND lower(m.login) < :login_before
        ON CONFLICT DO NOTHING");

    MEMBERS_MATCHING { bulk: PublicId, most: i64, status: Option<String>, login_from: String, login_before: String } =
        concat!("INSERT INTO bulk_targets (bulk_id, target_id, verdict)
        SELECT b.id, m.owner_id, '' FROM bulk_changes b CROSS JOIN members m
        WHERE ", into_new!(), " AND (:status IS NULL OR m.status = :status)
          AND lower(m.login) >= :login_from AND lower(m.login) < :login_before
        LIMIT :most
        ON CONFLICT DO NOTHING");

    // An earlier change is taken back, or what has failed is tried again.
    OF_EARLIER { bulk: PublicId, earlier: PublicId, outcome: Option<String> } =
        concat!("INSERT INTO bulk_targets (bulk_id, target_id, verdict)
        SELECT b.id, t.target_id, '' FROM bulk_changes b CROSS JOIN bulk_changes e CROSS JOIN bulk_targets t ON t.bulk_id = e.id
        WHERE ", into_new!(), " AND e.public_id = :earlier AND (:outcome IS NULL OR t.outcome = :outcome)
          AND (e.action IN ('suspend', 'reinstate')) = (b.action IN ('suspend', 'reinstate'))
        ON CONFLICT DO NOTHING");

    // The configuration may name administrators, who cannot be suspended.
    SPARE { bulk: PublicId, admins: String } = concat!("UPDATE bulk_targets SET verdict = 'admin'
        WHERE verdict = '' AND bulk_id = (SELECT b.id FROM bulk_changes b WHERE b.public_id = :bulk AND b.state = 'shown' AND b.action = 'suspend')
          AND EXISTS (SELECT 1 FROM members m WHERE m.owner_id = bulk_targets.target_id AND ", is_admins!("m"), ")");

    JUDGE { bulk: PublicId } = "UPDATE bulk_targets SET verdict = (SELECT v.now FROM bulk_verdicts v
          WHERE v.bulk_id = bulk_targets.bulk_id AND v.target_id = bulk_targets.target_id)
        WHERE bulk_id = (SELECT b.id FROM bulk_changes b WHERE b.public_id = :bulk AND b.state = 'shown')";

    FOUND { bulk: PublicId } = "SELECT json_object('targets', COUNT(*)) FROM bulk_targets t
        WHERE t.bulk_id = (SELECT b.id FROM bulk_changes b WHERE b.public_id = :bulk)";

    // Without targets, with too many of them, or with others than were selected, there is nothing to be shown.
    CLEAR { bulk: PublicId, allowed: i64, wanted: Option<i64> } =
        "DELETE FROM bulk_targets WHERE bulk_id = (SELECT b.id FROM bulk_changes b WHERE b.public_id = :bulk AND b.state = 'shown'
          AND ((SELECT COUNT(*) FROM bulk_targets c WHERE c.bulk_id = b.id) > :allowed
            OR (SELECT COUNT(*) FROM bulk_targets c WHERE c.bulk_id = b.id) <> :wanted))";

    UNMAKE { bulk: PublicId } = "DELETE FROM bulk_changes WHERE public_id = :bulk AND state = 'shown'
        AND NOT EXISTS (SELECT 1 FROM bulk_targets t WHERE t.bulk_id = bulk_changes.id)";

    // What is left of it is so many, and each would still be changed, or left alone, for the reason that was shown.
    START_GUARD { change: PublicId, bulk: PublicId, count: i64, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, b.public_id, 'bulk_started', a.member, b.state, b.action || ' ' || CAST(CAST(:count AS INTEGER) AS TEXT), :now
        FROM bulk_changes b JOIN current_sessions a
        WHERE b.public_id = :bulk AND b.state IN ('shown', 'stopped') AND b.expires_at > :now
          AND a.member = :actor AND a.epoch = :epoch
          AND (SELECT COUNT(*) FROM bulk_targets t WHERE t.bulk_id = b.id AND t.verdict = 'change' AND t.outcome IS NULL) = :count
          AND NOT EXISTS (SELECT 1 FROM bulk_verdicts v WHERE v.bulk_id = b.id AND v.outcome IS NULL AND v.now <> v.verdict)
        ON CONFLICT DO NOTHING";

    START { change: PublicId, bulk: PublicId, now: Timestamp } =
        "UPDATE bulk_changes SET state = 'running', started_at = COALESCE(started_at, :now), ended_at = NULL, change_id = :change
        WHERE public_id = :bulk AND state IN ('shown', 'stopped')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :bulk)";

    STOP_GUARD { change: PublicId, bulk: PublicId, now: Timestamp, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, b.public_id, 'bulk_stopped', a.member, b.state, 'stopped', :now
        FROM bulk_changes b JOIN current_sessions a
        WHERE b.public_id = :bulk AND b.state = 'running' AND a.member = :actor AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    STOP { change: PublicId, bulk: PublicId, now: Timestamp } =
        "UPDATE bulk_changes SET state = 'stopped', ended_at = :now, change_id = :change
        WHERE public_id = :bulk AND state = 'running' AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :bulk)";
}

/// What an administrator has selected.
#[derive(Clone, Debug)]
pub enum Selected {
    /// These keys, if each of them meets the filter under which it was selected; or all keys that meet it.
    Keys {
        ids: Option<Vec<String>>,
        filter: KeyFilter,
    },
    /// The same of members. The login is the beginning of one.
    Members {
        ids: Option<Vec<String>>,
        status: Option<String>,
        login: String,
    },
    /// The targets of an earlier change, or those of them that have ended so.
    Earlier {
        bulk: PublicId,
        outcome: Option<&'static str>,
    },
}

/// What came of a selection.
pub enum Frozen {
    Shown(Box<BulkReport>),
    /// Some of what was named is not there, or does not meet the filter.
    Differs,
    Nothing,
    TooMany,
}

/// Freezes what is selected, and says of each target what the change would do to it.
pub async fn freeze(
    db: &dyn Database,
    session: &Session,
    bulk: &PublicId,
    action: BulkAction,
    selected: Selected,
    admins: &str,
    now: Timestamp,
) -> Result<Frozen, DbError> {
    from_json! {
        struct FoundTargets {
            targets: i64,
        }
    }
    let make = stmt!(MAKE {
        bulk,
        action: action.name(),
        now,
        expires_at: now.plus(SHOWN_SECS),
        actor: &session.member,
        epoch: session.epoch
    });
    let wanted = selected.wanted();
    let targets = selected.statement(bulk)?;
    let batch = vec![
        make,
        targets,
        stmt!(FOUND { bulk }),
        stmt!(CLEAR {
            bulk,
            allowed: MOST,
            wanted
        }),
        stmt!(SPARE { bulk, admins }),
        stmt!(JUDGE { bulk }),
        stmt!(UNMAKE { bulk }),
        shown::report(bulk),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    if let Some(report) = last_row(&rows)? {
        return Ok(Frozen::Shown(Box::new(report)));
    }
    let found: Option<FoundTargets> = last_row(rows.get(..3).ok_or(DbError::Broken)?)?;
    let found = found.map_or(0, |found| found.targets);
    Ok(match wanted {
        Some(wanted) if found != wanted => Frozen::Differs,
        _ if found > MOST => Frozen::TooMany,
        _ => Frozen::Nothing,
    })
}

impl Selected {
    /// How many targets were named one by one.
    fn wanted(&self) -> Option<i64> {
        match self {
            Self::Keys { ids, .. } | Self::Members { ids, .. } => ids
                .as_ref()
                .map(|ids| i64::try_from(ids.len()).unwrap_or(i64::MAX)),
            Self::Earlier { .. } => None,
        }
    }

    fn statement(self, bulk: &PublicId) -> Result<crate::ports::Stmt, DbError> {
        let listed = |ids: &Vec<String>| serde_json::to_string(ids).map_err(|_| DbError::Broken);
        Ok(match self {
            Self::Keys { ids, filter } => {
                let KeyFilter {
                    state,
                    hold,
                    plan,
                    more,
                } = filter;
                let more = more.to_json();
                match ids {
                    Some(ids) => stmt!(KEYS_NAMED {
                        bulk,
                        ids: listed(&ids)?,
                        state,
                        hold,
                        plan,
                        more
                    }),
                    None => stmt!(KEYS_MATCHING {
                        bulk,
                        most: MOST.saturating_add(1),
                        state,
                        hold,
                        plan,
                        more
                    }),
                }
            }
            Self::Members { ids, status, login } => {
                let login_from = login.to_ascii_lowercase();
                let login_before = [login_from.as_str(), BEHIND].concat();
                match ids {
                    Some(ids) => stmt!(MEMBERS_NAMED {
                        bulk,
                        ids: listed(&ids)?,
                        status,
                        login_from,
                        login_before
                    }),
                    None => stmt!(MEMBERS_MATCHING {
                        bulk,
                        most: MOST.saturating_add(1),
                        status,
                        login_from,
                        login_before
                    }),
                }
            }
            Self::Earlier {
                bulk: earlier,
                outcome,
            } => stmt!(OF_EARLIER {
                bulk,
                earlier: &earlier,
                outcome
            }),
        })
    }
}

/// Starts what was shown, or goes on with what was stopped. Answers false if it is not that any more.
pub async fn start(
    db: &dyn Database,
    session: &Session,
    bulk: &PublicId,
    count: i64,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(START_GUARD {
            change,
            bulk,
            count,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(START { change, bulk, now }),
    ];
    audit::run(db, batch, change, bulk.as_str()).await
}

/// Stops a change before its next chunk. Answers false if it is not running.
pub async fn stop(
    db: &dyn Database,
    session: &Session,
    bulk: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(STOP_GUARD {
            change,
            bulk,
            now,
            actor: &session.member,
            epoch: session.epoch
        }),
        stmt!(STOP { change, bulk, now }),
    ];
    audit::run(db, batch, change, bulk.as_str()).await
}
