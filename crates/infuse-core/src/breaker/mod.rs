//! The breaker: an atomic word, and what surrounds it.

mod admit;
mod builder;
mod control;
mod outcome;
mod rules;
mod trial;

pub use admit::Admission;
pub use builder::BreakerBuilder;
pub use control::Shared;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    Policy, Replica, Snapshot, State, StateChange, TimeSource,
    deadline::{Deadline, micros},
    exclude::Exclusions,
    listener::Listeners,
    sync::{AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, lock},
    word::Word,
};

/// A circuit breaker.
///
/// It is closed until as many calls as its [`Policy`] says have failed, one after another. Then
/// it is open: calls are rejected at once. After the reset timeout it is half-open: a trial call
/// is let through. If it succeeds the breaker closes, if it fails the breaker is open again.
///
/// ```
/// use infuse_core::{Breaker, CallError, State};
/// # use std::io;
/// # fn update() -> io::Result<()> { Err(io::ErrorKind::TimedOut.into()) }
///
/// let database = Breaker::new("database");
/// for _ in 0..5 {
///     assert!(matches!(database.call_sync(update), Err(CallError::Inner(_))));
/// }
/// assert_eq!(database.state(), State::Open);
/// assert!(database.call_sync(update).unwrap_err().is_rejected());
/// ```
///
/// A call on a closed circuit takes no lock, reads no clock and, while it succeeds, writes nothing
/// (but a stamp each time that the [ticks](BreakerBuilder::ticks), where there are any, have moved
/// on). A rejection takes no lock and reads the clock once. Changes of state, and the few trial
/// calls, take a lock that no user code runs under.
///
/// # Which calls count
///
/// See [`Outcome`](crate::Outcome). A call that returns `Ok` is a success, one that returns `Err` a
/// failure, unless the error is [excluded](Self::add_excluded). A panic that comes out of the
/// call counts as a failure and goes on unwinding. A call that is dropped before its end is
/// ignored. Outcomes of calls that were let through before the last change of state are dropped.
pub struct Breaker {
    word: AtomicU64,
    /// When a trial is due: meaningful while open and half-open.
    deadline: AtomicU64,
    /// The tick of the last success: see [`BreakerBuilder::ticks`].
    stamp: AtomicU32,
    ticks: Arc<AtomicU32>,
    /// The numbers of the policy that outcomes in a closed circuit need.
    limits: AtomicU64,
    time: TimeSource,
    name: Arc<str>,
    listeners: Listeners,
    exclusions: Exclusions,
    replica: Option<Arc<dyn Replica>>,
    cold: Mutex<Cold>,
}

/// What only changes of state and trial calls touch.
struct Cold {
    policy: Policy,
    opened_at: Option<SystemTime>,
    trials: Vec<trial::Trial>,
    next_trial: u64,
}

const ERROR_ON_TRIP: u64 = 1 << 32;

fn limits(policy: &Policy) -> u64 {
    let flag = if policy.error_on_trip() { ERROR_ON_TRIP } else { 0 };
    u64::from(policy.max_failure()) | flag
}

impl Breaker {
    /// A closed breaker with the default [`Policy`].
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self::builder(name).build()
    }

    /// A builder.
    pub fn builder(name: impl Into<Arc<str>>) -> BreakerBuilder {
        BreakerBuilder::new(name.into())
    }

    /// The name that it was given.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The state. A breaker that is open past its time is open until a call comes to try.
    pub fn state(&self) -> State {
        self.word().state()
    }

    /// Failures, one after another. It is kept while open and half-open.
    pub fn fail_counter(&self) -> u32 {
        self.word().failures()
    }

    /// Successful trial calls, one after another, in the present half-open period.
    pub fn success_counter(&self) -> u32 {
        self.word().successes()
    }

    /// When the circuit opened, by the time of day; `None` while it is closed.
    pub fn opened_at(&self) -> Option<SystemTime> {
        lock(&self.cold).opened_at
    }

    /// How long until a call may be let through: zero if one may be now, or as soon as a trial
    /// under way is over; `None` while the circuit is closed.
    pub fn retry_after(&self) -> Option<Duration> {
        self.snapshot().retry_after
    }

    /// A copy of it all to look at.
    pub fn snapshot(&self) -> Snapshot {
        let now = micros(self.time.now());
        let mut cold = lock(&self.cold);
        cold.drop_expired(now);
        let word = self.word();
        let retry_after = match word.state() {
            State::Closed => None,
            State::Open => Some(Duration::from_micros(self.until_due(now))),
            State::HalfOpen => Some(Duration::ZERO),
        };
        Snapshot {
            state: word.state(),
            fail_counter: word.failures(),
            success_counter: word.successes(),
            epoch: word.epoch(),
            opened_at: cold.opened_at,
            retry_after,
            trials: u32::try_from(cold.trials.len()).unwrap_or(u32::MAX),
        }
    }

    /// The policy that holds now.
    pub fn policy(&self) -> Policy {
        lock(&self.cold).policy.clone()
    }

    /// Changes the thresholds. The state is kept; a circuit that is open stays so for the time
    /// that was set when it opened.
    pub fn set_policy(&self, policy: Policy) {
        let mut cold = lock(&self.cold);
        // Relaxed: outcomes may be judged by either policy while it is replaced.
        self.limits.store(limits(&policy), Ordering::Relaxed);
        cold.policy = policy;
        if self.word().state() == State::HalfOpen {
            // More or fewer trials may be in flight now.
            self.set_due(cold.next_due());
        }
    }

    /// The tick of the last success: see [`BreakerBuilder::ticks`].
    pub fn last_success_tick(&self) -> u32 {
        // Relaxed: a coarse age, which orders nothing.
        self.stamp.load(Ordering::Relaxed)
    }

    #[inline]
    fn word(&self) -> Word {
        // Acquire: pairs with the Release in `change`, so that whoever sees a state sees its
        // deadline.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    #[inline]
    fn deadline(&self) -> Deadline {
        // Relaxed: ordered by the word that was loaded before; a mix-up is told by the epoch.
        Deadline::from_bits(self.deadline.load(Ordering::Relaxed))
    }

    /// The microseconds until a trial is due, 0 if it is; for whoever holds the lock.
    fn until_due(&self, now: u64) -> u64 {
        self.deadline().at().saturating_sub(now)
    }

    /// Replaces the word if it is still `from`.
    fn swap(&self, from: Word, to: Word) -> bool {
        // AcqRel: Release for the deadline that was written before, Acquire for the next reader
        // of this thread; on failure nothing is concluded, the word is loaded again.
        self.word
            .compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Changes the state: the only place that does. `next` decides anew when a count got in
    /// between, and may refuse. `due` is when a trial is due in the new state.
    fn change(
        &self,
        cold: &mut MutexGuard<'_, Cold>,
        due: u64,
        next: impl Fn(Word) -> Option<Word>,
    ) -> Option<(State, State)> {
        loop {
            let word = self.word();
            let to = next(word)?;
            // Before the word, so that it is there when the word is seen; under the lock, so that
            // no older change overwrites it. Relaxed: released by the swap.
            self.deadline.store(Deadline::new(to.epoch(), due).bits(), Ordering::Relaxed);
            if self.swap(word, to) {
                cold.trials.clear();
                cold.opened_at = match (to.state(), cold.opened_at) {
                    (State::Closed, _) => None,
                    (State::HalfOpen, Some(at)) => Some(at),
                    _ => Some(self.time.wall()),
                };
                return Some((word.state(), to.state()));
            }
        }
    }

    /// Sets when a trial is due, in the state that holds; for whoever holds the lock.
    fn set_due(&self, at: u64) {
        // Relaxed: only the lock's holder writes; a reader may see either time.
        self.deadline.store(Deadline::new(self.word().epoch(), at).bits(), Ordering::Relaxed);
    }

    /// Tells the replica and the listeners of a change, unless it is none.
    fn tell_change(&self, change: StateChange) {
        if change.from == change.to {
            return;
        }
        if let Some(replica) = &self.replica {
            replica.changed(self, change);
        }
        if self.word().is_watched() {
            self.listeners.tell(|listener| listener.state_change(self, &change));
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name).field("word", &self.word()).finish()
    }
}
