//! `/api/v1/admin/blocks`: people who may not claim, by provider and account number, also before they ever sign in.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::app::error::{BodyError, Error};
use crate::domain::id::IdKind;
use crate::domain::people::identity::is_account_number;
use crate::domain::people::session::Session;
use crate::http::server::body::BlockProvider;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::http::server::reply::cut_to_page;
use crate::ports::Rows;
use crate::store::members;
use crate::store::members::blocks::{self, AdminActor, Block, NewBlock, PAGE_ROWS};

/// One request blocks at most this many people.
const MOST: usize = 500;

/// A page of blocks.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BlocksPage {
    blocks: Vec<Block>,
    next: Option<String>,
}

/// The number of people who were not blocked before.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct AddedBody {
    added: i64,
}

/// Answers 200 with a page of blocks.
pub async fn list_blocks(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let read = vec![blocks::page(context.after(IdKind::Block)?.as_ref())];
    let (_, rows) = members::signed_in(&*context.app.db, &session, read).await?;
    let mut blocks = blocks::read_page(rows.first().unwrap_or(&Rows::new()))?;
    let next = cut_to_page(&mut blocks, PAGE_ROWS, |one| Some(&one.id));
    Reply::json(200, &BlocksPage { blocks, next })
}

/// One person in `subject`, or a list of them in `subjects`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BlockRequest {
    provider: BlockProvider,
    subject: Option<String>,
    subjects: Option<Vec<String>>,
}

impl BlockRequest {
    fn subjects(self) -> Result<BTreeSet<String>, Error> {
        let (subjects, is_list) = match (self.subject, self.subjects) {
            (Some(one), None) => (vec![one], false),
            (None, Some(many)) if (1..=MOST).contains(&many.len()) => (many, true),
            (None, Some(_)) => {
                return Err(Error::malformed("/subjects", "must be a list of 1 to 500"));
            }
            _ => return Err(Error::malformed("", "must have either subject or subjects")),
        };
        let bad = subjects
            .iter()
            .position(|subject| !is_account_number(subject));
        match bad {
            None => Ok(subjects.into_iter().collect()),
            Some(at) => Err(Error::BadMember(BodyError {
                pointer: if is_list {
                    Cow::Owned(format!("/subjects/{at}"))
                } else {
                    Cow::Borrowed("/subject")
                },
                detail: Cow::Borrowed("must be the account's number, in digits"),
            })),
        }
    }
}

/// Answers 200 with how many people were not blocked before.
pub async fn put_blocks(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let people: BlockRequest = context.json()?;
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
    Reply::json(200, &AddedBody { added })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UnblockRequest {
    provider: BlockProvider,
    subject: String,
}

/// Answers 204, also if there was no such block.
pub async fn lift_block(context: Context) -> Result<Reply, Error> {
    let session = context.member()?;
    let UnblockRequest { provider, subject } = context.json()?;
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
