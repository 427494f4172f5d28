use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::stripe;

/// The longest that a call of each bucket takes, in seconds; above the last one there is one more.
pub(crate) const BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The same in nanoseconds.
const NANOS: [u64; BOUNDS.len()] = {
    let mut nanos = [0; BOUNDS.len()];
    let mut at = 0;
    while at < nanos.len() {
        // By way of microseconds, of which each bound is a whole number.
        nanos[at] = (BOUNDS[at] * 1e6 + 0.5) as u64 * 1000;
        at += 1;
    }
    nanos
};

const BUCKETS: usize = BOUNDS.len() + 1;

/// How long the calls of one circuit took: how many in each bucket, and how long in all.
///
/// A call adds to one word, which holds both, in one of a few rows, so that threads seldom want the
/// same.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    rows: [Row; stripe::COUNT],
    /// What does not fit into a word.
    rest: Mutex<[Sum; BUCKETS]>,
}

/// In cache lines of its own; two, since they are fetched in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Row([Word; BUCKETS]);

/// Calls in the upper bits, and in the lower ones how long they took together, in nanoseconds.
#[derive(Debug, Default)]
struct Word(AtomicU64);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    calls: u64,
    nanos: u128,
}

/// How many bits of a word are nanoseconds.
const BITS: u32 = 44;

/// From here on a call is too long for a word: 18 minutes.
const LONG: u64 = 1 << (BITS - 4);

/// From here on a word is emptied, so that there is always room for a few calls more.
const MANY: Sum = Sum { calls: 1 << 19, nanos: 1 << (BITS - 3) };

impl Durations {
    /// Adds a call.
    pub(crate) fn record(&self, took: Duration) {
        let nanos = took.as_nanos();
        let short = u64::try_from(nanos).ok().filter(|nanos| *nanos < LONG);
        let Some(nanos) = short else {
            return self.set_aside(BUCKETS - 1, Sum { calls: 1, nanos });
        };
        let bucket = NANOS.partition_point(|bound| *bound < nanos);
        let word = &self.rows[stripe::mine()].0[bucket];
        if word.add(nanos) {
            self.set_aside(bucket, word.take());
        }
    }

    #[cold]
    fn set_aside(&self, bucket: usize, sum: Sum) {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)[bucket].add(sum);
    }

    /// Takes what was added since it last did.
    fn take(&self) -> [Sum; BUCKETS] {
        let rest = &mut *self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums = std::mem::take(rest);
        for row in &self.rows {
            for (sum, word) in sums.iter_mut().zip(&row.0) {
                sum.add(word.take());
            }
        }
        sums
    }

    /// Hands over the calls that were added since it last did, as so many that took so many seconds
    /// each. They fall into the buckets of the calls themselves, and their sum is that of the calls
    /// to the nanosecond.
    #[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody wants it"))]
    pub(crate) fn hand_over(&self, mut to: impl FnMut(f64, usize)) {
        for Sum { calls, nanos } in self.take() {
            if calls == 0 {
                continue;
            }
            let (mean, more) = (nanos / u128::from(calls), nanos % u128::from(calls));
            // So many of them get a nanosecond more.
            let more = more as u64;
            for (nanos, calls) in [(mean, calls - more), (mean + 1, more)] {
                if calls > 0 {
                    to(nanos as f64 / 1e9, usize::try_from(calls).unwrap_or(usize::MAX));
                }
            }
        }
    }
}

impl Word {
    /// Adds a call; whether the word is to be emptied.
    fn add(&self, nanos: u64) -> bool {
        let call = (1 << BITS) | nanos;
        // Relaxed, also below: what is in one word is always whole, and nothing else hangs on it.
        let sum = Sum::of(self.0.fetch_add(call, Ordering::Relaxed).wrapping_add(call));
        sum.calls >= MANY.calls || sum.nanos >= MANY.nanos
    }

    fn take(&self) -> Sum {
        match self.0.load(Ordering::Relaxed) {
            0 => Sum::default(),
            _ => Sum::of(self.0.swap(0, Ordering::Relaxed)),
        }
    }
}

impl Sum {
    fn of(word: u64) -> Self {
        Self { calls: word >> BITS, nanos: u128::from(word & ((1 << BITS) - 1)) }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.nanos = self.nanos.saturating_add(other.nanos);
    }
}

#[cfg(all(test, feature = "metrics"))]
mod tests {
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    /// What was handed over, as a recorder with the same bounds keeps it.
    #[derive(Debug, Default, PartialEq)]
    struct Kept {
        buckets: [u64; BUCKETS],
        nanos: u128,
    }

    impl Kept {
        fn take(&mut self, seconds: f64, calls: usize) {
            self.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += calls as u64;
            self.nanos += (seconds * 1e9).round() as u128 * calls as u128;
        }

        fn of(all: &[u64]) -> Self {
            let mut kept = Self::default();
            for nanos in all {
                kept.buckets[NANOS.partition_point(|bound| bound < nanos)] += 1;
                kept.nanos += u128::from(*nanos);
            }
            kept
        }
    }

    #[test]
    fn the_bounds_are_the_same_in_both_units() {
        for (seconds, nanos) in BOUNDS.iter().zip(NANOS) {
            assert_eq!(*seconds, nanos as f64 / 1e9);
        }
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn a_call_at_a_bound_is_below_it() {
        let durations = Durations::default();
        let mut all = vec![0, 1];
        for nanos in NANOS {
            all.extend([nanos, nanos + 1]);
        }
        for nanos in &all {
            durations.record(Duration::from_nanos(*nanos));
        }
        let mut kept = Kept::default();
        durations.hand_over(|seconds, calls| kept.take(seconds, calls));
        assert_eq!(kept, Kept::of(&all));
    }

    proptest! {
        #[test]
        fn counts_and_sum_are_handed_over_exactly(
            rounds in prop::collection::vec(prop::collection::vec(0..40_000_000_000u64, 0..20), 1..6),
        ) {
            let durations = Durations::default();
            let mut kept = Kept::default();
            for nanos in rounds.iter().flatten() {
                durations.record(Duration::from_nanos(*nanos));
            }
            for round in &rounds {
                durations.hand_over(|seconds, calls| kept.take(seconds, calls));
                for nanos in round {
                    durations.record(Duration::from_nanos(*nanos));
                }
            }
            durations.hand_over(|seconds, calls| kept.take(seconds, calls));
            let all: Vec<u64> = rounds.iter().flatten().copied().collect();
            prop_assert_eq!(kept, Kept::of(&[all.clone(), all].concat()));
        }
    }

    #[test]
    fn no_call_is_lost_or_moved_while_calls_are_added() {
        const CALLS: u64 = 20_000;
        let durations = Durations::default();
        let mut kept = Kept::default();
        thread::scope(|scope| {
            let adding: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for call in 0..CALLS {
                            durations.record(Duration::from_micros(call % 20_000));
                        }
                    })
                })
                .collect();
            while !adding.iter().all(thread::ScopedJoinHandle::is_finished) {
                durations.hand_over(|seconds, calls| kept.take(seconds, calls));
            }
        });
        durations.hand_over(|seconds, calls| kept.take(seconds, calls));
        let all: Vec<u64> = (0..2 * CALLS).map(|call| call % 20_000 * 1000).collect();
        assert_eq!(kept, Kept::of(&all));
    }

    #[test]
    fn a_word_that_fills_up_is_emptied_in_time() {
        let durations = Durations::default();
        let long = LONG - 1;
        let mut all = vec![long; 100];
        all.extend([LONG, LONG + 1, 24 * 60 * 60 * 1_000_000_000]);
        all.resize(1_200_000, 3);
        for nanos in &all {
            durations.record(Duration::from_nanos(*nanos));
        }
        let sums = durations.take();
        assert_eq!(sums.iter().map(|sum| sum.nanos).sum::<u128>(), Kept::of(&all).nanos);
        assert_eq!(sums.map(|sum| sum.calls), Kept::of(&all).buckets);
        assert_eq!(durations.take(), [Sum::default(); BUCKETS]);
    }

    #[test]
    fn extremes_do_not_panic() {
        let durations = Durations::default();
        for _ in 0..3 {
            durations.record(Duration::MAX);
            durations.hand_over(|_, _| {});
        }
    }
}
