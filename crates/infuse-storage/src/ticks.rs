use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

/// What a tick stands for: how exactly ages are told while a circuit is suspect.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// How often the tick is written otherwise. Each writing costs every circuit in use a write of its
/// own at the next success.
pub(crate) const WRITTEN: Duration = Duration::from_millis(50);

/// Set in every tick, so that a stamp of 0 is a breaker that has seen no success.
const FIRST_TICK: u32 = 1 << 31;

/// The coarse clock by which calls are stamped, so that none of them reads a clock.
#[derive(Debug)]
pub(crate) struct Ticks(Arc<AtomicU32>);

impl Ticks {
    pub(crate) fn new(now: Duration) -> Self {
        Self(Arc::new(AtomicU32::new(at(now))))
    }

    /// What breakers copy.
    pub(crate) fn shared(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.0)
    }

    /// Moves it on.
    pub(crate) fn write(&self, now: Duration) {
        // Relaxed, also below: a coarse time that orders nothing.
        self.0.store(at(now), Ordering::Relaxed);
    }

    /// The tick that was written last.
    pub(crate) fn last(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The most that has passed since a stamp was taken; `None` for a stamp of 0.
///
/// A stamp is the tick that was written last, so what it stands for is no later than itself.
pub(crate) fn age(stamp: u32, now: Duration) -> Option<Duration> {
    // The flag is in both and goes; what is left wraps after 124 days, and the ages that matter
    // are of seconds.
    let ticks = at(now).wrapping_sub(stamp) & !FIRST_TICK;
    (stamp & FIRST_TICK != 0).then(|| TICK.saturating_mul(ticks + 1))
}

fn at(now: Duration) -> u32 {
    (now.as_millis() / TICK.as_millis()) as u32 | FIRST_TICK
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn an_age_is_never_told_too_low_nor_by_more_than_a_tick_too_high() {
        for taken in 0..20 {
            let ticks = Ticks::new(taken * MILLI);
            for now in taken..100 {
                let (age, real) = (age(ticks.last(), now * MILLI).unwrap(), (now - taken) * MILLI);
                assert!(age > real && age <= real + 2 * TICK, "{age:?} for {real:?}");
            }
        }
    }

    #[test]
    fn ages_go_over_the_wrap() {
        let wrap = TICK * FIRST_TICK;
        let ticks = Ticks::new(wrap - TICK);
        assert_eq!(age(ticks.last(), wrap + TICK), Some(3 * TICK));
    }

    #[test]
    fn what_was_never_stamped_has_no_age() {
        assert_eq!(age(0, Duration::from_secs(1)), None);
    }
}
