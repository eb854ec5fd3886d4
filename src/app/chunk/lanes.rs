//! The calls of a chunk: at most six run at once, and a service that asks for patience gets it from all of them.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::app::chunk::shared::Shared;
use crate::app::context::App;
use crate::domain::key::generation::SEND_WITHIN_SECS;
use crate::domain::time::Timestamp;
use crate::ports::{Call, Clock, HttpClient, LocalFuture, Outcome};

/// The number of calls that run at once. An invocation may have six connections open. Source: the limits in Cloudflare's
/// documentation of Workers.
const LANES: usize = 6;
/// The longest time, in seconds, that all calls wait because a service asked for it.
const PATIENCE_SECS: u32 = 30;
/// The wait if the service does not say how long, in seconds.
const UNSAID_SECS: u32 = 1;
/// How often one call is sent again after such a wait.
const WAITS: u32 = 3;
/// After this many refusals in a row that concern all calls, no further one is sent.
const REFUSALS: u32 = 3;

/// The HTTP client of the rows of a chunk.
pub struct Lanes {
    inner: Rc<dyn HttpClient>,
    clock: Rc<dyn Clock>,
    shared: Rc<Shared>,
}

impl Lanes {
    pub fn new(app: &App, shared: Rc<Shared>) -> Self {
        Self {
            inner: Rc::clone(&app.http),
            clock: Rc::clone(&app.clock),
            shared,
        }
    }

    /// Waits for a lane while none is free, or while all wait.
    async fn lane(&self) -> Lane<'_> {
        poll_fn(|_| {
            if self.shared.paused.get() || self.shared.calls.get() >= LANES {
                self.shared.waits_here.set(true);
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        self.shared
            .calls
            .set(self.shared.calls.get().saturating_add(1));
        Lane(&self.shared)
    }

    /// When it is too late to send a call. One that says nothing of this waits as long as any other may, so that a chunk
    /// ends in time even if a service answers slowly.
    fn send_by(&self, call: &Call) -> Timestamp {
        let gathered_at = self.shared.gathered_at.get();
        call.send_by
            .unwrap_or_else(|| gathered_at.plus(SEND_WITHIN_SECS))
    }

    /// Counts refusals in a row that concern the credential, or all calls.
    fn noted(&self, outcome: Outcome) -> Outcome {
        let mut refused = self.shared.refused.borrow_mut();
        *refused = match &outcome {
            Outcome::Answer(answer) if matches!(answer.status, 401 | 403 | 429) => {
                (refused.0.saturating_add(1), Some(outcome.clone()))
            }
            _ => (0, None),
        };
        outcome
    }

    /// Lets all calls wait.
    async fn pause(&self, secs: u32) {
        self.shared.paused.set(true);
        self.clock.pause(secs.saturating_mul(1_000)).await;
        self.shared.paused.set(false);
        self.shared.moved.set(true);
    }
}

/// A lane in use. It is free again when this is dropped.
struct Lane<'a>(&'a Shared);

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.0.calls.set(self.0.calls.get().saturating_sub(1));
        self.0.moved.set(true);
    }
}

impl HttpClient for Lanes {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        Box::pin(async move {
            let mut waits = 0_u32;
            loop {
                let lane = self.lane().await;
                if self.clock.now() > self.send_by(&call) {
                    return Outcome::Unknown;
                }
                if let (REFUSALS.., Some(refusal)) = &*self.shared.refused.borrow() {
                    return refusal.clone();
                }
                let outcome = self.inner.send(call.clone()).await;
                let asked = match &outcome {
                    Outcome::Answer(answer) if answer.status == 429 => {
                        answer.retry_after_secs().unwrap_or(UNSAID_SECS)
                    }
                    _ => return self.noted(outcome),
                };
                waits = waits.saturating_add(1);
                if waits > WAITS || asked > PATIENCE_SECS {
                    return self.noted(outcome);
                }
                // Another call may have been told the same meanwhile.
                if !self.shared.paused.get() {
                    self.pause(asked).await;
                }
                drop(lane);
            }
        })
    }
}
