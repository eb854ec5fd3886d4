//! `/api/v1/projects`: how a member groups their own keys.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::project::ProjectName;
use crate::domain::people::session::Session;
use crate::http::server::body::Patch;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::Rows;
use crate::store::members;
use crate::store::members::projects::{self, Project, ProjectAct, ProjectChange, ProjectCreated};

const BAD_NAME: &str = "must have 1 to 64 characters, and at least one that can be seen";

/// A project that the member wants to have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NewProjectRequest {
    /// 1 to 64 characters. Two projects of a member differ in more than capitals and blanks.
    name: String,
}

/// The request has at least one of these members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProjectChangeRequest {
    #[serde(default)]
    name: Patch<String>,
    /// An archived project keeps its keys.
    #[serde(default)]
    archived: Patch<bool>,
}

/// A project.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProjectBody {
    project: Project,
}

/// The member's projects, at most 100: first those that are not archived, by name.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProjectsBody {
    projects: Vec<Project>,
}

/// Answers 200 with the member's projects.
pub async fn list_projects(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![projects::list(&session)];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let projects = projects::read_list(rows.first().unwrap_or(&Rows::new()))?;
    Reply::json(200, &ProjectsBody { projects })
}

/// Answers 201 with the new project, or 200 with the one of this name that the member has already.
pub async fn create_project(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let NewProjectRequest { name } = context.json()?;
    let named = ProjectName::new(&name).map_err(|_| Error::bad_member("/name", BAD_NAME))?;
    match created(&context, &session, &named).await? {
        (project, true) => Reply::json(201, &ProjectBody { project }),
        (project, false) => Reply::json(200, &ProjectBody { project }),
    }
}

/// The project of this name, and whether it was created now.
async fn created(
    context: &Context,
    session: &Session,
    named: &ProjectName,
) -> Result<(Project, bool), Error> {
    let act = act(context, session, "project")?;
    let project = context.id(IdKind::Project, "")?;
    match projects::create(&*context.app.db, &act, &project, named).await? {
        ProjectCreated::New(project) => Ok((project, true)),
        ProjectCreated::There(project) => Ok((project, false)),
        ProjectCreated::TooMany => Err(Error::ProjectsUsedUp),
        ProjectCreated::UsedUp => Err(Error::daily_quota(act.now)),
    }
}

/// Who changes something of a project. `of` distinguishes the changes of one request.
pub fn act<'a>(context: &Context, session: &'a Session, of: &str) -> Result<ProjectAct<'a>, Error> {
    Ok(ProjectAct {
        session,
        change: context.id(IdKind::Change, of)?,
        now: context.app.now(),
    })
}

/// Answers 200 with the project as it is then.
pub async fn change_project(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let ProjectChangeRequest {
        name: Patch(name),
        archived: Patch(archived),
    } = context.json()?;
    if name.is_none() && archived.is_none() {
        return Err(Error::bad_member("", "must have name, archived or both"));
    }
    let name = name.map(|name| ProjectName::new(&name));
    let name = name.transpose();
    let archived = match archived {
        Some(archived) => Some((context.id(IdKind::Change, "archive")?, archived)),
        None => None,
    };
    let wanted = ProjectChange {
        name: name.map_err(|_| Error::bad_member("/name", BAD_NAME))?,
        archived,
    };
    let project =
        PublicId::parse(IdKind::Project, context.last_segment()).ok_or(Error::NotFound)?;
    let act = act(&context, &session, "rename")?;
    let changed = projects::change(&*context.app.db, &act, &project, &wanted).await?;
    let (project, is_taken) = changed.ok_or(Error::NotFound)?;
    let is_named = |name: &ProjectName| project.name == name.name;
    if !wanted.name.as_ref().is_none_or(is_named) && is_taken {
        return Err(Error::ProjectExists);
    }
    let is_archived = project.archived_at.is_some();
    let is_as_wanted = wanted.name.as_ref().is_none_or(is_named)
        && wanted
            .archived
            .is_none_or(|(_, wanted)| wanted == is_archived);
    if !is_as_wanted {
        return Err(Error::daily_quota(act.now));
    }
    Reply::json(200, &ProjectBody { project })
}

/// The project that a request about a key names: by the id of one that the member has, or by a name. A project of this
/// name is created if there is none.
pub async fn chosen(context: &Context, session: &Session, choice: &str) -> Result<Project, Error> {
    let bad = |detail| Error::bad_member("/project", detail);
    if choice.starts_with("prj_") {
        let unknown = || bad("must be the id of a project of yours, or a name");
        let id = PublicId::parse(IdKind::Project, choice).ok_or_else(unknown)?;
        let read = vec![projects::one(session, &id)];
        let (_, rows) = members::signed_in(&*context.app.db, session, read).await?;
        let found = projects::read_list(rows.first().unwrap_or(&Rows::new()))?;
        return found.into_iter().next().ok_or_else(unknown);
    }
    let named = ProjectName::new(choice).map_err(|_| bad(BAD_NAME))?;
    let (project, _) = created(context, session, &named).await?;
    Ok(project)
}
