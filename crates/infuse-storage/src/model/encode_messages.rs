//! What of a message decides what comes of it.

use std::{rc::Rc, sync::Arc};

use infuse_core::Override;

use super::{
    fingerprint::{Encoder, cause},
    time::span,
    verb::{Flight, Role, Verb},
};
use crate::{Command, Presented, View};

impl Encoder<'_> {
    pub(super) fn stamp(&mut self, stamp: u32) {
        let age = crate::ticks::age(stamp, span(self.world.now));
        self.some(age, Self::time);
    }

    pub(super) fn presented(&mut self, presented: Presented) {
        self.generation(presented.generation);
        self.state(presented.state);
        self.time(presented.time_left);
    }

    pub(super) fn overridden(&mut self, overridden: Option<Arc<Override>>) {
        self.some(overridden.and_then(|it| it.left), Self::time);
    }

    pub(super) fn view(&mut self, view: &View) {
        self.generation(view.generation);
        self.state(view.state);
        self.time(view.time_left);
        self.put(u64::from(view.failures) << 32 | u64::from(view.share));
        self.put(view.clears);
        self.time(view.rest);
        self.some(view.suspicion, |this, suspicion| {
            this.suspicion(suspicion.id);
            this.process(suspicion.by);
            this.time(suspicion.first_failure);
        });
        self.put(u64::from(view.successes) << 8 | cause(view.cause));
        self.overridden(view.overridden.clone());
        self.some(view.by, Self::process);
    }

    pub(super) fn flight(&mut self, flight: &Flight, runs: u32) {
        self.verb(&flight.verb);
        self.presented(flight.asked.presented);
        self.overridden(flight.asked.overridden.clone());
        let count = &flight.asked.count;
        self.put(count.clears);
        self.some(count.suspicion, Self::suspicion);
        self.some(count.reported, |this, run| {
            this.put(u64::from(run.failures) << 1 | u64::from(run.number == runs));
        });
        self.number(self.world.now - flight.sent_at);
        self.number(flight.fresh);
        self.put(match flight.role {
            Role::Learn => 0,
            Role::Look => 1,
            Role::Find => 2,
            Role::LateSeed => 3,
            Role::Lease => 4,
            Role::Check => 5,
            Role::GiveBack => 6,
            Role::Command(state) => 8 | state as u64,
            Role::Mode(isolated) => 16 | u64::from(isolated),
        });
        self.some(flight.answer.as_ref().map(Rc::as_ref), |this, answer| {
            this.view(&answer.view);
            this.number(this.world.now - answer.at);
            this.flags([answer.granted]);
        });
    }

    fn verb(&mut self, verb: &Verb) {
        self.presented(verb.presented());
        let done = |token| self.world.past.commands.contains(&token);
        self.flags([verb.command().is_some_and(done)]);
        match verb {
            Verb::Look(look) => {
                self.put(1);
                self.some(look.last_success, Self::time);
            }
            Verb::Report(report) => {
                self.put(2);
                self.process(report.process);
                self.number(report.failures);
                self.put(report.clears);
                self.some(report.last_success, Self::time);
                self.time(report.held_off);
            }
            Verb::Trip(trip) => {
                self.put(3);
                self.process(trip.process);
                self.time(trip.open_time);
                self.time(trip.grace);
                self.number(trip.failures);
                self.some(trip.suspicion, Self::suspicion);
            }
            Verb::Clear(clear) => {
                self.put(4);
                self.process(clear.process);
                self.suspicion(clear.suspicion);
            }
            Verb::Lease(request) => {
                self.put(5);
                self.token(request.token);
            }
            Verb::Settle(settle) => {
                self.put(6 | (settle.outcome as u64) << 8);
                self.token(settle.token);
                self.time(settle.open_time);
                self.time(settle.held_off);
            }
            Verb::Control(command) => {
                match &command.command {
                    Command::Put { state, .. } => self.put(7 | (*state as u64) << 8),
                    Command::Override(over) => self.put(9 | u64::from(over.is_some()) << 8),
                }
                self.token(command.token);
            }
            Verb::Seed(seed) => {
                self.put(8);
                self.token(seed.token);
                self.some(seed.late_by, Self::time);
            }
        }
    }
}
