use std::{sync::Arc, task::Poll, time::Duration};

use infuse_storage::{CircuitPermit, Fault, FaultKind, Outcome, core::Verdict};
use tokio::time::Instant;

use crate::durations::Durations;

/// The say of one call on its circuit, given once. Dropped, it says nothing, unless the service has
/// kept the call waiting for as long as the policy takes for
/// [abandoned](infuse_storage::Policy::abandoned_after). What the call waits for before it is made
/// is no wait for the service.
pub(super) struct Guard {
    permit: Option<CircuitPermit>,
    /// Where it is written down how long that was.
    durations: Option<Arc<Durations>>,
    /// How long the service has kept the call waiting, apart from the wait that lasts.
    waited: Duration,
    /// Since when it keeps the call waiting.
    since: Option<Instant>,
}

impl Guard {
    pub(super) fn new(permit: CircuitPermit, durations: Option<Arc<Durations>>) -> Self {
        Self { permit: Some(permit), durations, waited: Duration::ZERO, since: None }
    }

    /// Runs the service's code. A panic that comes out of it is a failure, and goes on.
    pub(super) fn during<T>(&mut self, run: impl FnOnce() -> T) -> T {
        struct Panicked<'a>(Option<&'a mut Guard>);
        impl Drop for Panicked<'_> {
            fn drop(&mut self) {
                if let Some(guard) = &mut self.0 {
                    guard.settle(failure(FaultKind::Panic));
                }
            }
        }
        let mut panicked = Panicked(Some(&mut *self));
        let done = run();
        panicked.0 = None;
        done
    }

    /// The call is made only now, after a wait for the service to be ready.
    pub(super) fn begin_call(&mut self) {
        if let Some(permit) = &mut self.permit {
            permit.begin_call();
        }
    }

    /// Polls what the service is to answer, as [`during`](Self::during). The call waits for it while
    /// that is pending.
    pub(super) fn watch<T>(&mut self, poll: impl FnOnce() -> Poll<T>) -> Poll<T> {
        let polled = self.during(poll);
        match &polled {
            Poll::Pending => {
                self.since.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => {
                self.waited = self.waited();
                self.since = None;
            }
        }
        polled
    }

    /// Whether the service keeps the call waiting.
    pub(super) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    fn waited(&self) -> Duration {
        self.waited.saturating_add(self.since.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    pub(super) fn settle(&mut self, verdict: impl Into<Verdict>) {
        if let Some(permit) = self.permit.take() {
            if let Some(durations) = &self.durations {
                durations.record(self.waited());
            }
            permit.settle(verdict);
        }
    }

    /// Whether the caller has gone away from a service that did not answer for too long.
    fn is_abandoned(&self) -> bool {
        let after =
            self.permit.as_ref().and_then(|permit| permit.breaker().policy().abandoned_after());
        self.is_waiting() && after.is_some_and(|after| self.waited() >= after)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.permit.is_some() {
            let verdict = match self.is_abandoned() {
                true => failure(FaultKind::Abandoned),
                false => Outcome::Ignored.into(),
            };
            // Said, and not left to the permit: that would count the time of a slow reader too.
            self.settle(verdict);
        }
    }
}

fn failure(kind: FaultKind) -> Verdict {
    Verdict::from(Outcome::Failure).fault(Fault::new(kind))
}
