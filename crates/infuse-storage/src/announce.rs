//! Saying every so often what this participant is, for those who look at the fleet.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{
    select,
    sync::Notify,
    time::{Instant, sleep},
};

use crate::{
    Announcement, Circuits,
    hub::{Hub, lock},
    random,
};

/// The shortest and the longest time between two announcements.
const EVERY: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(24 * 60 * 60)];
/// For how many times that time one holds: one may get lost.
const HOLDS_FOR: u32 = 3;
/// How often it is looked whether what the fleet needs is told.
const STEP: Duration = Duration::from_millis(5);

pub(crate) type Say = Arc<dyn Fn(&Circuits) -> String + Send + Sync>;

/// The groups that this participant speaks to.
#[derive(Default)]
pub(crate) struct Announcers(Mutex<HashMap<Arc<str>, Arc<Announcer>>>);

/// Speaks to one group.
struct Announcer {
    words: Mutex<Words>,
    /// What it is to say is another.
    changed: Notify,
}

struct Words {
    every: Duration,
    say: Say,
    /// Whether it was complained that it cannot be said.
    warned: bool,
}

/// Begins to say it, or something else than before.
pub(crate) fn start(hub: &Arc<Hub>, group: Arc<str>, every: Duration, say: Say) {
    if hub.standing.is_closed() {
        return;
    }
    let words = Words { every: every.clamp(EVERY[0], EVERY[1]), say, warned: false };
    let announcer = {
        let mut announcers = lock(&hub.announcers.0);
        if let Some(announcer) = announcers.get(&group) {
            *lock(&announcer.words) = words;
            return announcer.changed.notify_one();
        }
        let announcer = Arc::new(Announcer { words: Mutex::new(words), changed: Notify::new() });
        announcers.insert(Arc::clone(&group), Arc::clone(&announcer));
        announcer
    };
    // At shutdown these tasks are waited for.
    hub.spawn_ask(run(Arc::downgrade(hub), group, announcer));
}

/// Runs until the circuits' last handle is gone, or sharing has ended, and then takes back what it
/// said.
async fn run(hub: Weak<Hub>, group: Arc<str>, announcer: Arc<Announcer>) {
    let Some(mut progress) = hub.upgrade().map(|hub| hub.progress.subscribe()) else { return };
    let mut said = false;
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let wait = if strong.standing.is_alone() {
            // Soon after the storage is back.
            announcer.every().min(strong.options.sync_interval)
        } else {
            give_way(&strong).await;
            said |= announcer.announce(&strong, &group).await;
            announcer.every().mul_f64(1.0 + 0.1 * random::fraction())
        };
        drop(strong);
        select! {
            biased;
            _ = progress.wait_for(|progress| progress.closed.is_some()) => break,
            () = announcer.changed.notified() => {}
            () = sleep(wait) => {}
        }
    }
    let Some(hub) = hub.upgrade() else { return };
    let asks = hub.progress.borrow().closed.is_some_and(|closed| closed.asks);
    if said && asks {
        // After it was said, so that it is not said later. If it fails it ends by itself.
        let _ = hub.in_time(hub.storage.withdraw(&group, hub.process)).await;
    }
}

/// What the fleet decides by goes first. For a while: in a storm of failures there is always some.
async fn give_way(hub: &Hub) {
    let until = Instant::now() + hub.options.timeout;
    while hub.waits_since().is_some() && Instant::now() < until {
        sleep(STEP).await;
    }
}

impl Announcer {
    fn every(&self) -> Duration {
        lock(&self.words).every
    }

    /// Whether the storage may have heard it. That it has not is no loss of the storage: circuits
    /// find that out themselves.
    async fn announce(&self, hub: &Arc<Hub>, group: &Arc<str>) -> bool {
        if hub.standing.is_alone() {
            return false;
        }
        let (say, every) = {
            let words = lock(&self.words);
            (Arc::clone(&words.say), words.every)
        };
        // What it broke is its own.
        let circuits = Circuits::of(hub);
        let Ok(text) = catch_unwind(AssertUnwindSafe(|| say(&circuits))) else {
            self.warn(group, "it panicked".to_owned());
            return false;
        };
        let said = Announcement::new(
            Arc::clone(group),
            hub.process,
            text,
            every.saturating_mul(HOLDS_FOR),
        );
        if let Err(error) = said.check() {
            self.warn(group, error.to_string());
            return false;
        }
        if let Err(error) = hub.in_time(hub.storage.announce(&said)).await {
            tracing::debug!(
                target: "infuse",
                error = &error as &dyn std::error::Error,
                "this process was not announced: it is tried again",
            );
        }
        true
    }

    /// Complains once.
    fn warn(&self, group: &str, why: String) {
        if !std::mem::replace(&mut lock(&self.words).warned, true) {
            tracing::warn!(
                target: "infuse",
                group,
                why,
                "what this process says of itself cannot be announced: others do not see it",
            );
        }
    }
}
