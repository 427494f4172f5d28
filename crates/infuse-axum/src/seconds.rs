//! Times as numbers of seconds, which is how people and browsers read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In seconds of Unix time, to the millisecond.
pub(crate) fn unix(time: SystemTime) -> f64 {
    rounded(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// The time of day.
#[cfg(feature = "admin")]
pub(crate) fn now() -> f64 {
    unix(SystemTime::now())
}

/// To the millisecond, and rounded up, so that it is not zero before it is.
pub(crate) fn rounded(time: Duration) -> f64 {
    time.as_micros().div_ceil(1_000) as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_the_millisecond_and_never_zero_too_soon() {
        assert_eq!(unix(UNIX_EPOCH + Duration::from_micros(1_500_001)), 1.501);
        assert_eq!(unix(UNIX_EPOCH - Duration::from_secs(1)), 0.0);
        assert_eq!(rounded(Duration::from_micros(1)), 0.001);
        assert_eq!(rounded(Duration::ZERO), 0.0);
    }
}
