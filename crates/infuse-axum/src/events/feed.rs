use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::SystemTime,
};

use infuse_storage::{
    Breaker, Interest, Listener, ModeChange, Note, ProcessId, StateChange, StorageEvent,
};
use tokio::sync::{Semaphore, watch};

use super::{
    Event, Listening, What,
    ring::{After, Ring},
};
use crate::reload::Live;

/// Events that are kept.
const KEPT: usize = 1_000;
/// Those who may listen at a time.
const MOST_LISTENING: usize = 64;

/// Hears of every change, keeps the last of them, and wakes those who listen.
pub(crate) struct Feed {
    ring: Mutex<Ring>,
    news: watch::Sender<News>,
    places: Arc<Semaphore>,
    /// Where circuits are asked what opened them. Weak, because it is they that have this listener.
    live: OnceLock<Weak<Live>>,
}

/// What those who listen wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct News {
    /// The number of the last event.
    pub(super) last: u64,
    /// Nobody is to listen any more.
    pub(super) closed: bool,
}

impl Feed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            ring: Mutex::new(Ring::new(KEPT)),
            news: watch::Sender::new(News::default()),
            places: Arc::new(Semaphore::new(MOST_LISTENING)),
            live: OnceLock::new(),
        })
    }

    /// Says where the circuits are, once.
    pub(crate) fn attach(&self, live: &Arc<Live>) {
        // A second call would be for the same ones.
        let _ = self.live.set(Arc::downgrade(live));
    }

    /// The storage was lost, or is back.
    pub(crate) fn storage(&self, event: &StorageEvent) {
        self.push(None, What::Storage(event.clone()));
    }

    /// Listens: to what comes after the event of a number, or from now on. `None` if so many do
    /// already, or nobody is to any more.
    pub(crate) fn listen(self: &Arc<Self>, after: Option<u64>) -> Option<Listening> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let news = self.news.subscribe();
        let after = after.unwrap_or_else(|| self.last());
        Some(Listening::new(Arc::clone(self), news, after, place))
    }

    /// Ends all [`Listening`], for good.
    pub(crate) fn close(&self) {
        self.places.close();
        self.news.send_modify(|news| news.closed = true);
    }

    /// The number of the last event; 0 if there was none yet.
    pub(crate) fn last(&self) -> u64 {
        self.ring().last()
    }

    pub(super) fn after(&self, number: u64) -> After {
        self.ring().after(number)
    }

    /// The last events that `picks` takes, at most so many, the newest first.
    pub(crate) fn newest(&self, most: usize, picks: impl Fn(&Event) -> bool) -> Vec<Arc<Event>> {
        self.ring().iter().rev().filter(|event| picks(event)).take(most).cloned().collect()
    }

    fn push(&self, circuit: Option<&str>, what: What) {
        // Outside the lock, since it asks for the time.
        let (at, circuit) = (SystemTime::now(), circuit.map(Arc::from));
        let last = self.ring().push(|number| Event { number, at, circuit, what });
        // Two that come at once may be told in the other order.
        self.news.send_modify(|news| news.last = news.last.max(last));
    }

    /// Nothing of ours can panic while it is held.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who brought a circuit to where it is, as far as is known.
    fn provenance(&self, circuit: &str, change: &StateChange) -> (Option<ProcessId>, Note) {
        let Some(live) = self.live.get().and_then(Weak::upgrade) else { return Default::default() };
        let here = (!change.remote).then(|| live.circuits.process());
        let last = || live.circuits.get(circuit)?.last_change();
        // A later one may have come meanwhile.
        match last().filter(|last| last.cause == change.cause) {
            Some(last) => (last.by.or(here), last.note),
            None => (here, Note::new()),
        }
    }
}

impl Listener for Feed {
    fn interest(&self) -> Interest {
        Interest::Changes
    }

    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let (by, note) = self.provenance(breaker.name(), change);
        self.push(Some(breaker.name()), What::State { change: *change, by, note });
    }

    fn mode_change(&self, breaker: &Breaker, change: &ModeChange) {
        self.push(Some(breaker.name()), What::Mode(change.clone()));
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("last", &self.last()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_listens_to_changes_alone() {
        assert_eq!(Feed::new().interest(), Interest::Changes);
    }

    #[test]
    fn it_keeps_the_last_of_all_that_it_hears() {
        let feed = Feed::new();
        let breaker = Breaker::builder("payments").shared_listener(feed.clone()).build();
        for _ in 0..600 {
            breaker.open();
            breaker.close();
        }
        feed.storage(&StorageEvent::Lost("gone".into()));
        assert_eq!(feed.last(), 1_201);
        let all = feed.newest(usize::MAX, |_| true);
        assert_eq!(all.len(), 1_000);
        assert_eq!((all[0].number, all[999].number), (1_201, 202));
        assert_eq!(all[0].what, What::Storage(StorageEvent::Lost("gone".into())));
        let two = feed.newest(2, |event| event.is_state() && event.is_about(Some("payments")));
        assert_eq!(two.iter().map(|event| event.number).collect::<Vec<_>>(), [1_200, 1_199]);
        assert!(feed.newest(1, |event| event.is_about(Some("users"))).is_empty());
    }
}
