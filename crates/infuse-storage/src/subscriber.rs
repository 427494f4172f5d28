use std::sync::{Arc, Weak};

use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    hub::Hub,
    known::Heard,
    storage::{Event, Watch},
};

/// Takes over what the storage pushes, for as long as there are handles to the circuits.
///
/// It runs beside the replicator, so that a storage that is slow to answer delays no event.
pub(crate) async fn run(hub: Weak<Hub>) {
    let Some(anew) = hub.upgrade().map(|hub| Arc::clone(&hub.anew)) else { return };
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let next_attempt = Instant::now() + strong.options.sync_interval;
        // An error says no more than that polling has to do.
        let watch = strong.in_time(strong.storage.watch()).await;
        tried(&strong, watch.is_ok());
        match watch {
            Ok(watch) => {
                drop(strong);
                let asked = select! {
                    () = listen(&hub, watch) => false,
                    () = anew.notified() => true,
                };
                let Some(hub) = hub.upgrade() else { return };
                hub.progress.send_modify(|progress| progress.subscribed = None);
                if asked {
                    continue;
                }
            }
            Err(error) => tracing::debug!(
                target: "infuse",
                error = &error as &dyn std::error::Error,
                "changes are not pushed: circuits are looked at instead",
            ),
        }
        select! {
            () = sleep_until(next_attempt) => {}
            () = anew.notified() => {}
        }
    }
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
                    node.learn(&hub, &view, Heard::Pushed);
                }
            }
            Event::Missed => hub.look_at_everything(),
        }
    }
}
