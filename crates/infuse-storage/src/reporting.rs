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

/// What comes of a circuit's turn to report.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// The report that is to be made now.
    pub(crate) report: Option<(Report, Asked)>,
    /// When to ask again, if something was put off.
    pub(crate) again: Option<Instant>,
}

impl Turn {
    fn put_off(again: Instant) -> Self {
        Self { report: None, again: Some(again) }
    }
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
    /// The report that is to be made now, and when to ask again.
    pub(crate) fn report(&self, hub: &Hub, policy: &Policy, reports: Reports) -> Turn {
        let Some(breaker) = self.breaker() else { return Turn::default() };
        let (now, at) = (hub.now(), Instant::now());
        let interval = hub.options.sync_interval;
        let evidence = Evidence {
            state: breaker.state(),
            alone: self.decides_alone(),
            run: self.run(&breaker),
            age: ticks::age(self.failed.load(Ordering::Relaxed), now).unwrap_or(Duration::MAX),
            // The age is told too high by as much as ticks are written late.
            oldest: interval.saturating_add(2 * WRITTEN),
            max_failure: policy.max_failure(),
        };
        let mut known = lock(&self.known);
        let reporting = known.report(&evidence, now);
        let again = match reporting {
            Reporting::Rests(rest) if reports != Reports::Last => Some(at + rest),
            _ => None,
        };
        let (share, reported) = match reporting {
            Reporting::Share(share) => (share, Some(evidence.run)),
            _ if known.untold_hold_off(interval, now).is_zero() => {
                return Turn { report: None, again };
            }
            // It says nothing of failures but what is known already.
            Reporting::Nothing | Reporting::Rests(_) => (known.count.kept(evidence.run), None),
        };
        if reports != Reports::Last {
            let budget = &mut lock(&self.limits).budget;
            let next = budget.next_report(at);
            if reports == Reports::Wait || next > at {
                return Turn::put_off(next);
            }
            budget.report(at);
        }
        if reported.is_some() {
            known.count.send(share);
        }
        let asked = known.ask(now, reported);
        let (key, process) = (self.key.clone(), self.process(hub));
        let mut report = Report::new(key, asked.presented, process, share);
        report.overridden = asked.overridden.clone();
        report.provenance = asked.provenance.clone();
        report.clears = known.count.clears();
        report.last_success = hub.age_of_success(self);
        report.thresholds = Thresholds::from(policy);
        report.rest = hub.options.trip_rest;
        report.lapse = hub.graces().lapse;
        report.held_off = known.tell_hold_off(now);
        Turn { report: Some((report, asked)), again }
    }
}
