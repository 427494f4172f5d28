//! How sharing goes, for those who look at it, and who is told when the storage is lost.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::Instant,
};

use crate::{
    StorageError,
    hub::{Hub, lock},
};

/// How sharing goes: see [`Circuits::health`](crate::Circuits::health).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Health {
    /// Whether circuits are shared at the moment: not while the storage is lost, nor after shutdown.
    pub shared: bool,
    /// How long the storage has been lost, by the circuits' clock; unset while it is there, and
    /// after shutdown. One that has panicked is lost for good.
    pub lost_for: Option<Duration>,
    /// How often it was lost since the start.
    pub losses: u64,
    /// Whether changes are pushed to this process, and taken over.
    pub pushed: bool,
    /// Verbs that the storage was asked for since the start, about however many circuits, and that
    /// are over: answered or failed. What is under way is not among them.
    pub commands: u64,
    /// Those of them that failed: refused, or not answered in time.
    pub failed_commands: u64,
    /// How long the oldest of what is to be told to the storage has been waiting, until it is
    /// answered: failures, trips and trials that are over. Zero if nothing is, or nothing can be.
    pub lag: Duration,
}

/// Something that happened to the storage: see
/// [`CircuitsBuilder::storage_listener`](crate::CircuitsBuilder::storage_listener).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageEvent {
    /// It is lost: each process decides alone. Why, in a text without addresses and secrets.
    Lost(Arc<str>),
    /// It is there again.
    Back,
}

pub(crate) type StorageListener = Box<dyn Fn(&StorageEvent) + Send + Sync>;

/// How often the storage was lost, and since when it is. Under one lock with the change of the
/// standing, so that listeners hear of losses and returns in their order.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    losses: u64,
    since: Option<Duration>,
    /// Unset if nobody listens, or there is nothing more to hear.
    events: Option<UnboundedSender<StorageEvent>>,
}

impl Losses {
    pub(crate) fn new(events: Option<UnboundedSender<StorageEvent>>) -> Self {
        Self(Mutex::new(Counted { events, ..Counted::default() }))
    }

    /// The storage is lost, if `news` says so.
    fn begin(&self, now: Duration, why: Arc<str>, news: impl FnOnce() -> bool) -> bool {
        let mut counted = lock(&self.0);
        let news = news();
        if news && counted.since.is_none() {
            counted.losses += 1;
            counted.since = Some(now);
            counted.tell(StorageEvent::Lost(why));
        }
        news
    }

    /// It is back, if `news` says so.
    fn end(&self, news: impl FnOnce() -> bool) -> bool {
        let mut counted = lock(&self.0);
        let news = news();
        if news {
            counted.since = None;
            counted.tell(StorageEvent::Back);
        }
        news
    }

    /// It is lost for good, if `news` says so: there is nothing more to hear after that.
    fn begin_last(&self, now: Duration, why: &str, news: impl FnOnce() -> bool) -> bool {
        let news = self.begin(now, why.into(), news);
        lock(&self.0).events = None;
        news
    }

    /// Sharing has ended: there is nothing more to hear.
    fn close(&self) {
        let mut counted = lock(&self.0);
        counted.since = None;
        counted.events = None;
    }
}

impl Counted {
    fn tell(&self, event: StorageEvent) {
        if let Some(events) = &self.events {
            // An error says that the runtime is gone, and with it whoever listened.
            let _ = events.send(event);
        }
    }
}

/// Tells listeners what happens, in a task of its own: one that is slow delays no circuit.
pub(crate) async fn tell(
    mut events: UnboundedReceiver<StorageEvent>,
    listeners: Vec<StorageListener>,
) {
    while let Some(event) = events.recv().await {
        for listener in &listeners {
            // What a listener broke is its own.
            let _ = catch_unwind(AssertUnwindSafe(|| listener(&event)));
        }
    }
}

impl Hub {
    /// The storage is lost; whether that is news.
    pub(crate) fn begin_loss(&self, error: &StorageError) -> bool {
        if self.standing.is_alone() {
            return false;
        }
        let (now, why) = (self.now(), error.reason());
        self.losses.begin(now, why, || self.standing.lose())
    }

    /// It is back; whether that is news.
    pub(crate) fn end_loss(&self) -> bool {
        self.losses.end(|| self.standing.find())
    }

    /// The storage is not asked any more, because it has panicked, if `news` says so.
    pub(crate) fn lose_for_good(&self, news: impl FnOnce() -> bool) -> bool {
        self.losses.begin_last(self.now(), "the storage panicked", news)
    }

    /// There will be no loss and no return any more.
    pub(crate) fn close_losses(&self) {
        self.losses.close();
    }

    pub(crate) fn health(&self) -> Health {
        let now = self.now();
        let (shared, since, losses) = {
            let counted = lock(&self.losses.0);
            (!self.standing.is_alone(), counted.since, counted.losses)
        };
        let (answered, failed) = self.tally.counts();
        Health {
            shared,
            lost_for: since.map(|since| now.saturating_sub(since)),
            losses,
            pushed: shared && self.progress.borrow().subscribed.is_some(),
            commands: answered + failed,
            failed_commands: failed,
            lag: self.lag(),
        }
    }

    /// How long the oldest of what is to be told has been waiting.
    pub(crate) fn lag(&self) -> Duration {
        if self.standing.is_alone() {
            return Duration::ZERO;
        }
        let since = self.waits_since();
        since.map_or(Duration::ZERO, |since| Instant::now().duration_since(since))
    }
}
