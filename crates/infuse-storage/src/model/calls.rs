//! What happens in a process by its callers: `impl Replica for Node`, and `Circuit`'s ways to a
//! trial.

use infuse_core::{Outcome, State};

use super::{
    breaker::{Gate, Tell},
    process::{At, Lane, Process},
    time::{span, stamp},
    twist::Twist,
};
use crate::trust::Reaches;

impl Process {
    fn succeed(&mut self, at: At<'_>) {
        self.stamp = stamp(at.now);
        self.succeeded_at = at.now;
    }

    fn fail(&mut self) {
        self.fresh = self.fresh.saturating_add(1);
    }

    /// A call on the closed circuit.
    pub(super) fn call(&mut self, at: At<'_>, success: bool) {
        if success {
            self.succeed(at);
        } else {
            self.fail();
        }
        let told = self.breaker.count(success, at.now, at.setting);
        self.hear(at, told);
    }

    /// A trial ends.
    pub(super) fn end_trial(&mut self, at: At<'_>, trial: usize, outcome: Outcome) {
        match outcome {
            Outcome::Success => self.succeed(at),
            Outcome::Failure => self.fail(),
            Outcome::Ignored => {}
        }
        let told = self.breaker.settle_trial(trial, outcome, at.now, at.setting);
        self.hear(at, told);
        self.closed_alone();
    }

    /// `impl Replica for Node`.
    fn hear(&mut self, at: At<'_>, told: Tell) {
        match told {
            Tell::Nothing => {}
            Tell::Counted(0) => self.runs += 1,
            Tell::Counted(_) => self.count_failure(at),
            Tell::Tripped => self.tripped(at),
            Tell::TrialOver(token, outcome) => {
                if self.lost {
                    return self.count_here([outcome]);
                }
                self.pending.settles.push((token, outcome));
            }
        }
    }

    /// `Node::count_failure`.
    fn count_failure(&mut self, at: At<'_>) {
        if !self.lost || at.setting.is_twisted(Twist::TellWhatWasAlone) {
            self.failed_at = at.now;
            self.pending.failures = true;
        }
    }

    /// `Replica::tripped`.
    fn tripped(&mut self, at: At<'_>) {
        if self.lost && !at.setting.is_twisted(Twist::TellWhatWasAlone) {
            return;
        }
        let now = span(at.now);
        let presented = self.known.presented(now);
        let others_fail = self.known.count.others_fail();
        let reaches = self.known.trust.trip(now, self.known.state, others_fail);
        self.alone = reaches == Reaches::Here;
        match reaches {
            Reaches::Here => self.count_failure(at),
            Reaches::Fleet => {
                self.pending.failures = false;
                self.pending.trip = Some(presented);
            }
        }
    }

    /// `Node::count_here`.
    pub(super) fn count_here(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        for outcome in outcomes {
            if outcome == Outcome::Success && self.breaker.count_trial_success() {
                self.alone = false;
            }
        }
    }

    /// `Replica::changed`, of a trial that was granted here.
    fn closed_alone(&mut self) {
        if self.breaker.state == State::Closed {
            self.alone = false;
        }
    }

    /// `Circuit::trial` of a caller that found a trial due; whether it may make it now.
    pub(super) fn ask(&mut self, at: At<'_>) -> bool {
        if self.lost || self.alone {
            return self.pass_without_lease(at);
        }
        self.wants_lease = true;
        let told = self.flush(at, false);
        self.lane(Lane::Ask).extend(told);
        self.ask_when_told(at);
        false
    }

    /// Whether a caller that wants a trial need not be rejected at once.
    pub(super) fn may_ask(&self, at: At<'_>) -> bool {
        let asking = self.wants_lease || !self.lanes[Lane::Ask as usize].is_empty();
        self.breaker.admit(at.now) == Gate::TrialDue && (self.lost || self.alone || !asking)
    }

    /// `Circuit::pass_without_lease`.
    pub(super) fn pass_without_lease(&mut self, at: At<'_>) -> bool {
        let most = match (self.lost, self.alone) {
            (true, _) => at.setting.half_open_max_calls,
            (false, true) => 1,
            (false, false) => return self.breaker.state == State::Closed,
        };
        self.breaker.state == State::Closed || self.breaker.begin_trial(most, at.now, at.setting)
    }

    /// `Circuit::put`, as far as it holds here alone.
    pub(super) fn put_here(&mut self, at: At<'_>, state: State) {
        self.breaker.put(state, at.now, at.setting);
        self.closed_alone();
    }
}
