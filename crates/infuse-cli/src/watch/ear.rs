use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{Failure, Fleet, announced::Announced, failure::causes};

/// How often the storage is asked, at most.
const LEAST: Duration = Duration::from_secs(1);
/// How many circuits are looked at in a second, at most.
const LOOKS: u32 = 200;

/// What was heard last.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard {
    /// The instances that run, as far as they have said so.
    pub(super) instances: Arc<[Announced]>,
    /// Since when the storage cannot be reached, and why.
    pub(super) lost: Option<(Instant, Arc<str>)>,
}

/// Asks the storage now and from time to time: whether it is there, what it says of the circuits, and
/// which instances run, whose circuits are made here too. It ends with the receiver.
///
/// # Errors
///
/// If the storage cannot be reached now.
pub(super) async fn listen(fleet: &Arc<Fleet>) -> Result<watch::Receiver<Heard>, Failure> {
    let instances = ask(fleet).await.map_err(|error| fleet.failure(&error))?;
    fleet.look().await?;
    let heard = Heard { instances: instances.into(), lost: None };
    let (sender, receiver) = watch::channel(heard);
    tokio::spawn(keep(Arc::downgrade(fleet), sender));
    Ok(receiver)
}

async fn keep(fleet: Weak<Fleet>, sender: watch::Sender<Heard>) {
    loop {
        let Some(strong) = fleet.upgrade() else { return };
        let circuits = u32::try_from(strong.circuits.all().len()).unwrap_or(u32::MAX);
        let pause = LEAST.max(LEAST * circuits / LOOKS).max(strong.settings.sync_interval);
        drop(strong);
        tokio::select! {
            () = sender.closed() => return,
            () = sleep(pause) => {}
        }
        let Some(fleet) = fleet.upgrade() else { return };
        match ask(&fleet).await {
            Ok(instances) => {
                sender.send_modify(|heard| {
                    *heard = Heard { instances: instances.into(), lost: None }
                });
            }
            Err(error) => {
                let why: Arc<str> = causes(&error).into();
                sender.send_modify(|heard| {
                    let since = heard.lost.as_ref().map_or_else(Instant::now, |(since, _)| *since);
                    heard.lost = Some((since, why));
                });
            }
        }
    }
}

async fn ask(fleet: &Fleet) -> Result<Vec<Announced>, infuse_storage::StorageError> {
    fleet.reach().await?;
    let instances = fleet.instances().await?;
    for name in fleet.names(&instances) {
        fleet.circuit(&name);
    }
    fleet.circuits.look().await?;
    Ok(instances)
}
