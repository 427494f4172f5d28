use std::{sync::atomic::Ordering, time::Duration};

use infuse_core::{Policy, State};
use tokio::time::Instant;

use crate::{
    Report, Thresholds,
    count::Reporting,
    hub::{Hub, lock},
    known::{Asked, Known},
    node::Node,
    run::Run,
    ticks::{self, WRITTEN},
};

/// Whether reports are made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reports {
    /// Each in its turn.
    InTurn,
    /// They wait: something else goes first.
    Wait,
    /// It is the last opportunity.
    Last,
}

/// What there is to report of a circuit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    /// The breaker's state, and whether it decides by itself.
    pub(crate) state: State,
    pub(crate) alone: bool,
    pub(crate) run: Run,
    /// How old the last failure is, and may be.
    pub(crate) age: Duration,
    pub(crate) oldest: Duration,
    pub(crate) max_failure: u32,
}

impl Known {
    /// What becomes of failures that were counted here: a pure function.
    pub(crate) fn report(&self, evidence: &Evidence, now: Duration) -> Reporting {
        let counts = self.state == State::Closed
            && (evidence.state == State::Closed || evidence.alone)
            && evidence.age <= evidence.oldest;
        if !counts {
            return Reporting::Nothing;
        }
        // One that opens only itself must not open the fleet by its share alone.
        let most = if self.trust.is_apart(now) { evidence.max_failure - 1 } else { u32::MAX };
        self.count.report(evidence.run, most, now)
    }
}

impl Node {
    /// The report that is to be made now, if there is one; else when to ask again.
    pub(crate) fn report(
        &self,
        hub: &Hub,
        policy: &Policy,
        reports: Reports,
    ) -> Result<Option<(Report, Asked)>, Instant> {
        let Some(breaker) = self.breaker() else { return Ok(None) };
        let (now, at) = (hub.now(), Instant::now());
        let evidence = Evidence {
            state: breaker.state(),
            alone: self.decides_alone(),
            run: self.run(&breaker),
            age: ticks::age(self.failed.load(Ordering::Relaxed), now).unwrap_or(Duration::MAX),
            // The age is told too high by as much as ticks are written late.
            oldest: hub.options.sync_interval.saturating_add(2 * WRITTEN),
            max_failure: policy.max_failure(),
        };
        let mut known = lock(&self.known);
        let share = match known.report(&evidence, now) {
            Reporting::Nothing => return Ok(None),
            Reporting::Rests(_) if reports == Reports::Last => return Ok(None),
            Reporting::Rests(rest) => return Err(at + rest),
            Reporting::Share(share) => share,
        };
        if reports != Reports::Last {
            let mut budget = lock(&self.budget);
            let next = budget.next_report(at);
            if reports == Reports::Wait || next > at {
                return Err(next);
            }
            budget.report(at);
        }
        known.count.send(share);
        let asked = known.ask(now, Some(evidence.run));
        let (key, process) = (self.key.clone(), self.process(hub));
        let mut report = Report::new(key, asked.presented, process, share);
        report.clears = known.count.clears();
        report.last_success = hub.age_of_success(self);
        report.thresholds = Thresholds::from(policy);
        report.rest = hub.options.trip_rest;
        report.lapse = hub.graces().lapse;
        Ok(Some((report, asked)))
    }
}
