//! `/api/v1/providers` and `/api/v1/handoffs`: a member begins a sign-in at a billing provider, looks how far it has come,
//! types the code, and gets the key.
//!
//! The browser that begins gets a cookie with the verifier of its hand-off. Without it, also its own member finds nothing.

use serde::{Deserialize, Serialize};

use crate::app::error::Error;
use crate::app::handoff::{self, OwnHandoff, Redeeming, Wanted};
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::key_name::key_name;
use crate::domain::people::handoff::{HandoffStatus, POLL_AFTER_MS};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::http::api::projects;
use crate::http::server::body::NoMembers;
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::reply::Reply;
use crate::store::handoffs::linked::ProviderKey;
use crate::store::handoffs::{Handoff, providers};
use crate::store::members;
use crate::store::query::rows_of;
use crate::upstream::billing;

/// How long a browser keeps the verifier, in seconds: longer than a hand-off lasts, so that its page can say how it ended.
const COOKIE_SECS: i64 = 3_600;
/// One browser keeps the verifiers of at most this many hand-offs.
const MOST: usize = 5;
const BAD_LABEL: &str = "must have 1 to 64 characters, and at least one that can be seen";

/// A provider that members may use.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderBody {
    slug: String,
    name: String,
    about: String,
    /// Where a member ends such a key at the provider, if there is a page for it.
    keys_page: Option<&'static str>,
}

/// The enabled providers, in their order.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProvidersBody {
    providers: Vec<ProviderBody>,
}

/// A sign-in at a billing provider.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HandoffBody {
    #[cfg_attr(
        not(target_arch = "wasm32"),
        schemars(regex(pattern = "^hnd_[0-9a-f]{24}$"))
    )]
    id: String,
    provider: String,
    status: HandoffStatus,
    /// Whether the code was typed.
    confirmed: bool,
    expires_at: Timestamp,
    /// How long to wait before asking again, in milliseconds.
    poll_after_ms: u32,
}

impl HandoffBody {
    fn new(handoff: Handoff, now: Timestamp) -> Self {
        Self {
            status: handoff.status(now),
            id: handoff.id,
            provider: handoff.provider,
            confirmed: handoff.confirmed,
            expires_at: handoff.expires_at,
            poll_after_ms: POLL_AFTER_MS,
        }
    }
}

/// A sign-in that was begun, and where the member continues it.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HandoffBegunBody {
    handoff: HandoffBody,
    /// The provider's page. It works only for the browser that got this answer.
    auth_url: String,
}

/// How far a sign-in has come.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OneHandoffBody {
    handoff: HandoffBody,
}

/// The code that the page after the sign-in shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct HandoffCodeRequest {
    /// Eight letters. Capitals, blanks and dashes make no difference.
    code: String,
}

/// What the new key is called here, and where it belongs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct RedeemRequest {
    /// 1 to 64 characters.
    label: Option<String>,
    /// The id of a project of the member, or the name of one, which is created if there is none.
    project: Option<String>,
}

/// A key of the member's own account at a provider. It has the secret only in the one answer to the request that redeemed it.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct ProviderKeyAnswer {
    key: ProviderKey,
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "Option<String>"))]
    secret: (),
    /// Whether this very request was answered before, by its Idempotency-Key. The secret is not kept.
    replayed: bool,
    /// Why there is no secret.
    note: Option<String>,
}

/// Answers 200 with the enabled providers.
pub async fn list_providers(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![providers::list()];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let all = providers::read_list(rows_of(&rows, 0)?)?;
    let enabled = all.into_iter().filter(|row| row.enabled);
    let shown = enabled.filter_map(|row| {
        let provider = billing::provider(&row.slug)?;
        Some(ProviderBody {
            slug: row.slug,
            name: row.name,
            about: row.about,
            keys_page: provider.keys_page,
        })
    });
    let providers = shown.collect();
    Reply::json(200, &ProvidersBody { providers })
}

/// Answers 201 with a new hand-off and the provider's page, and gives the browser its verifier.
pub async fn start(context: Context) -> Result<Reply, Error> {
    let app = &*context.app;
    let session = context.member()?;
    let _: NoMembers = context.json()?;
    // Each start has a verifier of its own, so a repeated request begins another hand-off.
    let id = random::public_id(&*app.random, IdKind::Handoff)?;
    let verifier = random::token(&*app.random)?;
    let own = OwnHandoff {
        session: &session,
        id: &id,
        verifier: &verifier,
    };
    let (begun, url) = handoff::start(app, &own, context.segment_before_last()).await?;
    let body = HandoffBegunBody {
        handoff: HandoffBody::new(begun, app.now()),
        auth_url: url.into(),
    };
    // Browsers send older cookies first (RFC 6265, section 5.4): the oldest hand-offs are given up.
    let older: Vec<&str> = cookies::handoffs(context.cookies.as_deref()).collect();
    let over = older.len().saturating_add(1).saturating_sub(MOST);
    let ended = older.iter().take(over).map(|name| cookies::clear(name));
    let own = cookies::set(&cookies::handoff_name(&id), &verifier, COOKIE_SECS);
    Ok(Reply::json(201, &body)?.cookies(ended).cookies([own]))
}

/// A hand-off of this browser, by the id in the address and the verifier in its cookie.
struct Asked {
    session: Session,
    id: PublicId,
    verifier: String,
}

impl Asked {
    fn of(context: &Context, id: &str) -> Result<Self, Error> {
        let session = context.member()?;
        let id = PublicId::parse(IdKind::Handoff, id).ok_or(Error::NotFound)?;
        let verifier = cookies::value(context.cookies.as_deref(), &cookies::handoff_name(&id));
        let verifier = verifier.ok_or(Error::NotFound)?.to_owned();
        Ok(Self {
            session,
            id,
            verifier,
        })
    }

    fn own(&self) -> OwnHandoff<'_> {
        OwnHandoff {
            session: &self.session,
            id: &self.id,
            verifier: &self.verifier,
        }
    }
}

fn told(status: u16, found: Handoff, context: &Context) -> Result<Reply, Error> {
    let handoff = HandoffBody::new(found, context.app.now());
    Reply::json(status, &OneHandoffBody { handoff })
}

/// Answers 200 with how far the hand-off has come.
pub async fn show(context: Context) -> Result<Reply, Error> {
    let asked = Asked::of(&context, context.last_segment())?;
    let found = handoff::find(&context.app, &asked.own()).await?;
    told(200, found, &context)
}

/// Answers 200 if the code is right. The fifth wrong one ends the hand-off.
pub async fn confirm(context: Context) -> Result<Reply, Error> {
    let HandoffCodeRequest { code } = context.json()?;
    let asked = Asked::of(&context, context.segment_before_last())?;
    let found = handoff::confirm(&context.app, &asked.own(), &code).await?;
    told(200, found, &context)
}

/// Answers 201 with the key and its secret, once; or 202 while KV does not have yet what the provider sent back.
pub async fn redeem(context: Context) -> Result<Reply, Error> {
    let RedeemRequest { label, project } = context.json()?;
    let label = label.map(|label| key_name(&label)).transpose();
    let label = label.map_err(|_| Error::bad_member("/label", BAD_LABEL))?;
    let asked = Asked::of(&context, context.segment_before_last())?;
    let own = asked.own();
    let project = match &project {
        Some(choice) => {
            // A hand-off that is nobody's of this browser makes no project.
            handoff::find(&context.app, &own).await?;
            Some(projects::chosen(&context, &asked.session, choice).await?.id)
        }
        None => None,
    };
    let wanted = Wanted {
        label: label.as_deref(),
        project: project.as_deref(),
    };
    match handoff::redeem(&context.app, &own, &wanted).await? {
        Redeeming::Key(key, secret) => {
            let body = ProviderKeyAnswer {
                key,
                secret: (),
                replayed: false,
                note: None,
            };
            Ok(Reply::json(201, &body)?.with_secret(secret))
        }
        Redeeming::NotYet(found) => told(202, found, &context),
    }
}
