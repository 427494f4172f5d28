use std::time::{Duration, Instant, SystemTime};

use infuse_axum::Clock;

/// A clock whose time of day is wrong.
#[derive(Debug)]
pub(crate) struct Shifted {
    origin: Instant,
    seconds: i64,
}

impl Shifted {
    pub(crate) fn new(seconds: i64) -> Self {
        Self { origin: Instant::now(), seconds }
    }
}

impl Clock for Shifted {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn wall(&self) -> SystemTime {
        let by = Duration::from_secs(self.seconds.unsigned_abs());
        let now = SystemTime::now();
        if self.seconds < 0 { now - by } else { now + by }
    }
}
