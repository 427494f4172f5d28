//! What must hold of everything that a storage does with a verb.

use infuse_core::{Cause, State};

use super::{
    property::{Broken, Past},
    time::span,
    verb::{Answer, Flight, Verb},
};
use crate::memory::record::Record;

/// A verb that has reached the storage.
pub(super) struct Applied<'a> {
    pub(super) before: &'a Record,
    pub(super) after: &'a Record,
    pub(super) flight: &'a Flight,
    pub(super) answer: &'a Answer,
    pub(super) now: u32,
}

impl Applied<'_> {
    pub(super) fn breaks(&self, past: &Past) -> Option<Broken> {
        let verb = &self.flight.verb;
        let presented = verb.presented().generation;
        let broken = [
            (self.answer.view.generation < presented, Broken::OlderAnswer),
            (presented < self.before.generation && self.changes_unasked(), Broken::StaleVerb),
            (self.closes_early(), Broken::Closed),
            (self.is_told_of_too_much(past), Broken::OpenedByTheLonely),
            (!past.torn && self.repeats(past), Broken::Repeated),
            (!past.torn && self.opens_what_was_cleared(past), Broken::ClearedCameTrue),
            (self.opens_by_too_few(), Broken::TooFew),
            (self.is_believed_too_soon(past), Broken::OpenedByTooFew),
        ];
        broken.into_iter().find_map(|(holds, broken)| holds.then_some(broken))
    }

    fn changes(&self) -> bool {
        self.after.generation > self.before.generation
    }

    fn opens(&self) -> bool {
        self.changes() && self.after.state == State::Open
    }

    /// Whether anything changes, though nobody commands it and no suspicion lapses.
    fn changes_unasked(&self) -> bool {
        let (before, after) = (self.before, self.after);
        let lapses = before.suspected.is_some() && after.suspected.is_none();
        let counts = after.shares != before.shares && !lapses;
        let grants = after.leases.len() > before.leases.len();
        self.flight.verb.command().is_none() && (self.changes() || counts || grants)
    }

    fn closes_early(&self) -> bool {
        let ran = self.before.state == State::Open && self.before.open_until > span(self.now);
        ran && self.after.state == State::Closed && self.flight.verb.command().is_none()
    }

    /// Whether a process tells what it saw before it found the storage.
    fn is_told_of_too_much(&self, past: &Past) -> bool {
        let told = match (&*self.flight.verb, self.after.cause) {
            (Verb::Report(report), _) if self.after.failures() > self.before.failures() => {
                report.failures
            }
            // What a suspicion stands for was reported.
            (Verb::Trip(trip), Cause::Failures) if self.opens() && trip.suspicion.is_none() => 1,
            (Verb::Settle(_), Cause::TrialFailed) if self.opens() => 1,
            _ => 0,
        };
        let fresh = self.flight.fresh;
        // A report from before may straggle. What it counted is taken for told, and so counts with
        // the next failure: but not without one.
        if past.straggled { fresh == 0 && told > 0 } else { told > fresh }
    }

    fn repeats(&self, past: &Past) -> bool {
        let command = self.flight.verb.command();
        // A command also mends, and what it mends is adopted.
        let again = command.is_some_and(|token| past.commands.contains(&token));
        again && self.changes() && self.after.cause != Cause::Adopted
    }

    /// Whether a closed circuit opens by failures that too few processes have seen.
    fn is_believed_too_soon(&self, past: &Past) -> bool {
        let by_failures = matches!(self.after.cause, Cause::Failures | Cause::TrialFailed);
        let closed = self.before.state == State::Closed && self.flight.verb.command().is_none();
        closed && self.opens() && by_failures && past.failed.len() < past.needed
    }

    /// The suspicion that has come true.
    fn came_true(&self) -> Option<crate::SuspicionId> {
        let opens = self.opens() && self.after.cause == Cause::Failures;
        self.flight.verb.settles().filter(|_| opens)
    }

    fn opens_what_was_cleared(&self, past: &Past) -> bool {
        self.came_true().is_some_and(|id| past.cleared.contains(&id))
    }

    fn opens_by_too_few(&self) -> bool {
        let needed = self.after.thresholds.map_or(0, |thresholds| thresholds.max_failure);
        self.came_true().is_some() && self.before.failures() < needed
    }
}
