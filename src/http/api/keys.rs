//! `/api/v1/keys`: the member's own keys, read from the database in one round trip; what they have spent, asked of
//! OpenRouter; and the changes that their owner, or an admin, makes.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::keys::refresh::{self, RefreshResult};
use crate::app::keys::{self, Carried};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::key_name::key_name;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::policy::quota::KEY_MOVES_A_DAY;
use crate::domain::run::{CREDENTIAL_REFUSED, Job, UNAVAILABLE};
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::http::api::key_facts::SpendableBody;
use crate::http::api::projects;
use crate::http::server::body::{NoMembers, Patch};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::ports::{Rows, Stmt};
use crate::store::keys::cards::{self, Card, CardProject};
use crate::store::keys::ended::{self, EndedKey};
use crate::store::members;
use crate::store::members::projects as stored_projects;
use crate::store::ops::runs;
use crate::store::ops::workspaces::{self, UnreadWorkspace, WorkspaceName};

/// A key as its owner sees it.
// Its OpenRouter hash is left out, because anyone who knows it can have the key disabled.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyBody {
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = "^key_[0-9a-f]{24}$"))
    )]
    id: String,
    name: Option<String>,
    project: Option<CardProject>,
    /// The workspace in which the key was made. It is `null` for one that was never enabled by itself.
    workspace: Option<WorkspaceName>,
    /// OpenRouter's redacted form of the secret.
    mask: Option<String>,
    state: GenerationState,
    /// OpenRouter no longer has the key. It works for nobody, and can be removed.
    missing: bool,
    /// The reasons why the key is disabled, or will be disabled soon if it is still `active`. Its owner can lift `owner`;
    /// `upstream` says that someone disabled it at OpenRouter, and an administrator lifts that.
    holds: Vec<Reason>,
    /// The limit in force. For a key that is disabled because nothing is left, it is the limit of a whole window.
    limit_usd: NanoUsd,
    /// The amount that the key may spend in a whole window.
    plan_limit_usd: NanoUsd,
    /// The lower limit that its owner has chosen.
    own_limit_usd: Option<NanoUsd>,
    /// A lower limit that someone outside keycap set at OpenRouter. It is in force until an admin lifts it.
    upstream_limit_usd: Option<NanoUsd>,
    limit_reset: LimitReset,
    /// If nothing is left to spend, the moment before which the key does not work again. It is `null` otherwise, and
    /// for a prepaid key.
    available_from: Option<Timestamp>,
    /// When the current window ends. It is `null` for a prepaid key, whose only window is its whole life.
    resets_at: Option<Timestamp>,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// From this moment on the key can be renewed.
    renewable_from: Timestamp,
    /// The number of the key's current secret, from 1. A rotation makes the next one.
    generation: i64,
    /// When that secret was made.
    issued_at: Timestamp,
    /// The moment until which the previous secret works as well.
    grace_until: Option<Timestamp>,
    /// It is `null` until the spend was read for the first time.
    spend: Option<KeySpendBody>,
    /// What can still be spent with it. It is `null` for a key that is not made yet, and for one that has ended.
    spendable: Option<SpendableBody>,
}

/// What a key has spent, as OpenRouter last reported it. A figure is `null` if its window has begun since.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeySpendBody {
    /// The spend in the window of the limit.
    used_usd: Option<NanoUsd>,
    left_usd: Option<NanoUsd>,
    day_usd: Option<NanoUsd>,
    week_usd: Option<NanoUsd>,
    month_usd: Option<NanoUsd>,
    total_usd: NanoUsd,
    read_at: Timestamp,
}

impl KeyBody {
    pub fn new(card: Card, now: Timestamp) -> Self {
        let is_spent = card.holds.contains(&Reason::Budget);
        let available_from = card.available_from(now);
        let over = card.expires_at <= now
            && matches!(
                card.state,
                GenerationState::Active | GenerationState::Disabled
            );
        Self {
            spend: KeySpendBody::new(&card, now),
            spendable: SpendableBody::new(&card, now),
            id: card.id,
            name: card.name,
            project: card.project,
            workspace: card.workspace,
            mask: card.label,
            state: if over {
                GenerationState::Expired
            } else {
                card.state
            },
            missing: card.missing
                && matches!(
                    card.state,
                    GenerationState::Active | GenerationState::Disabled
                ),
            holds: card.holds,
            limit_usd: if is_spent { card.allowance } else { card.limit },
            plan_limit_usd: card.allowance,
            available_from,
            own_limit_usd: card.own_limit,
            upstream_limit_usd: card.upstream_limit,
            limit_reset: card.limit_reset,
            resets_at: card.limit_reset.resets_at(now),
            created_at: card.created_at,
            expires_at: card.expires_at,
            renewable_from: card.renewable_at,
            generation: card.issue.number,
            issued_at: card.issue.at,
            grace_until: card.issue.grace_until,
        }
    }
}

impl KeySpendBody {
    fn new(card: &Card, now: Timestamp) -> Option<Self> {
        let spend = card.spend?;
        let of = |reset| spend.of_window(reset, now);
        let used = of(card.limit_reset);
        Some(Self {
            used_usd: used,
            left_usd: if card.holds.contains(&Reason::Budget) {
                Some(NanoUsd::ZERO)
            } else {
                used.map(|used| card.limit.minus(used))
            },
            day_usd: of(LimitReset::Daily),
            week_usd: of(LimitReset::Weekly),
            month_usd: of(LimitReset::Monthly),
            total_usd: spend.lifetime,
            read_at: spend.read_at,
        })
    }
}

/// The member's own keys.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeysBody {
    pub keys: Vec<KeyBody>,
    /// The keys that have ended, the latest first, at most 100.
    pub ended: Vec<EndedKey>,
    /// If OpenRouter does not answer, the figures are as old as they say.
    pub openrouter: UpstreamHealth,
    /// The workspaces of keys of mine that could not be read lately. The list is whole, but what it says about the keys
    /// there is as old as it says.
    pub workspaces_unread: Vec<UnreadWorkspace>,
}

impl KeysBody {
    /// Reads the keys, those that have ended, the workspaces that could not be read, and how the last sweep ended.
    pub fn read(rows: [&Rows; 4], now: Timestamp) -> Result<Self, Error> {
        let [cards, ended, unread, sweep] = rows;
        let cards = cards::read_cards(cards)?.into_iter();
        Ok(Self {
            keys: cards.map(|card| KeyBody::new(card, now)).collect(),
            ended: ended::read_ended(ended)?,
            openrouter: UpstreamHealth::as_of_last_sweep(sweep)?,
            workspaces_unread: workspaces::read_unread(unread)?,
        })
    }
}

/// Whether OpenRouter answers us, according to the last sweep or to the request that was just made.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UpstreamHealth {
    answers: bool,
    /// When that was found out. It is `null` before the first time.
    as_of: Option<Timestamp>,
}

impl UpstreamHealth {
    fn as_of_last_sweep(rows: &Rows) -> Result<Self, Error> {
        let ended = runs::read_ended(rows)?;
        let silent = |code: &str| [UNAVAILABLE, CREDENTIAL_REFUSED].contains(&code);
        Ok(Self {
            answers: !ended
                .as_ref()
                .is_some_and(|ended| ended.code.as_deref().is_some_and(silent)),
            as_of: ended.map(|ended| ended.at),
        })
    }
}

pub async fn list_keys(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let body = keys(&context, &session, Vec::new()).await?;
    Reply::json(200, &body)
}

/// Updates the spend of those keys that nobody asked about within the last minute, and lists all keys.
pub async fn refresh_keys(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let now = context.app.now();
    let RefreshResult { writes, answered } = refresh::ask(&context.app, &session, now).await?;
    let mut body = keys(&context, &session, writes).await?;
    if let Some(answers) = answered {
        body.openrouter = UpstreamHealth {
            answers,
            as_of: Some(now),
        };
    }
    Reply::json(200, &body)
}

pub const BAD_NAME: Error = Error::bad_member(
    "/name",
    "must have 1 to 64 characters, and at least one that can be seen",
);

/// The request has at least one of these members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct KeyChangeRequest {
    /// Sets the caller's own hold on the key, or lifts it: the owner's, or an administrator's on a key of someone else. A
    /// hold of anyone else keeps the key disabled, and to enable it is refused while an administrator, an offboarding, a
    /// leak or the deployment holds it.
    #[serde(default)]
    disabled: Patch<bool>,
    /// 1 to 64 characters. The name stays here and is no part of the key's name at OpenRouter.
    #[serde(default)]
    name: Patch<String>,
    /// The id of a project of the caller's, or a name; a project of this name is created if there is none. `null` takes the
    /// key out of its project. Only the owner of a key can choose.
    #[serde(default)]
    project: Patch<Option<String>>,
}

/// One key.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OneKeyBody {
    key: KeyBody,
}

/// Answers 200 with the key if OpenRouter has confirmed the change, and 202 while the change is only written down.
pub async fn change_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let KeyChangeRequest {
        disabled: Patch(disabled),
        name: Patch(name),
        project: Patch(project),
    } = context.json()?;
    if disabled.is_none() && name.is_none() && project.is_none() {
        let detail = "must have at least one of disabled, name and project";
        return Err(Error::bad_member("", detail));
    }
    let name = match name {
        None => None,
        Some(text) => Some(key_name(&text).map_err(|_| BAD_NAME)?),
    };
    let (app, key) = (&context.app, context.last_segment());
    if let Some(choice) = project {
        let card = moved(&context, &session, key, choice.as_deref()).await?;
        if disabled.is_none() && name.is_none() {
            return one(&context, card);
        }
    }
    let carried = keys::change(app, &session, key, disabled, name).await?;
    carried_out(&context, carried)
}

/// Moves a key of the member into the project that they chose, or out of its project.
async fn moved(
    context: &Context,
    session: &Session,
    key: &str,
    choice: Option<&str>,
) -> Result<Card, Error> {
    // A project is created only for a key that there is.
    if own(context, session, key).await?.ended {
        return Err(Error::KeyEnded);
    }
    let project = match choice {
        Some(choice) => Some(projects::chosen(context, session, choice).await?),
        None => None,
    };
    let id = project.and_then(|project| PublicId::parse(IdKind::Project, &project.id));
    let act = projects::act(context, session, "move")?;
    let moved = stored_projects::move_key(&*context.app.db, &act, key, id.as_ref()).await?;
    let (card, moves) = moved.ok_or(Error::NotFound)?;
    let is_in = card.project.as_ref().map(|project| project.id.as_str());
    if is_in == id.as_ref().map(PublicId::as_str) {
        return Ok(card);
    }
    Err(if !card.ended && moves >= KEY_MOVES_A_DAY {
        Error::daily_quota(act.now)
    } else {
        Error::KeyEnded
    })
}

/// The request names what it lifts, so that no other change lifts it by accident.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UpstreamHoldRequest {
    upstream_hold: LiftWord,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum LiftWord {
    Lift,
}

/// Answers 200 with the key. What someone outside keycap disabled or lowered at OpenRouter becomes as keycap wants it
/// again, at once or with the next sweep.
pub async fn lift_upstream_hold(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let UpstreamHoldRequest {
        upstream_hold: LiftWord::Lift,
    } = context.json()?;
    let (app, key) = (&context.app, context.last_segment());
    let carried = keys::lift_upstream_hold(app, &session, key).await?;
    carried_out(&context, carried)
}

/// Answers 200 with the key, which is `revoked`, or 202 while it is `revoking` and the sweep still has to remove it.
pub async fn end_key(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    let carried = keys::end(&context.app, &session, context.last_segment()).await?;
    carried_out(&context, carried)
}

pub fn carried_out(
    context: &Context,
    Carried { card, confirmed }: Carried,
) -> Result<Reply, Error> {
    let key = KeyBody::new(card, context.app.now());
    let status = if confirmed { 200 } else { 202 };
    Reply::json(status, &OneKeyBody { key })
}

/// A key of the member, by its id as the request names it.
pub async fn own(context: &Context, session: &Session, key: &str) -> Result<Card, Error> {
    let read = vec![cards::one_of(
        session.member.as_str(),
        key,
        context.app.now(),
    )];
    let (_, rows) = members::signed_in(&*context.app.db, session, read).await?;
    let cards = cards::read_cards(rows.first().unwrap_or(&Rows::new()))?;
    cards.into_iter().next().ok_or(Error::NotFound)
}

pub fn one(context: &Context, card: Card) -> Result<Reply, Error> {
    let key = KeyBody::new(card, context.app.now());
    Reply::json(200, &OneKeyBody { key })
}

/// Lists the member's keys after `writes`, in one round trip.
async fn keys(context: &Context, session: &Session, writes: Vec<Stmt>) -> Result<KeysBody, Error> {
    let app = &*context.app;
    let mut stmts = writes;
    let written = stmts.len();
    stmts.extend([
        cards::of_member(session, app.now()),
        ended::of_member(session),
        workspaces::unread_of(session),
        runs::last_ended(Job::Sweep.name()),
    ]);
    let (_, rows) = members::signed_in(&*app.db, session, stmts).await?;
    let none = Rows::new();
    let rows_of = |n: usize| rows.get(written.saturating_add(n)).unwrap_or(&none);
    KeysBody::read([0, 1, 2, 3].map(rows_of), app.now())
}
