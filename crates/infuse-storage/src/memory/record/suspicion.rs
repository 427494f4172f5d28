use std::time::Duration;

use super::{
    kept::Record,
    standing::{Effect, Standing},
};
use crate::{Clear, ProcessId, Report, SuspicionId, presents::Presents};

/// How often a suspicion is renewed that is settled too late.
const RENEWALS: u32 = 3;

/// Shares add up to a trip.
#[derive(Debug, Clone)]
pub(crate) struct Suspected {
    pub(crate) id: u64,
    pub(crate) by: ProcessId,
    pub(crate) at: Duration,
    /// How often it was renewed.
    pub(crate) renewals: u32,
    /// How many failures it takes, by whoever raised it.
    pub(crate) max_failure: u32,
    /// And failures of how many processes.
    pub(crate) min_reporters: u32,
    pub(crate) rest: Duration,
    pub(crate) lapse: Duration,
}

impl Record {
    pub(crate) fn clear(&mut self, now: Duration, clear: &Clear) -> Effect {
        let (standing, effect) = self.compare(now, &Presents::from(clear));
        if standing == Standing::Older || self.standing_suspicion(clear.suspicion).is_none() {
            return effect;
        }
        self.drop_shares(now);
        Effect::Pushed
    }

    /// Judges the shares after a report.
    pub(super) fn suspect(&mut self, now: Duration, report: &Report) -> Effect {
        let (max_failure, min_reporters) =
            (report.thresholds.max_failure, report.thresholds.min_reporters);
        if self.suspected.is_some() {
            return self.end_suspicion_of_less();
        }
        let own = self.share(report.process);
        if own == 0 || !self.has_shares(max_failure, min_reporters) {
            return Effect::Quiet;
        }
        let id = self.next_suspicion(now);
        self.suspected = Some(Suspected {
            id,
            by: report.process,
            at: now,
            renewals: 0,
            max_failure,
            min_reporters,
            rest: report.rest,
            lapse: report.lapse,
        });
        Effect::Pushed
    }

    /// A share may have fallen, because a call has succeeded there.
    pub(super) fn end_suspicion_of_less(&mut self) -> Effect {
        let Some(suspected) = &self.suspected else { return Effect::Quiet };
        if self.has_shares(suspected.max_failure, suspected.min_reporters) {
            return Effect::Quiet;
        }
        self.suspected = None;
        Effect::Pushed
    }

    fn has_shares(&self, failures: u32, processes: u32) -> bool {
        self.failures() >= failures && self.shares.len() >= processes as usize
    }

    /// When the suspicion of this id was raised, if it stands.
    pub(super) fn standing_suspicion(&self, id: SuspicionId) -> Option<Duration> {
        let suspected = self.suspected.as_ref()?;
        (id.generation == self.generation && id.raised_at == suspected.id).then_some(suspected.at)
    }

    /// The id of a suspicion that is raised now.
    fn next_suspicion(&mut self, now: Duration) -> u64 {
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.last_raised = now.max(self.last_raised + 1);
        self.last_raised
    }

    /// The suspicion was settled too late for anybody to have cleared it.
    pub(super) fn renew(&mut self, now: Duration) {
        let id = self.next_suspicion(now);
        match &mut self.suspected {
            Some(suspected) if suspected.renewals < RENEWALS => {
                suspected.id = id;
                suspected.at = now;
                suspected.renewals += 1;
            }
            _ => self.lapse(),
        }
    }

    /// Nobody has settled the suspicion: one failure less is counted than it takes.
    pub(super) fn lapse(&mut self) {
        let Some(suspected) = self.suspected.take() else { return };
        let mut rest = suspected.max_failure.saturating_sub(1);
        self.shares.retain(|_, share| {
            *share = (*share).min(rest);
            rest -= *share;
            *share > 0
        });
        if self.shares.is_empty() {
            self.first_failure = None;
        }
    }
}
