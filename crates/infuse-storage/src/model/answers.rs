//! What a process makes of answers: `Told::tell`, `looks`, and `lease` with its late grants.

use infuse_core::{Outcome, State};

use super::{
    process::{At, Lane, Process},
    telling::key,
    time::{span, ticks_of},
    verb::{Answer, Role, Verb},
};
use crate::{
    LeaseRequest, Presented, Settle,
    known::{Asked, Heard},
};

impl Process {
    /// What a lane's next verb is composed of only now.
    pub(super) fn ask_when_told(&mut self, at: At<'_>) {
        if !self.wants_lease || !self.lanes[Lane::Ask as usize].is_empty() {
            return;
        }
        self.wants_lease = false;
        if self.lost {
            // The caller is answered `Alone`, and goes on by asking again.
            return;
        }
        let (token, asked) = (self.next_token(), self.asked(at));
        let mut request = LeaseRequest::new(key(), asked.presented, token, span(at.setting.lease));
        request.max_calls = at.setting.half_open_max_calls;
        request.thresholds = at.setting.thresholds();
        let flight = self.flight(at, Verb::Lease(request), asked, Role::Lease);
        self.lane(Lane::Ask).push(flight);
    }

    /// The answer to what was first in a lane has arrived.
    pub(super) fn answered(&mut self, at: At<'_>, lane: Lane) {
        let flight = self.lane(lane).remove(0);
        let Some(answer) = flight.answer else { return };
        let heard = Heard::Answered(&flight.asked);
        match flight.role {
            Role::Learn => {
                self.learn(at, &answer, heard);
                if let Verb::Trip(trip) = &*flight.verb
                    && trip.suspicion.is_none()
                {
                    self.heed_refusal(at, &trip.presented);
                }
            }
            Role::Command(_) | Role::Mode(_) => self.learn(at, &answer, heard),
            Role::Look => self.learn_by_look(at, &answer, &flight.asked),
            Role::LateSeed => {
                self.late_seed = None;
                self.learn(at, &answer, heard);
                // The look of finding was composed before: what it presents is composed anew.
                if let Some(find) = self.lanes[lane as usize].first().map(|next| next.role) {
                    *self.lane(lane) = vec![self.look(at, find)];
                }
            }
            Role::Find => {
                self.learn_by_look(at, &answer, &flight.asked);
                self.found();
            }
            Role::Lease => self.take(at, &flight.verb, &answer, &flight.asked),
            Role::Check => {
                if answer.granted {
                    self.give_back(at, &flight.verb, &answer, flight.asked);
                }
            }
            Role::GiveBack if !self.lost => self.learn(at, &answer, heard),
            Role::GiveBack => {}
        }
        if lane == Lane::Ask {
            self.ask_when_told(at);
        }
        if lane == Lane::Tell && self.lost && flight.role != Role::LateSeed {
            self.drop_untold(lane);
        }
    }

    /// `Ask::take`.
    fn take(&mut self, at: At<'_>, verb: &Verb, answer: &Answer, asked: &Asked) {
        self.learn(at, answer, Heard::Answered(asked));
        let Verb::Lease(request) = verb else { return };
        let same = self.known.generation == answer.view.generation;
        let retry_after = match self.breaker.state {
            State::Closed => None,
            State::Open => Some(self.breaker.left(at.now)),
            State::HalfOpen => Some(0),
        };
        if !(answer.granted && same && retry_after == Some(0)) {
            if answer.granted {
                self.give_back(at, verb, answer, asked.clone());
            } else if same {
                self.breaker.defer_trial(ticks_of(answer.view.time_left), at.now);
            }
            return;
        }
        self.breaker.begin_shared_trial(request.token.number, at.now, at.setting);
    }

    /// `Ask::give_back`.
    fn give_back(&mut self, at: At<'_>, verb: &Verb, answer: &Answer, asked: Asked) {
        let Verb::Lease(request) = verb else { return };
        let presented = Presented::from(&answer.view);
        let settle = Settle::new(key(), presented, request.token, Outcome::Ignored);
        let flight = self.flight(at, Verb::Settle(settle), asked, Role::GiveBack);
        self.lane(Lane::GiveBack).push(flight);
    }
}
