//! `/api/v1/admin/bulk-changes`: changes of many keys or members at once. What is selected is frozen and shown with what each target
//! loses and what is left as it is; starting refuses if that is not so any more.

use serde::{Deserialize, Serialize};

use crate::app::bulk;
use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::people::identity::Status;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::http::api::cursor;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::json::from_word;
use crate::store::bulk::BulkAction;
use crate::store::bulk::frozen::{self, Frozen, Selected};
use crate::store::bulk::shown::{self, BulkReport, BulkTarget, TargetPosition};
use crate::store::keys::listed::{KeyFilter, MoreFilters};
use crate::store::members;
use crate::store::query::{read_all, rows_of};

/// What the positions among the targets are sealed as.
const LIST: &str = "bulk targets";
/// One request names at most this many targets.
const NAMED: usize = 500;

/// What is selected, and what is to be done with it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BulkRequest {
    action: BulkWord,
    /// The ids of at most 500 keys or members. Without it, all that `matching` describes.
    ids: Option<Vec<String>>,
    /// The filters of the list in which they were selected. Who does not meet them is not what was shown.
    matching: Option<BulkFilter>,
    /// The targets of an earlier bulk change, instead of `ids` and `matching`.
    of: Option<String>,
    /// Of those, only the ones that are `done` or have `failed`.
    outcome: Option<BulkOutcome>,
}

/// What a bulk change does to each target.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum BulkWord {
    Disable,
    Enable,
    Revoke,
    Suspend,
    Reinstate,
}

impl From<BulkWord> for BulkAction {
    fn from(word: BulkWord) -> Self {
        match word {
            BulkWord::Disable => Self::Disable,
            BulkWord::Enable => Self::Enable,
            BulkWord::Revoke => Self::Revoke,
            BulkWord::Suspend => Self::Suspend,
            BulkWord::Reinstate => Self::Reinstate,
        }
    }
}

/// How a target of a bulk change has ended.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum BulkOutcome {
    Done,
    Failed,
}

/// The filters of a list. `status` and `login` are of members, the others of keys.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BulkFilter {
    state: Option<String>,
    hold: Option<String>,
    plan: Option<String>,
    workspace: Option<String>,
    project: Option<String>,
    made_before: Option<String>,
    idle: Option<String>,
    over_limit: Option<bool>,
    status: Option<String>,
    login: Option<String>,
}

/// A bulk change with a page of its targets.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BulkBody {
    bulk: BulkReport,
    targets: Vec<BulkTarget>,
    /// What `after` has to be for the next page.
    next: Option<String>,
}

/// The newest twenty bulk changes.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BulkChangesBody {
    bulk: Vec<BulkReport>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BulkStartRequest {
    /// How many targets are still to be changed, as it was shown.
    count: i64,
}

/// Answers 200 with the newest bulk changes.
pub async fn list_bulk(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![shown::latest()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let bulk = read_all(rows_of(&rows, 0)?)?;
    Reply::json(200, &BulkChangesBody { bulk })
}

/// Freezes what is selected. Answers 201 with what the change would do; nothing is changed yet.
pub async fn select(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let request: BulkRequest = context.json()?;
    let action = BulkAction::from(request.action);
    let selected = request.selected(action, context.app.now())?;
    let app = &*context.app;
    let id = context.id(IdKind::Bulk, "bulk")?;
    let admins = app.config.admins_json();
    let frozen = frozen::freeze(
        &*app.db,
        &session,
        &id,
        action,
        selected,
        &admins,
        app.now(),
    )
    .await?;
    match frozen {
        Frozen::Shown(_) => Reply::json(201, &read(&context, &session, &id, None).await?),
        Frozen::Differs => Err(Error::SelectionChanged),
        Frozen::Nothing => Err(Error::bad_member("/matching", "must describe something")),
        Frozen::TooMany => Err(Error::bad_member(
            "/matching",
            "must describe at most 10,000: add a filter",
        )),
    }
}

/// Answers 200 with a bulk change and a page of its targets.
pub async fn show_bulk(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let id = bulk_id(context.last_segment())?;
    let after = cursor::opened(&context, LIST)?;
    Reply::json(200, &read(&context, &session, &id, after).await?)
}

/// Starts what was shown, or goes on with what was stopped. Answers 202: the work begins after the answer, and the sweep then
/// does what is due at OpenRouter.
pub async fn start_bulk(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let BulkStartRequest { count } = context.json()?;
    let id = bulk_id(context.segment_before_last())?;
    if count < 1 {
        return Err(Error::bad_member("/count", "must be at least 1"));
    }
    let change = context.id(IdKind::Change, "")?;
    if bulk::start(&context.app, &session, &id, count, &change).await? {
        return Reply::json(202, &read(&context, &session, &id, None).await?);
    }
    read(&context, &session, &id, None).await?;
    Err(Error::SelectionChanged)
}

/// Stops a change before its next chunk. Answers 200 with what it has done.
pub async fn stop_bulk(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let id = bulk_id(context.segment_before_last())?;
    let app = &*context.app;
    let change = context.id(IdKind::Change, "")?;
    frozen::stop(&*app.db, &session, &id, &change, app.now()).await?;
    Reply::json(200, &read(&context, &session, &id, None).await?)
}

async fn read(
    context: &Context,
    session: &Session,
    bulk: &PublicId,
    after: Option<TargetPosition>,
) -> Result<BulkBody, Error> {
    let read = shown::page(bulk, after).into();
    let (_, rows) = members::signed_in(&*context.app.db, session, read).await?;
    let report = read_all(rows_of(&rows, 0)?)?.pop();
    let (targets, next) = shown::read_page(rows_of(&rows, 1)?, rows_of(&rows, 2)?)?;
    let next = next.map(|next| cursor::sealed(&context.app, LIST, &next));
    Ok(BulkBody {
        bulk: report.ok_or(Error::NotFound)?,
        targets,
        next: next.transpose()?,
    })
}

/// Reads the id of a bulk change; any other text is answered with 404.
fn bulk_id(id: &str) -> Result<PublicId, Error> {
    PublicId::parse(IdKind::Bulk, id).ok_or(Error::NotFound)
}

impl BulkRequest {
    fn selected(self, action: BulkAction, now: Timestamp) -> Result<Selected, Error> {
        if let Some(of) = &self.of {
            if self.ids.is_some() || self.matching.is_some() {
                return Err(Error::bad_member("/of", "must stand alone"));
            }
            let bulk = PublicId::parse(IdKind::Bulk, of);
            return Ok(Selected::Earlier {
                bulk: bulk.ok_or(Error::bad_member("/of", "must be the id of a bulk change"))?,
                outcome: self.outcome.map(|outcome| match outcome {
                    BulkOutcome::Done => "done",
                    BulkOutcome::Failed => "failed",
                }),
            });
        }
        let count = self.ids.as_ref().map_or(1, Vec::len);
        if !(1..=NAMED).contains(&count) {
            return Err(Error::bad_member("/ids", "must be 1 to 500 ids"));
        }
        let filter = self
            .matching
            .ok_or(Error::bad_member("/matching", "must be there, or of"))?;
        if action.is_about_members() {
            filter.of_members(self.ids)
        } else {
            filter.of_keys(self.ids, now)
        }
    }
}

impl BulkFilter {
    fn of_keys(self, ids: Option<Vec<String>>, now: Timestamp) -> Result<Selected, Error> {
        if self.status.is_some() || self.login.is_some() {
            return Err(Error::bad_member("/matching", "must have filters of keys"));
        }
        let is_state = |text: &String| from_word::<GenerationState>(text).is_some();
        if !self.state.as_ref().is_none_or(is_state) {
            return Err(Error::bad_member(
                "/matching/state",
                "must be the state of a key",
            ));
        }
        let is_hold = |text: &String| from_word::<Reason>(text).is_some();
        if !self.hold.as_ref().is_none_or(is_hold) {
            return Err(Error::bad_member(
                "/matching/hold",
                "must be the reason of a hold",
            ));
        }
        let made_before = self.made_before.as_deref().map(|text| {
            Timestamp::parse(text).ok_or(Error::bad_member(
                "/matching/made_before",
                "must be a moment",
            ))
        });
        let more = MoreFilters {
            workspace: self.workspace,
            project: self.project,
            made_before: made_before.transpose()?.map(Timestamp::secs),
            ..MoreFilters::default()
        };
        let mut more = more
            .idle(self.idle.as_deref(), now)
            .ok_or(Error::bad_member(
                "/matching/idle",
                "must be never, month or week",
            ))?;
        if self.over_limit == Some(true) {
            more = more.over_limit(now);
        }
        Ok(Selected::Keys {
            ids,
            filter: KeyFilter {
                state: self.state,
                hold: self.hold,
                plan: self.plan,
                more,
            },
        })
    }

    fn of_members(self, ids: Option<Vec<String>>) -> Result<Selected, Error> {
        let of_keys = [
            &self.state,
            &self.hold,
            &self.plan,
            &self.workspace,
            &self.project,
            &self.made_before,
            &self.idle,
        ];
        if of_keys.into_iter().any(Option::is_some) || self.over_limit.is_some() {
            return Err(Error::bad_member(
                "/matching",
                "must have filters of members",
            ));
        }
        let status = self.status.as_deref().map(|text| {
            Status::parse(text).ok_or(Error::bad_member("/matching/status", "must be a status"))
        });
        Ok(Selected::Members {
            ids,
            status: status.transpose()?.map(|status| status.name().to_owned()),
            login: self.login.unwrap_or_default(),
        })
    }
}
