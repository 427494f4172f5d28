//! What must come of every world when nothing goes wrong any more: agreement, and calls that are
//! let through.

use std::rc::Rc;

use infuse_core::{Outcome, State};

use super::{
    action::Action,
    breaker::Gate,
    process::{Lane, Process},
    property::Broken,
    time::{span, ticks_of},
    world::World,
};
use crate::alone::Alone;

/// How what is on its way ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    /// Whether pushes arrive that are under way now.
    pub(super) pushes: bool,
    /// Whether stragglers do.
    pub(super) stragglers: bool,
    /// Whether trials that run end by themselves, or only with their leases.
    pub(super) trials: bool,
    /// Which master stays.
    pub(super) master: usize,
}

/// Exchanges that a process may need to become quiet.
const ENOUGH: usize = 40;

impl Ending {
    /// All of them.
    pub(super) const ALL: [Ending; 4] = [
        Ending { pushes: true, stragglers: true, trials: true, master: 0 },
        Ending { pushes: false, stragglers: false, trials: false, master: 1 },
        Ending { pushes: true, stragglers: false, trials: false, master: 0 },
        Ending { pushes: false, stragglers: true, trials: true, master: 1 },
    ];
}

/// Whether processes and storage agree when the faults are over, and every process lets a call
/// through after a while.
pub(super) fn check(world: &World, ending: Ending) -> Option<Broken> {
    let mut world = world.clone();
    world.faults = 0;
    world.heal(ending.master);
    if !ending.pushes {
        for process in &mut world.processes {
            Rc::make_mut(process).pushes.clear();
        }
    }
    if ending.stragglers {
        while !world.stragglers.is_empty() {
            world.act(Action::Straggle(0));
        }
    }
    world.stragglers.clear();
    world.settle_down();
    for _ in 0..2 {
        for index in 0..world.processes.len() {
            world.act(Action::Look(index));
            world.settle_down();
        }
    }
    if let Some(broken) = world.broken {
        return Some(broken);
    }
    if !world.processes.iter().all(|process| world.agrees(process)) {
        return Some(Broken::Agreement);
    }
    let isolated = world.masters[0].as_ref().is_some_and(|record| record.overridden.is_some());
    if world.past.isolated_until > world.now && !isolated {
        return Some(Broken::OverrideLost);
    }
    world.clone().lets_through(ending.trials).or_else(|| world.ends_suspicion())
}

impl World {
    /// Everything that is on its way arrives, and what follows from it, within this tick.
    fn settle_down(&mut self) {
        for _ in 0..ENOUGH {
            if !(0..self.processes.len()).any(|index| self.settle_one(index)) {
                return;
            }
        }
    }

    /// Whether there was anything to do.
    fn settle_one(&mut self, index: usize) -> bool {
        let process = &self.processes[index];
        for lane in Lane::ALL {
            let Some(first) = process.lanes[lane as usize].first() else { continue };
            let answered = first.answer.is_some();
            let next =
                if answered { Action::Answer(index, lane) } else { Action::Exchange(index, lane) };
            self.act(next);
            return true;
        }
        let at = self.at();
        let next = if process.lost {
            Action::Find(index)
        } else if !process.pushes.is_empty() {
            Action::Push(index, 0)
        } else if self.setting.lazy && process.has_to_tell(at) {
            Action::Turn(index)
        } else {
            return false;
        };
        self.act(next);
        true
    }

    /// Whether a process agrees with the storage, or stands apart as it may.
    fn agrees(&self, process: &Process) -> bool {
        let Some(record) = &self.masters[0] else { return false };
        let known = &process.known;
        let left = record.open_until.saturating_sub(span(self.now));
        let same = known.generation == record.generation
            && known.state == record.state
            && known.presented(span(self.now)).time_left
                == if record.state == State::Open { left } else { span(0) };
        let suspicion = record.suspected.as_ref().map(|suspected| suspected.id);
        let suspected = known.count.suspected.as_ref().map(|suspected| suspected.id.raised_at);
        // What is over does not come back, though a storage that lost writes may have it again.
        let suspects = suspected == suspicion || self.past.torn;
        let breaker = process.breaker.state == known.state
            && (known.state != State::Open || span(process.breaker.left(self.now)) <= left);
        let apart = process.alone != Alone::No && known.state == State::Closed;
        let isolated = record.overridden.as_ref().and_then(|it| it.left(span(self.now)));
        let isolated = isolated.and_then(|it| it.left).map_or(0, ticks_of);
        let overridden = process.breaker.isolated_until.saturating_sub(self.now) == isolated;
        same && overridden && suspects && (breaker || apart)
    }

    /// Whether a suspicion ends while time passes.
    fn ends_suspicion(mut self) -> Option<Broken> {
        // It may be renewed.
        for _ in 0..4 * self.setting.lapse {
            if self.masters[0].as_ref().is_none_or(|record| record.suspected.is_none()) {
                return self.broken;
            }
            self.act(Action::Tick);
            self.settle_down();
            self.act(Action::Look(0));
            self.settle_down();
        }
        Some(Broken::SuspectForEver)
    }

    /// Whether each process lets a call through while time passes.
    fn lets_through(mut self, trials_end: bool) -> Option<Broken> {
        let mut through = vec![false; self.processes.len()];
        let setting = Rc::clone(&self.setting);
        let held = setting.held_off + setting.isolated;
        for _ in 0..=setting.reset + 2 * setting.lease + held + 2 {
            for (index, through) in through.iter_mut().enumerate() {
                // One that was let through leaves the next trial to the others.
                *through = *through || self.lets_call_through(index);
                if trials_end {
                    self.end_trials(index);
                }
            }
            if through.iter().all(|through| *through) {
                return None;
            }
            self.act(Action::Tick);
            self.settle_down();
            for index in 0..self.processes.len() {
                self.act(Action::Look(index));
                self.settle_down();
            }
        }
        Some(Broken::Rejecting)
    }

    fn lets_call_through(&mut self, index: usize) -> bool {
        let at = self.at();
        let process = &self.processes[index];
        if process.breaker.admit(at.now) == Gate::Pass {
            return true;
        }
        let trials = process.breaker.running(at.now);
        if process.may_ask(at) {
            self.act(Action::Try(index));
            self.settle_down();
        }
        let breaker = &self.processes[index].breaker;
        breaker.state == State::Closed || breaker.running(self.now) > trials
    }

    fn end_trials(&mut self, index: usize) {
        while !self.processes[index].breaker.trials.is_empty() {
            self.act(Action::End(index, Outcome::Ignored));
        }
        self.settle_down();
    }
}
