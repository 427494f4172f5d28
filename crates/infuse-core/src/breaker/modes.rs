use std::{sync::Arc, time::Duration};

use super::{Breaker, Cold};
use crate::{Mode, Override, deadline::micros};

impl Cold {
    /// The mode that holds, after what has ended was put away.
    pub(super) fn mode_now(&self) -> Mode {
        self.overridden.as_ref().map_or(self.mode, |over| over.mode)
    }
}

/// Modes. None changes the state, nor what was counted.
impl Breaker {
    /// The mode that holds: an override's, until it ends, else that of the settings.
    pub fn mode(&self) -> Mode {
        self.word_now().mode()
    }

    /// Changes the mode that holds where there is no override.
    ///
    /// It is no change of state: calls in flight that were let through as ordinary ones count when
    /// they end, if outcomes count in the mode that holds then. A trial that ends in a mode in
    /// which none do gives its place back, as one that is ignored.
    pub fn set_mode(&self, mode: Mode) {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        self.put_away(&mut cold, now);
        let before = cold.mode_now();
        cold.mode = mode;
        if cold.mode_now() != before {
            self.note_mode(&mut cold, before, None);
        }
        self.apply_mode(&mut cold, now);
    }

    /// What someone put above the mode that the settings say, with what is left of it; `None` if
    /// there is nothing, or it has ended.
    pub fn overridden(&self) -> Option<Override> {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        self.put_away(&mut cold, now);
        self.override_at(&cold, now)
    }

    /// Puts a mode above that of the settings, or takes it away. It replaces one that is there. See
    /// [`set_mode`](Self::set_mode) for calls in flight.
    ///
    /// One that ends does so by itself: whoever asks then finds the mode of the settings again.
    pub fn set_override(&self, over: Option<Override>) {
        let now = micros(self.time.now());
        let mut cold = self.lock();
        // First, so that nobody takes one that has ended for one with the times of the next.
        self.put_away(&mut cold, now);
        let before = (cold.mode_now(), self.override_at(&cold, now));
        let until = over.as_ref().and_then(|over| over.left);
        let until = until.map(|left| now.saturating_add(micros(left)));
        if until.is_some() || self.extras.get().is_some() {
            self.make_extras().override_until.set(until);
        }
        cold.overridden = over.map(|over| Box::new(over.bounded()));
        let (mode, before) = before;
        let after = self.override_at(&cold, now);
        if !is_same(before.as_ref(), after.as_ref()) {
            self.note_mode(&mut cold, mode, after);
        }
        self.apply_mode(&mut cold, now);
    }

    pub(super) fn apply_mode(&self, cold: &mut Cold, now: u64) {
        if cold.mode_now() != Mode::Enabled {
            // Before the word says so.
            self.make_extras();
        }
        self.put_away(cold, now);
        self.mark(cold, now);
    }

    /// For whoever holds the lock.
    pub(super) fn override_at(&self, cold: &Cold, now: u64) -> Option<Override> {
        let over = cold.overridden.as_deref()?;
        let left = self.extras.get().and_then(|extras| extras.override_until.left(now));
        Some(Override { left: left.map(Duration::from_micros), ..over.clone() })
    }

    /// How long the circuit stays isolated, in microseconds; 0 if without end.
    pub(super) fn isolated_for(&self, now: u64) -> u64 {
        self.extras.get().and_then(|extras| extras.override_until.left(now)).unwrap_or(0)
    }
}

/// By how much the ends of two overrides may differ that are one: what the storage says of an end
/// was under way for a while.
const LAG: Duration = Duration::from_secs(1);

fn is_same(before: Option<&Override>, after: Option<&Override>) -> bool {
    match (before, after) {
        (None, None) => true,
        (Some(before), Some(after)) => {
            let end = |it: &Override| it.left.unwrap_or(Duration::MAX);
            let what = |it: &Override| (it.mode, Arc::clone(&it.by), Arc::clone(&it.reason));
            what(before) == what(after) && end(before).abs_diff(end(after)) <= LAG
        }
        _ => false,
    }
}
