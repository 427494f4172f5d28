//! The background task that keeps circuits and storage in agreement.
//!
//! It tells the storage what happened here (settled leases and trips first, then reports), takes
//! over what the storage pushes, and looks at intervals to repair what pushing lost. It holds no
//! more than a weak reference to the circuits, and ends when the last of their handles is gone.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    Seed,
    hub::{Hub, TICK},
    looks::Looks,
    outgoing::Outgoing,
    subscriber,
};

/// How far apart one circuit's reports are.
const REPORTS_APART: Duration = TICK;

/// Runs until the circuits' last handle is gone, or sharing has ended.
pub(crate) async fn run(hub: Weak<Hub>, notify: Arc<Notify>) {
    let _ending = Ending(hub.clone());
    tokio::select! {
        () = Replicator::new().run(hub.clone(), notify) => {}
        () = subscriber::run(hub.clone()) => {}
        () = keep_ticks(hub) => {}
    }
}

/// However the task ends, with its runtime say, circuits must not wait for it: they go on in this
/// process alone.
struct Ending(Weak<Hub>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(hub) = self.0.upgrade() else { return };
        if hub.close() && std::thread::panicking() {
            tracing::error!(
                target: "infuse",
                "the storage panicked: circuits go on in this process alone",
            );
        }
    }
}

async fn keep_ticks(hub: Weak<Hub>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.tick();
    }
}

struct Replicator {
    looks: Looks,
    /// When the next round of looks begins, or the next probe while the storage is lost.
    poll_at: Instant,
    /// When a circuit was last reported on, by its node's address.
    reported: HashMap<usize, Instant>,
}

impl Replicator {
    fn new() -> Self {
        Self { looks: Looks::default(), poll_at: Instant::now(), reported: HashMap::new() }
    }

    async fn run(mut self, hub: Weak<Hub>, notify: Arc<Notify>) {
        loop {
            let Some(strong) = hub.upgrade() else { return };
            if strong.standing.is_closed() {
                return;
            }
            let wake_at = self.turn(&strong).await;
            drop(strong);
            tokio::select! {
                () = notify.notified() => {}
                () = sleep_until(wake_at) => {}
            }
        }
    }

    /// Does what is to be done; when there is more to do, if nothing happens before.
    async fn turn(&mut self, hub: &Arc<Hub>) -> Instant {
        if hub.standing.is_lost() {
            if Instant::now() < self.poll_at {
                return self.poll_at;
            }
            self.poll_at = Instant::now() + jittered(hub.options.sync_interval);
            self.find(hub).await;
            if hub.standing.is_alone() {
                return self.poll_at;
            }
        }
        let waiting = self.flush(hub).await;
        if Instant::now() >= self.poll_at {
            self.poll_at = Instant::now() + jittered(hub.options.sync_interval);
            self.looks.begin_round(hub);
        }
        if !hub.standing.is_alone() {
            self.looks.look(hub).await;
        }
        if waiting || self.looks.are_due() {
            return self.poll_at.min(Instant::now() + TICK);
        }
        self.poll_at
    }

    /// Tells the storage what happened here; whether something has to wait.
    async fn flush(&mut self, hub: &Hub) -> bool {
        let now = Instant::now();
        self.reported.retain(|_, at| now.duration_since(*at) < REPORTS_APART);
        let mut out = Outgoing::default();
        for node in hub.take_queue() {
            let waits = self.reported.contains_key(&(Arc::as_ptr(&node) as usize));
            if out.add(hub, &node, waits) {
                self.looks.add_urgent(node);
            }
        }
        for node in out.reporting() {
            self.reported.insert(Arc::as_ptr(node) as usize, now);
        }
        out.send(hub).await;
        !self.reported.is_empty()
    }

    /// Tries to find a storage that is lost.
    async fn find(&mut self, hub: &Hub) {
        if hub.in_time(hub.storage.probe()).await.is_err() {
            return;
        }
        for node in hub.registry.nodes() {
            node.begin_return();
        }
        hub.look_at_everything();
        for node in hub.take_queue() {
            if node.take_pending().look {
                self.looks.add_urgent(node);
            }
        }
        hub.heed_events();
        if seed_late(hub).await && self.looks.look(hub).await {
            hub.find();
            // One that came after the look was made, and was ignored.
            if hub.heed_events() {
                hub.look_at_everything();
            }
        }
    }
}

/// Sends the seeds that the storage was not there to take; whether it answered.
async fn seed_late(hub: &Hub) -> bool {
    let late = hub.late_seeds();
    if late.is_empty() {
        return true;
    }
    let now = hub.now();
    let age = now.saturating_sub(hub.started);
    let seeds: Vec<Seed> = late
        .iter()
        .map(|late| {
            let open_time = late
                .node
                .breaker()
                .map_or(Duration::ZERO, |breaker| breaker.policy().reset_timeout());
            let mut seed = Seed::new(late.node.key.clone(), late.token, late.state, open_time);
            seed.presented = late.node.presented(now);
            seed.late_by = Some(age);
            seed
        })
        .collect();
    match hub.twice(|| hub.storage.seed(&seeds)).await {
        Ok(views) => {
            hub.forget_late_seeds(&late);
            for (late, view) in late.iter().zip(&views) {
                late.node.learn(hub, view);
            }
            true
        }
        Err(error) => {
            hub.lose(&error);
            false
        }
    }
}

/// Within a tenth of an interval, so that processes that start together do not poll together.
fn jittered(interval: Duration) -> Duration {
    // The keys of a `RandomState` differ with each instance.
    let random = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    interval.mul_f64(0.9 + 0.2 * random)
}

/// Tells the storage the last things: what is pending, and the leases that are held.
pub(crate) async fn farewell(hub: &Hub) {
    let mut out = Outgoing::default();
    for node in hub.take_queue() {
        out.add(hub, &node, false);
    }
    out.add_held(hub);
    out.send(hub).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_differ_by_no_more_than_a_tenth() {
        let interval = Duration::from_secs(10);
        let some: Vec<_> = (0..100).map(|_| jittered(interval)).collect();
        assert!(some.iter().all(|one| (9..=11).contains(&one.as_secs())));
        assert!(some.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
