//! What a shared circuit has beside its breaker: what the storage last said, and what is still to
//! be told to it.

use std::{
    mem,
    sync::{
        Arc, Mutex, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use infuse_core::{Breaker, Cause, Outcome, Replica, Shared, State, StateChange};
use tokio::time::Instant;

use crate::{
    CircuitKey, Presented, View,
    hub::{Hub, lock},
    known::Known,
    pace::Pace,
};

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) key: CircuitKey,
    hub: Weak<Hub>,
    me: Weak<Node>,
    breaker: OnceLock<Weak<Breaker>>,
    known: Mutex<Known>,
    pending: Mutex<Pending>,
    /// Whether a caller of this process is asking for a lease: the others are rejected at once.
    asking: AtomicBool,
    pace: Mutex<Pace>,
    /// Whether the next trial needs no lease: the circuit was open here and closed in the fleet
    /// when the storage came back.
    local_trial: AtomicBool,
}

/// What is still to be told to the storage. One entry a kind, so it cannot grow but by the trials
/// in flight.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Whether the node stands in the hub's queue.
    queued: bool,
    pub(crate) look: bool,
    /// Whether failures were counted. How many there are is asked when they are told.
    pub(crate) failures: bool,
    /// What the process knew when it tripped.
    pub(crate) trip: Option<Presented>,
    pub(crate) settles: Vec<(u64, Outcome)>,
}

impl Pending {
    fn is_due(&self) -> bool {
        self.trip.is_some() || !self.settles.is_empty()
    }
}

impl Node {
    pub(crate) fn new(key: CircuitKey, hub: Weak<Hub>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            key,
            hub,
            me: me.clone(),
            breaker: OnceLock::new(),
            known: Mutex::new(Known::NOTHING),
            pending: Mutex::default(),
            asking: AtomicBool::new(false),
            pace: Mutex::default(),
            local_trial: AtomicBool::new(false),
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

    pub(crate) fn generation(&self) -> u64 {
        lock(&self.known).generation
    }

    /// What a verb presents.
    pub(crate) fn presented(&self, now: Duration) -> Presented {
        lock(&self.known).presented(now)
    }

    /// Becomes the one that asks for a lease; `None` if another caller already does, or if so
    /// many have that it is to wait.
    pub(crate) fn ask(self: &Arc<Self>, now: Duration, max_calls: u32) -> Option<Asking> {
        // AcqRel: what the last one learnt is seen by the next.
        if self.asking.swap(true, Ordering::AcqRel) {
            return None;
        }
        let asking = Asking(Arc::clone(self));
        lock(&self.pace).allows(now, max_calls).then_some(asking)
    }

    pub(crate) fn takes_local_trial(&self) -> bool {
        // Relaxed: written before the word by which a caller finds that a trial is due.
        self.local_trial.load(Ordering::Relaxed)
    }
}

/// Listening to the storage.
impl Node {
    /// Whether it is time to look: the circuit was used since the last look, or is not closed, or
    /// has been idle for long.
    pub(crate) fn wants_look(&self, now: Instant, idle: Duration) -> bool {
        let Some(breaker) = self.breaker() else { return false };
        let known = lock(&self.known);
        known.looked_at.is_none_or(|at| now.duration_since(at) >= idle)
            || known.state != State::Closed
            || breaker.state() != State::Closed
            || breaker.fail_counter() > 0
            || breaker.last_success_tick() != known.seen_success
    }

    pub(crate) fn looked_at(&self) -> Option<Instant> {
        lock(&self.known).looked_at
    }

    /// Takes over what the storage says, unless it is older than what is known.
    pub(crate) fn learn(&self, hub: &Hub, view: &View) {
        let Some(breaker) = self.breaker() else { return };
        let change = {
            let mut known = lock(&self.known);
            if view.generation < known.generation {
                return;
            }
            let agrees = known.agrees(view);
            let returning = mem::take(&mut known.returning);
            known.take(view, hub.now());
            if returning && view.state == State::Closed && breaker.state() == State::Open {
                self.try_here(hub, &breaker)
            } else if !agrees || (returning && breaker.state() != view.state) {
                self.follow(hub, &breaker, view)
            } else {
                refresh(&breaker, view)
            }
        };
        if let Some(change) = change {
            breaker.announce(change);
        }
    }

    /// [`learn`](Self::learn) from a look, which also finds out a breaker that stands apart.
    pub(crate) fn learn_by_look(&self, hub: &Hub, view: &View) {
        self.learn(hub, view);
        let Some(breaker) = self.breaker() else { return };
        let change = {
            let mut known = lock(&self.known);
            known.looked_at = Some(Instant::now());
            known.seen_success = breaker.last_success_tick();
            let apart = breaker.state() != known.state
                && !self.takes_local_trial()
                && !lock(&self.pending).is_due();
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
        self.forget_pending();
        lock(&self.known).returning = true;
    }

    /// Brings the breaker to what the view says.
    fn follow(&self, hub: &Hub, breaker: &Breaker, view: &View) -> Option<StateChange> {
        self.local_trial.store(false, Ordering::Relaxed);
        breaker.adopt_quietly(Shared {
            state: view.state,
            left: view.time_left,
            open_for: view.open_for,
            successes: view.successes,
            renew: true,
            cause: view.cause,
            remote: view.by != Some(hub.process),
        })
    }

    /// Open here and closed in the fleet, after a loss: a trial without a lease decides.
    fn try_here(&self, hub: &Hub, breaker: &Breaker) -> Option<StateChange> {
        let opened_at = breaker.opened_at().unwrap_or_else(|| hub.time.wall());
        self.local_trial.store(true, Ordering::Relaxed);
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

/// Telling the storage.
impl Node {
    /// Wants a look at once, whether or not there was one.
    pub(crate) fn want_look(&self) {
        lock(&self.known).looked_at = None;
        self.enqueue(|pending| pending.look = true);
    }

    /// Takes what is to be told.
    pub(crate) fn take_pending(&self) -> Pending {
        mem::take(&mut *lock(&self.pending))
    }

    /// Puts a report off until the next turn.
    pub(crate) fn put_off_report(&self) {
        self.enqueue_quietly(|pending| pending.failures = true);
    }

    /// Drops what was to be told, because the storage is lost.
    pub(crate) fn forget_pending(&self) {
        self.count_here(self.take_pending().settles.into_iter().map(|(_, outcome)| outcome));
    }

    /// Successful trials of which the storage will not hear count here.
    pub(crate) fn count_here(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        let Some(breaker) = self.breaker() else { return };
        for _ in outcomes.into_iter().filter(|outcome| *outcome == Outcome::Success) {
            breaker.count_trial_success();
        }
    }

    fn enqueue(&self, add: impl FnOnce(&mut Pending)) {
        self.enqueue_quietly(add);
        if let Some(hub) = self.hub.upgrade() {
            hub.wake();
        }
    }

    /// Whether there was nothing to tell before.
    fn enqueue_quietly(&self, add: impl FnOnce(&mut Pending)) -> bool {
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

    /// The hub, while circuits are shared.
    fn sharing(&self) -> Option<Arc<Hub>> {
        self.hub.upgrade().filter(|hub| !hub.standing.is_alone())
    }
}

impl Replica for Node {
    fn counted(&self, failures: u32) {
        // Successes are not reported: looks carry the age of the last one.
        if failures == 0 {
            return;
        }
        let Some(hub) = self.sharing() else { return };
        // The replicator comes by itself for what waits already: a storm of failures does not
        // wake it each time.
        if self.enqueue_quietly(|pending| pending.failures = true) {
            hub.wake();
        }
    }

    fn tripped(&self) {
        let Some(hub) = self.sharing() else { return };
        let presented = self.presented(hub.now());
        self.enqueue(|pending| {
            pending.failures = false;
            pending.trip = Some(presented);
        });
    }

    fn trial_over(&self, token: u64, outcome: Outcome) {
        if let Some(hub) = self.hub.upgrade() {
            hub.release(token);
        }
        let Some(hub) = self.sharing() else { return self.count_here([outcome]) };
        self.enqueue(|pending| pending.settles.push((token, outcome)));
        // Lost in between: nobody comes for it any more.
        if hub.standing.is_lost() {
            self.forget_pending();
        }
    }

    fn changed(&self, breaker: &Breaker, change: StateChange) {
        if change.to != State::HalfOpen {
            self.local_trial.store(false, Ordering::Relaxed);
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
