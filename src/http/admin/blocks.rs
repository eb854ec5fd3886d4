//! `/api/v1/admin/blocks`: people who may not claim, by provider and account number, also before they ever sign in.

use std::collections::BTreeSet;

use serde_json::json;

use crate::app::error::Error;
use crate::domain::id::IdKind;
use crate::domain::people::identity::is_account_number;
use crate::domain::people::session::Session;
use crate::http::server::body::BlockProvider;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::{cut_to_page, id_of};
use crate::ports::Rows;
use crate::store::members;
use crate::store::members::blocks::{self, AdminActor, NewBlock, PAGE_ROWS};

/// One request blocks at most this many people.
const MOST: usize = 500;

/// Answers 200 with a page of blocks.
pub async fn list_blocks(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![blocks::page(context.after(IdKind::Block)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut blocks = blocks::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut blocks, PAGE_ROWS, id_of);
    Reply::json(200, &json!({ "blocks": blocks, "next": next }))
}

body! {
    /// One person in `subject`, or a list of them in `subjects`.
    struct People {
        provider: BlockProvider,
        subject: Option<String>,
        subjects: Option<Vec<String>>,
    }
}

impl People {
    fn subjects(self) -> Result<BTreeSet<String>, Error> {
        let subjects = match (self.subject, self.subjects) {
            (Some(one), None) => vec![one],
            (None, Some(many)) if (1..=MOST).contains(&many.len()) => many,
            _ => return Err(Error::MalformedJson),
        };
        if subjects.iter().all(|subject| is_account_number(subject)) {
            Ok(subjects.into_iter().collect())
        } else {
            Err(Error::BadRequest {
                detail: "A subject is the account's number, in digits. Nobody was blocked.",
            })
        }
    }
}

/// Answers 200 with how many people were not blocked before.
pub async fn put_blocks(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let people: People = context.json()?;
    let provider = people.provider.name();
    let app = &*context.app;
    let wanted = |subject: String| {
        let id = context.id(IdKind::Block, &subject)?.to_string();
        Ok::<_, Error>(NewBlock { id, subject })
    };
    let people: Vec<NewBlock> = people
        .subjects()?
        .into_iter()
        .map(wanted)
        .collect::<Result<_, _>>()?;
    let added = blocks::put(&*app.db, &by(&context, &session)?, provider, &people).await?;
    Reply::json(200, &json!({ "added": added }))
}

body! {
    struct BlockedPerson {
        provider: BlockProvider,
        subject: String,
    }
}

/// Answers 204, also if there was no such block.
pub async fn lift_block(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let BlockedPerson { provider, subject } = context.json()?;
    let app = &*context.app;
    blocks::lift(
        &*app.db,
        &by(&context, &session)?,
        provider.name(),
        &subject,
    )
    .await?;
    Ok(Reply::no_content())
}

fn by<'a>(context: &Context, session: &'a Session) -> Result<AdminActor<'a>, Error> {
    Ok(AdminActor {
        session,
        change: context.id(IdKind::Change, "")?,
        now: context.app.now(),
    })
}
