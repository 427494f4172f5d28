//! Processes, the storage, and what is on its way between them.

use std::rc::Rc;

use infuse_core::{Outcome, State};

use super::{
    action::Action,
    process::{At, Lane, Process},
    property::{Broken, Past},
    setting::Setting,
    time::{START, span, ticks_of},
    twist::Twist,
    verb::{Flight, Role},
};
use crate::memory::record::Record;

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) setting: Rc<Setting>,
    pub(super) now: u32,
    /// The storage: one master, and while it is split two. The first always is.
    pub(super) masters: [Option<Rc<Record>>; 2],
    /// What the storage was before its last change.
    pub(super) older: Option<Rc<Record>>,
    pub(super) processes: Vec<Rc<Process>>,
    /// Verbs of which nobody expects an answer any more, and to which master they go.
    pub(super) stragglers: Vec<(Flight, usize)>,
    pub(super) faults: u8,
    pub(super) repeats: u8,
    pub(super) commands: u8,
    pub(super) overrides: u8,
    pub(super) hold_offs: u8,
    pub(super) idle_looks: u8,
    pub(super) past: Past,
    pub(super) broken: Option<Broken>,
}

impl World {
    pub(super) fn new(setting: Setting) -> Self {
        let processes = (0..setting.processes as u64).map(|id| Rc::new(Process::new(id, 0, START)));
        Self {
            now: START,
            masters: [Some(Rc::new(Record::new(span(START)))), None],
            older: None,
            processes: processes.collect(),
            stragglers: Vec::new(),
            faults: setting.faults,
            repeats: setting.repeats,
            commands: setting.commands,
            overrides: setting.overrides,
            hold_offs: setting.hold_offs,
            idle_looks: setting.idle_looks,
            past: Past { needed: setting.min_reporters as usize, ..Past::default() },
            broken: None,
            setting: Rc::new(setting),
        }
    }

    /// The world after an action.
    pub(super) fn after(&self, action: Action) -> Self {
        let mut world = self.clone();
        world.act(action);
        world
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Tick => self.tick(),
            Action::Succeed(index) => self.with(index, |process, at| process.call(at, true)),
            Action::Fail(index) => {
                self.note_failure(index);
                self.with(index, |process, at| process.call(at, false));
            }
            Action::Try(index) => self.with(index, |process, at| {
                process.ask(at);
            }),
            Action::End(index, outcome) => {
                if outcome == Outcome::Failure {
                    self.note_failure(index);
                }
                self.with(index, |process, at| process.end_trial(at, 0, outcome));
            }
            Action::Look(index) => {
                if !self.finds_something(&self.processes[index]) {
                    self.idle_looks = self.idle_looks.saturating_sub(1);
                }
                self.with(index, |process, at| {
                    process.turn(at);
                    let look = process.look(at, Role::Look);
                    process.lane(Lane::Tell).push(look);
                });
            }
            Action::Turn(index) => self.with(index, |process, at| {
                process.turn(at);
            }),
            Action::Apply(index, lane) => self.apply(index, lane),
            Action::Answer(index, lane) => {
                self.with(index, |process, at| process.answered(at, lane));
            }
            Action::Exchange(index, lane) => {
                self.apply(index, lane);
                self.with(index, |process, at| process.answered(at, lane));
            }
            Action::Push(index, push) => self.with(index, |process, at| {
                let push = process.pushes.remove(push);
                process.hear_push(at, &push);
            }),
            Action::LoseAnswer(index, lane) => {
                self.repeats -= 1;
                Rc::make_mut(&mut self.processes[index]).lane(lane)[0].answer = None;
            }
            Action::Double(index, lane) => {
                self.repeats -= 1;
                self.straggle(index, lane);
            }
            Action::Straggle(at) => {
                let (flight, side) = self.stragglers.remove(at);
                self.past.straggled = true;
                self.reach(&flight, side);
            }
            Action::Open(index) => self.command(index, State::Open),
            Action::Close(index) => self.command(index, State::Closed),
            Action::Seed(index) => {
                self.commands -= 1;
                self.with(index, |process, at| {
                    if process.lost {
                        process.late_seed = Some(process.next_token());
                        return process.put_here(at, State::Closed);
                    }
                    let seed = process.seed(at, None);
                    process.lane(Lane::Command).push(seed);
                });
            }
            Action::Isolate(index) => self.set_override(index, true),
            Action::Release(index) => self.set_override(index, false),
            Action::HoldOff(index) => {
                self.hold_offs -= 1;
                self.with(index, |process, at| process.hold_off(at));
            }
            Action::GiveUp(index, lane) => {
                self.faults -= 1;
                self.straggle(index, lane);
                self.with(index, |process, at| process.give_up(at, lane));
            }
            Action::TooSlow(index) => {
                self.faults -= 1;
                Rc::make_mut(&mut self.processes[index]).lane(Lane::Ask)[0].role = Role::Check;
            }
            Action::Find(index) => self.with(index, |process, at| process.find(at)),
            Action::Die(index) => self.die(index),
            Action::Flush => {
                self.faults -= 1;
                self.past.isolated_until = self.isolated_for_all();
                self.past.torn = true;
                self.replace(Record::new(span(self.now)));
            }
            Action::Rollback => {
                self.faults -= 1;
                self.past.torn = true;
                if let Some(older) = self.older.take() {
                    self.replace((*older).clone());
                }
            }
            Action::Split => {
                self.faults -= 1;
                self.past.torn = true;
                self.masters[1] = self.masters[0].clone().map(|mut record| {
                    // No two masters do things in the same microsecond.
                    Rc::make_mut(&mut record).last_raised += 500;
                    record
                });
                self.with(1, |process, _| process.side = 1);
            }
            Action::Heal(side) => self.heal(side),
            Action::Stranger(state) => {
                self.faults -= 1;
                self.stranger(state);
            }
        }
    }

    /// Does something in a process, and what follows from it at once.
    pub(super) fn with(&mut self, index: usize, act: impl FnOnce(&mut Process, At<'_>)) {
        let at = At { now: self.now, setting: &self.setting };
        let process = Rc::make_mut(&mut self.processes[index]);
        act(process, at);
        process.refute(at);
        process.see_to_suspicion(at);
        if !at.setting.lazy {
            process.turn(at);
        }
        if !process.lost && !at.setting.is_twisted(Twist::TakeOldPushes) {
            // They would change nothing.
            let known = process.known.generation;
            process.pushes.retain(|push| push.view.generation >= known);
        }
        let broken = process.broken.take();
        self.broken = self.broken.or(broken.filter(|broken| !self.past.excuses(*broken)));
    }

    fn tick(&mut self) {
        self.now += 1;
        for index in 0..self.processes.len() {
            self.with(index, |_, _| {});
        }
    }

    fn command(&mut self, index: usize, state: State) {
        self.commands -= 1;
        self.with(index, |process, at| process.command(at, state));
    }

    fn set_override(&mut self, index: usize, isolated: bool) {
        self.overrides -= 1;
        self.past.isolated_until = 0;
        self.with(index, |process, at| process.set_override(at, isolated));
    }

    fn note_failure(&mut self, index: usize) {
        let id = self.processes[index].id;
        if !self.past.failed.contains(&id) {
            self.past.failed.push(id);
        }
    }

    /// Until when the circuit is isolated by what everybody knows, and all that is under way says;
    /// 0 if somebody or something does not say so.
    fn isolated_for_all(&self) -> u32 {
        let now = span(self.now);
        let stored = self.masters[0].as_ref().and_then(|record| record.overridden.as_ref());
        let stored = stored.and_then(|it| it.until).filter(|_| self.stragglers.is_empty());
        let known = |process: &Rc<Process>| {
            let commands = &process.lanes[Lane::Command as usize];
            let mut flights = process.lanes.iter().flatten();
            let presents = flights.all(|flight| flight.asked.overridden.is_some());
            let left = process.known.overridden(now).and_then(|it| it.left);
            // One that mends is under way for a while, which makes it last so much longer.
            left.filter(|_| presents && commands.is_empty()).map(|left| now + left)
        };
        let known = self.processes.iter().map(known);
        let first = known.chain([stored]).min().flatten();
        first.map_or(0, ticks_of)
    }

    fn die(&mut self, index: usize) {
        self.faults -= 1;
        for lane in Lane::ALL {
            if !self.processes[index].lanes[lane as usize].is_empty() {
                self.straggle(index, lane);
            }
        }
        let (id, side) = (self.processes[index].id.as_u64() + 16, self.processes[index].side);
        let mut process = Process::new(id, side, self.now);
        process.pending.look = true;
        self.processes[index] = Rc::new(process);
        self.with(index, |_, _| {});
    }
}
