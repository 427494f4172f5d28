//! What an admission or an outcome does to a circuit: pure functions of the word, the time and
//! the policy's numbers.

use crate::{Mode, Rejected, State, deadline::Deadline, word::Word};

/// What becomes of a call that asks to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Pass,
    Reject(Rejected),
    /// The time for a trial has come: whoever gets the lease may pass.
    TrialDue,
    /// It passes although it would be rejected, and its outcome counts as nothing.
    WouldReject(Rejected),
    /// It passes, whatever the state, and its outcome counts as nothing.
    Bypass,
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

/// What a mode makes of what the state says. `left` is how long an isolated circuit stays so, in
/// microseconds.
pub(crate) fn in_mode(mode: Mode, gate: Gate, left: u64) -> Gate {
    match (mode, gate) {
        (Mode::Enabled, gate) => gate,
        (Mode::Observe, Gate::Reject(rejected)) => Gate::WouldReject(rejected),
        (Mode::Observe, gate) => gate,
        (Mode::Disabled, _) => Gate::Bypass,
        (Mode::Isolated, _) => Gate::Reject(Rejected::isolated(left)),
    }
}

/// The share of calls that passes at first in a circuit that recovers.
const FIRST_SHARE: f64 = 0.1;

/// Whether the `nth` call that asks to pass may, in a circuit that recovers for `left` more of
/// `time`. The share of those that may grows evenly from a tenth to all.
///
/// The multiples of the golden ratio fall evenly on the circle, however many there are: so of any
/// calls one after another the right share passes, without dice. The first, number 0, always does.
pub(crate) fn has_turn(nth: u32, left: u64, time: u64) -> bool {
    const GOLDEN: u32 = 0x9e37_79b9;
    if left > time {
        return nth == 0;
    }
    let gone = 1.0 - left as f64 / time.max(1) as f64;
    let share = FIRST_SHARE + (1.0 - FIRST_SHARE) * gone;
    f64::from(nth.wrapping_mul(GOLDEN)) < share * 2_f64.powi(32)
}

/// A success of a call that was admitted in `epoch`.
pub(crate) fn success(word: Word, epoch: u64, success_threshold: u32) -> Step {
    if word.epoch() != epoch || !word.counts() {
        return Step::Nothing;
    }
    match word.state() {
        State::Closed if word.failures() == 0 => Step::Nothing,
        State::Closed => Step::Count(word.without_failures()),
        State::Open => Step::Nothing,
        State::HalfOpen => {
            let successes = word.successes() + 1;
            if successes >= success_threshold {
                Step::Change(word.entering(State::Closed).without_failures())
            } else {
                Step::Count(word.with_successes(successes))
            }
        }
    }
}

/// A failure of a call that was admitted in `epoch`; `local` if it is of our own side.
pub(crate) fn failure(word: Word, epoch: u64, max_failure: u32, local: bool) -> Step {
    if word.epoch() != epoch || !word.counts() {
        return Step::Nothing;
    }
    let failures = word.failures() + 1;
    let counted = word.with_failures(failures).with_local(local);
    match word.state() {
        State::Closed if failures < max_failure => Step::Count(counted),
        State::Closed | State::HalfOpen => Step::Change(counted.entering(State::Open)),
        State::Open => Step::Nothing,
    }
}

/// A call that was admitted in `epoch` and opens the closed circuit, whatever the run of failures:
/// a failure, `local` if it is of our own side, or with `None` a success. `None` if it comes too
/// late.
pub(crate) fn trip(word: Word, epoch: u64, failed: Option<bool>) -> Option<Word> {
    if word.epoch() != epoch || word.state() != State::Closed || !word.counts() {
        return None;
    }
    let counted = match failed {
        Some(local) => word.with_failures(word.failures() + 1).with_local(local),
        None => word.without_failures(),
    };
    Some(counted.entering(State::Open))
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
        assert_eq!(failure(word, 0, 5, false), Step::Count(word.with_failures(4)));
        let Step::Change(next) = failure(word.with_failures(4), 0, 5, false) else {
            panic!("counted")
        };
        assert_eq!((next.state(), next.failures(), next.epoch()), (State::Open, 5, 1));
        // A threshold that was lowered below the count on the live circuit.
        assert!(matches!(failure(word, 0, 2, false), Step::Change(_)));
    }

    #[test]
    fn a_trip_counts_its_own_call() {
        let word = Word::NEW.with_failures(3);
        let opened = |failed| {
            trip(word, 0, failed).map(|word| (word.state(), word.failures(), word.is_local()))
        };
        assert_eq!(opened(Some(false)), Some((State::Open, 4, false)));
        assert_eq!(opened(Some(true)), Some((State::Open, 4, true)));
        assert_eq!(opened(None), Some((State::Open, 0, false)));
        assert_eq!(trip(word.entering(State::Closed), 0, Some(false)), None, "of another epoch");
        assert_eq!(trip(word.entering(State::HalfOpen), 1, Some(false)), None, "not closed");
    }

    #[test]
    fn one_failure_of_our_own_side_makes_the_run_local() {
        let Step::Count(local) = failure(Word::NEW, 0, 5, true) else { panic!("opened") };
        let Step::Count(both) = failure(local, 0, 5, false) else { panic!("opened") };
        assert_eq!((both.failures(), both.is_local()), (2, true));
        assert_eq!(success(both, 0, 1), Step::Count(Word::NEW), "a success ends the run");
    }

    #[test]
    fn in_two_modes_nothing_is_counted() {
        for mode in [Mode::Disabled, Mode::Isolated] {
            for state in [State::Closed, State::HalfOpen] {
                let word = Word::NEW.entering(state).with_failures(1).with_mode(mode);
                assert_eq!(success(word, 1, 1), Step::Nothing);
                assert_eq!(failure(word, 1, 1, false), Step::Nothing);
                assert_eq!(trip(word, 1, Some(false)), None);
            }
        }
        let observed = Word::NEW.with_mode(Mode::Observe);
        let Step::Change(opened) = failure(observed, 0, 1, false) else { panic!("counted") };
        assert_eq!((opened.state(), opened.mode()), (State::Open, Mode::Observe));
    }

    #[test]
    fn what_a_mode_makes_of_it() {
        let open = Rejected::new(State::Open, 7);
        let gates = [Gate::Pass, Gate::TrialDue, Gate::Reject(open)];
        let all = |mode| gates.map(|gate| in_mode(mode, gate, 9));
        assert_eq!(all(Mode::Enabled), gates);
        assert_eq!(all(Mode::Observe), [Gate::Pass, Gate::TrialDue, Gate::WouldReject(open)]);
        assert_eq!(all(Mode::Disabled), [Gate::Bypass; 3]);
        assert_eq!(all(Mode::Isolated), [Gate::Reject(Rejected::isolated(9)); 3]);
    }

    #[test]
    fn the_share_of_a_circuit_that_recovers_grows_from_a_tenth_to_all() {
        const TIME: u64 = 30_000_000;
        for tenths in 0..=10 {
            let left = TIME - TIME / 10 * tenths;
            let share = 0.1 + 0.09 * tenths as f64;
            // However the calls fall: of each hundred one after another, to within two.
            for from in [0, 1, 977, u32::MAX - 50] {
                let nths = (0..100).map(|nth| from.wrapping_add(nth));
                let passed = nths.filter(|&nth| has_turn(nth, left, TIME)).count();
                let off = (passed as f64 - 100.0 * share).abs();
                assert!(off <= 2.0, "{passed} of 100 after {tenths} tenths");
            }
            assert!(has_turn(0, left, TIME), "the first passes");
        }
        assert!((0..100_000).all(|nth| has_turn(nth, 0, TIME)), "all, in the end");
        assert!((0..100_000).all(|nth| has_turn(nth, 0, 0)), "a time of nothing is over");
        assert!(!has_turn(1, 2, 1));
    }

    #[test]
    fn outcomes_of_another_epoch_are_nothing() {
        for state in [State::Closed, State::Open, State::HalfOpen] {
            let word = Word::NEW.entering(state).with_failures(1);
            assert_eq!(success(word, 0, 1), Step::Nothing);
            assert_eq!(failure(word, 0, 1, false), Step::Nothing);
        }
    }

    #[test]
    fn trials_close_after_the_threshold_and_open_at_once() {
        let word = Word::NEW.with_failures(5).entering(State::HalfOpen);
        assert_eq!(success(word, 1, 2), Step::Count(word.with_successes(1)));
        let Step::Change(closed) = success(word.with_successes(1), 1, 2) else { panic!("counted") };
        assert_eq!((closed.state(), closed.failures()), (State::Closed, 0));
        let Step::Change(opened) = failure(word, 1, 5, false) else { panic!("counted") };
        assert_eq!((opened.state(), opened.failures()), (State::Open, 6));
    }
}
