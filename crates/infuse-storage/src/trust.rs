use std::time::Duration;

use infuse_core::{Cause, State};

use crate::{ProcessId, View, when::When};

/// How many reset timeouts a process whose trip was refuted opens only itself.
const APART_FOR: u32 = 10;

/// Whether a process opens the circuit for everybody when its own calls have all failed.
///
/// One whose trip was refuted, because a trial of another process succeeded, may be sick itself:
/// for a while it opens only itself, so that one sick process does not flap the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Trust {
    /// Its trip is told, and not answered yet.
    pub(crate) telling: bool,
    /// The circuit is open because of its trip, or of the calls that it told, and no trial of another
    /// process has failed since.
    pub(crate) tripped: bool,
    /// Until when it opens only itself.
    pub(crate) apart_until: When,
    /// Whether its last trip was not enough: more processes must have seen failures.
    pub(crate) refused: bool,
}

/// How this process has tripped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tripping {
    pub(crate) now: Duration,
    /// The fleet's circuit.
    pub(crate) fleet: State,
    /// Whether other processes report failures too.
    pub(crate) others_fail: bool,
    /// Whether it is no matter for others: failures of our own side had a part in it.
    pub(crate) local: bool,
    /// Whether the circuit was open here alone already, and its trial failed.
    pub(crate) again: bool,
    /// Whether it may be told now, by what this circuit has sent lately.
    pub(crate) may_ask: bool,
}

/// What becomes of a trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaches {
    /// It opens the circuit for everybody.
    Fleet,
    /// It opens it in this process alone.
    Here,
}

impl Trust {
    /// This process has tripped.
    pub(crate) fn trip(&mut self, trip: &Tripping) -> Reaches {
        let alone = trip.again
            || (self.refused && !trip.may_ask)
            || (self.is_apart(trip.now) && !trip.others_fail);
        if trip.local || (alone && trip.fleet == State::Closed) {
            return Reaches::Here;
        }
        self.telling = true;
        Reaches::Fleet
    }

    /// Its trip was not enough to open the circuit for everybody.
    pub(crate) fn refuse(&mut self) {
        self.telling = false;
        self.refused = true;
    }

    /// Whether it opens only itself.
    pub(crate) fn is_apart(&self, now: Duration) -> bool {
        !self.apart_until.left(now).is_zero()
    }

    /// The storage has changed the circuit.
    pub(crate) fn changed(
        &mut self,
        view: &View,
        me: ProcessId,
        now: Duration,
        reset_timeout: Duration,
    ) {
        let mine = view.by == Some(me);
        let was = *self;
        *self = Self::default();
        match (view.state, view.cause) {
            (State::Open, Cause::TrialFailed) => {
                self.tripped = mine && (was.tripped || was.telling);
            }
            (State::HalfOpen, Cause::TrialStarted) => self.tripped = was.tripped,
            // By a look at what all have told, without a trip.
            (State::Open, Cause::FailureRate | Cause::SlowCallRate) => self.tripped = mine,
            // By calls that failed in a row.
            (State::Open, cause) if !is_asked_for(cause) => self.tripped = mine && was.telling,
            (State::Closed, Cause::TrialSucceeded) if was.tripped && !mine => {
                self.apart_until =
                    now.saturating_add(reset_timeout.saturating_mul(APART_FOR)).into();
            }
            _ => {}
        }
    }
}

/// Whether somebody wanted the circuit to open, or nobody knows why it did.
fn is_asked_for(cause: Cause) -> bool {
    matches!(cause, Cause::Manual | Cause::Seed | Cause::Adopted | Cause::Fallback)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const ME: ProcessId = ProcessId::from_u64(1);
    const OTHER: ProcessId = ProcessId::from_u64(2);

    fn change(trust: &mut Trust, state: State, cause: Cause, by: ProcessId) {
        let view = View { state, cause, by: Some(by), ..View::new() };
        trust.changed(&view, ME, SECOND, SECOND);
    }

    const TRIPPING: Tripping = Tripping {
        now: SECOND,
        fleet: State::Closed,
        others_fail: false,
        local: false,
        again: false,
        may_ask: true,
    };

    fn trip(trust: &mut Trust, now: Duration, others_fail: bool) -> Reaches {
        trust.trip(&Tripping { now, others_fail, ..TRIPPING })
    }

    /// After its trip and a trial of `by` that succeeded.
    fn tried(by: ProcessId) -> Trust {
        let mut trust = Trust::default();
        assert_eq!(trip(&mut trust, SECOND, false), Reaches::Fleet);
        change(&mut trust, State::Open, Cause::Failures, ME);
        change(&mut trust, State::HalfOpen, Cause::TrialStarted, by);
        change(&mut trust, State::Closed, Cause::TrialSucceeded, by);
        trust
    }

    #[test]
    fn one_that_was_refuted_opens_only_itself_for_ten_reset_timeouts() {
        let mut trust = tried(OTHER);
        assert_eq!(trip(&mut trust, SECOND, false), Reaches::Here);
        assert_eq!(trip(&mut trust, 10 * SECOND, false), Reaches::Here);
        assert_eq!(trip(&mut trust, 11 * SECOND, false), Reaches::Fleet);
    }

    #[test]
    fn its_own_trial_refutes_nothing() {
        assert_eq!(trip(&mut tried(ME), SECOND, false), Reaches::Fleet);
    }

    #[test]
    fn others_that_fail_too_make_it_be_believed() {
        assert_eq!(trip(&mut tried(OTHER), SECOND, true), Reaches::Fleet);
    }

    #[test]
    fn a_trial_that_failed_elsewhere_confirms_the_trip() {
        for (by, reaches) in [(OTHER, Reaches::Fleet), (ME, Reaches::Here)] {
            let mut trust = Trust::default();
            trip(&mut trust, SECOND, false);
            change(&mut trust, State::Open, Cause::Failures, ME);
            change(&mut trust, State::Open, Cause::TrialFailed, by);
            change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
            assert_eq!(trip(&mut trust, SECOND, false), reaches);
        }
    }

    #[test]
    fn what_was_opened_otherwise_is_not_its_trip() {
        for (telling, by) in [(false, ME), (true, OTHER)] {
            let mut trust = Trust { telling, ..Trust::default() };
            change(&mut trust, State::Open, Cause::Failures, by);
            change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
            assert!(!trust.is_apart(SECOND), "{telling} {by}");
        }
    }

    #[test]
    fn any_other_change_ends_being_apart() {
        let mut trust = tried(OTHER);
        change(&mut trust, State::Closed, Cause::Manual, OTHER);
        assert!(!trust.is_apart(SECOND));
    }

    #[test]
    fn what_is_no_matter_for_others_is_not_told_and_nor_is_a_trial_that_fails_alone() {
        let mut trust = Trust::default();
        assert_eq!(trust.trip(&Tripping { local: true, ..TRIPPING }), Reaches::Here);
        assert_eq!(trust.trip(&Tripping { again: true, ..TRIPPING }), Reaches::Here);
        assert!(!trust.telling);
        // The fleet's own trial is told.
        let trial = Tripping { again: true, fleet: State::HalfOpen, ..TRIPPING };
        assert_eq!(trust.trip(&trial), Reaches::Fleet);
    }

    #[test]
    fn one_whose_trip_was_not_enough_tells_the_next_when_it_may() {
        let mut trust = Trust::default();
        let hasty = Tripping { may_ask: false, ..TRIPPING };
        assert_eq!(trust.trip(&hasty), Reaches::Fleet);
        trust.refuse();
        assert_eq!(trust.trip(&hasty), Reaches::Here);
        assert_eq!(trust.trip(&TRIPPING), Reaches::Fleet);
        trust.refuse();
        change(&mut trust, State::Closed, Cause::Manual, OTHER);
        assert_eq!(trust.trip(&hasty), Reaches::Fleet);
    }

    #[test]
    fn a_trip_by_a_rate_can_be_refuted_too() {
        for cause in [Cause::FailureRate, Cause::SlowCallRate, Cause::Rule, Cause::TrialFailed] {
            let mut trust = Trust::default();
            trust.trip(&TRIPPING);
            change(&mut trust, State::Open, cause, ME);
            change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
            assert!(trust.is_apart(SECOND), "{cause:?}");
        }
        // Also one that a look has made of what all told.
        for (by, apart) in [(ME, true), (OTHER, false)] {
            let mut trust = Trust::default();
            change(&mut trust, State::Open, Cause::FailureRate, by);
            change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
            assert_eq!(trust.is_apart(SECOND), apart);
        }
        let mut trust = Trust { telling: true, ..Trust::default() };
        change(&mut trust, State::Open, Cause::Manual, ME);
        change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
        assert!(!trust.is_apart(SECOND));
    }
}
