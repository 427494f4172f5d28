use std::sync::atomic::{AtomicU32, AtomicU64 as Plain};

use crate::sync::{AtomicU64, Ordering};

/// What a breaker keeps only if it is ever in another mode than enabled, or recovers step by step:
/// made when it is needed first, and kept. Most never have it.
///
/// Whoever holds the breaker's lock writes the times: those of what begins before the word that
/// sends readers here, and that something has ended after the word that says so. Readers look at
/// the times and then at the word again: so no word is taken for one that holds when its time was
/// put away.
pub(super) struct Extras {
    /// When the ramp ends, in microseconds of the breaker's clock.
    pub(super) ramp_until: Until,
    /// How long it takes in all, in microseconds.
    ramp_time: AtomicU64,
    /// The calls that have asked to pass in the ramp. Its order is no matter.
    turns: AtomicU32,
    /// When the override ends.
    pub(super) override_until: Until,
    would_have_rejected: Plain,
}

/// A time in microseconds of the breaker's clock, or never.
pub(super) struct Until(AtomicU64);

const NEVER: u64 = u64::MAX;

impl Until {
    pub(super) fn set(&self, at: Option<u64>) {
        // Release: pairs with the Acquire below, so that who finds something put away finds the
        // word that it was put away in.
        self.0.store(at.unwrap_or(NEVER), Ordering::Release);
    }

    /// Whether it has come.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.0.load(Ordering::Acquire) <= now
    }

    /// How long until then; `None` for never.
    pub(super) fn left(&self, now: u64) -> Option<u64> {
        let at = self.0.load(Ordering::Acquire);
        (at != NEVER).then(|| at.saturating_sub(now))
    }

    /// Whether it is still to come.
    fn is_ahead(&self, now: u64) -> bool {
        self.left(now).is_some_and(|left| left > 0)
    }
}

impl Extras {
    pub(super) fn new() -> Self {
        Self {
            ramp_until: Until(AtomicU64::new(NEVER)),
            ramp_time: AtomicU64::new(0),
            turns: AtomicU32::new(0),
            override_until: Until(AtomicU64::new(NEVER)),
            would_have_rejected: Plain::new(0),
        }
    }

    /// Whether something of this is over that is not yet put away.
    pub(super) fn is_over(&self, now: u64) -> bool {
        self.override_until.is_over(now) || self.ramp_until.is_over(now)
    }

    /// Whether something of this is not over yet, and will be.
    pub(super) fn is_fleeting(&self, now: u64) -> bool {
        self.override_until.is_ahead(now) || self.ramp_until.is_ahead(now)
    }

    /// Begins a ramp, or has one go on with other times. All in microseconds; `new` if it is
    /// another.
    pub(super) fn set_ramp(&self, until: u64, time: u64, new: bool) {
        self.ramp_time.store(time, Ordering::Relaxed);
        if new {
            self.turns.store(0, Ordering::Relaxed);
        }
        self.ramp_until.set(Some(until));
    }

    /// How long the ramp takes in all and how much of that is left; `None` if there is none.
    pub(super) fn ramp(&self, now: u64) -> Option<(u64, u64)> {
        let left = self.ramp_until.left(now).filter(|&left| left > 0)?;
        Some((self.ramp_time.load(Ordering::Relaxed), left))
    }

    /// The number of a call that asks to pass in the ramp.
    pub(super) fn next_turn(&self) -> u32 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn count_would_have_rejected(&self) {
        self.would_have_rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn would_have_rejected(&self) -> u64 {
        self.would_have_rejected.load(Ordering::Relaxed)
    }
}
