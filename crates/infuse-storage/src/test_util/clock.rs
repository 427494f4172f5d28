use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use infuse_core::Clock;
use tokio::{
    runtime::Handle,
    task::yield_now,
    time::{Instant, sleep_until},
};

use crate::random;

/// How exactly the runtime's timers tell, and one to spare.
const TIMER: Duration = Duration::from_millis(2);
/// How often tasks are let run, one after another: more often than one thing leads to another.
const TURNS: usize = 64;
/// How long it is watched whether the runtime's time stands still, in real time.
const WATCHED: Duration = Duration::from_micros(50);

/// A clock that goes with the paused time of the runtime, so that open times, windows and leases
/// pass together with timeouts, polls and graces.
///
/// Clones tell the same time. [`view`](Self::view) gives the clock of another process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
/// use infuse_storage::{Clock, test_util::TestClock};
///
/// let clock = TestClock::new();
/// clock.advance(Duration::from_secs(15)).await;
/// tokio::time::sleep(Duration::from_secs(60)).await; // takes no time
/// assert_eq!(clock.now().as_secs(), 75);
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TestClock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// By how much this clock was set forward, in nanoseconds.
    ahead: AtomicU64,
    /// What it told last: outside the runtime its time cannot be read.
    told: AtomicU64,
}

impl TestClock {
    /// A clock at zero, and at 2001-09-09 01:46:40 UTC for people.
    ///
    /// # Panics
    ///
    /// If the time of the runtime is not paused: use `#[tokio::test(start_paused = true)]`.
    #[track_caller]
    #[allow(clippy::new_without_default, reason = "it needs a runtime whose time is paused")]
    pub fn new() -> Self {
        Self::seeded(0)
    }

    /// [`new`](Self::new) with another seed for what is done at random in this thread: the moments
    /// of polls, who objects first, and jitter. A test that holds for some hundred seeds does not hold by
    /// chance.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn seeded(seed: u64) -> Self {
        assert!(
            is_paused(),
            "the test's time is not paused: use #[tokio::test(start_paused = true)]",
        );
        random::seed(seed);
        Self(Arc::new(Inner {
            origin: Instant::now(),
            ahead: AtomicU64::new(0),
            told: AtomicU64::new(0),
        }))
    }

    /// Lets time pass for everybody: from one timer to the next, so that whatever is due on the way
    /// happens at its time; and when it has passed, until nothing more is to be done.
    pub async fn advance(&self, by: Duration) {
        let until = Instant::now() + by;
        self.let_happen().await;
        // Sleeping is exact to no more than the timers.
        if by > TIMER {
            sleep_until(until - TIMER).await;
        }
        tokio::time::advance(until.saturating_duration_since(Instant::now())).await;
        self.let_happen().await;
    }

    /// Lets all tasks run that have something to do, while no time passes.
    pub async fn let_happen(&self) {
        for _ in 0..TURNS {
            yield_now().await;
        }
    }

    /// The clock of another process: it goes with this one, and can be set forward by itself.
    pub fn view(&self) -> Self {
        let ahead = AtomicU64::new(self.0.ahead.load(Ordering::Relaxed));
        let told = AtomicU64::new(0);
        Self(Arc::new(Inner { origin: self.0.origin, ahead, told }))
    }

    /// Sets this clock forward, and no other: as that of a machine that was asleep. Timers do not
    /// go by it.
    pub fn set_forward(&self, by: Duration) {
        // Relaxed, also elsewhere: all of it happens in one thread.
        self.0.ahead.fetch_add(nanos(by), Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        let told = &self.0.told;
        if Handle::try_current().is_ok() {
            let ahead = self.0.ahead.load(Ordering::Relaxed);
            told.fetch_max(nanos(self.0.origin.elapsed()).saturating_add(ahead), Ordering::Relaxed);
        }
        Duration::from_nanos(told.load(Ordering::Relaxed))
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + self.now()
    }

    fn fraction(&self) -> f64 {
        random::fraction()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Whether there is a runtime whose time stands still while real time passes.
///
/// It could be paused here, but then at a moment of its own between two ticks of the runtime's
/// timers, and no two runs would be the same.
fn is_paused() -> bool {
    if Handle::try_current().is_err() {
        return false;
    }
    let (before, started) = (Instant::now(), std::time::Instant::now());
    while started.elapsed() < WATCHED {
        std::hint::spin_loop();
    }
    Instant::now() == before
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::{interval, sleep};

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn time_is_paused_and_passes_to_the_nanosecond() {
        let clock = TestClock::new();
        std::thread::sleep(2 * MILLI);
        assert_eq!(clock.now(), Duration::ZERO);
        let by = [Duration::from_nanos(1), MILLI, Duration::from_micros(2_345), 15 * SECOND];
        for (number, by) in by.into_iter().enumerate() {
            clock.advance(by).await;
            let expected = [1, 1_000_001, 3_345_001, 15_003_345_001][number];
            assert_eq!(clock.now().as_nanos(), expected);
        }
        assert_eq!(TestClock::new().now(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_due_on_the_way_happens_at_its_time() {
        let clock = TestClock::new();
        let ticks: Arc<Mutex<Vec<u64>>> = Arc::default();
        let (noted, ticking) = (Arc::clone(&ticks), clock.clone());
        tokio::spawn(async move {
            let mut ticks = interval(SECOND);
            loop {
                ticks.tick().await;
                noted.lock().unwrap().push(ticking.now().as_secs());
            }
        });
        clock.advance(5 * SECOND).await;
        assert_eq!(*ticks.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn sleeping_moves_it_too_and_a_view_may_be_set_forward() {
        let clock = TestClock::new();
        let view = clock.view();
        sleep(SECOND).await;
        assert_eq!((clock.now(), view.now()), (SECOND, SECOND));
        view.set_forward(SECOND);
        assert_eq!((clock.now(), view.now()), (SECOND, 2 * SECOND));
        let outside = std::thread::spawn(move || view.now());
        assert_eq!(outside.join().unwrap(), 2 * SECOND);
    }

    #[tokio::test]
    #[should_panic(expected = "use #[tokio::test(start_paused = true)]")]
    async fn where_time_is_not_paused_it_says_how_to() {
        TestClock::new();
    }

    #[test]
    #[should_panic(expected = "use #[tokio::test(start_paused = true)]")]
    fn outside_a_runtime_too() {
        TestClock::new();
    }
}
