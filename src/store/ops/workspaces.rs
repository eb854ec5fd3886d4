//! The workspaces in which administrators let keys be made, and the workspaces whose keys could not be read.
//!
//! The set of enabled workspaces is replaced as a whole, in one batch. The first audit row is about the set, and every
//! other statement acts only while it is the newest one about the set. So of two changes at once one is the last, and a
//! statement that arrives late changes nothing.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::members::blocks::AdminActor;
use crate::store::query::{StoreError, batch_retrying_unknown, read_all, rows_of};

/// At most this many workspaces are enabled.
pub const MOST: usize = 100;
/// The live keys of one workspace are counted up to this number.
pub const COUNTED_UP_TO: i64 = 1_000;
/// At most this many stored workspaces are shown.
const SHOWN: i64 = 1_000;
/// A failure is forgotten when no run has tried to read the workspace for this many seconds, because no key of ours is
/// there any more: two days.
const FORGOTTEN_SECS: i64 = 2 * 86_400;

statements! {
    // What is enabled already is not enabled again, so a request that changes nothing leaves no trace.
    SET_GUARD { change: PublicId, now: Timestamp, workspaces: String, actor: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, 'workspaces', 'workspaces_chosen', a.member,
          (SELECT COUNT(*) FROM workspaces w WHERE w.enabled = 1), json_array_length(:workspaces), :now
        FROM current_sessions a
        WHERE a.member = :actor AND a.epoch = :epoch
          AND ((SELECT COUNT(*) FROM workspaces w WHERE w.enabled = 1) <> json_array_length(:workspaces)
            OR EXISTS (SELECT 1 FROM json_each(:workspaces) j WHERE NOT EXISTS (SELECT 1 FROM workspaces w
              WHERE w.enabled = 1 AND w.upstream_id = json_extract(j.value, '$.upstream_id'))))
        ON CONFLICT DO NOTHING";

    ENABLE_GUARD { change: PublicId, now: Timestamp, workspaces: String, actor: PublicId } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, COALESCE(w.public_id, json_extract(j.value, '$.id')), 'workspace_enabled', :actor, 'disabled', 'enabled', :now
        FROM json_each(:workspaces) j LEFT JOIN workspaces w ON w.upstream_id = json_extract(j.value, '$.upstream_id')
        WHERE w.enabled IS NOT 1 AND ", newest_change!("'workspaces'"), "
        ON CONFLICT DO NOTHING");

    DISABLE_GUARD { change: PublicId, now: Timestamp, workspaces: String, actor: PublicId } =
        concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, w.public_id, 'workspace_disabled', :actor, 'enabled', 'disabled', :now
        FROM workspaces w
        WHERE w.enabled = 1 AND ", newest_change!("'workspaces'"), "
          AND w.upstream_id NOT IN (SELECT json_extract(j.value, '$.upstream_id') FROM json_each(:workspaces) j)
        ON CONFLICT DO NOTHING");

    ENABLE { change: PublicId, workspaces: String } =
        concat!("INSERT INTO workspaces (public_id, upstream_id, name, enabled, change_id)
        SELECT a.target, json_extract(j.value, '$.upstream_id'), json_extract(j.value, '$.name'), 1, :change
        FROM json_each(:workspaces) j LEFT JOIN workspaces w ON w.upstream_id = json_extract(j.value, '$.upstream_id')
        JOIN audit a ON a.change_id = :change AND a.target = COALESCE(w.public_id, json_extract(j.value, '$.id'))
        WHERE a.action = 'workspace_enabled' AND ", newest_change!("'workspaces'"), "
        ON CONFLICT (upstream_id) DO UPDATE SET enabled = 1, change_id = excluded.change_id");

    DISABLE { change: PublicId } = concat!("UPDATE workspaces SET enabled = 0, change_id = :change
        WHERE enabled = 1 AND ", newest_change!("'workspaces'"), "
          AND EXISTS (SELECT 1 FROM audit a WHERE a.change_id = :change AND a.target = workspaces.public_id
            AND a.action = 'workspace_disabled')");

    // A name is what OpenRouter says, so a new one is no change of ours.
    RENAME { names: String } = "UPDATE workspaces SET name = (SELECT json_extract(j.value, '$.name') FROM json_each(:names) j
          WHERE json_extract(j.value, '$.upstream_id') = workspaces.upstream_id)
        WHERE EXISTS (SELECT 1 FROM json_each(:names) j WHERE json_extract(j.value, '$.upstream_id') = workspaces.upstream_id
          AND json_extract(j.value, '$.name') <> workspaces.name)";

    STORED { default_workspace: Option<String>, counted_up_to: i64, most: i64 } =
        "SELECT json_object('upstream_id', w.upstream_id, 'name', w.name, 'enabled', w.enabled,
          'live_keys', (SELECT COUNT(*) FROM (SELECT 1 FROM generations n WHERE n.live = 1
            AND n.workspace_id = w.upstream_id LIMIT :counted_up_to)),
          'unread_since', (SELECT u.since FROM unread_workspaces u WHERE u.workspace_id = w.upstream_id))
        FROM workspaces w ORDER BY w.upstream_id IS NOT :default_workspace, w.name, w.id LIMIT :most";

    // A plan that ties its keys to a workspace which is not enabled makes none.
    SHUT_PLANS { default_workspace: Option<String> } = "SELECT json_object('name', p.name, 'workspace_id', p.workspace_id) FROM plans p
        WHERE p.workspace_id IS NOT NULL AND p.workspace_id IS NOT :default_workspace
          AND EXISTS (SELECT 1 FROM workspaces e WHERE e.enabled = 1)
          AND NOT EXISTS (SELECT 1 FROM workspaces w WHERE w.enabled = 1 AND w.upstream_id = p.workspace_id)
        ORDER BY p.id LIMIT 50";

    OFFERED { member: PublicId, default_workspace: Option<String> } = concat!("SELECT ", offered_workspace!(), "
        FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
        JOIN workspaces w ON ", is_offered!(), "
        WHERE m.public_id = :member ORDER BY w.upstream_id IS NOT :default_workspace, w.name, w.id LIMIT 100");

    FAILED { workspace: String, now: Timestamp } = "INSERT INTO unread_workspaces (workspace_id, since, last_at)
        VALUES (:workspace, :now, :now) ON CONFLICT (workspace_id) DO UPDATE SET last_at = MAX(last_at, excluded.last_at)";

    READ { workspace: String } = "DELETE FROM unread_workspaces WHERE workspace_id = :workspace";

    FORGET { last_before: Timestamp } = "DELETE FROM unread_workspaces WHERE last_at < :last_before";

    UNREAD { most: i64 } = "SELECT json_object('id', NULLIF(u.workspace_id, ''), 'name', w.name, 'since', u.since)
        FROM unread_workspaces u LEFT JOIN workspaces w ON w.upstream_id = u.workspace_id
        ORDER BY u.since, u.workspace_id LIMIT :most";

    // Only those in which the member has live keys.
    UNREAD_OF_MEMBER { member: PublicId } = "SELECT json_object('id', w.public_id, 'name', w.name, 'since', u.since)
        FROM unread_workspaces u LEFT JOIN workspaces w ON w.upstream_id = u.workspace_id
        WHERE EXISTS (SELECT 1 FROM members m JOIN generations n ON n.owner_id = m.owner_id
          WHERE m.public_id = :member AND n.live = 1 AND n.workspace_id IS u.workspace_id)
        ORDER BY u.since, u.workspace_id LIMIT 100";
}

from_json! {
    /// A workspace that a member may choose for a new key.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct WorkspaceName {
        pub id: String,
        pub name: String,
    }
}

from_json! {
    /// A workspace whose keys the latest run could not read.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct UnreadWorkspace {
        /// It is `null` for a workspace that has no id here: for a member, one that was never enabled; for an administrator,
        /// the account's default workspace while its id is unknown.
        pub id: Option<String>,
        pub name: Option<String>,
        pub since: Timestamp,
    }
}

from_json! {
    /// A workspace that is or was enabled.
    #[derive(Clone, Debug)]
    pub struct StoredWorkspace {
        pub upstream_id: String,
        pub name: String,
        pub enabled: bool,
        pub live_keys: i64,
        pub unread_since: Option<Timestamp>,
    }
}

from_json! {
    /// A plan that ties its keys to a workspace which is not enabled, so that no key is made under it.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ShutPlan {
        pub name: String,
        /// OpenRouter's id of that workspace.
        pub workspace_id: String,
    }
}

/// A workspace to enable, and the id that it gets here if it is new.
#[derive(Serialize)]
pub struct NewWorkspace {
    pub id: String,
    pub upstream_id: String,
    pub name: String,
}

/// A workspace as OpenRouter names it.
#[derive(Serialize)]
pub struct ReadName<'a> {
    pub upstream_id: &'a str,
    pub name: &'a str,
}

/// Brings the stored names up to date.
pub async fn rename(db: &dyn Database, names: &[ReadName<'_>]) -> Result<(), DbError> {
    let names = serde_json::to_string(names).map_err(|_| DbError::Broken)?;
    run(db, stmt!(RENAME { names })).await
}

/// Enables exactly these workspaces, in one transaction.
pub async fn replace(
    db: &dyn Database,
    by: &AdminActor<'_>,
    wanted: &[NewWorkspace],
) -> Result<(), StoreError> {
    let workspaces = serde_json::to_string(wanted).map_err(|_| StoreError::Unwritable)?;
    let workspaces = workspaces.as_str();
    let (change, session, now) = (&by.change, by.session, by.now);
    let actor = &session.member;
    let stmts = vec![
        members::session_check(session),
        stmt!(SET_GUARD {
            change,
            now,
            workspaces,
            actor,
            epoch: session.epoch,
        }),
        stmt!(ENABLE_GUARD {
            change,
            now,
            workspaces,
            actor
        }),
        stmt!(DISABLE_GUARD {
            change,
            now,
            workspaces,
            actor
        }),
        stmt!(ENABLE { change, workspaces }),
        stmt!(DISABLE { change }),
    ];
    let rows = batch_retrying_unknown(db, stmts).await?;
    members::current(rows_of(&rows, 0)?, session)?;
    Ok(())
}

/// The statements that read what [`read_stored`] returns.
pub fn stored(default_workspace: Option<&str>) -> [Stmt; 3] {
    [
        stmt!(STORED {
            default_workspace,
            counted_up_to: COUNTED_UP_TO,
            most: SHOWN,
        }),
        stmt!(SHUT_PLANS { default_workspace }),
        unread(),
    ]
}

/// What is stored of workspaces, as administrators see it.
pub struct Stored {
    pub workspaces: Vec<StoredWorkspace>,
    /// At most 50.
    pub shut_plans: Vec<ShutPlan>,
    pub unread: Vec<UnreadWorkspace>,
}

/// Reads the rows of [`stored`].
pub fn read_stored(rows: &[Rows]) -> Result<Stored, DbError> {
    Ok(Stored {
        workspaces: read_all(rows_of(rows, 0)?)?,
        shut_plans: read_all(rows_of(rows, 1)?)?,
        unread: read_all(rows_of(rows, 2)?)?,
    })
}

/// The statement that reads the workspaces in which the member may have a new key made, the default one first.
pub fn offered(session: &Session, default_workspace: Option<&str>) -> Stmt {
    stmt!(OFFERED {
        member: &session.member,
        default_workspace,
    })
}

/// Reads the rows of [`offered`].
pub fn read_offered(rows: &Rows) -> Result<Vec<WorkspaceName>, DbError> {
    read_all(rows)
}

/// The statement that reads every workspace that the latest run could not read.
pub fn unread() -> Stmt {
    stmt!(UNREAD { most: 100 })
}

/// The statement that reads those of them in which the member has live keys.
pub fn unread_of(session: &Session) -> Stmt {
    stmt!(UNREAD_OF_MEMBER {
        member: &session.member,
    })
}

/// Reads the rows of [`unread`] or [`unread_of`].
pub fn read_unread(rows: &Rows) -> Result<Vec<UnreadWorkspace>, DbError> {
    read_all(rows)
}

/// Stores that the keys of a workspace could not be read. The id is empty for the account's default workspace while its
/// id is unknown.
pub async fn failed(db: &dyn Database, workspace: &str, now: Timestamp) -> Result<(), DbError> {
    run(db, stmt!(FAILED { workspace, now })).await
}

/// Stores that they were read.
pub async fn read(db: &dyn Database, workspace: &str) -> Result<(), DbError> {
    run(db, stmt!(READ { workspace })).await
}

/// Deletes the failures of workspaces that no run has tried to read for two days.
pub async fn forget(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    let last_before = now.plus(-FORGOTTEN_SECS);
    run(db, stmt!(FORGET { last_before })).await
}

async fn run(db: &dyn Database, stmt: Stmt) -> Result<(), DbError> {
    batch_retrying_unknown(db, vec![stmt]).await.map(|_| ())
}
