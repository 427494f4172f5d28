//! What is sent to the storage, and what the storage does with it.

use std::{rc::Rc, sync::Arc};

use infuse_core::Override;

use super::{setting::Setting, time::span, twist::Twist};
use crate::{
    Clear, Control, LeaseRequest, Look, Presented, Report, Seed, Settle, SuspicionId, Token, Trip,
    View,
    known::Asked,
    memory::record::{Effect, Record},
};

#[derive(Debug, Clone)]
pub(super) enum Verb {
    Look(Look),
    Report(Report),
    Trip(Trip),
    Clear(Clear),
    Lease(LeaseRequest),
    Settle(Settle),
    Control(Control),
    Seed(Seed),
}

/// What the storage says to a verb.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) view: View,
    pub(super) granted: bool,
    /// When it says so.
    pub(super) at: u32,
}

/// A verb on its way, or its answer.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) verb: Rc<Verb>,
    /// What its process knew when it sent it.
    pub(super) asked: Asked,
    pub(super) sent_at: u32,
    pub(super) role: Role,
    /// How many calls of its process had failed since it last found the storage.
    pub(super) fresh: u32,
    /// Set when the storage has done it.
    pub(super) answer: Option<Rc<Answer>>,
}

/// What becomes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is learnt.
    Learn,
    /// It is what a look says.
    Look,
    /// The look by which a lost storage is found.
    Find,
    /// A seed that is told late, which is not the last step of finding.
    LateSeed,
    /// A lease that a caller waits for.
    Lease,
    /// A lease for which nobody waits any more.
    Check,
    /// A command: what it does here if the storage cannot be told.
    Command(infuse_core::State),
    /// An override that is put on or taken away, which holds here alone if the storage cannot be
    /// told.
    Mode(bool),
    /// A lease that is given back. Nobody minds if it is not.
    GiveBack,
}

impl Verb {
    pub(super) fn presented(&self) -> Presented {
        match self {
            Verb::Look(verb) => verb.presented,
            Verb::Report(verb) => verb.presented,
            Verb::Trip(verb) => verb.presented,
            Verb::Clear(verb) => verb.presented,
            Verb::Lease(verb) => verb.presented,
            Verb::Settle(verb) => verb.presented,
            Verb::Control(verb) => verb.presented,
            Verb::Seed(verb) => verb.presented,
        }
    }

    fn presented_mut(&mut self) -> &mut Presented {
        match self {
            Verb::Look(verb) => &mut verb.presented,
            Verb::Report(verb) => &mut verb.presented,
            Verb::Trip(verb) => &mut verb.presented,
            Verb::Clear(verb) => &mut verb.presented,
            Verb::Lease(verb) => &mut verb.presented,
            Verb::Settle(verb) => &mut verb.presented,
            Verb::Control(verb) => &mut verb.presented,
            Verb::Seed(verb) => &mut verb.presented,
        }
    }

    pub(super) fn overridden_mut(&mut self) -> &mut Option<Arc<Override>> {
        match self {
            Verb::Look(verb) => &mut verb.overridden,
            Verb::Report(verb) => &mut verb.overridden,
            Verb::Trip(verb) => &mut verb.overridden,
            Verb::Clear(verb) => &mut verb.overridden,
            Verb::Lease(verb) => &mut verb.overridden,
            Verb::Settle(verb) => &mut verb.overridden,
            Verb::Control(verb) => &mut verb.overridden,
            Verb::Seed(verb) => &mut verb.overridden,
        }
    }

    /// The suspicion that it makes come true.
    pub(super) fn settles(&self) -> Option<SuspicionId> {
        match self {
            Verb::Trip(trip) => trip.suspicion,
            _ => None,
        }
    }

    /// The command's name, if it is one.
    pub(super) fn command(&self) -> Option<Token> {
        match self {
            Verb::Control(command) => Some(command.token),
            Verb::Seed(seed) => Some(seed.token),
            _ => None,
        }
    }

    /// What `MemoryStorage` does with the verb.
    pub(super) fn apply(
        &self,
        record: &mut Record,
        now: u32,
        setting: &Setting,
    ) -> (Effect, Answer) {
        let twisted = setting.twist.and_then(|twist| self.twisted(record, twist));
        let verb = twisted.as_ref().unwrap_or(self);
        let at = now;
        let now = span(now);
        let (effect, granted) = match verb {
            Verb::Look(look) => (record.look(now, look), false),
            Verb::Report(report) => (record.report(now, report), false),
            Verb::Trip(trip) => (record.trip(now, trip), false),
            Verb::Clear(clear) => (record.clear(now, clear), false),
            Verb::Lease(request) => record.lease(now, request),
            Verb::Settle(settle) => (record.settle(now, settle), false),
            Verb::Control(command) => (record.control(now, command), false),
            Verb::Seed(seed) => (record.seed(now, seed), false),
        };
        let mut view = record.view(now);
        if let Verb::Report(report) = verb {
            view.share = record.share(report.process);
        }
        (effect, Answer { view, granted, at })
    }

    /// The verb as a storage takes it that breaks a rule.
    fn twisted(&self, record: &mut Record, twist: Twist) -> Option<Verb> {
        let mut verb = self.clone();
        let newer = self.presented().generation > record.generation;
        match (twist, &mut verb) {
            (Twist::OneLeaseMore, Verb::Lease(request)) => request.max_calls += 1,
            (Twist::EndlessLeases, Verb::Lease(request)) => request.lease = span(1_000_000),
            (Twist::MendBlindly, _) if newer => *record = Record::new(record.touched_at),
            (Twist::MendNothing, verb) if newer => {
                verb.presented_mut().generation = record.generation;
            }
            (Twist::ForgetOverride, verb) if newer => *verb.overridden_mut() = None,
            (Twist::BelieveOne, Verb::Trip(trip)) => trip.thresholds.min_reporters = 1,
            (Twist::BelieveOne, Verb::Report(report)) => report.thresholds.min_reporters = 1,
            (Twist::SettleCleared, Verb::Trip(trip)) => trip.suspicion = None,
            _ => return None,
        }
        Some(verb)
    }
}
