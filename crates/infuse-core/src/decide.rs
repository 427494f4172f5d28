//! What an admission or an outcome does to a circuit: pure functions of the word, the time and
//! the policy's numbers.

use crate::{Rejected, State, deadline::Deadline, word::Word};

/// What becomes of a call that asks to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Pass,
    Reject(Rejected),
    /// The time for a trial has come: whoever gets the lease may pass.
    TrialDue,
}

/// What an outcome does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing: it came from another epoch, or there is nothing to write.
    Nothing,
    /// It is counted.
    Count(Word),
    /// The circuit changes its state.
    Change(Word),
}

/// `now` in microseconds of the breaker's clock.
#[inline]
pub(crate) fn admit(word: Word, deadline: Deadline, now: u64) -> Gate {
    let state = word.state();
    if state == State::Closed {
        return Gate::Pass;
    }
    // A deadline of another epoch was caught while the circuit changes: not yet.
    if deadline.is_of(word.epoch()) {
        if now >= deadline.at() {
            return Gate::TrialDue;
        }
        if state == State::Open {
            return Gate::Reject(Rejected::new(state, deadline.at() - now));
        }
    }
    Gate::Reject(Rejected::new(state, 0))
}

/// A success of a call that was admitted in `epoch`.
pub(crate) fn success(word: Word, epoch: u64, success_threshold: u32) -> Step {
    if word.epoch() != epoch {
        return Step::Nothing;
    }
    match word.state() {
        State::Closed if word.failures() == 0 => Step::Nothing,
        State::Closed => Step::Count(word.with_failures(0)),
        State::Open => Step::Nothing,
        State::HalfOpen => {
            let successes = word.successes() + 1;
            if successes >= success_threshold {
                Step::Change(word.entering(State::Closed).with_failures(0))
            } else {
                Step::Count(word.with_successes(successes))
            }
        }
    }
}

/// A failure of a call that was admitted in `epoch`.
pub(crate) fn failure(word: Word, epoch: u64, max_failure: u32) -> Step {
    if word.epoch() != epoch {
        return Step::Nothing;
    }
    let failures = word.failures() + 1;
    match word.state() {
        State::Closed if failures < max_failure => Step::Count(word.with_failures(failures)),
        State::Closed | State::HalfOpen => {
            Step::Change(word.entering(State::Open).with_failures(failures))
        }
        State::Open => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn open(epoch_of: Word) -> Word {
        epoch_of.entering(State::Open)
    }

    #[test]
    fn closed_passes_whatever_the_deadline() {
        assert_eq!(admit(Word::NEW, Deadline::new(9, 0), 0), Gate::Pass);
        assert_eq!(admit(Word::NEW.with_watched(true), Deadline::new(9, 0), 0), Gate::Pass);
    }

    #[test]
    fn open_rejects_until_its_deadline() {
        let word = open(Word::NEW);
        let deadline = Deadline::new(1, 1_000_000);
        let Gate::Reject(rejected) = admit(word, deadline, 250_000) else { panic!("admitted") };
        assert_eq!(rejected.retry_after(), Duration::from_millis(750));
        assert_eq!(rejected.state(), State::Open);
        assert_eq!(admit(word, deadline, 1_000_000), Gate::TrialDue);
    }

    #[test]
    fn a_deadline_of_another_epoch_means_not_yet() {
        for epoch in [0, 2] {
            let gate = admit(open(Word::NEW), Deadline::new(epoch, 0), 5);
            assert_eq!(gate, Gate::Reject(Rejected::new(State::Open, 0)));
        }
    }

    #[test]
    fn half_open_never_says_how_long_a_trial_will_take() {
        let word = Word::NEW.entering(State::HalfOpen);
        let gate = admit(word, Deadline::new(1, 30_000_000), 0);
        assert_eq!(gate, Gate::Reject(Rejected::new(State::HalfOpen, 0)));
    }

    #[test]
    fn the_last_failure_opens() {
        let word = Word::NEW.with_failures(3);
        assert_eq!(failure(word, 0, 5), Step::Count(word.with_failures(4)));
        let Step::Change(next) = failure(word.with_failures(4), 0, 5) else { panic!("counted") };
        assert_eq!((next.state(), next.failures(), next.epoch()), (State::Open, 5, 1));
        // A threshold that was lowered below the count on the live circuit.
        assert!(matches!(failure(word, 0, 2), Step::Change(_)));
    }

    #[test]
    fn outcomes_of_another_epoch_are_nothing() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            let word = Word::NEW.entering(state).with_failures(1);
            assert_eq!(success(word, 0, 1), Step::Nothing);
            assert_eq!(failure(word, 0, 1), Step::Nothing);
        }
    }

    #[test]
    fn trials_close_after_the_threshold_and_open_at_once() {
        let word = Word::NEW.with_failures(5).entering(State::HalfOpen);
        assert_eq!(success(word, 1, 2), Step::Count(word.with_successes(1)));
        let Step::Change(closed) = success(word.with_successes(1), 1, 2) else { panic!("counted") };
        assert_eq!((closed.state(), closed.failures()), (State::Closed, 0));
        let Step::Change(opened) = failure(word, 1, 5) else { panic!("counted") };
        assert_eq!((opened.state(), opened.failures()), (State::Open, 6));
    }
}
