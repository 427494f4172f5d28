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
    /// The circuit is open because of its trip, and no trial of another process has failed since.
    pub(crate) tripped: bool,
    /// Until when it opens only itself.
    pub(crate) apart_until: When,
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
    /// This process has tripped. `others_fail` says whether other processes report failures too.
    pub(crate) fn trip(&mut self, now: Duration, fleet: State, others_fail: bool) -> Reaches {
        if self.is_apart(now) && fleet == State::Closed && !others_fail {
            return Reaches::Here;
        }
        self.telling = true;
        Reaches::Fleet
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
            (State::Open, Cause::Failures) => self.tripped = mine && was.telling,
            (State::HalfOpen, Cause::TrialStarted) => self.tripped = was.tripped,
            (State::Open, Cause::TrialFailed) => self.tripped = mine && was.tripped,
            (State::Closed, Cause::TrialSucceeded) if was.tripped && !mine => {
                self.apart_until =
                    now.saturating_add(reset_timeout.saturating_mul(APART_FOR)).into();
            }
            _ => {}
        }
    }
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

    /// After its trip and a trial of `by` that succeeded.
    fn tried(by: ProcessId) -> Trust {
        let mut trust = Trust::default();
        assert_eq!(trust.trip(SECOND, State::Closed, false), Reaches::Fleet);
        change(&mut trust, State::Open, Cause::Failures, ME);
        change(&mut trust, State::HalfOpen, Cause::TrialStarted, by);
        change(&mut trust, State::Closed, Cause::TrialSucceeded, by);
        trust
    }

    #[test]
    fn one_that_was_refuted_opens_only_itself_for_ten_reset_timeouts() {
        let mut trust = tried(OTHER);
        assert_eq!(trust.trip(SECOND, State::Closed, false), Reaches::Here);
        assert_eq!(trust.trip(10 * SECOND, State::Closed, false), Reaches::Here);
        assert_eq!(trust.trip(11 * SECOND, State::Closed, false), Reaches::Fleet);
    }

    #[test]
    fn its_own_trial_refutes_nothing() {
        assert_eq!(tried(ME).trip(SECOND, State::Closed, false), Reaches::Fleet);
    }

    #[test]
    fn others_that_fail_too_make_it_be_believed() {
        assert_eq!(tried(OTHER).trip(SECOND, State::Closed, true), Reaches::Fleet);
    }

    #[test]
    fn a_trial_that_failed_elsewhere_confirms_the_trip() {
        for (by, reaches) in [(OTHER, Reaches::Fleet), (ME, Reaches::Here)] {
            let mut trust = Trust::default();
            trust.trip(SECOND, State::Closed, false);
            change(&mut trust, State::Open, Cause::Failures, ME);
            change(&mut trust, State::Open, Cause::TrialFailed, by);
            change(&mut trust, State::Closed, Cause::TrialSucceeded, OTHER);
            assert_eq!(trust.trip(SECOND, State::Closed, false), reaches);
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
}
