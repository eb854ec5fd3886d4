//! What the rows of a chunk share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::domain::time::Timestamp;
use crate::ports::{DbError, Outcome, Rows, Stmt};

/// The answer to a batch.
pub type BatchAnswer = Result<Vec<Rows>, DbError>;

/// A row's batch, and where its answer goes.
pub struct Waiting {
    pub stmts: Vec<Stmt>,
    pub answer: Rc<RefCell<Option<BatchAnswer>>>,
}

/// What the rows of a chunk share.
pub struct Shared {
    /// The batches of rows that wait for the others to ask too.
    pub waiting: RefCell<Vec<Waiting>>,
    /// When the last batches were sent to the database.
    pub gathered_at: Cell<Timestamp>,
    /// The calls that are running now.
    pub calls: Cell<usize>,
    /// How many calls in a row were refused for a reason that concerns all of them, with the latest such answer.
    pub refused: RefCell<(u32, Option<Outcome>)>,
    /// A service asked for patience, and no call is sent until then.
    pub paused: Cell<bool>,
    /// The row that was polled last waits for something of the chunk itself: the other rows, or a lane.
    pub waits_here: Cell<bool>,
    /// Something changed that a row may have waited for.
    pub moved: Cell<bool>,
}

impl Shared {
    pub fn new(now: Timestamp) -> Self {
        Self {
            waiting: RefCell::default(),
            gathered_at: Cell::new(now),
            calls: Cell::default(),
            refused: RefCell::default(),
            paused: Cell::default(),
            waits_here: Cell::default(),
            moved: Cell::default(),
        }
    }
}
