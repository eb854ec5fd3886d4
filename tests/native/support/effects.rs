//! Effects are counted, and the k-th may be given another fate: cut before or after it, failed in both forms, or held.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// What becomes of one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The isolate dies just before it.
    CutBefore,
    /// The isolate dies just after it.
    CutAfter,
    /// It does not happen, and its answer is lost.
    LostBefore,
    /// It happens, and its answer is lost.
    LostAfter,
    /// It happens, and its answer says that it was refused.
    RefusedAfter,
    /// Its answer is lost, and it happens only later: when [`Effects::land`] is called.
    Late,
    /// The same, and later than any recovery.
    Later,
    /// The operation is held just before it, and goes on when it is polled again.
    HeldBefore,
    /// … just after it.
    HeldAfter,
}

impl Fate {
    /// What bad luck does; being held is for interleavings.
    pub const ALL: [Self; 4] = [
        Self::CutBefore,
        Self::CutAfter,
        Self::LostBefore,
        Self::LostAfter,
    ];

    pub const fn is_cut(self) -> bool {
        matches!(self, Self::CutBefore | Self::CutAfter)
    }

    /// Its answer is lost, and it happens only later.
    pub const fn is_late(self) -> bool {
        matches!(self, Self::Late | Self::Later)
    }

    pub const fn happens(self) -> bool {
        !matches!(self, Self::CutBefore | Self::LostBefore) && !self.is_late()
    }
}

/// Waits for one poll.
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

/// Runs one effect to its fate. `None` is a lost answer.
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

/// The effects of one operation: how many there were, and which one meets its fate.
#[derive(Clone, Default)]
pub struct Effects(Rc<State>);

#[derive(Default)]
struct State {
    count: Cell<usize>,
    plan: RefCell<Vec<(usize, Fate)>>,
    names: RefCell<Vec<String>>,
    late: RefCell<Vec<Box<dyn FnOnce()>>>,
    between: RefCell<Option<Between>>,
}

/// Somebody who acts whenever nothing else does, told which effect comes next.
pub type Between = Box<dyn FnMut(&str)>;

impl Effects {
    /// From here on effects are counted anew; the `k`-th (from 0) meets `fate`.
    pub fn plan(&self, fates: &[(usize, Fate)]) {
        self.0.count.set(0);
        self.0.names.borrow_mut().clear();
        *self.0.plan.borrow_mut() = fates.to_vec();
    }

    /// Effects since the last plan.
    pub fn count(&self) -> usize {
        self.0.count.get()
    }

    pub fn names(&self) -> Vec<String> {
        self.0.names.borrow().clone()
    }

    /// Keeps an effect that is to land later.
    pub fn keep(&self, effect: impl FnOnce() + 'static) {
        self.0.late.borrow_mut().push(Box::new(effect));
    }

    /// Lets everything land that was kept; how much that was.
    pub fn land(&self) -> usize {
        let late = std::mem::take(&mut *self.0.late.borrow_mut());
        let landed = late.len();
        late.into_iter().for_each(|effect| effect());
        landed
    }

    /// Has somebody act just before each effect from now on, until it is taken away.
    pub fn between(&self, act: Option<Between>) {
        *self.0.between.borrow_mut() = act;
    }

    /// Counts one effect and says what becomes of it.
    pub fn next(&self, name: String) -> Option<Fate> {
        // Taken out meanwhile: what it does may have effects of its own.
        let act = self.0.between.borrow_mut().take();
        if let Some(mut act) = act {
            act(&name);
            self.0.between.borrow_mut().get_or_insert(act);
        }
        let k = self.0.count.get();
        self.0.count.set(k + 1);
        self.0.names.borrow_mut().push(name);
        let plan = self.0.plan.borrow();
        plan.iter().find(|(n, _)| *n == k).map(|(_, fate)| *fate)
    }
}
