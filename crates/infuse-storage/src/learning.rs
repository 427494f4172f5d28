//! What a circuit does with what the storage says.

use std::{sync::atomic::Ordering, time::Duration};

use infuse_core::{Breaker, Cause, Shared, State, StateChange};
use tokio::time::Instant;

use crate::{
    Thresholds, View,
    count::Here,
    hub::{Hub, lock},
    known::{Asked, Heard, Step},
    node::Node,
};

impl Node {
    /// Takes over what the storage says, unless it is older than what is known.
    pub(crate) fn learn(&self, hub: &Hub, view: &View, heard: Heard<'_>) {
        let Some(breaker) = self.breaker() else { return };
        let policy = breaker.policy();
        let (change, suspect) = {
            let mut known = lock(&self.known);
            let here = self.here(hub, &breaker, policy.reset_timeout());
            let learnt = known.learn(view, heard, &here);
            let change = match learnt.step {
                Step::Nothing => None,
                Step::Follow => self.follow(hub, &breaker, view),
                Step::Refresh => refresh(&breaker, view),
                Step::TryHere => self.try_here(hub, &breaker),
            };
            (change, learnt.suspect)
        };
        if let Some(change) = change {
            breaker.announce(change);
        }
        if let (true, Some(suspicion), Some(me)) = (suspect, view.suspicion, self.me.upgrade()) {
            tracing::debug!(
                target: "infuse",
                circuit = breaker.name(),
                by = %suspicion.by,
                failures = view.failures,
                first_failure = ?suspicion.first_failure,
                "circuit {} is suspect",
                breaker.name(),
            );
            hub.suspect(me);
        }
        self.compare(&breaker, Thresholds::from(&policy), view.thresholds);
    }

    fn here(&self, hub: &Hub, breaker: &Breaker, reset_timeout: Duration) -> Here {
        Here {
            now: hub.now(),
            at: Instant::now(),
            process: self.process(hub),
            state: breaker.state(),
            run: self.run(breaker),
            stamp: breaker.last_success_tick(),
            reset_timeout,
        }
    }

    /// [`learn`](Self::learn) from a look, which also finds out a breaker that stands apart.
    pub(crate) fn learn_by_look(&self, hub: &Hub, view: &View, asked: &Asked) {
        self.learn(hub, view, Heard::Answered(asked));
        let Some(breaker) = self.breaker() else { return };
        let change = {
            let mut known = lock(&self.known);
            known.looked_at = Some(Instant::now());
            known.seen_success = breaker.last_success_tick();
            let apart = breaker.state() != known.state
                && !self.decides_alone()
                && !self.has_change_to_tell();
            // Twice: at the first time the breaker may just have changed and not said so yet.
            let apart_again = apart && known.apart;
            known.apart = apart && !apart_again;
            if apart_again && known.agrees(view) { self.follow(hub, &breaker, view) } else { None }
        };
        if let Some(change) = change {
            breaker.announce(change);
        }
    }

    /// The storage is back: what it says next is taken whatever the breaker did meanwhile, and
    /// nothing of that is told.
    pub(crate) fn begin_return(&self) {
        self.forget();
        self.alone.store(false, Ordering::Relaxed);
        lock(&self.known).returning = true;
    }

    /// Brings the breaker to what the view says.
    fn follow(&self, hub: &Hub, breaker: &Breaker, view: &View) -> Option<StateChange> {
        self.alone.store(false, Ordering::Relaxed);
        let here = view.by.is_some_and(|by| by == hub.process || by == self.process(hub));
        breaker.adopt_quietly(Shared {
            state: view.state,
            left: view.time_left,
            open_for: view.open_for,
            successes: view.successes,
            renew: true,
            cause: view.cause,
            remote: !here,
        })
    }

    /// Open here and closed in the fleet, after a loss: a trial without a lease decides.
    fn try_here(&self, hub: &Hub, breaker: &Breaker) -> Option<StateChange> {
        let opened_at = breaker.opened_at().unwrap_or_else(|| hub.time.wall());
        self.alone.store(true, Ordering::Relaxed);
        breaker.adopt_quietly(Shared {
            state: State::HalfOpen,
            left: Duration::ZERO,
            open_for: hub.time.wall().duration_since(opened_at).unwrap_or_default(),
            successes: 0,
            renew: true,
            cause: Cause::Adopted,
            remote: false,
        })
    }

    /// Says once that processes go by different thresholds.
    fn compare(&self, breaker: &Breaker, here: Thresholds, there: Option<Thresholds>) {
        let Some(there) = there.filter(|there| *there != here) else { return };
        {
            let mut terms = lock(&self.terms);
            if terms.warned || terms.before.as_deref() == Some(&there) {
                return;
            }
            terms.warned = true;
        }
        tracing::warn!(
            target: "infuse",
            circuit = breaker.name(),
            ?here,
            ?there,
            "processes go by different thresholds for circuit {}: {here:?} here, {there:?} in \
             the one that last reported failures",
            breaker.name(),
        );
    }
}

/// The same view again: only its times are news, and only to a breaker that agrees.
fn refresh(breaker: &Breaker, view: &View) -> Option<StateChange> {
    if view.state == State::Closed || breaker.state() != view.state {
        return None;
    }
    // An event that was under way for a while says how much was left when it was sent.
    let left = match view.state {
        State::Open => view.time_left.min(breaker.retry_after().unwrap_or_default()),
        State::Closed | State::HalfOpen => view.time_left,
    };
    breaker.adopt_quietly(Shared {
        state: view.state,
        left,
        open_for: view.open_for,
        successes: view.successes,
        renew: false,
        cause: view.cause,
        remote: false,
    })
}
