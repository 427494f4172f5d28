use std::{future::Future, sync::Arc};

use infuse_core::{Outcome, Policy, State};
use tokio::time::Instant;

use crate::{
    Presented, Report, Settle, StorageError, Thresholds, Trip, View,
    alone::Alone,
    hub::{Held, Hub, lock},
    known::{Asked, Heard},
    node::Node,
    pending::{Settled, Tripped},
    reporting::{Reports, Turn},
};

/// What is told to the storage in one go. Settled leases and trips go before reports.
#[derive(Default)]
pub(crate) struct Outgoing {
    settles: Told<Settle>,
    trips: Told<Trip>,
    reports: Told<Report>,
}

/// What is left of a circuit's turn.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Left {
    /// Whether a look is wanted too.
    pub(crate) look: bool,
    /// When the next turn is worth it, if something was put off.
    pub(crate) again: Option<Instant>,
}

/// Verbs, the circuits that they are about, and what is known of those.
pub(crate) struct Told<V> {
    verbs: Vec<V>,
    nodes: Vec<Arc<Node>>,
    asked: Vec<Asked>,
}

impl Outgoing {
    /// Adds what a circuit has to tell.
    pub(crate) fn add(&mut self, hub: &Hub, node: &Arc<Node>, reports: Reports) -> Left {
        let Some(breaker) = node.breaker() else { return Left::default() };
        let mut pending = node.take_pending();
        let changes = pending.take_changes();
        let policy = breaker.policy();
        for settled in changes.settles {
            self.add_settle(hub, node, &policy, settled);
        }
        // A circuit that is no longer open has been told otherwise meanwhile.
        let trip = changes.trip.filter(|_| breaker.state() == State::Open);
        let mut left = Left { look: pending.look, again: None };
        if let Some(trip) = &trip {
            self.add_trip(hub, node, &policy, trip);
        }
        if pending.reports {
            left.again = match trip {
                // Under what comes of the trip.
                Some(_) if reports == Reports::InTurn => {
                    node.put_off_report();
                    Some(Instant::now())
                }
                _ => self.add_report(hub, node, &policy, reports),
            };
        }
        left
    }

    fn add_settle(&mut self, hub: &Hub, node: &Arc<Node>, policy: &Policy, settled: Settled) {
        let now = hub.now();
        let (asked, held_off) = {
            let mut known = lock(&node.known);
            (known.ask(now, None), known.tell_hold_off(now))
        };
        let (key, token) = (node.key.clone(), hub.token(settled.token));
        let mut settle = Settle::new(key, asked.presented, token, settled.outcome);
        settle.overridden = asked.overridden.clone();
        settle.provenance = asked.provenance.clone();
        settle.fault = settled.fault;
        settle.success_threshold = policy.success_threshold();
        settle.open_time = settled.until.left(now);
        settle.ramp = policy.ramp().unwrap_or_default();
        settle.held_off = held_off;
        self.settles.push(settle, node, asked);
    }

    fn add_trip(&mut self, hub: &Hub, node: &Arc<Node>, policy: &Policy, tripped: &Tripped) {
        let Some(breaker) = node.breaker() else { return };
        let now = hub.now();
        let run = node.run(&breaker);
        let (asked, failures) = {
            let mut known = lock(&node.known);
            let share = known.count.baseline.share(run);
            // It may be counted as this process's share.
            known.count.send(share);
            (known.ask(now, None), share)
        };
        let (key, open_time) = (node.key.clone(), tripped.until.left(now));
        let mut trip = Trip::new(key, tripped.presented, node.process(hub), open_time);
        trip.overridden = asked.overridden.clone();
        trip.provenance = asked.provenance.clone();
        trip.thresholds = Thresholds::from(policy);
        trip.cause = tripped.cause;
        trip.fault = tripped.fault;
        trip.failures = failures;
        self.trips.push(trip, node, asked);
    }

    /// Adds a report, unless there is nothing to report; when to try again, if it is put off.
    fn add_report(
        &mut self,
        hub: &Hub,
        node: &Arc<Node>,
        policy: &Policy,
        reports: Reports,
    ) -> Option<Instant> {
        let Turn { report, again } = node.report(hub, policy, reports);
        if let Some((report, asked)) = report {
            self.reports.push(report, node, asked);
        }
        if again.is_some() {
            node.put_off_report();
        }
        again
    }

    /// Gives back leases.
    pub(crate) fn add_held(&mut self, hub: &Hub, held: Vec<Held>) {
        for held in held {
            let asked = held.node.ask_storage(hub.now());
            let (key, token) = (held.node.key.clone(), hub.token(held.token));
            let mut settle = Settle::new(key, asked.presented, token, Outcome::Ignored);
            settle.overridden = asked.overridden.clone();
            settle.provenance = asked.provenance.clone();
            self.settles.push(settle, &held.node, asked);
        }
    }

    /// How many verbs it is.
    pub(crate) fn len(&self) -> usize {
        self.settles.verbs.len() + self.trips.verbs.len() + self.reports.verbs.len()
    }

    pub(crate) async fn send(self, hub: &Hub) {
        let Self { settles, trips, reports } = self;
        let result = settles.tell(hub, |verbs| hub.storage.settle(verbs)).await;
        for (node, settle) in settles.nodes.iter().zip(&settles.verbs) {
            match result {
                Ok(()) => hub.release(settle.token.number),
                Err(_) => node.count_here([settle.outcome]),
            }
        }
        result.unwrap_or_else(|untold| untold.lose(hub));
        let result = trips.tell(hub, |verbs| hub.storage.trip(verbs)).await;
        if result.is_ok() {
            for (node, trip) in trips.nodes.iter().zip(&trips.verbs) {
                node.heed_refusal(hub, &trip.presented);
            }
        }
        result.unwrap_or_else(|untold| untold.lose(hub));
        let result = reports.tell(hub, |verbs| hub.storage.report(verbs)).await;
        result.unwrap_or_else(|untold| untold.lose(hub));
    }
}

impl Node {
    /// The storage was told of a trip. If it has not opened the circuit for it, because more
    /// processes must have seen failures, this one stands apart: until the fleet opens too, or a
    /// trial of its own closes it.
    fn heed_refusal(&self, hub: &Hub, presented: &Presented) {
        let Some(breaker) = self.breaker() else { return };
        let untold = {
            let mut known = lock(&self.known);
            if !known.is_refused(presented, breaker.state()) {
                return;
            }
            known.trust.refuse();
            // Under the lock, so that a change of the fleet that comes now is the last word.
            self.alone.set(Alone::Apart);
            known.untold_hold_off(hub.options.sync_interval, hub.now())
        };
        tracing::debug!(
            target: "infuse",
            circuit = breaker.name(),
            "circuit {} is open in this process alone: too few processes have seen failures",
            breaker.name(),
        );
        if !untold.is_zero() {
            self.want_report(hub);
        }
    }
}

/// The storage was not told: it failed twice, or had been lost before.
pub(crate) struct Untold(Option<StorageError>);

impl Untold {
    pub(crate) fn lose(self, hub: &Hub) {
        if let Some(error) = self.0 {
            hub.lose(&error);
        }
    }
}

impl<V> Told<V> {
    pub(crate) fn push(&mut self, verb: V, node: &Arc<Node>, asked: Asked) {
        self.verbs.push(verb);
        self.nodes.push(Arc::clone(node));
        self.asked.push(asked);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.verbs.is_empty()
    }

    /// Does the verbs and takes over the answers.
    pub(crate) async fn tell<'a, F>(
        &'a self,
        hub: &Hub,
        verb: impl Fn(&'a [V]) -> F,
    ) -> Result<(), Untold>
    where
        F: Future<Output = Result<Vec<View>, StorageError>>,
    {
        if self.verbs.is_empty() {
            return Ok(());
        }
        if hub.standing.is_lost() {
            return Err(Untold(None));
        }
        let told = hub.twice_for(&self.nodes, || verb(&self.verbs)).await;
        let views = told.map_err(|error| Untold(Some(error)))?;
        for ((node, asked), view) in self.nodes.iter().zip(&self.asked).zip(&views) {
            node.learn(hub, view, Heard::Answered(asked));
        }
        Ok(())
    }
}

impl<V> Default for Told<V> {
    fn default() -> Self {
        Self { verbs: Vec::new(), nodes: Vec::new(), asked: Vec::new() }
    }
}
