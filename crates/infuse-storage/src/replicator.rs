//! The background task that keeps circuits and storage in agreement.
//!
//! It tells the storage what happened here (settled leases and trips first, then reports), takes
//! over what the storage pushes, and looks at intervals to repair what pushing lost. It holds no
//! more than a weak reference to the circuits, and ends when the last of their handles is gone.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use crate::{
    Seed,
    hub::Hub,
    known::{Asked, Heard},
    looks::Looks,
    node::Node,
    outgoing::Outgoing,
    random,
    reporting::Reports,
    subscriber, suspicions,
    ticks::WRITTEN,
};

/// How long looks wait that are more than may be made at once.
const LOOKS_WAIT: Duration = Duration::from_millis(50);

/// Runs until the circuits' last handle is gone, or sharing has ended.
pub(crate) async fn run(hub: Weak<Hub>, notify: Arc<Notify>) {
    let _ending = Ending(hub.clone());
    tokio::select! {
        biased;
        () = Replicator::new().run(hub.clone(), notify) => {}
        () = subscriber::run(hub.clone()) => {}
        () = suspicions::run(hub.clone()) => {}
        () = keep_ticks(hub) => {}
    }
}

/// However the task ends, with its runtime say, circuits must not wait for it: they go on in this
/// process alone.
struct Ending(Weak<Hub>);

impl Drop for Ending {
    fn drop(&mut self) {
        let Some(hub) = self.0.upgrade() else { return };
        if std::thread::panicking() {
            hub.end_by_panic()
        } else {
            hub.close();
        }
    }
}

async fn keep_ticks(hub: Weak<Hub>) {
    let mut ticks = interval(WRITTEN);
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
}

impl Replicator {
    fn new() -> Self {
        Self { looks: Looks::default(), poll_at: Instant::now() }
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
                biased;
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
        if hub.has_late_seeds() {
            seed_late(hub).await;
        }
        let told = flush(hub).await;
        told.looks.into_iter().for_each(|node| self.looks.add_urgent(node));
        let mut again = told.again;
        if Instant::now() >= self.poll_at {
            self.poll_at = Instant::now() + jittered(hub.options.sync_interval);
            self.looks.begin_round(hub);
        }
        let mut wanted = Vec::new();
        if !hub.standing.is_alone() {
            // What happens meanwhile is told all the same: looks may take long.
            let look = self.looks.look(hub);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    biased;
                    _ = &mut look => break,
                    () = hub.woken() => {
                        let told = flush(hub).await;
                        wanted.extend(told.looks);
                        again = [again, told.again].into_iter().flatten().min();
                    }
                }
            }
        }
        wanted.into_iter().for_each(|node| self.looks.add_urgent(node));
        let looks = self.looks.are_due().then(|| Instant::now() + LOOKS_WAIT);
        [again, looks].into_iter().flatten().fold(self.poll_at, Instant::min)
    }

    /// Tries to find a storage that is lost.
    async fn find(&mut self, hub: &Hub) {
        if hub.in_time(hub.storage.probe()).await.is_err() {
            return;
        }
        // What there was may have gone silent. Whether it succeeds or not: looks repair.
        subscriber::watch_anew(hub).await;
        for node in hub.registry.nodes() {
            node.begin_return();
        }
        hub.look_at_everything();
        for waiting in hub.take_queue() {
            if waiting.node.take_pending().look {
                self.looks.add_urgent(waiting.node);
            }
        }
        hub.heed_events();
        if seed_late(hub).await && self.looks.look_at_once(hub).await {
            // The fleet need not wait until they end.
            let mut out = Outgoing::default();
            out.add_held(hub, hub.take_orphaned());
            hub.find();
            out.send(hub).await;
            // One that came after the look was made, and was ignored.
            if hub.heed_events() {
                hub.look_at_everything();
            }
        }
    }
}

/// What is left when the storage was told what happened here.
struct Flushed {
    /// Those that want a look.
    looks: Vec<Arc<Node>>,
    /// When there is more to tell that has to wait.
    again: Option<Instant>,
}

/// Tells the storage what happened here.
async fn flush(hub: &Hub) -> Flushed {
    let mut out = Outgoing::default();
    let mut flushed = Flushed { looks: Vec::new(), again: None };
    let mut told_since = None;
    for waiting in hub.take_queue() {
        let before = out.len();
        let left = out.add(hub, &waiting.node, Reports::InTurn);
        if out.len() > before {
            told_since = [told_since, Some(waiting.since)].into_iter().flatten().min();
        } else if left.again.is_some() {
            hub.put_off(&waiting);
        }
        if left.look {
            flushed.looks.push(waiting.node);
        }
        flushed.again = [flushed.again, left.again].into_iter().flatten().min();
    }
    hub.tells(told_since);
    out.send(hub).await;
    hub.tells(None);
    flushed
}

/// Sends the seeds that the storage was not there to take; whether it answered.
async fn seed_late(hub: &Hub) -> bool {
    let late = hub.late_seeds();
    if late.is_empty() {
        return true;
    }
    let now = hub.now();
    let age = now.saturating_sub(hub.started);
    let (asked, seeds): (Vec<Asked>, Vec<Seed>) = late
        .iter()
        .map(|late| {
            let asked = late.node.ask_storage(now);
            let open_time = late
                .node
                .breaker()
                .map_or(Duration::ZERO, |breaker| breaker.policy().reset_timeout());
            let mut seed = Seed::new(late.node.key.clone(), late.token, late.state, open_time);
            seed.presented = asked.presented;
            seed.overridden = asked.overridden.clone();
            seed.provenance = asked.provenance.clone();
            seed.late_by = Some(age);
            (asked, seed)
        })
        .unzip();
    match hub.twice(|| hub.storage.seed(&seeds)).await {
        Ok(views) => {
            hub.forget_late_seeds(&late);
            for ((late, asked), view) in late.iter().zip(&asked).zip(&views) {
                late.node.learn(hub, view, Heard::Answered(asked));
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
    interval.mul_f64(0.9 + 0.2 * random::fraction())
}

/// Tells the storage the last things: what is pending, the leases that are held, and what refutes a
/// suspicion.
pub(crate) async fn farewell(hub: &Hub) {
    let mut out = Outgoing::default();
    for waiting in hub.take_queue() {
        out.add(hub, &waiting.node, Reports::Last);
    }
    out.add_held(hub, hub.take_held());
    tokio::join!(out.send(hub), suspicions::farewell(hub));
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
