//! What can happen next.

use infuse_core::{Outcome, State};

use super::{
    breaker::Gate,
    process::{At, Lane, Process},
    setting::Fault,
    time::START,
    verb::{Role, Verb},
    world::World,
};

/// One step. Processes and lanes are numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Time passes.
    Tick,
    Succeed(usize),
    Fail(usize),
    /// A caller finds that a trial is due.
    Try(usize),
    /// The first trial that runs ends.
    End(usize, Outcome),
    /// A poll.
    Look(usize),
    /// A process tells what it has to tell.
    Turn(usize),
    /// What is first in a lane reaches the storage.
    Apply(usize, Lane),
    /// Its answer arrives.
    Answer(usize, Lane),
    /// Both at once.
    Exchange(usize, Lane),
    /// A push arrives.
    Push(usize, usize),
    /// An answer is lost, and its verb repeated.
    LoseAnswer(usize, Lane),
    /// A verb is repeated, and the first arrives later, if ever.
    Double(usize, Lane),
    /// Something arrives of which nobody expects an answer any more.
    Straggle(usize),
    Open(usize),
    Close(usize),
    Seed(usize),
    Isolate(usize),
    Release(usize),
    /// The service asks a caller to leave it alone for a while.
    HoldOff(usize),
    /// A verb and its repeat fail.
    GiveUp(usize, Lane),
    /// A lease is not answered in time.
    TooSlow(usize),
    Find(usize),
    Die(usize),
    Flush,
    Rollback,
    Split,
    Heal(usize),
    Stranger(State),
}

impl World {
    pub(super) fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::with_capacity(32);
        for (index, process) in self.processes.iter().enumerate() {
            self.calls(index, process, &mut actions);
            self.messages(index, process, &mut actions);
            self.process_faults(index, process, &mut actions);
        }
        actions.extend((0..self.stragglers.len()).map(Action::Straggle));
        self.storage_faults(&mut actions);
        if self.may_tick() {
            actions.push(Action::Tick);
        }
        actions
    }

    fn calls(&self, index: usize, process: &Process, actions: &mut Vec<Action>) {
        let at = self.at();
        match process.breaker.admit(at.now) {
            Gate::Pass => {
                actions.push(Action::Fail(index));
                if self.success_says_something(process) {
                    actions.push(Action::Succeed(index));
                }
            }
            Gate::TrialDue if process.may_ask(at) => actions.push(Action::Try(index)),
            Gate::TrialDue | Gate::Reject => {}
        }
        if process.breaker.trials.first().is_some_and(|trial| at.now < trial.ends) {
            let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Ignored];
            actions.extend(outcomes.map(|outcome| Action::End(index, outcome)));
        }
        let has_no_command = process.lanes[Lane::Command as usize].is_empty();
        if self.overrides > 0 && has_no_command {
            actions.extend([Action::Isolate(index), Action::Release(index)]);
        }
        if self.hold_offs > 0 {
            actions.push(Action::HoldOff(index));
        }
        if self.commands > 0 && has_no_command {
            actions.extend([Action::Close(index), Action::Open(index)]);
            if process.late_seed.is_none() {
                actions.push(Action::Seed(index));
            }
        }
    }

    /// A success before the first failure that is counted changes nothing but its own age.
    fn success_says_something(&self, process: &Process) -> bool {
        let counted = self.masters.iter().flatten().any(|record| record.first_failure.is_some());
        counted || process.breaker.failures > 0 || process.known.count.suspected.is_some()
    }

    /// Looks that find nothing new are few: they differ from others only while they are under way.
    fn may_look(&self, process: &Process) -> bool {
        self.idle_looks > 0 || self.finds_something(process)
    }

    pub(super) fn finds_something(&self, process: &Process) -> bool {
        let side = if self.masters[1].is_some() { process.side } else { 0 };
        let Some(record) = &self.masters[side] else { return true };
        let (known, count) = (&process.known, &process.known.count);
        let suspected = record.suspected.as_ref().map(|suspected| suspected.id);
        known.generation != record.generation
            || known.state != record.state
            || process.breaker.state != known.state
            || count.clears != record.clears
            || count.suspected.as_ref().map(|suspected| suspected.id.raised_at) != suspected
            || (record.first_failure.is_some() && process.stamp != 0)
    }

    fn messages(&self, index: usize, process: &Process, actions: &mut Vec<Action>) {
        for lane in Lane::ALL {
            let Some(first) = process.lanes[lane as usize].first() else { continue };
            if first.answer.is_some() {
                actions.push(Action::Answer(index, lane));
            } else {
                actions.push(Action::Exchange(index, lane));
                if !self.setting.atomic {
                    actions.push(Action::Apply(index, lane));
                }
            }
            if self.repeats > 0 {
                let unheard = first.answer.is_some();
                let again = if unheard {
                    Action::LoseAnswer(index, lane)
                } else {
                    Action::Double(index, lane)
                };
                actions.push(again);
            }
            if self.may(Fault::Lose) && first.role != Role::GiveBack {
                actions.push(Action::GiveUp(index, lane));
            }
            if self.may(Fault::Slow) && first.role == Role::Lease {
                actions.push(Action::TooSlow(index));
            }
        }
        if !process.lost && process.lanes[Lane::Tell as usize].is_empty() {
            if self.may_look(process) {
                actions.push(Action::Look(index));
            }
            if self.setting.lazy && process.has_to_tell(self.at()) {
                actions.push(Action::Turn(index));
            }
        }
        actions.extend((0..process.pushes.len()).map(|push| Action::Push(index, push)));
    }

    fn process_faults(&self, index: usize, process: &Process, actions: &mut Vec<Action>) {
        if process.lost && process.lanes[Lane::Tell as usize].is_empty() {
            actions.push(Action::Find(index));
        }
        if self.may(Fault::Die) {
            actions.push(Action::Die(index));
        }
    }

    fn storage_faults(&self, actions: &mut Vec<Action>) {
        if self.masters[1].is_some() {
            actions.extend([Action::Heal(0), Action::Heal(1)]);
        } else if self.may(Fault::Split) {
            actions.push(Action::Split);
        }
        if self.may(Fault::Flush) {
            actions.push(Action::Flush);
        }
        if self.may(Fault::Rollback) && self.older.is_some() {
            actions.push(Action::Rollback);
        }
        if self.may(Fault::Stranger) {
            actions.extend([State::Open, State::Closed].map(Action::Stranger));
        }
    }

    fn may(&self, fault: Fault) -> bool {
        self.faults > 0 && self.setting.kinds.contains(&fault)
    }

    /// An answer that is awaited comes within a tick, or is given up.
    fn may_tick(&self) -> bool {
        let now = self.now;
        let waits = |process: &Process| {
            let mut first = process.lanes.iter().filter_map(|lane| lane.first());
            first.any(|flight| flight.sent_at < now)
        };
        now < START + self.setting.ticks && !self.processes.iter().any(|process| waits(process))
    }

    pub(super) fn at(&self) -> At<'_> {
        At { now: self.now, setting: &self.setting }
    }
}

/// Whether a flight that was given up can still reach the storage.
pub(super) fn may_straggle(verb: &Verb) -> bool {
    // A look that arrives late mends, which the next look does too.
    !matches!(verb, Verb::Look(_))
}
