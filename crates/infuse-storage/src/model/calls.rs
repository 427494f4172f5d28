//! What happens in a process by its callers: `impl Replica for Node`, and `Circuit`'s ways to a
//! trial.

use std::time::Duration;

use infuse_core::{Cause, Mode, Opened, Outcome, Override, State};

use super::{
    breaker::{Gate, Tell},
    process::{At, Lane, Process, Tripped},
    setting::Setting,
    time::{span, stamp},
    twist::Twist,
};
use crate::{Presented, alone::Alone, trust::Reaches};

/// `Options::sync_interval`.
pub(super) const APART: Duration = Duration::from_secs(1);

/// What is put on.
pub(super) fn isolation(setting: &Setting) -> Override {
    Override::new(Mode::Isolated).lasting(span(setting.isolated))
}

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
            Tell::Tripped(cause) => self.tripped(at, cause),
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
    fn tripped(&mut self, at: At<'_>, cause: Cause) {
        if self.lost && !at.setting.is_twisted(Twist::TellWhatWasAlone) {
            return;
        }
        let now = span(at.now);
        let presented = self.known.presented(now);
        let opened = Opened::new(cause, span(self.breaker.left(at.now)));
        let reaches;
        (reaches, self.alone) = self.known.trip(now, opened, self.alone, true);
        match reaches {
            Reaches::Here => self.count_failure(at),
            Reaches::Fleet => {
                self.pending.failures = false;
                self.pending.trip = Some(Tripped { presented, cause });
            }
        }
    }

    /// `Node::count_here`.
    pub(super) fn count_here(&mut self, outcomes: impl IntoIterator<Item = Outcome>) {
        for outcome in outcomes {
            if outcome == Outcome::Success && self.breaker.count_trial_success() {
                self.alone = Alone::No;
                self.known.end_hold_off();
            }
        }
    }

    /// `Replica::changed`, of a trial that was granted here.
    fn closed_alone(&mut self) {
        if self.breaker.state == State::Closed {
            self.alone = Alone::No;
            self.known.end_hold_off();
        }
    }

    /// `Circuit::trial` of a caller that found a trial due; whether it may make it now.
    pub(super) fn ask(&mut self, at: At<'_>) -> bool {
        if self.lost || self.alone != Alone::No {
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
        self.breaker.admit(at.now) == Gate::TrialDue
            && (self.lost || self.alone != Alone::No || !asking)
    }

    /// `Circuit::pass_without_lease`.
    pub(super) fn pass_without_lease(&mut self, at: At<'_>) -> bool {
        let most = match (self.lost, self.alone) {
            (true, _) => at.setting.half_open_max_calls,
            (false, Alone::Yes | Alone::Apart) => 1,
            (false, Alone::No) => return self.breaker.state == State::Closed,
        };
        self.breaker.state == State::Closed || self.breaker.begin_trial(most, at.now, at.setting)
    }

    /// The service asks to be left alone: `Breaker::hold_off`, and `Replica::held_off`.
    pub(super) fn hold_off(&mut self, at: At<'_>) {
        let until = at.now + at.setting.held_off;
        self.breaker.hold_off(until);
        let left = span(at.setting.held_off);
        if self.known.hold_off(left, APART, span(at.now)) && !self.lost {
            self.pending.failures = true;
        }
    }

    /// `Node::heed_refusal`.
    pub(super) fn heed_refusal(&mut self, at: At<'_>, presented: &Presented) {
        if self.known.is_refused(presented, self.breaker.state) {
            self.known.trust.refuse();
            self.alone = Alone::Apart;
            self.pending.failures |= !self.known.untold_hold_off(APART, span(at.now)).is_zero();
        }
    }

    /// `Circuit::set_override`, as far as it holds here alone.
    pub(super) fn override_here(&mut self, at: At<'_>, isolated: bool) {
        self.known.override_here();
        self.breaker.isolated_until = if isolated { at.now + at.setting.isolated } else { 0 };
    }

    /// `Circuit::put`, as far as it holds here alone.
    pub(super) fn put_here(&mut self, at: At<'_>, state: State) {
        self.breaker.put(state, at.now, at.setting);
        self.closed_alone();
    }
}
