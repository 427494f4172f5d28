//! The breaker: an atomic word, and what surrounds it.

mod admit;
mod applying;
mod blame;
mod builder;
mod control;
mod counting;
mod ending;
mod extras;
mod locked;
mod metering;
mod modes;
mod opening;
mod outcome;
mod refusing;
mod rules;
mod trial;
mod trials;

pub use admit::Admission;
pub use builder::BreakerBuilder;
pub use control::{Ramp, Shared};
pub use locked::KeptModeChanges;
pub use metering::Deltas;

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use blame::LastFault;
use extras::Extras;
use locked::News;
use trials::Trials;

use crate::{
    Mode, Override, Policy, Replica, Snapshot, State, TimeSource, Tripped,
    deadline::micros,
    exclude::Exclusions,
    listener::Listeners,
    meter::Meter,
    sync::{AtomicU32, AtomicU64, Mutex, Ordering},
    totals::Counters,
};

/// A circuit breaker.
///
/// It is closed until as many calls as its [`Policy`] says have failed, one after another, or until
/// too many of the last calls have failed or been slow, where the policy says so. Then it is open:
/// calls are rejected at once. After the reset timeout it is half-open: a trial call is let
/// through. If it succeeds the breaker closes, if it fails the breaker is open again.
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
/// calls, take a lock that no user code runs under. In a [mode](Mode) other than enabled, while an
/// override lasts that ends by itself, and while the circuit recovers [step by step](Policy::ramp),
/// each call reads the clock.
///
/// Where the policy has a rate, each call is counted in a window: for a success in a quiet circuit
/// that is one more word to write, and where calls are timed or the window goes by time, a clock to
/// read. It takes no lock either. Where [totals](BreakerBuilder::totals) are kept, or somebody
/// [listens](crate::Listener) to calls, each call has a little more to do.
///
/// # Which calls count
///
/// See [`Outcome`](crate::Outcome). A call that returns `Ok` is a success, one that returns `Err` a
/// failure, unless the error is [excluded](Self::add_excluded). A panic that comes out of the
/// call counts as a failure and goes on unwinding. A call that is dropped before its end is
/// ignored, or a failure if it had taken [long enough](Policy::abandoned_after). Outcomes of calls
/// that were let through before the last change of state are dropped.
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
    /// The window and what goes by it, once there is a rate or a rule.
    meter: OnceLock<Box<Meter>>,
    /// What modes and ramps need, once there is one.
    extras: OnceLock<Box<Extras>>,
    /// What totals are read from, once someone wants them.
    counters: OnceLock<Box<Counters>>,
    last_fault: LastFault,
    cold: Mutex<Cold>,
}

/// What only changes of state and trial calls touch.
struct Cold {
    policy: Policy,
    opened_at: Option<SystemTime>,
    trials: Trials,
    /// Trials that failed since the circuit was last closed and had recovered; with a ramp, the
    /// trip in it among them.
    failed_trials: u32,
    /// What the settings say.
    mode: Mode,
    /// What someone put above it; how long that holds stands in the extras.
    overridden: Option<Box<Override>>,
    /// Until when the service asked to be left alone, in microseconds of the breaker's clock.
    held_off_until: u64,
    /// What opened it; unset while it is closed.
    tripped: Option<Box<Tripped>>,
    news: News,
    /// How many ask that news be kept for later.
    keeping_news: u16,
}

const ERROR_ON_TRIP: u64 = 1 << 32;
/// The window is kept.
const METERED: u64 = 1 << 33;
/// Calls are timed.
const TIMED: u64 = 1 << 34;
/// Failures in a row are counted.
const RUN: u64 = 1 << 35;
/// A call that is dropped late is a failure.
const ABANDONED: u64 = 1 << 36;
/// Failures of our own side are told apart.
const SPLIT: u64 = 1 << 37;

fn limits(policy: &Policy, meter: Option<&Meter>) -> u64 {
    let flag = |set: bool, flag| if set { flag } else { 0 };
    u64::from(policy.max_failure())
        | flag(policy.error_on_trip(), ERROR_ON_TRIP)
        | flag(meter.is_some(), METERED)
        | flag(policy.slow_call_duration().or(policy.abandoned_after()).is_some(), TIMED)
        | flag(policy.abandoned_after().is_some(), ABANDONED)
        | flag(policy.split_local_origin(), SPLIT)
        | flag(policy.has_max_failure() || meter.is_some_and(Meter::has_rules), RUN)
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

    /// Failures, one after another. It is kept while open and half-open. Not counted where
    /// [nothing asks for it](crate::PolicyBuilder::no_max_failure).
    pub fn fail_counter(&self) -> u32 {
        self.word().failures()
    }

    /// Successful trial calls, one after another, in the present half-open period.
    pub fn success_counter(&self) -> u32 {
        self.word().successes()
    }

    /// When the circuit opened, by the time of day; `None` while it is closed.
    pub fn opened_at(&self) -> Option<SystemTime> {
        self.lock().opened_at
    }

    /// How long until a call may be let through: zero if one may be now, or as soon as a trial
    /// under way is over; `None` while the circuit is closed. A half-open one whose service asked
    /// this process to be left alone lets none through until then. By its state, whatever its mode.
    pub fn retry_after(&self) -> Option<Duration> {
        let now = micros(self.time.now());
        let cold = self.lock();
        self.left(&cold, now)
    }

    /// For whoever holds the lock.
    fn left(&self, cold: &Cold, now: u64) -> Option<Duration> {
        match self.word().state() {
            State::Closed => None,
            State::Open => Some(Duration::from_micros(self.until_due(now))),
            // How long a trial takes nobody knows; how long the service asked for is known.
            State::HalfOpen => Some(Duration::from_micros(cold.held_off_until.saturating_sub(now))),
        }
    }

    /// A copy of it all to look at.
    pub fn snapshot(&self) -> Snapshot {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        cold.drop_expired(now);
        self.put_away(&mut cold, now);
        let word = self.word();
        Snapshot {
            state: word.state(),
            fail_counter: word.failures(),
            success_counter: word.successes(),
            epoch: word.epoch(),
            opened_at: cold.opened_at,
            retry_after: self.left(&cold, now),
            trials: u32::try_from(cold.trials.len()).unwrap_or(u32::MAX),
            failed_trials: cold.failed_trials,
            max_failure: cold.policy.has_max_failure().then(|| cold.policy.max_failure()),
            window: self.look_at_window(&cold, word, now),
            mode: word.mode(),
            overridden: self.override_at(&cold, now),
            would_have_rejected: self.extras.get().map_or(0, |extras| extras.would_have_rejected()),
            ramp: self.ramp_at(now),
            tripped: cold.tripped.as_deref().copied(),
        }
    }

    /// The policy that holds now.
    pub fn policy(&self) -> Policy {
        self.lock().policy.clone()
    }

    /// Changes the thresholds. The state is kept; a circuit that is open stays so for the time
    /// that was set when it opened, and one that recovers goes on as it began. The window keeps its
    /// calls if its shape is the same.
    pub fn set_policy(&self, policy: Policy) {
        let mut cold = self.lock();
        let meter = self.prepare_meter(&policy);
        // Relaxed: outcomes may be judged by either policy while it is replaced.
        self.limits.store(limits(&policy, meter), Ordering::Relaxed);
        cold.policy = policy;
        self.mark_now(&mut cold);
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
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.name).field("word", &self.word()).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_is_small() {
        // There may be ten thousand of them.
        let size = size_of::<Breaker>();
        assert!(size <= 272, "{size} bytes");
    }
}
