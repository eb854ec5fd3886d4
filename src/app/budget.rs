//! What one invocation may use besides time: statements of D1, and calls to other services. Every job asks here, through
//! its [`Run`](crate::app::run::Run), before it begins more work.

use std::cell::Cell;
use std::rc::Rc;

use crate::domain::run::RunBudget;
use crate::ports::{Call, Database, DbError, HttpClient, LocalFuture, Outcome, Rows, Stmt};

/// What a run has used so far.
#[derive(Debug, Default)]
pub struct Spent {
    statements: Cell<usize>,
    calls: Cell<usize>,
}

impl Spent {
    pub const fn statements(&self) -> usize {
        self.statements.get()
    }

    pub const fn calls(&self) -> usize {
        self.calls.get()
    }

    /// Answers whether the budget has room for as much as `more` says.
    pub fn leaves_room(&self, budget: RunBudget, more: RunBudget) -> bool {
        let statements = self.statements().saturating_add(more.statements);
        let calls = self.calls().saturating_add(more.calls);
        statements <= budget.statements && calls <= budget.calls
    }
}

/// A database whose statements are counted.
pub struct CountedDatabase {
    pub inner: Rc<dyn Database>,
    pub spent: Rc<Spent>,
}

impl Database for CountedDatabase {
    fn batch(&self, stmts: Vec<Stmt>) -> LocalFuture<'_, Result<Vec<Rows>, DbError>> {
        let used = &self.spent.statements;
        used.set(used.get().saturating_add(stmts.len()));
        self.inner.batch(stmts)
    }

    fn size_bytes(&self) -> Option<i64> {
        self.inner.size_bytes()
    }
}

/// An HTTP client whose calls are counted.
pub struct CountedHttp {
    pub inner: Rc<dyn HttpClient>,
    pub spent: Rc<Spent>,
}

impl HttpClient for CountedHttp {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        let used = &self.spent.calls;
        used.set(used.get().saturating_add(1));
        self.inner.send(call)
    }
}
