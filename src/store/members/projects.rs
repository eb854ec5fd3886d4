//! Projects, by which members group their own keys. Names are in the table `projects` alone.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::project::{PROJECTS, ProjectName};
use crate::domain::people::session::Session;
use crate::domain::policy::quota::{KEY_MOVES_A_DAY, PROJECT_CHANGES_A_DAY};
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::keys::cards::{self, Card};
use crate::store::members;
use crate::store::query::{StoreError, batch_retrying_unknown, last_row, read_all, rows_of};

/// A project as its member sees it.
macro_rules! project {
    () => {
        "json_object('id', p.public_id, 'name', p.name, 'created_at', p.created_at, 'archived_at', p.archived_at,
          'keys', (SELECT COUNT(*) FROM keys k WHERE k.project_id = p.id AND k.ended_at IS NULL),
          'ended_keys', (SELECT COUNT(*) FROM keys k WHERE k.project_id = p.id AND k.ended_at IS NOT NULL),
          'provider_keys', (SELECT COUNT(*) FROM provider_keys k WHERE k.project_id = p.id))"
    };
}

/// The project `p` of the member `a` in a current session. The statement declares `member`, `epoch` and `project`.
macro_rules! own_project {
    () => {
        " FROM current_sessions a JOIN projects p ON p.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND p.public_id = :project"
    };
}

statements! {
    CREATE_GUARD {
        change: PublicId, project: PublicId, now: Timestamp, member: PublicId, epoch: i64, normal_name: String,
        projects: i64, changes_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, :project, 'project_created', a.member, :now FROM current_sessions a
        WHERE a.member = :member AND a.epoch = :epoch
          AND NOT EXISTS (SELECT 1 FROM projects p WHERE p.owner_id = a.owner_id AND p.normal_name = :normal_name)
          AND (SELECT COUNT(*) FROM projects p WHERE p.owner_id = a.owner_id) < :projects
          AND ", used_today!("a.owner_id", "project_created", ":now"), " < :changes_a_day
        ON CONFLICT DO NOTHING");

    CREATE {
        project: PublicId, name: String, normal_name: String, now: Timestamp, change: PublicId, member: PublicId,
    } = "INSERT INTO projects (public_id, owner_id, name, normal_name, created_at, change_id)
        SELECT :project, m.owner_id, :name, :normal_name, :now, :change FROM members m
        WHERE m.public_id = :member AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :project)
        ON CONFLICT DO NOTHING";

    BY_NAME { member: PublicId, normal_name: String } = concat!("SELECT ", project!(), "
        FROM members m JOIN projects p ON p.owner_id = m.owner_id
        WHERE m.public_id = :member AND p.normal_name = :normal_name");

    BY_ID { member: PublicId, project: PublicId } = concat!("SELECT ", project!(), "
        FROM members m JOIN projects p ON p.owner_id = m.owner_id
        WHERE m.public_id = :member AND p.public_id = :project");

    RENAME_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, project: PublicId, name: String,
        normal_name: String, changes_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, p.public_id, 'project_renamed', a.member, :now", own_project!(), "
          AND p.name <> :name AND NOT EXISTS (SELECT 1 FROM projects o
            WHERE o.owner_id = p.owner_id AND o.normal_name = :normal_name AND o.id <> p.id)
          AND ", used_today!("a.owner_id", "project_renamed", ":now"), " < :changes_a_day
        ON CONFLICT DO NOTHING");

    RENAME { name: String, normal_name: String, change: PublicId, project: PublicId } =
        concat!("UPDATE projects SET name = :name, normal_name = :normal_name, change_id = :change
        WHERE public_id = :project AND change_id <> :change AND ", newest_change!(":project"));

    ARCHIVE_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, project: PublicId, archived: bool,
        changes_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, p.public_id, CASE :archived WHEN 1 THEN 'project_archived' ELSE 'project_restored' END, a.member,
          :now", own_project!(), "
          AND (p.archived_at IS NOT NULL) <> :archived
          AND CASE :archived WHEN 1 THEN ", used_today!("a.owner_id", "project_archived", ":now"), "
            ELSE ", used_today!("a.owner_id", "project_restored", ":now"), " END < :changes_a_day
        ON CONFLICT DO NOTHING");

    ARCHIVE { archived: bool, now: Timestamp, change: PublicId, project: PublicId } =
        concat!("UPDATE projects SET archived_at = CASE :archived WHEN 1 THEN :now END, change_id = :change
        WHERE public_id = :project AND change_id <> :change AND ", newest_change!(":project"));

    LIST { member: PublicId, most: i64 } = concat!("SELECT ", project!(), "
        FROM members m JOIN projects p ON p.owner_id = m.owner_id
        WHERE m.public_id = :member ORDER BY p.archived_at IS NOT NULL, p.normal_name LIMIT :most");

    TODAY { member: PublicId, now: Timestamp } = concat!("SELECT json_object(
          'projects', (SELECT COUNT(*) FROM projects p WHERE p.owner_id = m.owner_id),
          'moves', ", used_today!("m.owner_id", "key_moved", ":now"), ")
        FROM members m WHERE m.public_id = :member");

    // Only the owner groups a key. The project has to be theirs, and an ended key stays where it was.
    MOVE_GUARD {
        change: PublicId, now: Timestamp, key: String, member: PublicId, epoch: i64, project: Option<PublicId>,
        moves_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, k.public_id, 'key_moved', a.member,
          (SELECT p.public_id FROM projects p WHERE p.id = k.project_id), :project, :now
        FROM current_sessions a JOIN keys k ON k.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND k.public_id = :key AND k.ended_at IS NULL
          AND EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.state <> 'void')
          AND (SELECT p.public_id FROM projects p WHERE p.id = k.project_id) IS NOT :project
          AND (:project IS NULL OR EXISTS (SELECT 1 FROM projects p
            WHERE p.owner_id = a.owner_id AND p.public_id = :project))
          AND ", used_today!("a.owner_id", "key_moved", ":now"), " < :moves_a_day
        ON CONFLICT DO NOTHING");

    MOVE { project: Option<PublicId>, change: PublicId, key: String } = concat!("UPDATE keys SET change_id = :change,
          project_id = (SELECT p.id FROM projects p WHERE p.public_id = :project AND p.owner_id = keys.owner_id)
        WHERE public_id = :key AND change_id <> :change AND ", newest_change!(":key"));
}

from_json! {
    /// A project of a member.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct Project {
        #[cfg_attr(not(target_arch = "wasm32"), schemars(regex(pattern = "^prj_[0-9a-f]{24}$")))]
        pub id: String,
        pub name: String,
        pub created_at: Timestamp,
        /// Since when it is offered for no new key.
        pub archived_at: Option<Timestamp>,
        /// How many keys it has that have not ended, and how many that have.
        pub keys: i64,
        pub ended_keys: i64,
        /// How many keys of the member's own accounts at billing providers it has.
        pub provider_keys: i64,
    }
}

/// Who changes something of a project, and under which change id.
pub struct ProjectAct<'a> {
    pub session: &'a Session,
    pub change: PublicId,
    pub now: Timestamp,
}

/// The outcome of [`create`].
pub enum ProjectCreated {
    New(Project),
    /// The member has a project of this name already.
    There(Project),
    /// The member has as many projects as there may be.
    TooMany,
    /// The member has made as many projects as a day allows.
    UsedUp,
}

/// Creates a project with this new id, unless the member has one of this name already.
pub async fn create(
    db: &dyn Database,
    act: &ProjectAct<'_>,
    project: &PublicId,
    named: &ProjectName,
) -> Result<ProjectCreated, StoreError> {
    let (change, member, now) = (&act.change, &act.session.member, act.now);
    let (name, normal_name) = (named.name.as_str(), named.normal.as_str());
    let batch = vec![
        stmt!(CREATE_GUARD {
            change,
            project,
            now,
            member,
            epoch: act.session.epoch,
            normal_name,
            projects: PROJECTS,
            changes_a_day: PROJECT_CHANGES_A_DAY,
        }),
        stmt!(CREATE {
            project,
            name,
            normal_name,
            now,
            change,
            member,
        }),
        members::session_check(act.session),
        stmt!(BY_NAME {
            member,
            normal_name,
        }),
        stmt!(TODAY { member, now }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, act.session)?;
    let found: Vec<Project> = read_all(rows_of(&rows, 3)?)?;
    let today: ProjectsToday = last_row(&rows)?.ok_or(DbError::Broken)?;
    Ok(match found.into_iter().next() {
        Some(found) if found.id == project.as_str() => ProjectCreated::New(found),
        Some(found) => ProjectCreated::There(found),
        None if today.projects >= PROJECTS => ProjectCreated::TooMany,
        None => ProjectCreated::UsedUp,
    })
}

from_json! {
    struct ProjectsToday {
        projects: i64,
        moves: i64,
    }
}

/// What is to change in a project.
pub struct ProjectChange {
    pub name: Option<ProjectName>,
    /// Whether it is to be archived, with a change id of its own, since a change has at most one audit row of a project.
    pub archived: Option<(PublicId, bool)>,
}

/// Changes a project of the member. Returns the project as it is then, and the member's other project that has the wanted
/// name already, if there is one; `None` if the member has no such project.
pub async fn change(
    db: &dyn Database,
    act: &ProjectAct<'_>,
    project: &PublicId,
    wanted: &ProjectChange,
) -> Result<Option<(Project, bool)>, StoreError> {
    let (change, member, now, epoch) =
        (&act.change, &act.session.member, act.now, act.session.epoch);
    let mut batch = Vec::new();
    if let Some(ProjectName { name, normal }) = &wanted.name {
        batch.push(stmt!(RENAME_GUARD {
            change,
            now,
            member,
            epoch,
            project,
            name: name.as_str(),
            normal_name: normal.as_str(),
            changes_a_day: PROJECT_CHANGES_A_DAY,
        }));
        batch.push(stmt!(RENAME {
            name: name.as_str(),
            normal_name: normal.as_str(),
            change,
            project,
        }));
    }
    if let Some((change, archived)) = &wanted.archived {
        batch.push(stmt!(ARCHIVE_GUARD {
            change,
            now,
            member,
            epoch,
            project,
            archived: *archived,
            changes_a_day: PROJECT_CHANGES_A_DAY,
        }));
        batch.push(stmt!(ARCHIVE {
            archived: *archived,
            now,
            change,
            project,
        }));
    }
    let written = batch.len();
    batch.push(members::session_check(act.session));
    batch.push(stmt!(BY_ID { member, project }));
    let normal_name = wanted.name.as_ref().map_or("", |name| &name.normal);
    batch.push(stmt!(BY_NAME {
        member,
        normal_name,
    }));
    let rows = batch_retrying_unknown(db, batch).await?;
    let read_at = |n: usize| rows_of(&rows, written.saturating_add(n));
    members::current(read_at(0)?, act.session)?;
    let found: Vec<Project> = read_all(read_at(1)?)?;
    let named: Vec<Project> = read_all(read_at(2)?)?;
    let is_taken = named.iter().any(|named| named.id != project.as_str());
    Ok(found.into_iter().next().map(|found| (found, is_taken)))
}

/// The statement that reads the member's projects: first those that are not archived, by name.
pub fn list(session: &Session) -> Stmt {
    stmt!(LIST {
        member: &session.member,
        most: PROJECTS,
    })
}

/// Returns the rows of [`list`].
pub fn read_list(rows: &Rows) -> Result<Vec<Project>, DbError> {
    read_all(rows)
}

/// The statement that reads one project of the member. [`read_list`] reads its row.
pub fn one(session: &Session, project: &PublicId) -> Stmt {
    stmt!(BY_ID {
        member: &session.member,
        project,
    })
}

/// Moves a key of the member into a project of theirs, or out of its project. Returns the key as it is then, and how many
/// keys the member has moved today; `None` if the member has no such key.
pub async fn move_key(
    db: &dyn Database,
    act: &ProjectAct<'_>,
    key: &str,
    project: Option<&PublicId>,
) -> Result<Option<(Card, i64)>, StoreError> {
    let (change, member, now) = (&act.change, &act.session.member, act.now);
    let batch = vec![
        stmt!(MOVE_GUARD {
            change,
            now,
            key,
            member,
            epoch: act.session.epoch,
            project,
            moves_a_day: KEY_MOVES_A_DAY,
        }),
        stmt!(MOVE {
            project,
            change,
            key,
        }),
        members::session_check(act.session),
        cards::one_of(member.as_str(), key, now),
        stmt!(TODAY { member, now }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, act.session)?;
    let card = cards::read_cards(rows_of(&rows, 3)?)?.pop();
    let today: ProjectsToday = last_row(&rows)?.ok_or(DbError::Broken)?;
    Ok(card.map(|card| (card, today.moves)))
}
