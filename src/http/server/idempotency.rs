//! Idempotency-Keys, in the one place that every change of a signed-in caller passes: no handler can forget them.
//!
//! A key belongs to one request of one member: method, path with the ids in it, and body. Its first successful answer
//! is stored without the secret, and given again to a caller who repeats the request. A failure is not stored: the same
//! key tries again. What a request writes has ids that are derived from its key (`Context::id`): if the answer was
//! lost, a repeated request writes the same rows, and nothing twice.

use serde_json::{Map, Value, json};

use crate::app::error::Error;
use crate::crypto::{random, sha256_hex};
use crate::http::api::key_answer;
use crate::http::server::context::Context;
use crate::http::server::message::Body;
use crate::http::server::reply::Reply;
use crate::http::server::route::{Route, Who};
use crate::store::idempotency::{self, Keyed, Taken, Taking};
use crate::store::keys::cards;

/// The header of a repeated answer.
const REPLAYED: &str = "idempotency-replayed";
/// The note of a repeated answer that had a secret the first time.
const SECRET_IS_NOT_STORED: &str = "This request was answered before, and its secret is not stored. If you did not get it, make a new one. To report another leak, send another Idempotency-Key.";

/// The routes whose change would be made twice if the request came twice: they make a key or a secret, or give more
/// money.
const MUST_BE_REMEMBERED: &[&str] = &[
    "/api/v1/claim",
    "/api/v1/keys",
    "/api/v1/keys/{id}/rotate",
    "/api/v1/keys/{id}/renew",
    "/api/v1/admin/keys/{id}/raises",
];

/// Answers whether requests of a route may carry an Idempotency-Key. Every change of a signed-in caller may.
pub fn applies_to(route: &Route) -> bool {
    route.method.is_unsafe() && route.who != Who::Anyone
}

/// Answers a request, or gives its first answer again.
pub async fn answer_once(route: &Route, mut context: Context) -> Result<Reply, Error> {
    if !applies_to(route) {
        return (route.handler)(context).await;
    }
    let Some(keyed) = keyed(route, &context)? else {
        return (route.handler)(context).await;
    };
    let app = context.app.clone();
    let seed = match idempotency::take(&*app.db, &keyed, app.now()).await? {
        // Without a current session, the handler itself answers.
        Taken::SessionEnded => return (route.handler)(context).await,
        Taken::UsedUp if MUST_BE_REMEMBERED.contains(&route.path) => {
            return Err(Error::daily_quota(app.now()));
        }
        // The request is carried out and not remembered: a used-up quota must not keep anyone from making a key safer.
        Taken::UsedUp => return (route.handler)(context).await,
        Taken::AnotherRequest => return Err(Error::IdempotencyMismatch),
        Taken::UnderWay => return Err(Error::RequestInProgress),
        Taken::Answered { status, body } => return given_again(status, body.as_deref()),
        Taken::Made { key } => return lost(&context, &key).await,
        Taken::Ours { seed } => seed,
    };
    context.taking = Some(Taking {
        key_sha256: keyed.key_sha256.clone(),
        nonce: keyed.nonce.clone(),
        seed,
    });
    let answer = (route.handler)(context).await;
    let stored = match &answer {
        Ok(reply) => {
            let body = std::str::from_utf8(&reply.body).ok();
            let body = body.filter(|body| !body.is_empty());
            idempotency::answered(&*app.db, &keyed, reply.status, body).await
        }
        // The rows that the request was to write may already be there.
        Err(Error::StorageUnavailable | Error::Internal) => {
            idempotency::release_for_retry(&*app.db, &keyed).await
        }
        Err(_) => idempotency::release(&*app.db, &keyed).await,
    };
    if let Err(error) = stored {
        // A caller who repeats the request learns what it made. If no attempt works on it any more, it is carried out
        // again.
        app.note(
            "warn",
            "answer_not_kept",
            json!({ "cause": format!("{error:?}") }),
        );
    }
    answer
}

/// Returns the request with its Idempotency-Key, if it has one.
fn keyed(route: &Route, context: &Context) -> Result<Option<Keyed>, Error> {
    let Some(key) = context.idempotency_key()? else {
        return Ok(None);
    };
    let body: &[u8] = match &context.body {
        Body::Bytes(bytes) => bytes,
        Body::Empty | Body::TooLarge => &[],
    };
    let line = format!("{} {}\n", route.method.name(), context.path);
    Ok(Some(Keyed {
        session: context.member()?,
        key_sha256: sha256_hex(key.as_bytes()),
        request_sha256: sha256_hex(&[line.as_bytes(), body].concat()),
        nonce: random::nonce(&*context.app.random)?,
    }))
}

/// Returns the first answer again, marked as repeated.
fn given_again(status: u16, body: Option<&str>) -> Result<Reply, Error> {
    let Some(body) = body else {
        return Ok(replayed(Reply::empty(status)));
    };
    let mut body: Value = serde_json::from_str(body).map_err(|_| Error::Internal)?;
    if let Some(members) = body.as_object_mut() {
        mark_replay(status, members);
    }
    Ok(replayed(Reply::json(status, &body)?))
}

fn mark_replay(status: u16, members: &mut Map<String, Value>) {
    let Some(is_replay) = members.get_mut("replayed") else {
        return;
    };
    *is_replay = json!(true);
    if status == 201 {
        members.insert(String::from("note"), json!(SECRET_IS_NOT_STORED));
    }
}

/// Answers for a request that made a secret and whose answer was lost before it could be stored: with the key as it is
/// now.
async fn lost(context: &Context, key: &str) -> Result<Reply, Error> {
    let (app, session) = (&*context.app, context.member()?);
    let one = cards::one_of(session.member.as_str(), key, app.now());
    let card = cards::read_one(&*app.db, one).await?;
    let card = card.ok_or(Error::NotFound)?;
    let reply = key_answer::without_secret(201, card, None, app.now())?;
    given_again(201, std::str::from_utf8(&reply.body).ok())
}

fn replayed(reply: Reply) -> Reply {
    reply.header(REPLAYED, String::from("true"))
}
