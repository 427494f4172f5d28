//! How long a circuit stays open: a pure function of the policy, of how many trials have failed,
//! and of a number from the dice.

use std::time::Duration;

use super::{Policy, PolicyError, error::time, real::Real, terms::Terms};

/// What a policy says about open times beyond the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) backoff: Real,
    pub(super) most: Option<Duration>,
    pub(super) jitter: Real,
    pub(super) max_retry_after: Option<Duration>,
}

const USUAL_MOST: Duration = Duration::from_secs(300);
pub(super) const USUAL_MAX_RETRY_AFTER: Duration = Duration::from_secs(300);
const MOST_BACKOFF: f64 = 1000.0;

impl Default for Growth {
    fn default() -> Self {
        Self {
            backoff: Real(1.0),
            most: None,
            jitter: Real(0.0),
            max_retry_after: Some(USUAL_MAX_RETRY_AFTER),
        }
    }
}

impl Growth {
    pub(super) fn most(&self, reset_timeout: Duration) -> Duration {
        self.most.unwrap_or(USUAL_MOST.max(reset_timeout))
    }

    pub(super) fn check(&self, reset_timeout: Duration) -> Result<(), PolicyError> {
        let fraction = |name, Real(value): Real, range: [f64; 2], allowed| {
            if value >= range[0] && value <= range[1] {
                Ok(())
            } else {
                Err(PolicyError::Fraction { name, value: value.to_string(), allowed })
            }
        };
        fraction("reset_backoff", self.backoff, [1.0, MOST_BACKOFF], "1 to 1000")?;
        fraction("reset_jitter", self.jitter, [0.0, 1.0], "0 to 1")?;
        if let Some(cap) = self.max_retry_after {
            time("max_retry_after", cap)?;
        }
        let Some(most) = self.most else { return Ok(()) };
        time("max_reset_timeout", most)?;
        if most < reset_timeout {
            return Err(PolicyError::MaxBelowResetTimeout { most, reset_timeout });
        }
        Ok(())
    }
}

impl Policy {
    /// How long the circuit stays open when so many trials have failed since it was last closed.
    ///
    /// [`reset_timeout`](Self::reset_timeout) times [`reset_backoff`](Self::reset_backoff) for
    /// each of them, at most [`max_reset_timeout`](Self::max_reset_timeout), and less the share of
    /// [`reset_jitter`](Self::reset_jitter) that `random`, from 0 to less than 1, says.
    pub fn open_time(&self, failed_trials: u32, random: f64) -> Duration {
        let Terms { growth, reset_timeout, .. } = &*self.0;
        let most = growth.most(*reset_timeout);
        // A backoff of 1 grows by nothing, to the nanosecond.
        let grown = if growth.backoff.0 > 1.0 && failed_trials > 0 {
            let factor = growth.backoff.0.powi(i32::try_from(failed_trials).unwrap_or(i32::MAX));
            let seconds = reset_timeout.as_secs_f64() * factor;
            if seconds < most.as_secs_f64() { Duration::from_secs_f64(seconds) } else { most }
        } else {
            *reset_timeout
        };
        // Down and not up, so that no time is longer than the one that was set.
        let cut = grown.mul_f64(growth.jitter.0 * random.clamp(0.0, 1.0));
        (grown - cut.min(grown)).max(Duration::from_micros(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn it_stays_the_same_unless_it_is_told_to_grow() {
        let policy = Policy::default();
        for failed in [0, 1, 50, u32::MAX] {
            assert_eq!(policy.open_time(failed, 0.99), 15 * S);
        }
    }

    #[test]
    fn it_grows_with_each_failed_trial_up_to_the_most() {
        let policy = Policy::builder()
            .reset_timeout(S)
            .reset_backoff(2.0)
            .max_reset_timeout(60 * S)
            .build()
            .unwrap();
        let times: Vec<u64> =
            (0..8).map(|failed| policy.open_time(failed, 0.5).as_secs()).collect();
        assert_eq!(times, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(policy.open_time(u32::MAX, 0.0), 60 * S, "past what a float can hold");
    }

    #[test]
    fn jitter_takes_off_at_most_its_share() {
        let policy = Policy::builder().reset_timeout(10 * S).reset_jitter(0.4).build().unwrap();
        assert_eq!(policy.open_time(0, 0.0), 10 * S);
        assert_eq!(policy.open_time(0, 0.5), 8 * S);
        assert!(policy.open_time(0, 0.999) > 6 * S);

        let whole = Policy::builder().reset_jitter(1.0).build().unwrap();
        assert!(whole.open_time(0, 1.0) > Duration::ZERO, "never no time at all");
    }

    #[test]
    fn the_usual_most_is_five_minutes_or_the_reset_timeout() {
        let growing = |reset| Policy::builder().reset_timeout(reset).reset_backoff(10.0).build();
        assert_eq!(growing(S).unwrap().open_time(9, 0.0), 300 * S);
        assert_eq!(growing(900 * S).unwrap().open_time(9, 0.0), 900 * S);
    }
}
