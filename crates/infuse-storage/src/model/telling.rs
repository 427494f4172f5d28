//! What a process tells the storage: `outgoing`, `reporting` and `looks`, without their tasks.

use std::{rc::Rc, sync::Arc, time::Duration};

use infuse_core::State;

use super::{
    calls::{APART, isolation},
    process::{At, Lane, Process, Tripped},
    time::span,
    verb::{Flight, Role, Verb},
};
use crate::{
    CircuitKey, Command, Control, Look, Report, Seed, Settle, Trip, alone::Alone, count::Reporting,
    known::Asked, reporting::Evidence, ticks,
};

thread_local! {
    static KEY: CircuitKey = CircuitKey::new("model");
}

pub(super) fn key() -> CircuitKey {
    KEY.with(CircuitKey::clone)
}

impl Process {
    pub(super) fn asked(&self, at: At<'_>) -> Asked {
        self.known.ask(span(at.now), None)
    }

    pub(super) fn flight(&self, at: At<'_>, mut verb: Verb, asked: Asked, role: Role) -> Flight {
        *verb.overridden_mut() = asked.overridden.clone();
        Flight {
            verb: Rc::new(verb),
            asked,
            sent_at: at.now,
            role,
            fresh: self.fresh,
            answer: None,
        }
    }

    /// `Hub::age_of_success`.
    pub(super) fn age_of_success(&self, at: At<'_>) -> Option<Duration> {
        ticks::age(self.stamp, span(at.now))
    }

    /// `Outgoing::add`: what there is to tell. Reports may have to wait.
    pub(super) fn flush(&mut self, at: At<'_>, reports: bool) -> Vec<Flight> {
        let asked = self.asked(at);
        let mut told = Vec::new();
        for (number, outcome) in std::mem::take(&mut self.pending.settles) {
            let token = crate::Token { process: self.id, number };
            let mut settle = Settle::new(key(), asked.presented, token, outcome);
            settle.success_threshold = 1;
            // It is told within the tick.
            settle.open_time = span(self.breaker.left(at.now));
            settle.held_off = self.known.tell_hold_off(span(at.now));
            told.push(self.flight(at, Verb::Settle(settle), asked.clone(), Role::Learn));
        }
        let trip = self.pending.trip.take().filter(|_| self.breaker.state == State::Open);
        if let Some(Tripped { presented, cause }) = trip {
            let share = self.known.count.baseline.share(self.run());
            self.known.count.send(share);
            let open_time = span(self.breaker.left(at.now));
            let mut trip = Trip::new(key(), presented, self.id, open_time);
            trip.thresholds = at.setting.thresholds();
            trip.cause = cause;
            trip.failures = share;
            told.push(self.flight(at, Verb::Trip(trip), asked, Role::Learn));
        }
        if reports && trip.is_none() && std::mem::take(&mut self.pending.failures) {
            told.extend(self.report(at));
        }
        told
    }

    /// `Node::report`.
    fn report(&mut self, at: At<'_>) -> Option<Flight> {
        let now = span(at.now);
        let evidence = Evidence {
            state: self.breaker.state,
            alone: self.alone != Alone::No,
            run: self.run(),
            age: now.saturating_sub(span(self.failed_at)),
            oldest: span(1),
            max_failure: at.setting.max_failure,
        };
        let reporting = self.known.report(&evidence, now);
        self.pending.failures = matches!(reporting, Reporting::Rests(_));
        let (share, reported) = match reporting {
            Reporting::Share(share) => (share, Some(evidence.run)),
            _ if self.known.untold_hold_off(APART, now).is_zero() => return None,
            _ => (self.known.count.kept(evidence.run), None),
        };
        if reported.is_some() {
            self.known.count.send(share);
        }
        let asked = self.known.ask(now, reported);
        let mut report = Report::new(key(), asked.presented, self.id, share);
        report.clears = self.known.count.clears();
        report.last_success = self.age_of_success(at);
        report.thresholds = at.setting.thresholds();
        report.rest = span(at.setting.rest);
        report.lapse = span(at.setting.lapse);
        report.held_off = self.known.tell_hold_off(now);
        Some(self.flight(at, Verb::Report(report), asked, Role::Learn))
    }

    /// `Replicator::turn`, when nothing of it is on its way; whether there was anything to do.
    pub(super) fn turn(&mut self, at: At<'_>) -> bool {
        if self.lost || !self.lanes[Lane::Tell as usize].is_empty() {
            return false;
        }
        let mut told = self.flush(at, true);
        if std::mem::take(&mut self.pending.look) {
            told.push(self.look(at, Role::Look));
        }
        let any = !told.is_empty();
        *self.lane(Lane::Tell) = told;
        any
    }

    /// Whether a turn of the replicator tells anything.
    pub(super) fn has_to_tell(&self, at: At<'_>) -> bool {
        !self.lost && self.lanes[Lane::Tell as usize].is_empty() && {
            let pending = &self.pending;
            pending.look
                || pending.trip.is_some()
                || !pending.settles.is_empty()
                || (pending.failures && self.has_to_report(at))
        }
    }

    fn has_to_report(&self, at: At<'_>) -> bool {
        let now = span(at.now);
        self.known.count.rest_until.left(now).is_zero()
            || !self.known.untold_hold_off(APART, now).is_zero()
    }

    /// `looks::look_at`.
    pub(super) fn look(&self, at: At<'_>, role: Role) -> Flight {
        let asked = self.asked(at);
        let mut look = Look::new(key(), asked.presented);
        look.last_success = self.age_of_success(at);
        look.thresholds = at.setting.thresholds();
        self.flight(at, Verb::Look(look), asked, role)
    }

    /// `Circuit::put`.
    pub(super) fn command(&mut self, at: At<'_>, state: State) {
        if self.lost {
            return self.put_here(at, state);
        }
        let (token, asked) = (self.next_token(), self.asked(at));
        let mut command = Control::put(key(), token, state, span(at.setting.reset));
        command.presented = asked.presented;
        let flight = self.flight(at, Verb::Control(command), asked, Role::Command(state));
        self.lane(Lane::Command).push(flight);
    }

    /// `Circuit::set_override`.
    pub(super) fn set_override(&mut self, at: At<'_>, isolated: bool) {
        if self.lost {
            return self.override_here(at, isolated);
        }
        let (token, asked) = (self.next_token(), self.asked(at));
        let over = isolated.then(|| Arc::new(isolation(at.setting)));
        let mut command = Control::new(key(), token, Command::Override(over));
        command.presented = asked.presented;
        let flight = self.flight(at, Verb::Control(command), asked, Role::Mode(isolated));
        self.lane(Lane::Command).push(flight);
    }

    /// `Circuits::seed` and `replicator::seed_late`.
    pub(super) fn seed(&mut self, at: At<'_>, late: Option<crate::Token>) -> Flight {
        let asked = self.asked(at);
        let token = late.unwrap_or_else(|| self.next_token());
        let mut seed = Seed::new(key(), token, State::Closed, span(at.setting.reset));
        seed.presented = asked.presented;
        seed.late_by = late.map(|_| span(at.now - self.started));
        let role = if late.is_some() { Role::LateSeed } else { Role::Command(State::Closed) };
        self.flight(at, Verb::Seed(seed), asked, role)
    }
}
