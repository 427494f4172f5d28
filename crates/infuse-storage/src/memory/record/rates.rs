use std::time::Duration;

use infuse_core::{Cause, Counts, Fault, FaultKind, State, Window};

use super::{
    kept::Record,
    provenance::Why,
    reporters::{Reporters, Trouble},
    standing::{Effect, Standing},
};
use crate::{Look, Rates, presents::Presents};

/// How many buckets are kept: those of two windows, and some.
const BUCKETS: usize = 24;
/// How many buckets a window has at least, if there are so many calls.
const PARTS: u32 = 10;

/// The calls that processes told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metered {
    /// Oldest first.
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) reporters: Reporters,
}

/// Calls that were told of one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// When the first were.
    pub(crate) start: Duration,
    pub(crate) calls: u32,
    pub(crate) failures: u32,
    pub(crate) slow: u32,
}

impl Metered {
    /// Counts calls, in buckets that suit this window.
    fn add(&mut self, now: Duration, window: Window, told: Counts) {
        let is_full = |newest: &Bucket| match window {
            Window::Time(time) => now.saturating_sub(newest.start).saturating_mul(PARTS) >= time,
            Window::Calls(calls) => u64::from(newest.calls) * u64::from(PARTS) >= u64::from(calls),
        };
        if self.buckets.last().is_none_or(is_full) {
            if self.buckets.len() == BUCKETS {
                self.buckets.remove(0);
            }
            self.buckets.push(Bucket { start: now, calls: 0, failures: 0, slow: 0 });
        }
        if let Some(newest) = self.buckets.last_mut() {
            let add = |to: &mut u32, count| {
                *to = to.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            };
            add(&mut newest.calls, told.calls);
            add(&mut newest.failures, told.failures);
            add(&mut newest.slow, told.slow);
        }
    }

    /// The calls in a window, and since when they were told of.
    fn look_back(&self, now: Duration, window: Window) -> (Counts, Duration) {
        let (mut sum, mut since) = (Counts::NONE, now);
        for bucket in self.buckets.iter().rev() {
            let is_within = match window {
                Window::Time(time) => now.saturating_sub(bucket.start) < time,
                Window::Calls(calls) => sum.calls < u64::from(calls),
            };
            if !is_within {
                return (sum, since);
            }
            let Bucket { start, calls, failures, slow } = *bucket;
            let [calls, failures, slow] = [calls, failures, slow].map(u64::from);
            sum += Counts { calls, failures, slow };
            since = start;
        }
        (sum, Duration::ZERO)
    }

    pub(super) fn counts(&self, now: Duration, window: Window) -> Counts {
        self.look_back(now, window).0
    }

    /// From when on one who has seen trouble has seen it in the window.
    pub(super) fn begins(&self, now: Duration, window: Window) -> Duration {
        match window {
            // Not longer ago than that.
            Window::Time(time) => {
                now.checked_sub(time).map_or(Duration::ZERO, |at| at + Duration::from_micros(1))
            }
            Window::Calls(_) => self.look_back(now, window).1,
        }
    }
}

impl Rates {
    /// Why so many calls open a circuit, if they do.
    fn judge(&self, counts: Counts) -> Option<(Cause, Trouble)> {
        let minimum = u64::from(self.minimum_calls).max(1);
        let is_reached = |rate: Option<f64>, part: u64| {
            // Divided, and not multiplied: so 3 of 10 are exactly the 0.3 that was written.
            rate.is_some_and(|rate| part > 0 && part as f64 / counts.calls as f64 >= rate)
        };
        if counts.calls < minimum {
            None
        } else if is_reached(self.failure_rate, counts.failures) {
            Some((Cause::FailureRate, Trouble::Failures))
        } else if is_reached(self.slow_call_rate, counts.slow) {
            Some((Cause::SlowCallRate, Trouble::SlowCalls))
        } else {
            None
        }
    }
}

impl Record {
    pub(crate) fn look(&mut self, now: Duration, look: &Look) -> Effect {
        let (standing, effect) = self.compare(now, &Presents::from(look));
        if standing == Standing::Older {
            return effect;
        }
        let effect = effect.and(self.drop_refuted(now, look.last_success));
        effect.and(self.count_calls(now, look))
    }

    /// Adds up calls that a look tells of, and judges the sum.
    fn count_calls(&mut self, now: Duration, look: &Look) -> Effect {
        let (Some(process), Some(rates)) = (look.process, look.thresholds.rates) else {
            return Effect::Quiet;
        };
        if look.counts.calls == 0 || self.state != State::Closed {
            return Effect::Quiet;
        }
        let metered = self.metered.get_or_insert_default();
        metered.add(now, rates.window, look.counts);
        for (trouble, seen) in
            [(Trouble::Failures, look.counts.failures), (Trouble::SlowCalls, look.counts.slow)]
        {
            if seen > 0 {
                metered.reporters.note(now, process, trouble);
            }
        }
        let judged = rates.judge(metered.counts(now, rates.window));
        let Some((cause, trouble)) = judged else { return Effect::Quiet };
        if !self.has_reporters(now, &look.thresholds, trouble, None) {
            return Effect::Quiet;
        }
        let fault = match trouble {
            Trouble::Failures => look.fault,
            Trouble::SlowCalls => Some(Fault::new(FaultKind::Slow)),
        };
        self.open(now, Why { fault, ..Why::new(cause, process) }, look.open_time);
        self.thresholds = Some(look.thresholds);
        Effect::Pushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn counts(calls: u64, failures: u64) -> Counts {
        Counts { calls, failures, slow: 0 }
    }

    #[test]
    fn a_call_counts_for_nine_tenths_of_a_window_and_no_longer_than_all_of_it() {
        let window = Window::Time(10 * S);
        let mut metered = Metered::default();
        metered.add(100 * S, window, counts(1, 0));
        metered.add(100 * S + S * 9 / 10, window, counts(1, 1));
        metered.add(101 * S, window, counts(1, 0));
        assert_eq!(metered.buckets.len(), 2);
        assert_eq!(metered.counts(109 * S, window), counts(3, 1));
        assert_eq!(metered.counts(110 * S, window), counts(1, 0));
        assert_eq!(metered.counts(111 * S, window), Counts::NONE);
    }

    #[test]
    fn the_last_calls_are_those_of_the_newest_buckets() {
        let window = Window::Calls(20);
        let mut metered = Metered::default();
        for at in 0..100 {
            metered.add(at * S, window, counts(1, u64::from(at < 81)));
        }
        assert_eq!(metered.buckets.len(), BUCKETS);
        assert_eq!(metered.counts(S, window), counts(20, 1));
        metered.add(100 * S, window, counts(1, 0));
        // A bucket counts as a whole.
        assert_eq!(metered.counts(S, window), counts(21, 1));
    }

    #[test]
    fn any_number_of_calls_takes_a_bounded_place() {
        for window in [Window::Calls(0), Window::Calls(10), Window::Time(Duration::ZERO)] {
            let mut metered = Metered::default();
            for _ in 0..100 {
                metered.add(S, window, counts(u64::MAX, 1));
            }
            assert!(metered.buckets.len() <= BUCKETS);
            assert_eq!(metered.buckets[0].calls, u32::MAX);
        }
    }

    #[test]
    fn a_rate_is_reached_exactly() {
        let rates = |failure_rate, minimum_calls| Rates {
            window: Window::Calls(100),
            minimum_calls,
            failure_rate: Some(failure_rate),
            slow_call_rate: None,
        };
        for (part, calls, rate) in [(1, 10, 0.1), (3, 10, 0.3), (29, 100, 0.29), (2, 3, 2.0 / 3.0)]
        {
            assert!(rates(rate, 1).judge(counts(calls, part)).is_some(), "{part} of {calls}");
            assert!(rates(rate, 1).judge(counts(calls, part - 1)).is_none());
            assert!(rates(rate, 101).judge(counts(calls, part)).is_none());
        }
        assert!(rates(0.0, 0).judge(counts(9, 0)).is_none());
        assert!(rates(f64::NAN, 0).judge(counts(9, 9)).is_none());
        assert!(rates(0.5, 0).judge(Counts::NONE).is_none());
    }
}
