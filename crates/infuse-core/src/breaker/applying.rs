//! How what was decided gets into the word.

use std::time::Duration;

use super::{Breaker, Cold, Ramp};
use crate::{State, StateChange, deadline::Deadline, sync::Ordering, word::Word};

/// The times of a state that is entered.
pub(super) struct Times {
    /// When a trial is due in it, in microseconds of the breaker's clock, as `now`.
    pub(super) due: u64,
    pub(super) now: u64,
    /// How it recovers, if it is closed.
    pub(super) ramp: Ramp,
}

impl Times {
    /// Of a state in which a trial is due then, and which is not one that recovers.
    pub(super) fn due(now: u64, due: u64) -> Self {
        Self { due, now, ramp: Ramp::default() }
    }
}

impl Breaker {
    #[inline]
    pub(super) fn word(&self) -> Word {
        // Acquire: pairs with the Release in `swap`, so that whoever sees a state sees its
        // deadline.
        Word::from_bits(self.word.load(Ordering::Acquire))
    }

    #[inline]
    pub(super) fn deadline(&self) -> Deadline {
        // Relaxed: ordered by the word that was loaded before; a mix-up is told by the epoch.
        Deadline::from_bits(self.deadline.load(Ordering::Relaxed))
    }

    /// The microseconds until a trial is due, 0 if it is; for whoever holds the lock.
    pub(super) fn until_due(&self, now: u64) -> u64 {
        self.deadline().at().saturating_sub(now)
    }

    /// Replaces the word if it is still `from`.
    pub(super) fn swap(&self, from: Word, to: Word) -> bool {
        // AcqRel: Release for what was written before, the deadline above all; Acquire for the
        // next reader of this thread, and so that this hides no Release of an earlier change. On
        // failure nothing is concluded, the word is loaded again.
        self.word
            .compare_exchange(from.bits(), to.bits(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }

    /// Changes the state: the only place that does. `next` decides anew when a count got in
    /// between, and may refuse. The words that it changed, from and to.
    pub(super) fn change(
        &self,
        cold: &mut Cold,
        times: Times,
        next: impl Fn(Word) -> Option<Word>,
    ) -> Option<(Word, Word)> {
        let Times { due, now, ramp } = times;
        loop {
            let word = self.word();
            let mut to = next(word)?;
            // Before the word, so that it is there when the word is seen; under the lock, so that
            // no older change overwrites it. Relaxed: released by the swap.
            self.deadline.store(Deadline::new(to.epoch(), due).bits(), Ordering::Relaxed);
            let recovers = to.state() == State::Closed && ramp.left > Duration::ZERO;
            if recovers {
                self.set_ramp(now, ramp, true);
            }
            if to.is_fleeting() || recovers {
                to = to.with_fleeting(recovers || self.is_override_fleeting());
            }
            if !self.swap(word, to) {
                continue;
            }
            cold.trials.clear();
            cold.opened_at = match (to.state(), cold.opened_at) {
                (State::Closed, _) => None,
                (State::HalfOpen, Some(at)) => Some(at),
                _ => Some(self.time.wall()),
            };
            if to.state() == State::Closed {
                cold.held_off_until = 0;
                cold.tripped = None;
                self.last_fault.forget();
            }
            if !recovers {
                self.end_ramp(cold);
            }
            return Some((word, to));
        }
    }

    /// Sets when a trial is due, in the state that holds; for whoever holds the lock.
    pub(super) fn set_due(&self, at: u64) {
        // Relaxed: only the lock's holder writes; a reader may see either time.
        self.deadline.store(Deadline::new(self.word().epoch(), at).bits(), Ordering::Relaxed);
    }

    /// Tells the replica and the listeners of a change, unless it is none.
    pub(super) fn tell_change(&self, change: StateChange) {
        if change.from == change.to {
            return;
        }
        if let Some(replica) = &self.replica {
            replica.changed(self, change);
        }
        self.listeners.tell_change(|listener| listener.state_change(self, &change));
    }
}
