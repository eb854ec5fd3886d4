//! `GET /api/v1/admin/keys`: everybody's keys, in a list with filters, or found by what is known of one. No answer has a
//! secret, or OpenRouter's hash of one.

use serde::Serialize;

use crate::app::error::Error;
use crate::domain::key::clue::KeyClue;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::http::admin::rows_of_page;
use crate::http::api::cursor;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::json::from_word;
use crate::store::keys::cards::CardProject;
use crate::store::keys::listed::{self, KeyFilter, ListedKey, MoreFilters};
use crate::store::members;
use crate::store::ops::workspaces::{self, UnreadWorkspace};
use crate::store::query::rows_of;

/// What the positions in the list are sealed as.
const LIST: &str = "admin keys";

/// A page of keys.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ListedKeysPage {
    /// The newest first; those that were found by a name, in the order of their names.
    keys: Vec<ListedKeyBody>,
    /// What `after` has to be for the next page. A page may have fewer keys than fit, and a next one: it looks through a
    /// bounded number of keys for those that meet every filter.
    next: Option<String>,
    /// More keys were found than are shown. It is only ever true of a search.
    more: bool,
    /// The workspaces whose keys the latest run could not read. The list is whole, but the figures of keys there are as old
    /// as they say.
    workspaces_unread: Vec<UnreadWorkspace>,
}

/// A key and its owner, as an administrator sees them.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ListedKeyBody {
    id: String,
    name: Option<String>,
    /// OpenRouter's redacted form of the secret.
    mask: Option<String>,
    state: GenerationState,
    /// OpenRouter no longer has the key.
    missing: bool,
    holds: Vec<Reason>,
    limit_usd: NanoUsd,
    limit_reset: LimitReset,
    /// A lower limit that someone outside keycap set at OpenRouter.
    upstream_limit_usd: Option<NanoUsd>,
    /// What it has spent in the window of its limit; `null` if that was not read in this window.
    used_usd: Option<NanoUsd>,
    /// When its spend was last read.
    read_at: Option<Timestamp>,
    created_at: Timestamp,
    expires_at: Timestamp,
    ended_at: Option<Timestamp>,
    plan: String,
    /// The project in which its owner has put it.
    project: Option<CardProject>,
    member: KeyOwner,
    /// The workspace in which it was made; `null` until the key is there.
    workspace: Option<KeyWorkspace>,
}

/// A workspace of a key, by OpenRouter's id. A workspace that was never enabled by itself has its id as its name.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyWorkspace {
    id: String,
    name: String,
}

/// The member who has a key.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyOwner {
    id: String,
    login: Option<String>,
    /// The account's number at the provider.
    subject: Option<String>,
}

impl ListedKeyBody {
    pub fn new(key: ListedKey, now: Timestamp) -> Self {
        let is_over = key.expires_at <= now
            && matches!(
                key.state,
                GenerationState::Active | GenerationState::Disabled
            );
        let spend = key.usage.spend();
        Self {
            state: if is_over {
                GenerationState::Expired
            } else {
                key.state
            },
            used_usd: spend.and_then(|spend| spend.of_window(key.limit_reset, now)),
            read_at: spend.map(|spend| spend.read_at),
            id: key.id,
            name: key.name,
            mask: key.mask,
            missing: key.missing,
            holds: key.holds,
            limit_usd: key.limit_nano,
            limit_reset: key.limit_reset,
            upstream_limit_usd: key.upstream_limit_nano,
            created_at: key.created_at,
            expires_at: key.expires_at,
            ended_at: key.ended_at,
            workspace: key.place.id.map(|id| KeyWorkspace {
                name: key.place.name.unwrap_or_else(|| id.clone()),
                id,
            }),
            plan: key.holder.plan,
            project: key.project,
            member: KeyOwner {
                id: key.holder.id,
                login: key.holder.login,
                subject: key.holder.subject,
            },
        }
    }
}

/// Answers 200 with a page of the list, or with the keys that `q` finds.
pub async fn list_keys(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let app = &*context.app;
    let clue = match context.query("q") {
        None => None,
        Some(text) => Some(KeyClue::parse(&text).ok_or(Error::BadRequest {
            detail: "q must have at most 100 characters.",
        })?),
    };
    let is_search = clue.is_some();
    let most = rows_of_page(&context)?;
    let read = match clue {
        Some(clue) => listed::find(clue),
        None => listed::page(filter(&context)?, cursor::opened(&context, LIST)?, most),
    };
    let (_, rows) =
        members::signed_in(&*app.db, &session, vec![read, workspaces::unread()]).await?;
    let workspaces_unread = workspaces::read_unread(rows_of(&rows, 1)?)?;
    let rows = rows_of(&rows, 0)?;
    let (keys, next, more) = if is_search {
        let (keys, more) = listed::read_found(rows)?;
        (keys, None, more)
    } else {
        let (keys, next) = listed::read_page(rows, most)?;
        (keys, next, false)
    };
    let next = next.map(|next| cursor::sealed(app, LIST, &next));
    let body = ListedKeysPage {
        keys: keys
            .into_iter()
            .map(|key| ListedKeyBody::new(key, app.now()))
            .collect(),
        next: next.transpose()?,
        more,
        workspaces_unread,
    };
    Reply::json(200, &body)
}

fn filter(context: &Context) -> Result<KeyFilter, Error> {
    let state = context.query("state");
    if state
        .as_deref()
        .is_some_and(|text| from_word::<GenerationState>(text).is_none())
    {
        return Err(Error::BadRequest {
            detail: "state must be the state of a key, such as active, disabled or stuck.",
        });
    }
    let hold = context.query("hold");
    if hold
        .as_deref()
        .is_some_and(|text| from_word::<Reason>(text).is_none())
    {
        return Err(Error::BadRequest {
            detail: "hold must be the reason of a hold, such as admin, leak or upstream.",
        });
    }
    let plan = context.query("plan");
    let moment = context.query("made_before").map(|text| {
        Timestamp::parse(&text).ok_or(Error::BadRequest {
            detail: "made_before must be a moment, as 2027-01-31T00:00:00Z.",
        })
    });
    let more = MoreFilters {
        workspace: context.query("workspace"),
        project: context.query("project"),
        made_before: moment.transpose()?.map(Timestamp::secs),
        ..MoreFilters::default()
    };
    let now = context.app.now();
    let more = more.idle(context.query("idle").as_deref(), now);
    let mut more = more.ok_or(Error::BadRequest {
        detail: "idle must be never, month or week.",
    })?;
    match context.query("over_limit").as_deref() {
        None => {}
        Some("true") => more = more.over_limit(now),
        Some(_) => {
            return Err(Error::BadRequest {
                detail: "over_limit must be true.",
            });
        }
    }
    Ok(KeyFilter {
        state,
        hold,
        plan,
        more,
    })
}
