//! Which request or run is at work, so that every line of the log can say it.
//!
//! Requests and runs of one isolate take turns at each wait. So the scope is set whenever its future is polled, and put
//! back when it waits.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// What the lines of the log belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    Request(Rc<str>),
    Run(Rc<str>),
}

impl Scope {
    /// The member of a line that has the id.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request(_) => "request_id",
            Self::Run(_) => "run",
        }
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Request(id) | Self::Run(id) => id,
        }
    }
}

/// Returns the scope of the work that is being polled.
pub fn current() -> Option<Scope> {
    CURRENT.with_borrow(Clone::clone)
}

/// Lets everything that `work` logs carry the id of `scope`. The innermost scope counts.
pub fn scoped<'a, T>(scope: Scope, work: impl Future<Output = T> + 'a) -> Scoped<'a, T> {
    Scoped {
        scope,
        work: Box::pin(work),
    }
}

/// See [`scoped`].
pub struct Scoped<'a, T> {
    scope: Scope,
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
}

impl<T> Future for Scoped<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let outer = CURRENT.replace(Some(self.scope.clone()));
        let polled = self.work.as_mut().poll(context);
        CURRENT.set(outer);
        polled
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    /// A future that waits once, and shows the scopes before and after it waited.
    async fn waits_once() -> [Option<Scope>; 2] {
        let before = current();
        let mut waited = false;
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut waited, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        [before, current()]
    }

    #[test]
    fn two_requests_that_take_turns_keep_their_own_scopes() {
        let scope = |id: &str| Scope::Request(id.into());
        let mut first = pin!(scoped(scope("a"), waits_once()));
        let mut second = pin!(scoped(Scope::Run("b".into()), waits_once()));
        let mut context = Context::from_waker(Waker::noop());
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert_eq!(current(), None);
        assert!(second.as_mut().poll(&mut context).is_pending());
        let both = |scope: Scope| Poll::Ready([Some(scope.clone()), Some(scope)]);
        assert_eq!(first.as_mut().poll(&mut context), both(scope("a")));
        let run = Scope::Run("b".into());
        assert_eq!(second.as_mut().poll(&mut context), both(run));
        assert_eq!(current(), None);
    }

    #[test]
    fn the_innermost_scope_counts() {
        let run = Scope::Run("b".into());
        let both = scoped(Scope::Request("a".into()), async {
            let inner = scoped(run.clone(), async { current() }).await;
            (inner, current())
        });
        let mut both = pin!(both);
        let mut context = Context::from_waker(Waker::noop());
        let expected = (Some(run.clone()), Some(Scope::Request("a".into())));
        assert_eq!(both.as_mut().poll(&mut context), Poll::Ready(expected));
    }
}
