//! Works on many rows at once. Each row is worked on as if it were alone, by the same code that serves one person's
//! request. What the rows ask of the database at the same point becomes one batch, and at most six of their calls to other
//! services run at once.

mod gather;
mod lanes;
mod shared;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::app::chunk::gather::{Gathering, answer};
use crate::app::chunk::lanes::Lanes;
use crate::app::chunk::shared::Shared;
use crate::app::context::App;
use crate::ports::{Database, LocalFuture};

/// The number of rows that are worked on at once.
pub const CHUNK: usize = 200;

/// Does `work` with each of the rows, and returns the results in the order of the rows. `work` gets an application whose
/// statements and calls wait for those of the other rows.
pub async fn for_all<'a, Row, Done, Work>(
    app: &App,
    rows: &'a [Row],
    work: impl Fn(App, &'a Row) -> Work,
) -> Vec<Done>
where
    Work: Future<Output = Done> + 'a,
    Done: 'a,
{
    let shared = Rc::new(Shared::new(app.now()));
    let together = App {
        db: Rc::new(Gathering::new(Rc::clone(&shared))),
        http: Rc::new(Lanes::new(app, Rc::clone(&shared))),
        ..app.clone()
    };
    let running = rows.iter().map(|row| {
        let work = work(together.clone(), row);
        Slot::Running(Box::pin(work) as Pin<Box<dyn Future<Output = Done> + 'a>>)
    });
    let mut driver = Driver {
        slots: running.collect(),
        batches: None,
        db: &*app.db,
        shared: &shared,
    };
    poll_fn(|context| driver.poll(app, context)).await;
    let done = driver.slots.into_iter().filter_map(|slot| match slot {
        Slot::Done(done) => Some(done),
        Slot::Running(_) => None,
    });
    done.collect()
}

/// A row's work, or its result.
enum Slot<'a, Done> {
    Running(Pin<Box<dyn Future<Output = Done> + 'a>>),
    Done(Done),
}

struct Driver<'a, 'd, Done> {
    slots: Vec<Slot<'a, Done>>,
    /// The gathered batches, while the database works on them.
    batches: Option<LocalFuture<'d, ()>>,
    db: &'d dyn Database,
    shared: &'d Shared,
}

impl<Done> Driver<'_, '_, Done> {
    /// Lets every row go on as far as it can. A row that waits for something outside is polled once; a row that waits for
    /// the chunk is polled again whenever something has moved.
    fn poll(&mut self, app: &App, context: &mut Context<'_>) -> Poll<()> {
        let mut is_first = true;
        let mut waits_here = vec![true; self.slots.len()];
        loop {
            self.shared.moved.set(false);
            let running = self.poll_rows(context, &mut waits_here);
            if running == 0 {
                return Poll::Ready(());
            }
            self.poll_batches(app, context, running, is_first);
            is_first = false;
            if !self.shared.moved.get() {
                return Poll::Pending;
            }
        }
    }

    /// Polls the rows, and returns how many have not ended.
    fn poll_rows(&mut self, context: &mut Context<'_>, waits_here: &mut [bool]) -> usize {
        let mut running = 0_usize;
        for (slot, waits_here) in self.slots.iter_mut().zip(waits_here) {
            let Slot::Running(work) = slot else {
                continue;
            };
            if *waits_here {
                self.shared.waits_here.set(false);
                if let Poll::Ready(done) = work.as_mut().poll(context) {
                    *slot = Slot::Done(done);
                    self.shared.moved.set(true);
                    continue;
                }
                *waits_here = self.shared.waits_here.get();
            }
            running = running.saturating_add(1);
        }
        running
    }

    /// Sends the batches to the database once every row that has not ended waits for it.
    fn poll_batches(
        &mut self,
        app: &App,
        context: &mut Context<'_>,
        running: usize,
        is_first: bool,
    ) {
        let is_new = self.batches.is_none();
        if is_new {
            if self.shared.waiting.borrow().len() < running {
                return;
            }
            self.shared.gathered_at.set(app.now());
            let waiting = std::mem::take(&mut *self.shared.waiting.borrow_mut());
            self.batches = Some(Box::pin(answer(self.db, waiting)));
        }
        if let Some(batches) = &mut self.batches
            && (is_new || is_first)
            && batches.as_mut().poll(context).is_ready()
        {
            self.batches = None;
            self.shared.moved.set(true);
        }
    }
}
