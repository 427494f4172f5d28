use std::{future::Future, sync::Arc};

use infuse_core::{Outcome, State};

use crate::{Report, Settle, StorageError, Trip, View, hub::Hub, node::Node};

/// What is told to the storage in one go. Settled leases and trips go before reports.
#[derive(Default)]
pub(crate) struct Outgoing {
    settles: Told<Settle>,
    trips: Told<Trip>,
    reports: Told<Report>,
}

/// Verbs, and the circuits that they are about.
struct Told<V> {
    verbs: Vec<V>,
    nodes: Vec<Arc<Node>>,
}

impl Outgoing {
    /// Adds what a circuit has to tell; whether a look is wanted too.
    pub(crate) fn add(&mut self, hub: &Hub, node: &Arc<Node>, report_waits: bool) -> bool {
        let Some(breaker) = node.breaker() else { return false };
        let pending = node.take_pending();
        let policy = breaker.policy();
        let presented = node.presented(hub.now());
        for (token, outcome) in pending.settles {
            let mut settle = Settle::new(node.key.clone(), presented, hub.token(token), outcome);
            settle.success_threshold = policy.success_threshold();
            settle.open_time = policy.reset_timeout();
            self.settles.push(settle, node);
        }
        // A circuit that is no longer open has been told otherwise meanwhile.
        if let Some(presented) = pending.trip
            && breaker.state() == State::Open
        {
            let open_time = breaker.retry_after().unwrap_or_default();
            self.trips.push(Trip::new(node.key.clone(), presented, hub.process, open_time), node);
        }
        if pending.failures && report_waits {
            node.put_off_report();
        } else if pending.failures && breaker.state() == State::Closed {
            // The run as it is now: a success may have ended the one that was counted.
            let failures = breaker.fail_counter();
            if failures > 0 {
                let mut report = Report::new(node.key.clone(), presented, hub.process, failures);
                report.last_success = hub.age_of_success(node);
                self.reports.push(report, node);
            }
        }
        pending.look
    }

    /// Gives back every lease that this process still holds.
    pub(crate) fn add_held(&mut self, hub: &Hub) {
        for held in hub.take_held() {
            let presented = held.node.presented(hub.now());
            let token = hub.token(held.token);
            let settle = Settle::new(held.node.key.clone(), presented, token, Outcome::Ignored);
            self.settles.push(settle, &held.node);
        }
    }

    /// The circuits that are reported on.
    pub(crate) fn reporting(&self) -> &[Arc<Node>] {
        &self.reports.nodes
    }

    pub(crate) async fn send(self, hub: &Hub) {
        let Self { settles, trips, reports } = self;
        let result = settles.tell(hub, |verbs| hub.storage.settle(verbs)).await;
        if result.is_err() {
            for (node, settle) in settles.nodes.iter().zip(&settles.verbs) {
                node.count_here([settle.outcome]);
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
struct Untold(Option<StorageError>);

impl Untold {
    fn lose(self, hub: &Hub) {
        if let Some(error) = self.0 {
            hub.lose(&error);
        }
    }
}

impl<V> Told<V> {
    fn push(&mut self, verb: V, node: &Arc<Node>) {
        self.verbs.push(verb);
        self.nodes.push(Arc::clone(node));
    }

    /// Does the verbs and takes over the answers.
    async fn tell<'a, F>(&'a self, hub: &Hub, verb: impl Fn(&'a [V]) -> F) -> Result<(), Untold>
    where
        F: Future<Output = Result<Vec<View>, StorageError>>,
    {
        if self.verbs.is_empty() {
            return Ok(());
        }
        if hub.standing.is_lost() {
            return Err(Untold(None));
        }
        let views = hub.twice(|| verb(&self.verbs)).await.map_err(|error| Untold(Some(error)))?;
        for (node, view) in self.nodes.iter().zip(&views) {
            node.learn(hub, view);
        }
        Ok(())
    }
}

impl<V> Default for Told<V> {
    fn default() -> Self {
        Self { verbs: Vec::new(), nodes: Vec::new() }
    }
}
