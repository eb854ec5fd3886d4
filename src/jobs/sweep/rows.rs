//! Works through the rows that are due, kind by kind, and each kind in chunks until nothing of it is due any more.

use std::collections::HashSet;

use crate::app::chunk::{self, CHUNK};
use crate::app::context::App;
use crate::app::run::Run;
use crate::jobs::halt::{Halt, change, renew};
use crate::jobs::sweep::counts::Tally;
use crate::jobs::sweep::looks::Looks;
use crate::jobs::sweep::purge::purge;
use crate::jobs::sweep::{due, limits, switches};
use crate::ports::DbError;
use crate::store::budget::caps;
use crate::store::keys::due::Due;
use crate::store::keys::expiries;
use crate::store::keys::generations::{self, Work};
use crate::store::keys::holds::{self, Switch};
use crate::store::keys::retained::{self, RetainedKey};

/// With fewer keys than this, each is read on its own before its limit changes. The list is read for more.
const KEYS_FOR_THE_LIST: usize = 20;

/// A kind of work that is done with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Switch(Switch),
    Revoke,
    /// The key is disabled, and nothing is concluded from the answer.
    DisableOnly,
    Expire,
    Purge,
    Cap,
}

/// The order of the steps. Keys that must be disabled come first. Caps are computed from the keys that expired or were
/// retained before. The last steps send the switches that follow from the new caps.
pub const ORDER: &[Step] = &[
    Step::Switch(Switch::Off),
    Step::Revoke,
    Step::Expire,
    Step::Switch(Switch::On),
    Step::Purge,
    Step::Cap,
    Step::Switch(Switch::Off),
    Step::Switch(Switch::On),
];
/// The number of steps that every run does. The later ones are done only if a cap was sent.
const MAIN_STEPS: usize = 6;

/// A row that is due.
enum Row {
    Due(Due),
    Retained(RetainedKey),
}

impl Row {
    const fn due(&self) -> &Due {
        match self {
            Self::Due(due) => due,
            Self::Retained(key) => &key.due,
        }
    }
}

/// Does the work that is due, step by step. Nothing is concluded from a reading unless `looks` is true. It returns
/// false if the time ran out; the next run continues.
pub async fn work_through(
    app: &App,
    run: &Run,
    order: &[Step],
    mut work: Work,
    looks: bool,
    counts: &Tally,
) -> Result<bool, Halt> {
    let mut worker = Worker {
        app,
        run,
        counts,
        looks: looks.then(Looks::new),
    };
    for (n, step) in order.iter().enumerate() {
        if n >= MAIN_STEPS && counts.note(|counts| counts.capped) == 0 {
            break;
        }
        let mut line = Line::new(*step, first(*step, &mut work));
        while let Some(chunk) = line.next(app, run).await? {
            if !run.has_room_for_rows(app) || !worker.urgent_first(*step, &line).await? {
                return Ok(false);
            }
            worker.work_on(*step, &chunk).await?;
        }
    }
    if let Some(looks) = &worker.looks {
        looks.report(app);
    }
    Ok(true)
}

/// The rows that the run has listed already at its beginning.
fn first(step: Step, work: &mut Work) -> Option<Vec<Row>> {
    let due = |rows: Vec<Due>| Some(rows.into_iter().map(Row::Due).collect());
    match step {
        Step::Revoke | Step::DisableOnly => due(std::mem::take(&mut work.revokes)),
        Step::Expire => due(std::mem::take(&mut work.expiries)),
        Step::Purge => {
            let retained = std::mem::take(&mut work.retained);
            Some(retained.into_iter().map(Row::Retained).collect())
        }
        Step::Switch(_) | Step::Cap => None,
    }
}

/// The rows of one step, in the order in which they are due.
struct Line {
    step: Step,
    listed: Option<Vec<Row>>,
    tried: HashSet<String>,
    /// How many rows of the last list had been tried already, and were due all the same.
    again: usize,
    begun: bool,
}

impl Line {
    fn new(step: Step, listed: Option<Vec<Row>>) -> Self {
        Self {
            step,
            listed,
            tried: HashSet::new(),
            again: 0,
            begun: false,
        }
    }

    /// Returns the next chunk, of rows that were not tried yet. A limit depends on those of the owner's other keys, so a
    /// chunk has no more than one key of an owner then.
    async fn next(&mut self, app: &App, run: &Run) -> Result<Option<Vec<Row>>, Halt> {
        loop {
            let most = CHUNK.saturating_add(self.again);
            let (page, is_whole) = match self.listed.take() {
                Some(listed) => (listed, true),
                None => (self.list(app, run, most).await?, false),
            };
            let length = page.len();
            let new = page
                .into_iter()
                .filter(|row| !self.tried.contains(&row.due().public_id));
            let new: Vec<Row> = new.collect();
            let again = length.saturating_sub(new.len());
            if new.is_empty() {
                // More rows may be due behind those that were tried already.
                if (is_whole && length > 0) || (length == most && again > self.again) {
                    self.again = again;
                    continue;
                }
                return Ok(None);
            }
            self.again = again;
            let mut owners = HashSet::new();
            let chunk: Vec<Row> = new
                .into_iter()
                .filter(|row| self.step != Step::Cap || owners.insert(row.due().owner))
                .take(run.rows_at_once().max(1))
                .collect();
            let ids = chunk.iter().map(|row| row.due().public_id.clone());
            self.tried.extend(ids);
            return Ok(Some(chunk));
        }
    }

    async fn list(&mut self, app: &App, run: &Run, most: usize) -> Result<Vec<Row>, DbError> {
        let (db, now) = (&*app.db, run.now);
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let is_first = !std::mem::replace(&mut self.begun, true);
        let due = match self.step {
            Step::Switch(switch) => holds::due(db, switch, now, most).await?,
            Step::Revoke | Step::DisableOnly => generations::revokes_due(db, now, most).await?,
            Step::Expire => expiries::due(db, now, most).await?,
            Step::Cap if is_first => caps::first_due(db, &change(app)?, now, most).await?,
            Step::Cap => caps::due(db, now, most).await?,
            Step::Purge => {
                let retained = retained::due(db, now, most).await?;
                return Ok(retained.into_iter().map(Row::Retained).collect());
            }
        };
        Ok(due.into_iter().map(Row::Due).collect())
    }
}

/// Works on chunks.
struct Worker<'a> {
    app: &'a App,
    run: &'a Run,
    counts: &'a Tally,
    /// `None` while nothing may be concluded from a reading.
    looks: Option<Looks>,
}

impl Worker<'_> {
    /// Disables the keys that have become due for that in the meantime, before another chunk of a later kind. It returns
    /// false if the time ran out.
    async fn urgent_first(&mut self, step: Step, line: &Line) -> Result<bool, Halt> {
        let is_later_kind = !matches!(step, Step::Switch(Switch::Off) | Step::DisableOnly);
        if !is_later_kind || line.tried.len() <= CHUNK || self.looks.is_none() {
            return Ok(true);
        }
        let off = Step::Switch(Switch::Off);
        let mut urgent = Line::new(off, None);
        while let Some(chunk) = urgent.next(self.app, self.run).await? {
            if !self.run.has_room_for_rows(self.app) {
                return Ok(false);
            }
            self.work_on(off, &chunk).await?;
        }
        Ok(true)
    }

    async fn work_on(&mut self, step: Step, chunk: &[Row]) -> Result<(), Halt> {
        self.counts.note(|counts| self.run.report(counts));
        renew(self.app, self.run).await?;
        self.read_list(step, chunk).await?;
        let (run, counts, looks) = (self.run, self.counts, self.looks.as_ref());
        let results = chunk::for_all(self.app, chunk, |app, row| async move {
            let result = one(&app, run, step, row, looks, counts).await;
            due::contain_row_failure(&app, run, row.due(), result, counts).await
        });
        results.await.into_iter().collect()
    }

    /// Reads the list before keys are disabled or many limits change.
    async fn read_list(&mut self, step: Step, chunk: &[Row]) -> Result<(), Halt> {
        let Some(looks) = &mut self.looks else {
            return Ok(());
        };
        let keys: Vec<&Due> = match step {
            // A key with a switch in flight is not known to be enabled.
            Step::Switch(Switch::Off) => {
                let known = chunk.iter().map(Row::due);
                known.filter(|due| due.in_flight_since.is_none()).collect()
            }
            Step::Cap if chunk.len() >= KEYS_FOR_THE_LIST => chunk.iter().map(Row::due).collect(),
            _ => return Ok(()),
        };
        looks.read_for(self.app, self.run, &keys).await
    }
}

/// Does one step of one row.
async fn one(
    app: &App,
    run: &Run,
    step: Step,
    row: &Row,
    looks: Option<&Looks>,
    counts: &Tally,
) -> Result<(), Halt> {
    match (step, row) {
        (Step::Switch(switch), Row::Due(due)) => {
            if let (Switch::Off, Some(looks)) = (switch, looks) {
                looks.before_disabling(app, due, counts).await;
            }
            switches::send(app, run, switch, due, counts).await
        }
        (Step::Revoke, Row::Due(due)) => due::revoke(app, run, due, counts).await,
        (Step::DisableOnly, Row::Due(due)) => due::disable_only(app, run, due, counts).await,
        (Step::Expire, Row::Due(due)) => due::expire(app, run, due, counts).await,
        (Step::Cap, Row::Due(due)) => {
            let glance = looks.and_then(|looks| looks.glance(due));
            limits::send(app, run, due, glance, counts).await
        }
        (Step::Purge, Row::Retained(key)) => purge(app, run, key, counts).await,
        (_, Row::Due(_) | Row::Retained(_)) => Ok(()),
    }
}
