//! The database as the rows of a chunk see it: a row's batch waits until every other row asks too, and the batches that
//! begin with the same statement are merged.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::app::chunk::shared::{BatchAnswer, Shared, Waiting};
use crate::ports::json;
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

    /// The chunk sends the batches, and its own database knows the size.
    fn size_bytes(&self) -> Option<i64> {
        None
    }
}

/// How often the groups of one batch are halved. Three single rows of 200 can be found so. If more are refused, nothing is
/// wrong with single rows, and the statements of the invocation must not be used up.
const HALVINGS: usize = 24;

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
        by_halves(db, group, &Cell::new(HALVINGS)).await;
    }
}

/// Runs a group as one batch. If the database refuses it, each half of the group is run on its own, until only the rows
/// that are refused are left, or until there have been as many halvings as may be.
fn by_halves<'a>(
    db: &'a dyn Database,
    mut group: Vec<Waiting>,
    halvings: &'a Cell<usize>,
) -> LocalFuture<'a, ()> {
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
            Err(error) if group.len() < 2 || halvings.get() == 0 => {
                for waiting in &group {
                    waiting.settle(Err(error));
                }
            }
            Err(_) => {
                halvings.set(halvings.get().saturating_sub(1));
                let half = group.split_off(group.len() / 2);
                by_halves(db, group, halvings).await;
                by_halves(db, half, halvings).await;
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

from_json! {
    /// The member of each object that says which row of the statement it belongs to.
    struct OfRow {
        row: usize,
    }
}

/// Parts the rows of a statement by the row that each belongs to.
fn parted(rows: &Rows) -> Option<Vec<Rows>> {
    let mut parted: Vec<Rows> = Vec::new();
    for text in rows {
        let OfRow { row } = json::read(text.as_bytes())?;
        if parted.len() <= row {
            parted.resize(row.saturating_add(1), Rows::new());
        }
        parted.get_mut(row)?.push(text.clone());
    }
    Some(parted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Sql, SqlValue};

    static FIRST: Sql = of_rows("first");
    static SOME: Sql = of_rows("some");
    static OTHERS: Sql = of_rows("others");
    static LAST: Sql = of_rows("last");

    const fn of_rows(name: &'static str) -> Sql {
        Sql {
            name,
            text: name,
            for_each: true,
            parameters: &["rows"],
        }
    }

    fn waiting(of: &[&'static Sql], value: i64) -> Waiting {
        let stmts = of
            .iter()
            .map(|sql| Stmt::new(sql, vec![SqlValue::Int(value)]));
        Waiting {
            stmts: stmts.collect(),
            answer: Rc::default(),
        }
    }

    fn texts(merged: &Merged) -> Vec<String> {
        let text = |stmt: &Stmt| format!("{} {:?}", stmt.sql.name, stmt.values);
        merged.stmts.iter().map(text).collect()
    }

    #[test]
    fn each_row_keeps_the_order_of_its_statements_and_finds_its_own_rows() {
        let group = [
            waiting(&[&FIRST, &SOME, &LAST], 1),
            waiting(&[&FIRST, &LAST], 2),
            waiting(&[&FIRST, &OTHERS, &LAST], 3),
        ];
        let merged = Merged::of(&group);
        let expected = [
            r#"first [Text("[[1],[2],[3]]")]"#,
            r#"others [Text("[[3]]")]"#,
            r#"some [Text("[[1]]")]"#,
            r#"last [Text("[[1],[2],[3]]")]"#,
        ];
        assert_eq!(texts(&merged), expected);
        let positions = [
            vec![(0, 0), (2, 0), (3, 0)],
            vec![(0, 1), (3, 1)],
            vec![(0, 2), (1, 0), (3, 2)],
        ];
        assert_eq!(merged.positions, positions);
        let row = |n: usize| format!(r#"{{"row":{n},"is":"row {n}"}}"#);
        let answer = vec![vec![row(1)], vec![], vec![], vec![row(2), row(0)]];
        let of_each = of_each(&answer, &merged.positions);
        assert_eq!(
            of_each,
            [
                Ok(vec![vec![], vec![], vec![row(0)]]),
                Ok(vec![vec![row(1)], vec![]]),
                Ok(vec![vec![], vec![], vec![row(2)]]),
            ]
        );
    }

    #[test]
    fn rows_that_do_not_say_which_they_are_belong_to_nobody() {
        let group = [waiting(&[&FIRST], 1), waiting(&[&FIRST], 2)];
        let merged = Merged::of(&group);
        let answer = vec![vec![String::from(r#"{"is":"somebody's"}"#)]];
        let of_each = of_each(&answer, &merged.positions);
        assert_eq!(of_each, [Err(DbError::Broken), Err(DbError::Broken)]);
    }
}
