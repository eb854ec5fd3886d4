//! Effects are the calls that leave the isolate: to the database, to KV, over HTTP. They are counted, and a test may
//! give the k-th effect another fate: the isolate dies before or after it, it fails in one of several forms, it comes
//! late, or it is held.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What happens to one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The isolate dies just before the effect.
    CutBefore,
    /// The isolate dies just after the effect.
    CutAfter,
    /// The effect does not happen, and its answer is lost.
    LostBefore,
    /// The effect happens, and its answer is lost.
    LostAfter,
    /// The effect happens, and its answer says that it was refused.
    RefusedAfter,
    /// The database refuses the effect, which does not happen.
    RefusedBefore,
    /// The answer is lost, and the effect happens later: when [`Effects::land`] is called.
    Late,
    /// The same as `Late`, but the effect happens only after recovery has ended.
    Later,
    /// The operation is held just before the effect, and continues when it is polled again.
    HeldBefore,
    /// The operation is held just after the effect, and continues when it is polled again.
    HeldAfter,
}

impl Fate {
    /// The fates that a failure in production can cause. Being held is only for tests of interleavings.
    pub const ALL: [Self; 4] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::LostBefore,
        Self::LostAfter,
    ];

    pub const fn is_cut(self) -> bool {
        matches!(self, Self::CutBefore | Self::CutAfter)
    }

    /// The answer is lost, and the effect happens only later.
    pub const fn is_late(self) -> bool {
        matches!(self, Self::Late | Self::Later)
    }

    pub const fn happens(self) -> bool {
        !matches!(
            self,
            Self::CutBefore | Self::LostBefore | Self::RefusedBefore
        ) && !self.is_late()
    }
}

/// A future that is pending for one poll.
#[derive(Default)]
struct OnePoll(bool);

impl Future for OnePoll {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// Runs one effect with its fate. Returns `None` if the answer is lost.
pub async fn meet<T>(fate: Option<Fate>, effect: impl FnOnce() -> T) -> Option<T> {
    if fate == Some(Fate::HeldBefore) {
        OnePoll::default().await;
    }
    let result = fate.is_none_or(Fate::happens).then(effect);
    match fate {
        Some(fate) if fate.is_cut() => std::future::pending().await,
        Some(Fate::HeldAfter) => OnePoll::default().await,
        _ => {}
    }
    result.filter(|_| fate != Some(Fate::LostAfter))
}

/// The effects of one operation: how many there were, and which of them meet which fate.
#[derive(Clone, Default)]
pub struct Effects(Rc<State>);

#[derive(Default)]
struct State {
    count: Cell<usize>,
    plan: RefCell<Vec<(usize, Fate)>>,
    /// The isolate has died, so nothing that it began has any further effect.
    dead: Cell<bool>,
    names: RefCell<Vec<String>>,
    late: RefCell<Vec<Box<dyn FnOnce()>>>,
    between: RefCell<Option<Between>>,
}

/// An action that runs just before each effect. Its argument is the name of the effect.
pub type Between = Box<dyn FnMut(&str)>;

impl Effects {
    /// Starts counting effects again from 0; the `k`-th effect meets `fate`.
    pub fn plan(&self, fates: &[(usize, Fate)]) {
        self.0.count.set(0);
        self.0.dead.set(false);
        self.0.names.borrow_mut().clear();
        *self.0.plan.borrow_mut() = fates.to_vec();
    }

    /// The number of effects since the last plan.
    pub fn count(&self) -> usize {
        self.0.count.get()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.names.borrow().clone()
    }

    /// Keeps an effect that is to happen later.
    pub fn keep(&self, effect: impl FnOnce() + 'static) {
        self.0.late.borrow_mut().push(Box::new(effect));
    }

    /// Runs all effects that were kept. Returns how many there were.
    pub fn land(&self) -> usize {
        let late = std::mem::take(&mut *self.0.late.borrow_mut());
        let landed = late.len();
        late.into_iter().for_each(|effect| effect());
        landed
    }

    /// Drops everything that was kept to happen later, with what it holds.
    pub fn forget(&self) {
        self.0.late.borrow_mut().clear();
        self.between(None);
    }

    /// Runs `act` just before each effect from now on; `None` ends that.
    pub fn between(&self, act: Option<Between>) {
        *self.0.between.borrow_mut() = act;
    }

    /// Counts one effect and returns its fate.
    pub fn next(&self, name: String) -> Option<Fate> {
        if self.0.dead.get() {
            return Some(Fate::CutBefore);
        }
        // The action is taken out while it runs, because it may have effects itself.
        let act = self.0.between.borrow_mut().take();
        if let Some(mut act) = act {
            act(&name);
            self.0.between.borrow_mut().get_or_insert(act);
        }
        let k = self.0.count.get();
        self.0.count.set(k + 1);
        self.0.names.borrow_mut().push(name);
        let plan = self.0.plan.borrow();
        let fate = plan.iter().find(|(n, _)| *n == k).map(|(_, fate)| *fate);
        self.0.dead.set(fate.is_some_and(Fate::is_cut));
        fate
    }
}
