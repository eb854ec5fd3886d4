//! The database as the rows of a chunk see it: a row's batch waits until every other row asks too, and the batches that
//! begin with the same statement are merged.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use serde::Deserialize;

use crate::app::chunk::shared::{BatchAnswer, Shared, Waiting};
use crate::ports::{Database, DbError, LocalFuture, Rows, Stmt};

impl Waiting {
    fn settle(&self, answer: BatchAnswer) {
        *self.answer.borrow_mut() = Some(answer);
    }

    /// Answers whether the batch can be merged with others: all of its statements work on many rows.
    fn is_mergeable(&self) -> bool {
        self.stmts.iter().all(|stmt| stmt.sql.for_each)
    }

    fn begins_like(&self, other: &Self) -> bool {
        let first = |waiting: &Self| waiting.stmts.first().map(|stmt| stmt.sql.name);
        first(self) == first(other)
    }
}

/// The database of the rows of a chunk. The chunk itself sends the batches.
pub struct Gathering {
    shared: Rc<Shared>,
}

impl Gathering {
    pub const fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }
}

impl Database for Gathering {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, BatchAnswer> {
        let answer = Rc::new(RefCell::new(None));
        let waiting = Waiting {
            stmts,
            answer: Rc::clone(&answer),
        };
        let mut waiting = Some(waiting);
        Box::pin(poll_fn(move |_| {
            self.shared.waiting.borrow_mut().extend(waiting.take());
            if let Some(answer) = answer.borrow_mut().take() {
                return Poll::Ready(answer);
            }
            self.shared.waits_here.set(true);
            Poll::Pending
        }))
    }
}

/// Runs the batches of all rows, as few as possible.
pub async fn answer(db: &dyn Database, waiting: Vec<Waiting>) {
    let mut groups: Vec<Vec<Waiting>> = Vec::new();
    for one in waiting {
        let is_alike = |group: &&mut Vec<Waiting>| {
            let first = group.first();
            first.is_some_and(|first| first.is_mergeable() && first.begins_like(&one))
        };
        match groups.iter_mut().find(is_alike) {
            Some(group) if one.is_mergeable() => group.push(one),
            _ => groups.push(vec![one]),
        }
    }
    for group in groups {
        by_halves(db, group).await;
    }
}

/// Runs a group as one batch. If the database refuses it, each half of the group is run on its own, until only the rows
/// that are refused are left.
fn by_halves(db: &dyn Database, mut group: Vec<Waiting>) -> LocalFuture<'_, ()> {
    Box::pin(async move {
        let merged = Merged::of(&group);
        let positions = merged.positions;
        match db.batch(merged.stmts).await {
            Ok(rows) => {
                for (waiting, rows) in group.iter().zip(of_each(&rows, &positions)) {
                    waiting.settle(rows);
                }
            }
            Err(DbError::Unknown) => {
                for waiting in &group {
                    waiting.settle(Err(DbError::Unknown));
                }
            }
            Err(error) if group.len() < 2 => {
                for waiting in &group {
                    waiting.settle(Err(error));
                }
            }
            Err(_) => {
                let half = group.split_off(group.len() / 2);
                by_halves(db, group).await;
                by_halves(db, half).await;
            }
        }
    })
}

/// The batch of a group.
struct Merged {
    stmts: Vec<Stmt>,
    /// For each row of the group, and each of its statements: the statement of the batch, and the row's number in that.
    positions: Vec<Vec<(usize, usize)>>,
}

impl Merged {
    /// Merges the batches. Each keeps the order of its statements; a statement that only some rows have stands between
    /// those that it stands between in their batches.
    fn of(group: &[Waiting]) -> Self {
        let mut stmts: Vec<Stmt> = Vec::new();
        let mut identities: Vec<usize> = Vec::new();
        let mut rows: Vec<usize> = Vec::new();
        let mut named: Vec<Vec<(usize, usize)>> = Vec::new();
        for waiting in group {
            let mut next = 0_usize;
            let mut own = Vec::new();
            for stmt in &waiting.stmts {
                let same = stmts.iter().enumerate().skip(next);
                let same = same
                    .filter(|(_, known)| known.sql.for_each && known.sql == stmt.sql)
                    .map(|(at, _)| at)
                    .next();
                let at = if let Some(at) = same {
                    if let Some(known) = stmts.get_mut(at) {
                        known.merge(stmt);
                    }
                    at
                } else {
                    let identity = identities.len();
                    stmts.insert(next.min(stmts.len()), stmt.clone());
                    identities.insert(next.min(identities.len()), identity);
                    rows.push(0);
                    next
                };
                let identity = identities.get(at).copied().unwrap_or(0);
                if let Some(count) = rows.get_mut(identity) {
                    own.push((identity, *count));
                    *count = count.saturating_add(1);
                }
                next = at.saturating_add(1);
            }
            named.push(own);
        }
        let place = |identity: usize| identities.iter().position(|known| *known == identity);
        let placed = |(identity, row): (usize, usize)| (place(identity).unwrap_or(0), row);
        let positions = named
            .into_iter()
            .map(|own| own.into_iter().map(placed).collect());
        Self {
            positions: positions.collect(),
            stmts,
        }
    }
}

/// Gives each row of a group its own rows of the answer.
fn of_each(answer: &[Rows], positions: &[Vec<(usize, usize)>]) -> Vec<BatchAnswer> {
    if let [alone] = positions {
        let whole = alone.iter().map(|(at, _)| answer.get(*at).cloned());
        return vec![whole.collect::<Option<_>>().ok_or(DbError::Broken)];
    }
    let parted: Vec<Option<Vec<Rows>>> = answer.iter().map(parted).collect();
    let own = |(at, row): &(usize, usize)| {
        let parted = parted.get(*at)?.as_ref()?;
        Some(parted.get(*row).cloned().unwrap_or_default())
    };
    let each = |own_positions: &Vec<(usize, usize)>| {
        let rows = own_positions.iter().map(own).collect::<Option<_>>();
        rows.ok_or(DbError::Broken)
    };
    positions.iter().map(each).collect()
}

/// The member of each object that says which row of the statement it belongs to.
#[derive(Deserialize)]
struct OfRow {
    row: usize,
}

/// Parts the rows of a statement by the row that each belongs to.
fn parted(rows: &Rows) -> Option<Vec<Rows>> {
    let mut parted: Vec<Rows> = Vec::new();
    for text in rows {
        let OfRow { row } = serde_json::from_str(text).ok()?;
        if parted.len() <= row {
            parted.resize(row.saturating_add(1), Rows::new());
        }
        parted.get_mut(row)?.push(text.clone());
    }
    Some(parted)
}
