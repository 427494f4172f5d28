//! The discrete clock: whole ticks, which stand for themselves in every unit that is needed.

use std::{sync::OnceLock, time::Duration};

use tokio::time::Instant;

/// What a tick stands for by the clock of the storage and of the circuits. Long beside the ticks
/// that successes are stamped with, so that those round nothing away.
const TICK: Duration = Duration::from_secs(1);

/// The first tick. Not 0, so that there is a time before it.
pub(super) const START: u32 = 16;

/// A number of ticks as a time.
pub(super) fn span(ticks: u32) -> Duration {
    TICK * ticks
}

/// A number of ticks as a moment of the runtime's clock.
pub(super) fn moment(ticks: u32) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now) + span(ticks)
}

/// What a success is stamped with that is made now.
pub(super) fn stamp(now: u32) -> u32 {
    crate::ticks::Ticks::new(span(now)).last()
}

/// A time of whole ticks.
pub(super) fn ticks_of(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}
