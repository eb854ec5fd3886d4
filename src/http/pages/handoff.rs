//! Where a browser comes back from a billing provider: the callback, which redirects at once to an address without the
//! code, and the page that shows the code to type.

use askama::Template;

use crate::app::error::Error;
use crate::app::handoff::{self, OwnHandoff, ReturnRefusal, Returned, named_in};
use crate::domain::id::{IdKind, PublicId};
use crate::domain::key::secret::Secret;
use crate::domain::people::handoff::HandoffStatus;
use crate::domain::people::typed_code;
use crate::http::pages::{Frame, render};
use crate::http::server::context::Context;
use crate::http::server::cookies;
use crate::http::server::reply::Reply;
use crate::upstream::billing;
use crate::upstream::billing::provider::is_value;

#[derive(Template)]
#[template(path = "handoff.html")]
struct HandoffPage<'a> {
    frame: Frame<'a>,
    title: &'static str,
    text: &'static str,
    /// The code, in two groups of four letters.
    code: Option<String>,
    /// The hand-off, for the link back to where it began.
    id: Option<&'a str>,
}

/// `GET /auth/providers/{slug}/callback`. A browser that did not begin this hand-off uses nothing up.
pub async fn come_back(context: Context) -> Result<Reply, Error> {
    let slug = context.segment_before_last();
    let state = context.query("state").unwrap_or_default();
    let id = named_in(&state);
    let why = match returned(&context, slug, &state, id.as_ref()).await {
        Ok(()) => {
            let id = id.as_ref().map_or("", PublicId::as_str);
            return Ok(Reply::redirect(303, &done(slug, "handoff", id)));
        }
        Err(why) => why,
    };
    let more = serde_json::json!({ "reason": why.code() });
    context.app.note("info", "handoff_not_returned", more);
    Ok(Reply::redirect(303, &done(slug, "error", why.code())))
}

/// The address of the page that says how it went. A provider that the code does not know is not repeated.
fn done(slug: &str, name: &str, value: &str) -> String {
    let slug = billing::provider(slug).map_or("unknown", |provider| provider.slug);
    format!("/auth/providers/{slug}/done?{name}={value}")
}

async fn returned(
    context: &Context,
    slug: &str,
    state: &str,
    id: Option<&PublicId>,
) -> Result<(), ReturnRefusal> {
    let session = context.session.as_ref().ok_or(ReturnRefusal::State)?;
    let (own, provider) = (own(context, id)?, billing::provider(slug));
    let provider = provider.ok_or(ReturnRefusal::State)?;
    let value = context.query(provider.returns);
    let value = value.filter(|value| is_value(value));
    // A callback that says neither is nobody's answer, and uses nothing up.
    if value.is_none() && context.query("error").is_none() {
        return Err(ReturnRefusal::State);
    }
    let own = OwnHandoff {
        session,
        id: own.0,
        verifier: own.1,
    };
    let back = Returned {
        slug,
        state,
        value: value.map(Secret::new),
    };
    handoff::come_back(&context.app, &own, back).await
}

/// The hand-off's id, with the verifier that this browser has for it.
fn own<'a>(
    context: &'a Context,
    id: Option<&'a PublicId>,
) -> Result<(&'a PublicId, &'a str), ReturnRefusal> {
    let id = id.ok_or(ReturnRefusal::State)?;
    let name = cookies::handoff_name(id);
    let verifier = cookies::value(context.cookies.as_deref(), &name);
    Ok((id, verifier.ok_or(ReturnRefusal::State)?))
}

/// `GET /auth/providers/{slug}/done`: says how it went, and shows the code to the browser that began.
pub async fn show_done(context: Context) -> Result<Reply, Error> {
    let id = context.query("handoff").unwrap_or_default();
    let id = PublicId::parse(IdKind::Handoff, &id);
    let (code, (title, text)) = match context.query("error") {
        Some(error) => (None, refused(&error)),
        None => shown(&context, id.as_ref()).await,
    };
    let page = HandoffPage {
        frame: Frame::of(&context.app.config),
        title,
        text,
        code,
        id: id.as_ref().map(PublicId::as_str),
    };
    render(200, &page)
}

type Words = (&'static str, &'static str);

/// The code of a hand-off that waits for it, and the words for how far it has come.
async fn shown(context: &Context, id: Option<&PublicId>) -> (Option<String>, Words) {
    let (Some(session), Ok((id, verifier))) = (&context.session, own(context, id)) else {
        return (None, refused("state"));
    };
    let own = OwnHandoff {
        session,
        id,
        verifier,
    };
    let app = &*context.app;
    let found = match handoff::find(app, &own).await {
        Ok(found) => found,
        Err(Error::StorageUnavailable | Error::Internal) => {
            return (None, refused("storage_unavailable"));
        }
        Err(_) => return (None, refused("state")),
    };
    let status = found.status(app.now());
    if handoff::waits_for_code(&found, status) {
        let code = own.codes(app).into_iter().next().unwrap_or_default();
        return (Some(typed_code::shown(&code)), SIGNED_IN);
    }
    let words = match status {
        HandoffStatus::Pending => (
            "This sign-in is not finished yet.",
            "Finish it at the provider, or start again on the page of your keys. No key was made.",
        ),
        HandoffStatus::Ready | HandoffStatus::Redeeming | HandoffStatus::Redeemed => (
            "This sign-in was used.",
            "Go on where you began it. You can close this page.",
        ),
        HandoffStatus::Expired => refused("expired"),
        HandoffStatus::Refused => refused("declined"),
        HandoffStatus::Unknown => (
            "It is not known whether the provider made a key.",
            "The page of your keys says what to do. You can close this page.",
        ),
    };
    (None, words)
}

const SIGNED_IN: Words = (
    "You are signed in there. One step is left.",
    "Type this code on the page where you began. Then you can close this page. Type it only into a page that you opened yourself: no key is made before.",
);

/// Why the browser is told no, in words.
fn refused(code: &str) -> Words {
    match code {
        "declined" => (
            "You did not sign in there.",
            "The provider says that it was declined, or the sign-in was ended. No key was made. You can start again on the page of your keys.",
        ),
        "expired" => (
            "That sign-in took too long.",
            "It lasts ten minutes. No key was made. Start again on the page of your keys.",
        ),
        "storage_unavailable" => (
            "Your sign-in could not be saved.",
            "No key was made. Start again on the page of your keys in a minute.",
        ),
        _ => (
            "That sign-in could not be matched to this browser.",
            "It was used before, or began in another browser or under another account. No key was made. Start again on the page of your keys.",
        ),
    }
}
