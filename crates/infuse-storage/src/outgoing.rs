use std::{future::Future, sync::Arc};

use infuse_core::{Outcome, Policy, State};
use tokio::time::Instant;

use crate::{
    Report, Settle, StorageError, Thresholds, Trip, View,
    hub::{Held, Hub},
    known::{Asked, Heard},
    node::Node,
    reporting::Reports,
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
        let pending = node.take_pending();
        let policy = breaker.policy();
        let asked = node.ask_storage(hub.now());
        for (token, outcome) in pending.settles {
            let token = hub.token(token);
            let mut settle = Settle::new(node.key.clone(), asked.presented, token, outcome);
            settle.success_threshold = policy.success_threshold();
            settle.open_time = policy.reset_timeout();
            self.settles.push(settle, node, asked);
        }
        // A circuit that is no longer open has been told otherwise meanwhile.
        if let Some(presented) = pending.trip
            && breaker.state() == State::Open
        {
            let open_time = breaker.retry_after().unwrap_or_default();
            let mut trip = Trip::new(node.key.clone(), *presented, node.process(hub), open_time);
            trip.thresholds = Thresholds::from(&policy);
            self.trips.push(trip, node, asked);
        }
        let mut left = Left { look: pending.look, again: None };
        if pending.failures {
            left.again = self.add_report(hub, node, &policy, reports);
        }
        left
    }

    /// Adds a report, unless there is nothing to report; when to try again, if it is put off.
    fn add_report(
        &mut self,
        hub: &Hub,
        node: &Arc<Node>,
        policy: &Policy,
        reports: Reports,
    ) -> Option<Instant> {
        match node.report(hub, policy, reports) {
            Ok(Some((report, asked))) => {
                self.reports.push(report, node, asked);
                None
            }
            Ok(None) => None,
            Err(again) => {
                node.put_off_report();
                Some(again)
            }
        }
    }

    /// Gives back leases.
    pub(crate) fn add_held(&mut self, hub: &Hub, held: Vec<Held>) {
        for held in held {
            let asked = held.node.ask_storage(hub.now());
            let (key, token) = (held.node.key.clone(), hub.token(held.token));
            let settle = Settle::new(key, asked.presented, token, Outcome::Ignored);
            self.settles.push(settle, &held.node, asked);
        }
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
        result.unwrap_or_else(|untold| untold.lose(hub));
        let result = reports.tell(hub, |verbs| hub.storage.report(verbs)).await;
        result.unwrap_or_else(|untold| untold.lose(hub));
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
