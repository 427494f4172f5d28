use std::sync::{Arc, Weak};

use tokio::time::{Instant, sleep_until};

use crate::{
    hub::Hub,
    storage::{Event, Watch},
};

/// Takes over what the storage pushes, for as long as there are handles to the circuits.
///
/// It runs beside the replicator, so that a storage that is slow to answer delays no event.
pub(crate) async fn run(hub: Weak<Hub>) {
    loop {
        let Some(strong) = hub.upgrade() else { return };
        let next_attempt = Instant::now() + strong.options.sync_interval;
        // An error says no more than that polling has to do.
        let watch = strong.in_time(strong.storage.watch()).await;
        match watch {
            Ok(watch) => {
                subscribed(&strong, true);
                drop(strong);
                listen(&hub, watch).await;
                let Some(hub) = hub.upgrade() else { return };
                subscribed(&hub, false);
            }
            Err(error) => tracing::debug!(
                target: "infuse",
                error = &error as &dyn std::error::Error,
                "changes are not pushed: circuits are looked at instead",
            ),
        }
        sleep_until(next_attempt).await;
    }
}

fn subscribed(hub: &Arc<Hub>, yes: bool) {
    hub.progress.send_modify(|progress| progress.subscribed = yes);
    if yes {
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
                if let Some(node) = hub.registry.node_of(&key) {
                    node.learn(&hub, &view);
                }
            }
            Event::Missed => hub.look_at_everything(),
        }
    }
}
