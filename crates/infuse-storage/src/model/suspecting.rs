//! What a process does about a suspicion: `suspicions`, whose decisions are `Suspected`'s.

use super::{
    process::{At, Lane, Process},
    telling::key,
    time::{moment, span},
    twist::Twist,
    verb::{Role, Verb},
};
use crate::{
    Clear, Trip,
    suspected::{Act, Moment},
};

impl Process {
    /// `suspicions::turn`, which comes by at once when there is something new and each tick.
    pub(super) fn see_to_suspicion(&mut self, at: At<'_>) {
        loop {
            let now = Moment {
                at: moment(at.now),
                stamp: self.stamp,
                last_success: self.age_of_success(at).map(|age| span(at.now).saturating_sub(age)),
                subscribed: Some(moment(self.subscribed)),
                random: at.setting.random,
            };
            let asked = self.asked(at);
            let Some(suspected) = &mut self.known.count.suspected else { return };
            let id = suspected.id;
            let act = suspected.step(&now, &at.setting.graces());
            let verb = match act {
                Act::Wait(_) => return,
                Act::Forget => {
                    self.known.count.end_suspicion();
                    continue;
                }
                Act::WatchAnew => {
                    self.watch_anew(at);
                    continue;
                }
                Act::Clear if at.setting.is_twisted(Twist::ClearNothing) => return,
                Act::Clear => {
                    let mut clear = Clear::new(key(), asked.presented, self.id, id);
                    clear.thresholds = at.setting.thresholds();
                    Verb::Clear(clear)
                }
                Act::Settle { grace } => {
                    let open_time = span(at.setting.reset);
                    let mut trip = Trip::new(key(), asked.presented, self.id, open_time);
                    trip.thresholds = at.setting.thresholds();
                    trip.suspicion = Some(id);
                    trip.grace = grace;
                    Verb::Trip(trip)
                }
            };
            // `Told::tell`: not while it is lost.
            if !self.lost {
                let flight = self.flight(at, verb, asked, Role::Learn);
                self.lane(Lane::Verdict).push(flight);
            }
        }
    }
}
