//! Changes of many keys or members at once: started by an administrator, and carried out in chunks, after the answer and by
//! the ten-minute trigger until nothing is left.

use serde_json::json;

use crate::app::context::App;
use crate::app::error::Error;
use crate::app::run::QueuedWork;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::people::session::Session;
use crate::ports::DbError;
use crate::store::bulk::progress::{self, BulkChunk};
use crate::store::bulk::{carried, frozen};

/// The number of targets of one batch.
const TOGETHER: i64 = 200;
/// One batch and the query for its targets have fewer statements than this.
const STATEMENTS: usize = 10;
/// What is left after so many seconds is left to the next trigger.
const WORK_SECS: i64 = 20;
/// The targets of a change that nobody can start any more are shown for so many seconds.
const RETAINED_SECS: i64 = 90 * 86_400;

/// Starts what was shown, if it is still that: `count` targets are to be changed. The work begins after the answer.
pub async fn start(
    app: &App,
    session: &Session,
    bulk: &PublicId,
    count: i64,
    change: &PublicId,
) -> Result<bool, Error> {
    let started = frozen::start(&*app.db, session, bulk, count, change, app.now()).await?;
    if started {
        app.queued_work.borrow_mut().push(QueuedWork::BulkChanges);
    }
    Ok(started)
}

/// Goes on with the changes that run, the oldest first, as far as one invocation allows.
pub async fn carry_on(app: &App) {
    if let Err(error) = work(app).await {
        let cause = format!("{error:?}");
        app.note("error", "bulk_change_left", json!({ "cause": cause }));
    }
}

async fn work(app: &App) -> Result<(), DbError> {
    let (budget, reserve) = (
        app.config.workers_plan.budget(),
        app.config.workers_plan.reserve(),
    );
    let mut left = budget.statements.saturating_sub(reserve.statements) / STATEMENTS;
    let until = app.now().plus(WORK_SECS);
    while left > 0 && app.now() < until {
        left = left.saturating_sub(1);
        let Some(chunk) = progress::next(&*app.db, TOGETHER).await? else {
            return Ok(());
        };
        if chunk.targets.is_empty() {
            finish(app, &chunk).await?;
        } else {
            carry_out(app, &chunk, &mut left).await?;
        }
    }
    Ok(())
}

/// Carries out a chunk. If the database refuses it, each half is tried, and so on: in the end only the targets that it
/// refuses have failed.
async fn carry_out(app: &App, chunk: &BulkChunk, left: &mut usize) -> Result<(), DbError> {
    let admins = app.config.admins_json();
    let mut parts = vec![chunk.targets.as_slice()];
    while let Some(targets) = parts.pop() {
        match carried::carry_out(&*app.db, chunk, targets, &admins, app.now()).await {
            Ok(()) => {}
            Err(DbError::Unique | DbError::Constraint) => match targets {
                [one] => progress::fail(&*app.db, chunk, *one).await?,
                several => {
                    let (first, second) = several.split_at(several.len() / 2);
                    parts.extend([second, first]);
                    *left = left.saturating_sub(2);
                    if *left == 0 {
                        return Ok(());
                    }
                }
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Ends a change of which nothing is left, and forgets the targets of changes that are long over.
async fn finish(app: &App, chunk: &BulkChunk) -> Result<(), DbError> {
    let change = random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)?;
    progress::finish(&*app.db, &chunk.bulk, &change, app.now()).await?;
    progress::forget(&*app.db, app.now().plus(-RETAINED_SECS)).await
}
