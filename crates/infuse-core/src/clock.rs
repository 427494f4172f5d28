//! Where a breaker gets its time from.
//!
//! A [`Clock`] is a trait, and [`ManualClock`] is public, so that thresholds can be tested
//! without sleeping:
//!
//! ```
//! use std::time::Duration;
//! use infuse_core::{Breaker, ManualClock, State};
//!
//! let clock = ManualClock::new();
//! let breaker = Breaker::builder("payments").clock(clock.clone()).build();
//! breaker.open();
//! assert!(breaker.try_permit().is_err());
//!
//! clock.advance(Duration::from_secs(15));
//! breaker.try_permit().unwrap().success();
//! assert_eq!(breaker.state(), State::Closed);
//! ```

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use crate::random;

/// A source of time.
///
/// A breaker may read it while it holds a lock of its own: a clock must not use the breaker, nor
/// panic.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The time since an origin of the clock's own choice, the same for its life. It never goes
    /// back.
    fn now(&self) -> Duration;

    /// The time of day, for people to look at. No decision is taken by it.
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    /// A number from 0 to 1, for what is spread out at random. With the time, because a test that
    /// is to run the same each time needs both.
    #[doc(hidden)]
    fn fraction(&self) -> f64 {
        random::fraction()
    }
}

/// A clock that stands still until it is told to go on. Clones share their time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    nanos: Arc<AtomicU64>,
    start: SystemTime,
}

impl ManualClock {
    /// A clock at zero, and at 2001-09-09 01:46:40 UTC for people (Unix time 1,000,000,000).
    pub fn new() -> Self {
        Self {
            nanos: Arc::default(),
            start: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000),
        }
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: a test that advances the clock in one thread and looks in another orders the
        // two by other means.
        self.nanos.fetch_add(by, Ordering::Relaxed);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn wall(&self) -> SystemTime {
        self.start + self.now()
    }
}

/// The clock that a breaker uses: the system's monotonic one, or a [`Clock`] of one's own.
///
/// Cloning it is cheap, and clones agree on the time.
#[derive(Debug, Clone)]
pub struct TimeSource(Source);

#[derive(Debug, Clone)]
enum Source {
    // Not behind the trait: rejecting reads the clock, and a virtual call would be a tenth of it.
    System { origin: Instant },
    Own(Arc<Since<dyn Clock>>),
}

/// A clock, and what it said when we first asked it. Together, so that a source of time is small.
#[derive(Debug)]
struct Since<C: ?Sized> {
    origin: Duration,
    clock: C,
}

impl TimeSource {
    /// The system's monotonic clock.
    pub fn system() -> Self {
        Self(Source::System { origin: Instant::now() })
    }

    /// A clock of one's own.
    pub fn new(clock: impl Clock) -> Self {
        // Breakers count microseconds in 48 bits. A clock that began in 1970 would have used up
        // all of them.
        let origin = clock.now();
        Self(Source::Own(Arc::new(Since { origin, clock })))
    }

    /// The time since this source, or the one that it is a clone of, was made.
    #[inline]
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::System { origin } => origin.elapsed(),
            Source::Own(own) => own.clock.now().saturating_sub(own.origin),
        }
    }

    /// The time of day, for people to look at.
    pub fn wall(&self) -> SystemTime {
        match &self.0 {
            Source::System { .. } => SystemTime::now(),
            Source::Own(own) => own.clock.wall(),
        }
    }

    /// A number from 0 to 1, for what is spread out at random.
    #[doc(hidden)]
    pub fn fraction(&self) -> f64 {
        match &self.0 {
            Source::System { .. } => random::fraction(),
            Source::Own(own) => own.clock.fraction(),
        }
    }
}

impl Default for TimeSource {
    fn default() -> Self {
        Self::system()
    }
}

impl<C: Clock> From<C> for TimeSource {
    fn from(clock: C) -> Self {
        Self::new(clock)
    }
}
