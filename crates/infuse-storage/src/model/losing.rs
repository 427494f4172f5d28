//! A process loses the storage and finds it again: `Hub::lose`, `Replicator::find`, and what goes
//! with them.

use super::{
    process::{At, Lane, Process},
    twist::Twist,
    verb::{Answer, Role, Verb},
};
use crate::{alone::Alone, known::Heard};

impl Process {
    /// `subscriber::watch_anew`: what was under way does not arrive any more.
    pub(super) fn watch_anew(&mut self, at: At<'_>) {
        self.pushes.clear();
        self.subscribed = at.now;
        self.pending.look = true;
    }

    /// A push has arrived: `subscriber::listen`.
    pub(super) fn hear_push(&mut self, at: At<'_>, push: &Answer) {
        if self.lost {
            self.ignored_event = true;
        } else {
            self.learn(at, push, Heard::Pushed);
        }
    }

    /// `Hub::lose`.
    pub(super) fn lose(&mut self, at: At<'_>) {
        if self.lost {
            return;
        }
        self.lost = true;
        self.forget(at);
        if let Some(state) = at.setting.fallback {
            self.put_here(at, state);
        }
    }

    /// `Node::forget`.
    fn forget(&mut self, at: At<'_>) {
        if at.setting.is_twisted(Twist::TellWhatWasAlone) {
            return;
        }
        let settles = std::mem::take(&mut self.pending).settles;
        self.count_here(settles.into_iter().map(|(_, outcome)| outcome));
        self.known.forget(self.run());
        self.heard_of = None;
    }

    /// A verb and its repeat failed: what each of those that tell does then.
    pub(super) fn give_up(&mut self, at: At<'_>, lane: Lane) {
        let flight = self.lane(lane).remove(0);
        if flight.role == Role::GiveBack {
            return;
        }
        if let Verb::Settle(settle) = &*flight.verb {
            self.count_here([settle.outcome]);
        }
        self.drop_untold(lane);
        self.lose(at);
        if let Role::Mode(isolated) = flight.role {
            self.override_here(at, isolated);
        }
        if let Role::Command(state) = flight.role {
            self.put_here(at, state);
            if let Verb::Seed(seed) = &*flight.verb {
                self.late_seed = Some(seed.token);
            }
        }
    }

    /// `Outgoing::send`: what waits for its turn is not told any more.
    pub(super) fn drop_untold(&mut self, lane: Lane) {
        for untold in std::mem::take(self.lane(lane)) {
            if let Verb::Settle(settle) = &*untold.verb {
                self.count_here([settle.outcome]);
            }
        }
        // A caller that is answered `Alone` goes on by asking again, which needs no lease now.
        if lane == Lane::Ask {
            self.wants_lease = false;
        }
    }

    /// `Replicator::find`, as far as its look.
    pub(super) fn find(&mut self, at: At<'_>) {
        self.watch_anew(at);
        self.pending.look = false;
        self.forget(at);
        self.alone = Alone::No;
        self.known.returning = true;
        self.ignored_event = false;
        self.fresh = 0;
        let mut told = Vec::new();
        if let Some(token) = self.late_seed {
            told.push(self.seed(at, Some(token)));
        }
        told.push(self.look(at, Role::Find));
        *self.lane(Lane::Tell) = told;
    }

    /// `Hub::find`, and what follows.
    pub(super) fn found(&mut self) {
        self.lost = false;
        if std::mem::take(&mut self.ignored_event) {
            self.pending.look = true;
        }
    }
}
