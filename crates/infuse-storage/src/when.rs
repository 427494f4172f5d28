use std::{num::NonZeroU64, time::Duration};

/// A time by the circuits' clock, in eight bytes also where there may be none: there are many
/// circuits. In microseconds, which last for half a million years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct When(NonZeroU64);

impl When {
    pub(crate) const START: When = When(NonZeroU64::MIN);

    /// How long until then.
    pub(crate) fn left(self, now: Duration) -> Duration {
        self.time().saturating_sub(now)
    }

    pub(crate) fn time(self) -> Duration {
        Duration::from_micros(self.0.get() - 1)
    }
}

impl From<Duration> for When {
    /// Rounded up, so that nothing ends too early.
    fn from(time: Duration) -> Self {
        let micros = u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(micros))
    }
}

impl Default for When {
    fn default() -> Self {
        Self::START
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_to_the_microsecond_and_take_eight_bytes() {
        assert_eq!(size_of::<Option<When>>(), 8);
        for micros in [0, 1, 1_000_000, u64::MAX - 1] {
            let time = Duration::from_micros(micros);
            assert_eq!(When::from(time).time(), time);
        }
        assert_eq!(When::from(Duration::from_nanos(1)).time(), Duration::from_micros(1));
        let long = When::from(Duration::MAX);
        assert_eq!(long.left(Duration::ZERO), Duration::from_micros(u64::MAX - 1));
        assert_eq!(long.left(Duration::MAX), Duration::ZERO);
    }
}
