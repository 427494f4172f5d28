//! The storage: verbs that reach it, what it pushes, and what goes wrong with it.

use std::rc::Rc;

use infuse_core::{Cause, State};

use super::{
    action::may_straggle,
    applied::Applied,
    process::{Lane, Process},
    property::Broken,
    time::span,
    verb::{Answer, Flight},
    world::World,
};
use crate::{
    SuspicionId, View,
    memory::record::{Effect, Record, Why},
};

/// How many pushes are under way to a process at most: the oldest are lost.
const PUSHES: usize = 2;

impl World {
    /// What is first in a lane reaches the storage.
    pub(super) fn apply(&mut self, index: usize, lane: Lane) {
        let process = &self.processes[index];
        let (flight, side) = (process.lanes[lane as usize][0].clone(), process.side);
        let answer = self.reach(&flight, side);
        Rc::make_mut(&mut self.processes[index]).lane(lane)[0].answer = Some(answer);
    }

    pub(super) fn reach(&mut self, flight: &Flight, side: usize) -> Rc<Answer> {
        let side = if self.masters[1].is_some() { side } else { 0 };
        let before = Rc::clone(self.masters[side].as_ref().expect("the master is there"));
        let mut after = (*before).clone();
        let (effect, answer) = flight.verb.apply(&mut after, self.now, &self.setting);
        let applied =
            Applied { before: &before, after: &after, flight, answer: &answer, now: self.now };
        self.broken = self.broken.or(applied.breaks(&self.past));
        self.note(&before, &after, flight);
        // A seed that comes too late is not carried out.
        let command = flight.verb.command().filter(|token| after.commands.contains(token));
        self.past.commands.extend(command);
        if after.generation != before.generation {
            self.older = Some(before);
        }
        self.masters[side] = Some(Rc::new(after));
        let answer = Rc::new(answer);
        if effect == Effect::Pushed {
            let view = View { share: 0, ..answer.view.clone() };
            self.push(side, view);
        }
        answer
    }

    /// What the properties need to know of the past.
    fn note(&mut self, before: &Record, after: &Record, flight: &Flight) {
        let came_true = after.generation > before.generation && after.state == State::Open;
        if let Some(id) = flight.verb.settles().filter(|_| came_true) {
            let unheard = |process: &Rc<Process>| {
                !process.lost && Broken::unheard(id, process, self.now, &self.setting)
            };
            if !self.past.torn && self.processes.iter().any(unheard) {
                self.broken = self.broken.or(Some(Broken::Unheard));
            }
        }
        if let Some(suspected) = &before.suspected
            && after.clears > before.clears
            && after.generation == before.generation
        {
            let (generation, raised_at) = (before.generation, suspected.id);
            self.past.cleared.push(SuspicionId { generation, raised_at });
        }
    }

    fn push(&mut self, side: usize, view: View) {
        let push = Rc::new(Answer { view, granted: false, at: self.now });
        let split = self.masters[1].is_some();
        for process in &mut self.processes {
            if split && process.side != side {
                continue;
            }
            let process = Rc::make_mut(process);
            if process.pushes.len() == PUSHES {
                process.pushes.remove(0);
            }
            process.pushes.push(Rc::clone(&push));
        }
    }

    pub(super) fn straggle(&mut self, index: usize, lane: Lane) {
        let process = &self.processes[index];
        let first = &process.lanes[lane as usize][0];
        if first.answer.is_none() && may_straggle(&first.verb) {
            self.stragglers.push((first.clone(), process.side));
        }
    }

    /// One of the masters goes. Whoever was connected to it subscribes anew, and looks.
    pub(super) fn heal(&mut self, side: usize) {
        let both = self.masters.clone();
        let (Some(_), Some(stays)) = (&both[1], &both[side]) else { return };
        self.replace((**stays).clone());
        self.masters[1] = None;
        for index in 0..self.processes.len() {
            self.with(index, |process, at| {
                if process.side != side {
                    process.watch_anew(at);
                }
                process.side = 0;
            });
        }
    }

    /// The storage goes on with another record. Its clock goes on too: within a tick, too.
    pub(super) fn replace(&mut self, mut record: Record) {
        let raised = self.masters.iter().flatten().map(|record| record.last_raised).max();
        record.last_raised = record.last_raised.max(raised.unwrap_or(0));
        self.masters[0] = Some(Rc::new(record));
    }

    /// What the scripts do when they find a state that they have not written.
    pub(super) fn stranger(&mut self, state: State) {
        let now = span(self.now);
        let Some(record) = &mut self.masters[0] else { return };
        if record.state == state {
            return;
        }
        let before = Rc::clone(record);
        let after = Rc::make_mut(record);
        after.change(now, state, Why::new(Cause::Adopted, None));
        if state == State::Open {
            after.open_until = now + span(self.setting.reset);
        }
        let view = after.view(now);
        self.older = Some(before);
        self.push(0, view);
    }
}
