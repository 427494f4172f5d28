use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    StorageError,
    hub::Hub,
    known::Heard,
    storage::{Event, Watch},
};

/// How long subscribing may take: no request waits for it, and a storage may be far away.
const SUBSCRIBING: Duration = Duration::from_secs(5);
/// After how many attempts that failed, while the storage was there, it is said.
const SAID_AFTER: u32 = 3;

/// Takes over what the storage pushes, for as long as there are handles to the circuits.
///
/// It runs beside the replicator, so that a storage that is slow to answer delays no event.
pub(crate) async fn run(hub: Weak<Hub>) {
    let Some(anew) = hub.upgrade().map(|hub| Arc::clone(&hub.anew)) else { return };
    let mut failed = 0;
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let next_attempt = Instant::now() + strong.options.sync_interval;
        // An error says no more than that polling has to do.
        let limit = strong.options.timeout.max(SUBSCRIBING);
        let watch = timeout(limit, strong.storage.watch()).await;
        let watch = watch.unwrap_or(Err(StorageError::TimedOut(limit)));
        tried(&strong, watch.is_ok());
        failed = said(&strong, watch.as_ref().err(), failed);
        match watch {
            Ok(watch) => {
                drop(strong);
                let asked = select! {
                    biased;
                    () = listen(&hub, watch) => false,
                    () = anew.notified() => true,
                };
                let Some(hub) = hub.upgrade() else { return };
                hub.progress.send_modify(|progress| progress.subscribed = None);
                if asked {
                    continue;
                }
            }
            Err(_) => drop(strong),
        }
        select! {
            biased;
            () = sleep_until(next_attempt) => {}
            () = anew.notified() => {}
        }
    }
}

/// Says when changes are not pushed although the storage is there, and when they are again. How
/// many attempts have failed now, if `failed` had before.
fn said(hub: &Hub, error: Option<&StorageError>, failed: u32) -> u32 {
    let Some(error) = error else {
        if failed >= SAID_AFTER {
            tracing::info!(target: "infuse", "changes are pushed again");
        }
        return 0;
    };
    // Of a storage that is lost that is said.
    if hub.standing.is_alone() {
        return if failed < SAID_AFTER { 0 } else { failed };
    }
    let failed = failed.saturating_add(1);
    if failed == SAID_AFTER {
        tracing::warn!(
            target: "infuse",
            error = error as &dyn std::error::Error,
            "changes are not pushed: circuits are looked at instead, and changes take longer",
        );
    }
    failed
}

/// Subscribes anew, because what there is may have gone silent. Returns when that is done, or
/// failed, or takes longer than the storage may.
pub(crate) async fn watch_anew(hub: &Hub) {
    let mut progress = hub.progress.subscribe();
    let before = progress.borrow_and_update().attempts;
    hub.anew.notify_one();
    // An error says that there is nobody to subscribe any more.
    let _ = timeout(hub.options.timeout, progress.wait_for(|now| now.attempts > before)).await;
}

fn tried(hub: &Hub, subscribed: bool) {
    hub.progress.send_modify(|progress| {
        progress.subscribed = subscribed.then(Instant::now);
        progress.attempts += 1;
    });
    if subscribed {
        // Subscribe first, then look at everything: what changed before is seen by the look, and
        // what changes later is pushed.
        hub.look_at_everything();
    }
}

async fn listen(hub: &Weak<Hub>, mut watch: Box<dyn Watch>) {
    loop {
        let event = watch.next().await;
        let Some(hub) = hub.upgrade() else { return };
        match event {
            Event::Ended => return,
            // While the storage is lost the local breaker decides.
            _ if hub.standing.is_alone() => hub.ignore_event(),
            Event::Changed { key, view } => {
                for node in hub.registry.nodes_of(&key) {
                    if view.generation < node.generation() {
                        // Late, or of a storage that has lost writes: a look tells, and mends.
                        node.want_look();
                    }
                    node.learn(&hub, &view, Heard::Pushed);
                }
            }
            Event::Missed => hub.look_at_everything(),
        }
    }
}
