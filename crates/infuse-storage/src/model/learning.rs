//! What a process does with what the storage says: `learning`, whose decisions are `Known`'s.

use infuse_core::{Cause, State};

use super::{
    calls::APART,
    process::{At, HeardOf, Process},
    property::Broken,
    time::{moment, span, ticks_of},
    twist::Twist,
    verb::Answer,
};
use crate::{
    View,
    alone::Alone,
    count::Here,
    known::{Asked, Heard, Step},
    told::Told,
};

impl Process {
    /// `Node::learn`.
    pub(super) fn learn(&mut self, at: At<'_>, answer: &Answer, heard: Heard<'_>) {
        let view = &answer.view;
        let here = Here {
            now: span(at.now),
            at: moment(at.now),
            process: self.id,
            state: self.breaker.state,
            run: self.run(),
            stamp: self.stamp,
            reset_timeout: span(at.setting.reset),
            metered: false,
        };
        let before = self.known.presented(here.now);
        self.twist_known(at, view, heard);
        self.hear_of(at, view);
        let lonely = self.known.returning && here.state == State::Open;
        let learnt = self.known.learn(view, heard, &here);
        let step = learnt.step;
        if learnt.mode {
            self.put_on(at);
        }
        let ran = before.state == State::Open && self.runs_until > at.now;
        self.broken = self.broken.or(Broken::learning(before, ran, &self.known, view));
        if before != self.known.presented(here.now) && self.known.state == State::Open {
            self.runs_until = answer.at + ticks_of(view.time_left);
        }
        match step {
            Step::Nothing => {}
            Step::Follow => self.follow(at, view),
            Step::Refresh => {
                let told = Told { left: view.time_left, ago: heard.ago(here.now) };
                self.refresh(at, view, told);
            }
            Step::TryHere if at.setting.is_twisted(Twist::CloseUntried) => self.follow(at, view),
            Step::TryHere => {
                self.alone = Alone::Yes;
                self.breaker.adopt(State::HalfOpen, 0, 0, true, at.now);
            }
        }
        self.pending.failures |= !self.known.untold_hold_off(APART, here.now).is_zero();
        if lonely && self.breaker.state == State::Closed {
            self.broken = self.broken.or(Some(Broken::ClosedUntried));
        }
    }

    /// `learning::put_on`.
    fn put_on(&mut self, at: At<'_>) {
        let over = self.known.overridden(span(at.now));
        let left = over.and_then(|it| it.left).map(ticks_of);
        self.breaker.isolated_until = left.map_or(0, |left| at.now + left);
    }

    /// What `Suspected` should make of it.
    fn hear_of(&mut self, at: At<'_>, view: &View) {
        let Some(suspicion) = view.suspicion else { return };
        if self.heard_of.is_some_and(|heard| heard.id >= suspicion.id) {
            return;
        }
        let first_failure = at.now.saturating_sub(ticks_of(suspicion.first_failure));
        self.heard_of = Some(HeardOf { id: suspicion.id, first_failure, refuted: None });
    }

    /// Notes since when it has something to say.
    pub(super) fn refute(&mut self, at: At<'_>) {
        let succeeded_at = self.succeeded_at;
        if let Some(heard) = &mut self.heard_of
            && succeeded_at > heard.first_failure
        {
            heard.refuted.get_or_insert(at.now);
        }
    }

    fn twist_known(&mut self, at: At<'_>, view: &View, heard: Heard<'_>) {
        let older = view.generation < self.known.generation;
        if at.setting.is_twisted(Twist::TakeOldPushes) && older && matches!(heard, Heard::Pushed) {
            self.known.generation = view.generation;
        }
    }

    /// `Node::follow`.
    pub(super) fn follow(&mut self, at: At<'_>, view: &View) {
        self.alone = Alone::No;
        let left = ticks_of(view.time_left);
        if matches!(view.cause, Cause::Manual | Cause::Seed) {
            self.breaker.held_until = 0;
        }
        self.breaker.adopt(view.state, left, view.successes, true, at.now);
    }

    /// `learning::refresh`.
    fn refresh(&mut self, at: At<'_>, view: &View, told: Told) {
        if view.state == State::Closed || self.breaker.state != view.state {
            return;
        }
        let left = ticks_of(view.time_left);
        let here = span(self.breaker.left(at.now));
        let left = match view.state {
            State::Open => ticks_of(told.heed(here)),
            State::Closed | State::HalfOpen => left,
        };
        self.pending.look |= view.state == State::Open && told.is_in_doubt(here);
        self.breaker.adopt(view.state, left, view.successes, false, at.now);
    }

    /// `Node::learn_by_look`.
    pub(super) fn learn_by_look(&mut self, at: At<'_>, answer: &Answer, asked: &Asked) {
        self.learn(at, answer, Heard::Answered(asked));
        let view = &answer.view;
        let is_due = self.pending.trip.is_some() || !self.pending.settles.is_empty();
        let alone = self.alone != Alone::No;
        let apart = self.breaker.state != self.known.state && !alone && !is_due;
        let apart_again = apart && self.known.apart;
        self.known.apart = apart && !apart_again;
        let heeded = !at.setting.is_twisted(Twist::StandApart);
        if heeded && apart_again && self.known.agrees(view) {
            self.follow(at, view);
        }
        self.pending.failures |= self.known.doubt_hold_off(view, span(at.now));
    }
}
