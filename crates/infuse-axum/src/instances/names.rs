use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use infuse_storage::{Instance, ProcessId};
use tokio::time::Instant;

use super::Announcement;
use crate::reload::Live;

/// How soon the storage is asked again for a name that it did not have.
const AGAIN: Duration = Duration::from_secs(5);
/// Names that are kept. Processes come and go.
const MOST: usize = 10_000;

/// What people call the processes of the fleet, as far as has been heard.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: Mutex<HashMap<ProcessId, Arc<str>>>,
    /// When the storage was asked last. Held while it is, so that it is asked by one at a time.
    asked: tokio::sync::Mutex<Option<Instant>>,
}

impl Names {
    /// What this process is called, if that is known.
    pub(crate) fn of(&self, live: &Live, process: ProcessId) -> Option<Arc<str>> {
        if process == live.circuits.process() {
            return Some(live.settings().instance_name.as_str().into());
        }
        self.known().get(&process).cloned()
    }

    /// Asks the storage if one of these is not known, unless it has been asked a moment ago.
    pub(crate) async fn learn(&self, live: &Live, of: impl IntoIterator<Item = ProcessId>) {
        if of.into_iter().all(|process| self.of(live, process).is_some()) {
            return;
        }
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        *asked = Some(Instant::now());
        let group = live.settings().environment.clone();
        if let Ok(instances) = live.circuits.instances(&group).await {
            self.hear(&instances);
        }
    }

    /// Takes the names out of what processes say.
    pub(crate) fn hear(&self, instances: &[Instance]) {
        let mut known = self.known();
        for instance in instances {
            if known.len() >= MOST {
                known.clear();
            }
            if let Some(said) = Announcement::read(&instance.text) {
                known.insert(instance.process, said.name.into());
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<ProcessId, Arc<str>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
