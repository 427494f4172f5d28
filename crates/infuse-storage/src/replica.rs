use std::sync::{Arc, atomic::Ordering};

use infuse_core::{Breaker, Outcome, Replica, State, StateChange};

use crate::{
    hub::{Hub, lock},
    node::Node,
    trust::Reaches,
};

impl Node {
    /// The hub, while circuits are shared.
    fn sharing(&self) -> Option<Arc<Hub>> {
        self.hub.upgrade().filter(|hub| !hub.standing.is_alone())
    }

    fn count_failure(&self, hub: &Hub) {
        // Relaxed: a coarse time that orders nothing.
        self.failed.store(hub.ticks.last(), Ordering::Relaxed);
        // The replicator comes by itself for what waits already: a storm of failures does not
        // wake it each time.
        if self.enqueue_quietly(|pending| pending.failures = true) {
            hub.wake();
        }
    }
}

impl Replica for Node {
    fn counted(&self, failures: u32) {
        // Successes are not reported: looks carry the age of the last one.
        if failures == 0 {
            // Relaxed: a run that is taken for the one before reports less for a moment.
            self.runs.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if let Some(hub) = self.sharing() {
            self.count_failure(&hub);
        }
    }

    fn tripped(&self) {
        let Some(hub) = self.sharing() else { return };
        let now = hub.now();
        let (presented, reaches) = {
            let mut known = lock(&self.known);
            let (fleet, others_fail) = (known.state, known.count.others_fail());
            let reaches = known.trust.trip(now, fleet, others_fail);
            // Under the lock, so that a change of the fleet that comes now is the last word.
            self.alone.store(reaches == Reaches::Here, Ordering::Relaxed);
            (known.presented(now), reaches)
        };
        match reaches {
            Reaches::Here => self.count_failure(&hub),
            Reaches::Fleet => {
                lock(&self.pace).charge_trip(now);
                self.enqueue(|pending| {
                    pending.failures = false;
                    pending.trip = Some(Box::new(presented));
                });
            }
        }
    }

    fn trial_over(&self, token: u64, outcome: Outcome) {
        if let Some(hub) = self.hub.upgrade() {
            hub.trial_over(token);
        }
        let Some(hub) = self.sharing() else { return self.count_here([outcome]) };
        self.enqueue(|pending| pending.settles.push((token, outcome)));
        // Lost in between, or over: nobody comes for it any more.
        if hub.standing.is_alone() {
            self.forget_pending();
        }
    }

    fn changed(&self, breaker: &Breaker, change: StateChange) {
        // Unless it has opened again before this is told.
        if change.to == State::Closed && breaker.state() == State::Closed {
            self.alone.store(false, Ordering::Relaxed);
        }
        tracing::info!(
            target: "infuse",
            circuit = breaker.name(),
            from = change.from.as_str(),
            to = change.to.as_str(),
            cause = change.cause.as_str(),
            remote = change.remote,
            "circuit {} is {}",
            breaker.name(),
            change.to,
        );
    }
}
