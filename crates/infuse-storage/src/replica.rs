use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use infuse_core::{Breaker, Cause, Fault, Opened, Origin, Replica, State, StateChange, TrialOver};
use tokio::time::Instant;

use crate::{
    alone::Alone,
    hub::{Hub, lock},
    node::Node,
    pending::{Settled, Tripped},
    said,
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
        self.want_report(hub);
    }

    pub(crate) fn want_report(&self, hub: &Hub) {
        // The replicator comes by itself for what waits already: a storm of failures does not
        // wake it each time.
        if self.enqueue_quietly(|pending| pending.reports = true) {
            hub.wake();
        }
    }

    /// A failure of our own side of the wire is no matter for others: it is left out of what they
    /// are told of the run, which is so long now.
    fn count_local(&self, failures: u32, local: bool) {
        // Relaxed: for a moment a run may be told too short. The first of a run begins anew.
        if failures <= 1 {
            self.locals.store(local.into(), Ordering::Relaxed);
        } else if local {
            self.locals.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Replica for Node {
    fn counted(&self, failures: u32, origin: Origin, _: Option<Fault>) {
        // Successes are not reported: looks carry the age of the last one.
        if failures == 0 {
            // Relaxed: a run that is taken for the one before reports less for a moment.
            self.runs.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let local = origin == Origin::Local;
        self.count_local(failures, local);
        if let (false, Some(hub)) = (local, self.sharing()) {
            self.count_failure(&hub);
        }
    }

    fn tripped(&self, opened: Opened) {
        let Some(breaker) = self.breaker() else { return };
        // Of which the last was, is not told: better one too few.
        self.count_local(breaker.fail_counter(), opened.local);
        let Some(hub) = self.sharing() else { return };
        let (now, at) = (hub.now(), Instant::now());
        let may_ask = self.next_command(at) <= at;
        let (presented, reaches) = {
            let mut known = lock(&self.known);
            let (reaches, alone) = known.trip(now, opened, self.alone.get(), may_ask);
            // Under the lock, so that a change of the fleet that comes now is the last word.
            self.alone.set(alone);
            (known.presented(now), reaches)
        };
        match reaches {
            Reaches::Here if opened.local => {}
            Reaches::Here => self.count_failure(&hub),
            Reaches::Fleet => {
                lock(&self.limits).pace.charge_trip(now);
                let until = now.saturating_add(opened.open_time).into();
                self.enqueue(|pending| {
                    pending.reports = false;
                    let Opened { cause, fault, .. } = opened;
                    let trip = Tripped { presented, cause, fault, until };
                    pending.changes().trip = Some(trip);
                });
            }
        }
    }

    fn trial_over(&self, over: TrialOver) {
        let TrialOver { token, outcome, open_time, fault, .. } = over;
        if let Some(hub) = self.hub.upgrade() {
            hub.trial_over(token);
        }
        let Some(hub) = self.sharing() else { return self.count_here([outcome]) };
        let until = hub.now().saturating_add(open_time).into();
        let settled = Settled { token, outcome, fault, until };
        self.enqueue(|pending| pending.changes().settles.push(settled));
        // Lost in between, or over: nobody comes for it any more.
        if hub.standing.is_alone() {
            self.forget_pending();
        }
    }

    fn held_off(&self, left: Duration) {
        let Some(hub) = self.hub.upgrade() else { return };
        let apart = hub.options.sync_interval;
        let news = lock(&self.known).hold_off(left, apart, hub.now());
        if news && !hub.standing.is_alone() {
            self.want_report(&hub);
        }
    }

    fn changed(&self, breaker: &Breaker, change: StateChange) {
        // Unless it has opened again before this is told.
        if change.to == State::Closed && breaker.state() == State::Closed {
            self.alone.set(Alone::No);
        }
        let commanded = matches!(change.cause, Cause::Manual | Cause::Seed | Cause::Fallback);
        let here = self.hub.upgrade().map(|hub| (self.process(&hub), hub.time.wall()));
        let told = {
            let mut known = lock(&self.known);
            if !change.remote && (change.to == State::Closed || commanded) {
                known.end_hold_off();
            }
            here.map(|(me, wall)| known.story_mut().tell(&change, me, wall))
        };
        said::say(breaker, &change, told.as_ref());
    }
}
