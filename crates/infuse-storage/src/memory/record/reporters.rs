use std::{collections::BTreeSet, time::Duration};

use infuse_core::Cause;

use super::kept::Record;
use crate::{ProcessId, Thresholds, Trip};

/// How many processes are remembered. So many stand for any number.
const MOST: usize = 16;

/// What a process can have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    Failures,
    SlowCalls,
}

impl Trouble {
    /// What opens a circuit for this cause.
    fn of(cause: Cause) -> Self {
        if cause == Cause::SlowCallRate { Trouble::SlowCalls } else { Trouble::Failures }
    }
}

/// Who told of calls that failed or were slow, and when they last did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reporters(
    /// Who told longest ago comes first.
    pub(crate) Vec<Reporter>,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reporter {
    pub(crate) process: ProcessId,
    pub(crate) failed_at: Option<Duration>,
    pub(crate) slow_at: Option<Duration>,
}

impl Reporters {
    pub(super) fn note(&mut self, now: Duration, process: ProcessId, trouble: Trouble) {
        let known = self.0.iter().position(|it| it.process == process);
        let mut reporter = match known {
            Some(at) => self.0.remove(at),
            None => Reporter { process, failed_at: None, slow_at: None },
        };
        match trouble {
            Trouble::Failures => reporter.failed_at = Some(now),
            Trouble::SlowCalls => reporter.slow_at = Some(now),
        }
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(reporter);
    }

    /// Who has told of trouble from a time on.
    fn since(&self, begin: Duration, trouble: Trouble) -> impl Iterator<Item = ProcessId> {
        let is_within = move |it: &&Reporter| match trouble {
            Trouble::Failures => it.failed_at.is_some_and(|at| at >= begin),
            Trouble::SlowCalls => it.slow_at.is_some_and(|at| at >= begin),
        };
        self.0.iter().filter(is_within).map(|it| it.process)
    }
}

impl Record {
    /// Whether so many processes have seen trouble as these thresholds ask for, `besides` among
    /// them.
    pub(super) fn has_reporters(
        &self,
        now: Duration,
        thresholds: &Thresholds,
        trouble: Trouble,
        besides: Option<ProcessId>,
    ) -> bool {
        let needed = thresholds.min_reporters as usize;
        if needed <= 1 {
            return true;
        }
        let mut seen: BTreeSet<ProcessId> = self.shares.keys().copied().chain(besides).collect();
        if let (Some(metered), Some(rates)) = (&self.metered, &thresholds.rates) {
            let begin = metered.begins(now, rates.window);
            let told: Vec<ProcessId> = metered.reporters.since(begin, trouble).collect();
            if told.len() == MOST {
                return true;
            }
            seen.extend(told);
        }
        seen.len() >= needed
    }

    /// Whether enough processes have seen failures, the one that trips among them.
    pub(super) fn is_seen_by_enough(&self, now: Duration, trip: &Trip) -> bool {
        self.has_reporters(now, &trip.thresholds, Trouble::of(trip.cause), Some(trip.process))
    }

    /// A process that has tripped by its own window tells of no calls any more.
    pub(super) fn note_trip(&mut self, now: Duration, trip: &Trip) {
        let by_rate = matches!(trip.cause, Cause::FailureRate | Cause::SlowCallRate);
        if by_rate && trip.thresholds.rates.is_some() {
            let metered = self.metered.get_or_insert_default();
            metered.reporters.note(now, trip.process, Trouble::of(trip.cause));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_those_are_remembered_who_told_last() {
        let (mut reporters, s) = (Reporters::default(), Duration::from_secs);
        let process = ProcessId::from_u64;
        for number in 0..16 {
            reporters.note(s(number), process(number), Trouble::Failures);
        }
        reporters.note(s(16), process(0), Trouble::SlowCalls);
        reporters.note(s(17), process(16), Trouble::Failures);
        let failed: Vec<_> = reporters.since(s(0), Trouble::Failures).collect();
        assert_eq!(failed.len(), 16);
        assert!(!failed.contains(&process(1)) && failed.contains(&process(0)));
        assert_eq!(reporters.since(s(15), Trouble::Failures).count(), 2);
        assert_eq!(reporters.since(s(16), Trouble::SlowCalls).count(), 1);
    }
}
