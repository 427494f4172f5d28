//! What a shared circuit has beside its breaker: what the storage last said, and what is still to
//! be told to it.

use std::{
    mem,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use infuse_core::{Breaker, Outcome, Policy, State};
use tokio::time::Instant;

use crate::{
    CircuitKey, ProcessId, Thresholds,
    alone::{Alone, StandsAlone},
    budget::Budget,
    hub::{Hub, lock},
    known::{Asked, Known},
    pace::Pace,
    pending::Pending,
    random,
    run::Run,
    snapshot::Seen,
};

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: CircuitKey,
    pub(crate) hub: Weak<Hub>,
    pub(crate) me: Weak<Node>,
    breaker: OnceLock<Weak<Breaker>>,
    /// What it goes by in the storage, unless that is what the participant goes by: 0 then.
    process: AtomicU64,
    pub(crate) known: Mutex<Known>,
    pending: Mutex<Pending>,
    /// How many runs of failures have ended.
    pub(crate) runs: AtomicU32,
    /// How many failures of the present run are no matter for others.
    pub(crate) locals: AtomicU32,
    /// The tick at the last failure.
    pub(crate) failed: AtomicU32,
    /// Whether a caller of this process is asking for a lease: the others are rejected at once.
    asking: AtomicBool,
    pub(crate) limits: Mutex<Limits>,
    /// Whether the breaker decides by itself while the fleet's circuit is closed.
    pub(crate) alone: StandsAlone,
}

/// What bounds how much a circuit sends, and says. Under one lock: there are many circuits.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    pub(crate) budget: Budget,
    pub(crate) pace: Pace,
    pub(crate) terms: Terms,
}

/// What was said of thresholds that differ.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    pub(crate) warned: bool,
    /// What held here before, which the storage may still show.
    pub(crate) before: Option<Box<Thresholds>>,
}

impl Node {
    pub(crate) fn new(key: CircuitKey, hub: Weak<Hub>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            key,
            hub,
            me: me.clone(),
            breaker: OnceLock::new(),
            process: AtomicU64::new(0),
            known: Mutex::new(Known::nothing()),
            pending: Mutex::default(),
            runs: AtomicU32::new(0),
            locals: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            asking: AtomicBool::new(false),
            limits: Mutex::default(),
            alone: StandsAlone::default(),
        })
    }

    /// Ties the node to its breaker, once.
    pub(crate) fn attach(&self, breaker: &Arc<Breaker>) {
        // A second call would be for the same breaker.
        let _ = self.breaker.set(Arc::downgrade(breaker));
    }

    pub(crate) fn breaker(&self) -> Option<Arc<Breaker>> {
        self.breaker.get()?.upgrade()
    }

    /// Goes by an id of its own, because another circuit of this participant has the same key.
    pub(crate) fn go_by(&self, process: ProcessId) {
        // Relaxed, also below: told once, before anybody has seen it.
        self.process.store(process.as_u64(), Ordering::Relaxed);
    }

    pub(crate) fn process(&self, hub: &Hub) -> ProcessId {
        match self.process.load(Ordering::Relaxed) {
            0 => hub.process,
            own => ProcessId::from_u64(own),
        }
    }

    pub(crate) fn generation(&self) -> u64 {
        lock(&self.known).generation
    }

    pub(crate) fn seen(&self, now: Duration) -> Seen {
        let known = lock(&self.known);
        Seen {
            counts: known.seldom().map(|seldom| seldom.counts).unwrap_or_default(),
            generation: known.generation,
            view_age: known.heard_at.map(|at| now.saturating_sub(at.time())),
            suspect: known.count.suspected.is_some(),
            failures: known.count.failures,
        }
    }

    /// What is known at the moment, for a verb that is about to be sent.
    pub(crate) fn ask_storage(&self, now: Duration) -> Asked {
        lock(&self.known).ask(now, None)
    }

    /// When a command that can be put off may be sent.
    pub(crate) fn next_command(&self, now: Instant) -> Instant {
        lock(&self.limits).budget.next(now)
    }

    /// A command about this circuit is sent.
    pub(crate) fn charge(&self) {
        lock(&self.limits).budget.charge(Instant::now());
    }

    pub(crate) fn run(&self, breaker: &Breaker) -> Run {
        // Relaxed, and before the failures: one that ends in between counts as ended.
        let number = self.runs.load(Ordering::Relaxed);
        let locals = self.locals.load(Ordering::Relaxed);
        Run { number, failures: breaker.fail_counter().saturating_sub(locals) }
    }

    /// The policy is about to change.
    pub(crate) fn thresholds_change(&self, before: &Policy) {
        let before = Some(Box::new(Thresholds::from(before)));
        lock(&self.limits).terms = Terms { warned: false, before };
    }

    /// How long the circuit would be open if the calls of all processes opened it now.
    pub(crate) fn open_time(&self, hub: &Hub, breaker: &Breaker, policy: &Policy) -> Duration {
        let snapshot = breaker.snapshot();
        // Opening while it recovers is one more trial that failed.
        let failed = match snapshot.ramp {
            Some(_) => snapshot.failed_trials.saturating_add(1),
            None => 0,
        };
        let held_off = lock(&self.known).held_off(hub.now());
        policy.open_time(failed, random::fraction()).max(held_off)
    }

    pub(crate) fn is_suspect(&self) -> bool {
        lock(&self.known).count.suspected.is_some()
    }

    /// Becomes the one that asks for a lease; `None` if another caller already does, or if so
    /// many have that it is to wait.
    pub(crate) fn ask(self: &Arc<Self>, now: Duration, max_calls: u32) -> Option<Asking> {
        // AcqRel: what the last one learnt is seen by the next.
        if self.asking.swap(true, Ordering::AcqRel) {
            return None;
        }
        let asking = Asking(Arc::clone(self));
        lock(&self.limits).pace.allows(now, max_calls).then_some(asking)
    }

    pub(crate) fn decides_alone(&self) -> bool {
        self.alone.get() != Alone::No
    }
}

/// What is to be told.
impl Node {
    /// Whether it is time to look: the circuit was used since the last look, or is not closed, or
    /// has an override, which a storage that lost it is to have back soon; or it has been idle for
    /// long.
    pub(crate) fn wants_look(&self, now: Instant, idle: Duration) -> bool {
        let Some(breaker) = self.breaker() else { return false };
        let known = lock(&self.known);
        known.looked_at.is_none_or(|at| now.duration_since(at) >= idle)
            || known.state != State::Closed
            || known.count.suspected.is_some()
            || known.has_override()
            || breaker.state() != State::Closed
            || breaker.fail_counter() > 0
            || breaker.last_success_tick() != known.seen_success
            || breaker.has_deltas()
    }

    pub(crate) fn looked_at(&self) -> Option<Instant> {
        lock(&self.known).looked_at
    }

    /// Wants a look at once, whether or not there was one.
    pub(crate) fn want_look(&self) {
        lock(&self.known).looked_at = None;
        self.enqueue(|pending| pending.look = true);
    }

    /// Takes what is to be told.
    pub(crate) fn take_pending(&self) -> Pending {
        mem::take(&mut *lock(&self.pending))
    }

    /// Whether a change of the circuit is still to be told.
    pub(crate) fn has_change_to_tell(&self) -> bool {
        lock(&self.pending).is_due()
    }

    /// Whether there may be something to tell the storage: more than that a look is wanted.
    pub(crate) fn has_to_tell(&self) -> bool {
        let pending = lock(&self.pending);
        pending.is_due() || pending.reports
    }

    /// Puts a report off.
    pub(crate) fn put_off_report(&self) {
        self.enqueue_quietly(|pending| pending.reports = true);
    }

    /// The storage is lost: drops what was to be told, and what it had said that cannot last.
    pub(crate) fn forget(&self) {
        self.forget_pending();
        let Some(breaker) = self.breaker() else { return };
        let run = self.run(&breaker);
        lock(&self.known).forget(run);
    }

    /// Drops what was to be told.
    pub(crate) fn forget_pending(&self) {
        let settles = self.take_pending().take_changes().settles;
        self.count_here(settles.into_iter().map(|settled| settled.outcome));
    }

    /// Successful trials of which the storage will not hear count here.
    pub(crate) fn count_here(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        let Some(breaker) = self.breaker() else { return };
        for _ in outcomes.into_iter().filter(|outcome| *outcome == Outcome::Success) {
            breaker.count_trial_success();
        }
    }

    pub(crate) fn enqueue(&self, add: impl FnOnce(&mut Pending)) {
        self.enqueue_quietly(add);
        if let Some(hub) = self.hub.upgrade() {
            hub.wake();
        }
    }

    /// Whether there was nothing to tell before.
    pub(crate) fn enqueue_quietly(&self, add: impl FnOnce(&mut Pending)) -> bool {
        let Some(hub) = self.hub.upgrade() else { return false };
        let first = {
            let mut pending = lock(&self.pending);
            add(&mut pending);
            !mem::replace(&mut pending.queued, true)
        };
        if let (true, Some(me)) = (first, self.me.upgrade()) {
            hub.enqueue(me);
        }
        first
    }
}

/// Held by the one caller of a process that asks for a lease.
#[derive(Debug)]
pub(crate) struct Asking(Arc<Node>);

impl Asking {
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.0
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        // Release: pairs with the swap in `ask`.
        self.0.asking.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_small() {
        let size = size_of::<Node>();
        assert!(size <= 288, "{size} bytes");
    }
}
