use std::fmt;

use crate::{Mode, State};

/// The whole truth about a circuit, in one word.
///
/// From the lowest bit:
///
/// | bits | field |
/// |---|---|
/// | 0–1 | state: closed 0, open 1, half-open 2; 3 marks a ticket (see below) |
/// | 2–3 | mode: enabled 0, observe 1, disabled 2, isolated 3 |
/// | 4 | watched: a call must be seen by more than the count |
/// | 5 | fleeting: an override or a ramp holds, which ends by itself |
/// | 6 | local: a failure of our own side is among the failures |
/// | 7–22 | failures, one after another (saturating) |
/// | 23–32 | successes of trial calls (saturating) |
/// | 33–63 | epoch: rises at every change of state |
///
/// Closed, enabled, unwatched and nothing that ends are zeros, so that admission is one load and
/// one test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word(u64);

const STATE: u64 = 0b11;
const MODE_AT: u32 = 2;
const MODE: u64 = 0b11 << MODE_AT;
/// Set in the two modes in which nothing is counted.
const UNCOUNTED: u64 = 0b10 << MODE_AT;
const WATCHED: u64 = 1 << 4;
const FLEETING: u64 = 1 << 5;
const LOCAL: u64 = 1 << 6;
const FAILURES_AT: u32 = 7;
const FAILURES: u64 = 0xffff << FAILURES_AT;
const SUCCESSES_AT: u32 = 23;
const SUCCESSES: u64 = 0x3ff << SUCCESSES_AT;
const EPOCH_AT: u32 = 33;

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

    /// A call passes and nobody else needs to know.
    #[inline]
    pub(crate) const fn is_quiet(self) -> bool {
        self.0 & (STATE | MODE | WATCHED | FLEETING) == 0
    }

    /// A call passes, whoever else needs to know.
    #[inline]
    pub(crate) const fn passes(self) -> bool {
        self.0 & (STATE | MODE | FLEETING) == 0
    }

    /// The state alone says what becomes of a call.
    #[inline]
    pub(crate) const fn is_plain(self) -> bool {
        self.0 & (MODE | FLEETING) == 0
    }

    #[inline]
    pub(crate) const fn mode(self) -> Mode {
        match (self.0 & MODE) >> MODE_AT {
            0 => Mode::Enabled,
            1 => Mode::Observe,
            2 => Mode::Disabled,
            _ => Mode::Isolated,
        }
    }

    /// Whether outcomes count in its mode.
    #[inline]
    pub(crate) const fn counts(self) -> bool {
        self.0 & UNCOUNTED == 0
    }

    #[inline]
    pub(crate) const fn is_fleeting(self) -> bool {
        self.0 & FLEETING != 0
    }

    /// Whether a failure of our own side is among the failures.
    #[inline]
    pub(crate) const fn is_local(self) -> bool {
        self.0 & LOCAL != 0
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
    pub(crate) const fn with_fleeting(self, fleeting: bool) -> Self {
        if fleeting { Word(self.0 | FLEETING) } else { Word(self.0 & !FLEETING) }
    }

    #[inline]
    pub(crate) const fn with_mode(self, mode: Mode) -> Self {
        let bits: u64 = match mode {
            Mode::Enabled => 0,
            Mode::Observe => 1,
            Mode::Disabled => 2,
            Mode::Isolated => 3,
        };
        Word(self.0 & !MODE | bits << MODE_AT)
    }

    /// So many failures; whether one of them was of our own side is kept.
    #[inline]
    pub(crate) const fn with_failures(self, failures: u32) -> Self {
        let failures = if failures > MAX_FAILURES { MAX_FAILURES } else { failures };
        Word(self.0 & !FAILURES | (failures as u64) << FAILURES_AT)
    }

    #[inline]
    pub(crate) const fn without_failures(self) -> Self {
        Word(self.0 & !(FAILURES | LOCAL))
    }

    /// The same, with a failure of our own side among the failures if `local`.
    #[inline]
    pub(crate) const fn with_local(self, local: bool) -> Self {
        if local { Word(self.0 | LOCAL) } else { self }
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
        let kept = self.0 & (MODE | WATCHED | FLEETING | LOCAL | FAILURES);
        Word(kept | bits | (self.epoch().wrapping_add(1)) << EPOCH_AT)
    }

    /// Whether this is the word that a call with `ticket` was admitted by while it was watched, in
    /// a closed circuit without failures and with nothing else to heed.
    #[inline]
    pub(crate) const fn is_watched_calm(self, ticket: Word) -> bool {
        let other = self.0 ^ ticket.0;
        other == STATE && ticket.0 & (MODE | FLEETING | FAILURES) == 0
    }

    /// What a call that was admitted by this word holds: the word that its success expects to
    /// find if there is nothing to do, which is this one without failures.
    #[inline]
    pub(crate) const fn ticket(self) -> Self {
        if self.is_quiet() {
            self.without_failures()
        } else {
            // No word has state 3, so this ticket never finds "nothing to do".
            Word(self.0 | STATE)
        }
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("state", &self.state())
            .field("mode", &self.mode())
            .field("watched", &self.is_watched())
            .field("fleeting", &self.is_fleeting())
            .field("local", &self.is_local())
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
            .with_mode(Mode::Disabled)
            .with_failures(MAX_FAILURES + 1)
            .with_successes(MAX_SUCCESSES + 1);
        assert_eq!(word.state(), State::HalfOpen);
        assert_eq!(word.epoch(), 1);
        assert_eq!((word.is_watched(), word.is_fleeting(), word.is_local()), (true, false, false));
        assert_eq!(word.mode(), Mode::Disabled);
        assert_eq!(word.failures(), MAX_FAILURES);
        assert_eq!(word.successes(), MAX_SUCCESSES);

        let next = word.entering(State::Open);
        assert_eq!(next.state(), State::Open);
        assert_eq!(next.epoch(), 2);
        assert_eq!(next.failures(), MAX_FAILURES);
        assert_eq!(next.successes(), 0);
        assert!(next.is_watched());
        assert!(!next.with_watched(false).is_watched());
        assert_eq!(next.mode(), Mode::Disabled);

        let all = next.with_fleeting(true).with_local(true).with_mode(Mode::Isolated);
        assert_eq!((all.is_fleeting(), all.is_local(), all.mode()), (true, true, Mode::Isolated));
        assert_eq!((all.state(), all.failures(), all.epoch()), (State::Open, MAX_FAILURES, 2));
        assert!(!all.with_fleeting(false).is_fleeting());
        assert!(all.with_local(false).is_local(), "one among them is enough");
        let none = all.without_failures();
        assert_eq!((none.failures(), none.is_local(), none.is_fleeting()), (0, false, true));
    }

    #[test]
    fn each_mode_can_be_found_again() {
        for mode in [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated] {
            let word = Word::from_bits(u64::MAX).with_mode(mode);
            assert_eq!(word.mode(), mode);
            assert_eq!(word.counts(), matches!(mode, Mode::Enabled | Mode::Observe));
            assert_eq!(Word::NEW.with_mode(mode).is_quiet(), mode == Mode::Enabled);
        }
        assert!(Word::NEW.with_watched(true).passes() && !Word::NEW.with_watched(true).is_quiet());
        assert!(!Word::NEW.with_fleeting(true).passes());
        assert!(!Word::NEW.with_fleeting(true).is_plain());
    }

    #[test]
    fn the_epoch_wraps_without_touching_the_rest() {
        let last = Word::from_bits(u64::MAX << EPOCH_AT);
        assert_eq!(last.entering(State::Open).epoch(), 0);
        assert_eq!(last.entering(State::Open).state(), State::Open);
    }

    #[test]
    fn a_watched_word_is_calm_where_a_success_changes_nothing() {
        let watched = Word::NEW.entering(State::Closed).with_watched(true);
        assert!(watched.is_watched_calm(watched.ticket()));
        for other in [
            watched.with_failures(1),
            watched.with_fleeting(true),
            watched.with_mode(Mode::Observe),
            watched.with_mode(Mode::Disabled),
            watched.with_watched(false),
            watched.entering(State::Closed),
            watched.entering(State::Open),
            watched.entering(State::HalfOpen),
        ] {
            assert!(!other.is_watched_calm(watched.ticket()), "{other:?}");
            assert!(!watched.is_watched_calm(other.ticket()), "{other:?}");
            let was_watched = other.is_watched() && other.passes() && other.failures() == 0;
            assert_eq!(other.is_watched_calm(other.ticket()), was_watched, "{other:?}");
        }
    }

    #[test]
    fn only_a_quiet_ticket_can_be_found_again() {
        let quiet = Word::NEW.with_failures(3).with_local(true);
        assert_eq!(quiet.ticket(), Word::NEW);
        for loud in [
            quiet.with_watched(true),
            quiet.with_fleeting(true),
            quiet.with_mode(Mode::Observe),
            quiet.with_mode(Mode::Isolated),
            quiet.entering(State::HalfOpen),
        ] {
            assert_ne!(loud.ticket(), loud.without_failures());
            assert_ne!(loud.ticket(), loud);
            assert_eq!(loud.ticket().epoch(), loud.epoch());
        }
    }
}
