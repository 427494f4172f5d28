//! Asking the storage about every circuit at once, for whoever looks at them.

use std::sync::{Arc, Mutex};

use tokio::{
    sync::OnceCell,
    time::{Instant, sleep_until},
};

use crate::{
    Look, StorageError, Thresholds, View,
    hub::{Hub, lock},
    known::{Asked, Heard},
    looks,
    registry::Entry,
};

/// What came of it.
pub(crate) type Answers = Result<Vec<(Entry, View)>, StorageError>;

/// Surveys, one after another: whoever asks while one is under way, or waits for its turn, gets the
/// next one, together with all others who do.
#[derive(Default)]
pub(crate) struct Surveys {
    /// The one that has not begun yet.
    next: Mutex<Option<Arc<OnceCell<Answers>>>>,
    /// Held by the one that is under way; when the next may begin.
    turn: tokio::sync::Mutex<Option<Instant>>,
}

impl Surveys {
    /// Asks the storage, and takes in what it says.
    pub(crate) async fn look(&self, hub: &Hub) -> Answers {
        let cell = Arc::clone(lock(&self.next).get_or_insert_default());
        let answers = cell.get_or_init(|| self.begin(hub, &cell)).await;
        match answers {
            Ok(views) => Ok(views.clone()),
            Err(error) => Err(error.share()),
        }
    }

    async fn begin(&self, hub: &Hub, me: &Arc<OnceCell<Answers>>) -> Answers {
        let mut turn = self.turn.lock().await;
        if let Some(at) = *turn {
            sleep_until(at).await;
        }
        {
            let mut next = lock(&self.next);
            // Who asks from now on is not answered with what was so before.
            if next.as_ref().is_some_and(|next| Arc::ptr_eq(next, me)) {
                *next = None;
            }
        }
        let entries = hub.registry.entries();
        // No more than what polling may ask for, however often somebody wants to know.
        let share = looks::SECOND.mul_f64(entries.len() as f64 / looks::MOST as f64);
        *turn = Some(Instant::now() + share);
        ask(hub, entries).await
    }
}

async fn ask(hub: &Hub, entries: Vec<Entry>) -> Answers {
    let mut answers = Vec::with_capacity(entries.len());
    for part in entries.chunks(looks::AT_ONCE) {
        hub.is_there()?;
        let (asked, looks): (Vec<Asked>, Vec<Look>) =
            part.iter().map(|entry| look(hub, entry)).unzip();
        let views = hub.twice(|| hub.storage.look(&looks)).await;
        let views = views.inspect_err(|error| hub.lose(error))?;
        for ((entry, asked), view) in part.iter().zip(&asked).zip(views) {
            entry.node.learn(hub, &view, Heard::Answered(asked));
            lock(&entry.node.known).learn_counts(&view);
            answers.push((entry.clone(), view));
        }
    }
    Ok(answers)
}

/// A look that tells of no calls, so that it can be repeated.
fn look(hub: &Hub, entry: &Entry) -> (Asked, Look) {
    let Entry { breaker, node } = entry;
    let asked = node.ask_storage(hub.now());
    let mut look = Look::new(node.key.clone(), asked.presented);
    look.overridden = asked.overridden.clone();
    look.last_success = hub.age_of_success(node);
    look.thresholds = Thresholds::from(&breaker.policy());
    (asked, look)
}

impl Hub {
    /// Refuses to ask a storage that is not there.
    pub(crate) fn is_there(&self) -> Result<(), StorageError> {
        match (self.standing.is_closed(), self.standing.is_lost()) {
            (true, _) => Err(StorageError::unavailable("sharing has ended")),
            (_, true) => Err(StorageError::unavailable("the storage is lost")),
            _ => Ok(()),
        }
    }
}
