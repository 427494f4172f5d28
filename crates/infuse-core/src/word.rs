use std::fmt;

use crate::State;

/// The whole truth about a circuit, in one word.
///
/// From the lowest bit:
///
/// | bits | field |
/// |---|---|
/// | 0–1 | state: closed 0, open 1, half-open 2 |
/// | 2–3 | mode: enabled 0; the other values are kept free, 3 marks a ticket (see below) |
/// | 4 | watched: a call must be seen by more than the count |
/// | 5–20 | failures, one after another (saturating) |
/// | 21–30 | successes of trial calls (saturating) |
/// | 31–63 | epoch: rises at every change of state |
///
/// Closed, enabled and unwatched are zeros, so that admission is one load and one test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

const STATE: u64 = 0b11;
const MODE: u64 = 0b11 << 2;
const WATCHED: u64 = 1 << 4;
const FAILURES_AT: u32 = 5;
const FAILURES: u64 = 0xffff << FAILURES_AT;
const SUCCESSES_AT: u32 = 21;
const SUCCESSES: u64 = 0x3ff << SUCCESSES_AT;
const EPOCH_AT: u32 = 31;

/// Most failures that a word can count.
pub(crate) const MAX_FAILURES: u32 = 0xffff;
/// Most successes that a word can count.
pub(crate) const MAX_SUCCESSES: u32 = 0x3ff;

impl Word {
    pub(crate) const NEW: Word = Word(0);

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Word(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Closed, enabled and unwatched: a call passes and nobody else needs to know.
    #[inline]
    pub(crate) const fn is_quiet(self) -> bool {
        self.0 & (STATE | MODE | WATCHED) == 0
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        match self.0 & STATE {
            0 => State::Closed,
            1 => State::Open,
            _ => State::HalfOpen,
        }
    }

    #[inline]
    pub(crate) const fn is_watched(self) -> bool {
        self.0 & WATCHED != 0
    }

    #[inline]
    pub(crate) const fn failures(self) -> u32 {
        ((self.0 & FAILURES) >> FAILURES_AT) as u32
    }

    #[inline]
    pub(crate) const fn successes(self) -> u32 {
        ((self.0 & SUCCESSES) >> SUCCESSES_AT) as u32
    }

    #[inline]
    pub(crate) const fn epoch(self) -> u64 {
        self.0 >> EPOCH_AT
    }

    #[inline]
    pub(crate) const fn with_watched(self, watched: bool) -> Self {
        if watched { Word(self.0 | WATCHED) } else { Word(self.0 & !WATCHED) }
    }

    #[inline]
    pub(crate) const fn with_failures(self, failures: u32) -> Self {
        let failures = if failures > MAX_FAILURES { MAX_FAILURES } else { failures };
        Word(self.0 & !FAILURES | (failures as u64) << FAILURES_AT)
    }

    #[inline]
    pub(crate) const fn with_successes(self, successes: u32) -> Self {
        let successes = if successes > MAX_SUCCESSES { MAX_SUCCESSES } else { successes };
        Word(self.0 & !SUCCESSES | (successes as u64) << SUCCESSES_AT)
    }

    /// The next epoch, in `state`, with no successes; failures are kept.
    #[inline]
    pub(crate) const fn entering(self, state: State) -> Self {
        let bits = match state {
            State::Closed => 0,
            State::Open => 1,
            State::HalfOpen => 2,
        };
        let kept = self.0 & (MODE | WATCHED | FAILURES);
        Word(kept | bits | (self.epoch().wrapping_add(1)) << EPOCH_AT)
    }

    /// What a call that was admitted by this word holds: the word that its success expects to
    /// find if there is nothing to do, which is this one without failures.
    #[inline]
    pub(crate) const fn ticket(self) -> Self {
        if self.is_quiet() {
            Word(self.0 & !FAILURES)
        } else {
            // No word has mode 3, so this ticket never finds "nothing to do".
            Word(self.0 | MODE)
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("state", &self.state())
            .field("watched", &self.is_watched())
            .field("failures", &self.failures())
            .field("successes", &self.successes())
            .field("epoch", &self.epoch())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let word = Word::NEW
            .entering(State::HalfOpen)
            .with_watched(true)
            .with_failures(MAX_FAILURES + 1)
            .with_successes(MAX_SUCCESSES + 1);
        assert_eq!(word.state(), State::HalfOpen);
        assert_eq!(word.epoch(), 1);
        assert!(word.is_watched());
        assert_eq!(word.failures(), MAX_FAILURES);
        assert_eq!(word.successes(), MAX_SUCCESSES);

        let next = word.entering(State::Open);
        assert_eq!(next.state(), State::Open);
        assert_eq!(next.epoch(), 2);
        assert_eq!(next.failures(), MAX_FAILURES);
        assert_eq!(next.successes(), 0);
        assert!(next.is_watched());
        assert!(!next.with_watched(false).is_watched());
    }

    #[test]
    fn the_epoch_wraps_without_touching_the_rest() {
        let last = Word::from_bits(u64::MAX << EPOCH_AT);
        assert_eq!(last.entering(State::Open).epoch(), 0);
        assert_eq!(last.entering(State::Open).state(), State::Open);
    }

    #[test]
    fn only_a_quiet_ticket_can_be_found_again() {
        let quiet = Word::NEW.with_failures(3);
        assert_eq!(quiet.ticket(), Word::NEW);
        let watched = quiet.with_watched(true);
        assert_ne!(watched.ticket(), watched.with_failures(0));
        assert_eq!(watched.entering(State::Open).ticket().epoch(), 1);
    }
}
