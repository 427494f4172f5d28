//! What holds for a while and ends by itself, and the marks in the word that say so.

use std::time::Duration;

use super::{Breaker, Cold, METERED, Ramp, TIMED, extras::Extras};
use crate::{State, deadline::micros, sync::Ordering, word::Word};

impl Breaker {
    /// The word, after what has ended by itself was put away.
    #[inline]
    pub(super) fn word_now(&self) -> Word {
        let word = self.word();
        if word.is_fleeting() { self.look_again(word, micros(self.time.now())) } else { word }
    }

    /// [`word_now`](Self::word_now), of a word that was found before.
    #[cold]
    pub(super) fn look_again(&self, word: Word, now: u64) -> Word {
        let Some(extras) = self.extras.get() else { return word };
        if extras.is_over(now) {
            self.put_away(&mut self.lock(), now);
        }
        // If someone else put it away, the word that was found before may say that it holds.
        self.word()
    }

    /// Puts away an override or a ramp that has ended. For whoever holds the lock, before it goes
    /// by either.
    pub(super) fn put_away(&self, cold: &mut Cold, now: u64) {
        let Some(extras) = self.extras.get().filter(|extras| extras.is_over(now)) else { return };
        let override_over = extras.override_until.is_over(now);
        if override_over {
            let before = cold.mode_now();
            if cold.overridden.take().is_some() {
                self.note_mode(cold, before, None);
            }
        }
        // The word first: see `Extras`.
        self.mark(cold, now);
        if override_over {
            extras.override_until.set(None);
        }
        if extras.ramp_until.is_over(now) {
            self.end_ramp(cold);
        }
    }

    /// For whoever holds the lock.
    pub(super) fn end_ramp(&self, cold: &mut Cold) {
        if let Some(extras) = self.extras.get() {
            extras.ramp_until.set(None);
        }
        if self.word().state() == State::Closed {
            cold.failed_trials = 0;
        }
    }

    pub(super) fn make_extras(&self) -> &Extras {
        self.extras.get_or_init(|| Box::new(Extras::new()))
    }

    /// Writes into the word what is no state: the mode, whether it ends, and whether anybody
    /// watches. For whoever holds the lock, has changed one of them, and has
    /// [put away](Self::put_away) what is over.
    pub(super) fn mark(&self, cold: &Cold, now: u64) {
        // Relaxed: only the lock's holder writes it.
        let limits = self.limits.load(Ordering::Relaxed);
        let watched =
            limits & (METERED | TIMED) != 0 || self.listeners.want_calls() || self.keeps_totals();
        let fleeting = self.extras.get().is_some_and(|extras| extras.is_fleeting(now));
        loop {
            let word = self.word();
            let to = word.with_mode(cold.mode_now()).with_watched(watched).with_fleeting(fleeting);
            if self.swap(word, to) {
                return;
            }
        }
    }

    /// [`mark`](Self::mark) for whoever has not looked at the time.
    pub(super) fn mark_now(&self, cold: &mut Cold) {
        let now = micros(self.time.now());
        self.put_away(cold, now);
        self.mark(cold, now);
    }

    pub(super) fn is_override_fleeting(&self) -> bool {
        self.extras.get().is_some_and(|extras| extras.override_until.left(0).is_some())
    }

    /// For whoever holds the lock. `new` if it is another ramp than the one that there may be.
    pub(super) fn set_ramp(&self, now: u64, ramp: Ramp, new: bool) {
        let (time, left) = (micros(ramp.time), micros(ramp.left));
        self.make_extras().set_ramp(now.saturating_add(left.min(time)), time, new);
    }

    /// How the circuit recovers, if it does. For whoever holds the lock.
    pub(super) fn ramp_at(&self, now: u64) -> Option<Ramp> {
        if self.word().state() != State::Closed {
            return None;
        }
        let (time, left) = self.extras.get()?.ramp(now)?;
        Some(Ramp { time: Duration::from_micros(time), left: Duration::from_micros(left) })
    }
}
