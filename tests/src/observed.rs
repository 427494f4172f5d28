use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use infuse_axum::{
    MemoryStorage, ProcessId, Storage, StorageError,
    storage::{
        Announcement, BoxFuture, Clear, Control, Event, Instance, LeaseAnswer, LeaseRequest, Look,
        Report, Seed, Settle, Trip, View, Watch,
    },
};

/// The embedded storage, for one app with one circuit that changes, which knows what of its
/// events the app has taken in.
///
/// An event says how much time is left. One that is still under way when a test moves the clock
/// on would say it too late.
#[derive(Debug, Clone)]
pub struct Observed {
    inner: MemoryStorage,
    watched: Arc<AtomicBool>,
    /// The highest generation of which the app has heard by an event.
    taken_in: Arc<AtomicU64>,
}

impl Observed {
    /// The same storage, looked at from this app.
    pub fn new(inner: MemoryStorage) -> Self {
        Self { inner, watched: Arc::default(), taken_in: Arc::default() }
    }

    /// Whether the app has taken in what was told of this generation and those before. So it has
    /// if it has another storage.
    pub fn has_taken_in(&self, generation: u64) -> bool {
        !self.watched.load(SeqCst) || self.taken_in.load(SeqCst) >= generation
    }
}

type Answered<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl Storage for Observed {
    fn look<'a>(&'a self, looks: &'a [Look]) -> Answered<'a, Vec<View>> {
        self.inner.look(looks)
    }

    fn report<'a>(&'a self, reports: &'a [Report]) -> Answered<'a, Vec<View>> {
        self.inner.report(reports)
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> Answered<'a, Vec<View>> {
        self.inner.trip(trips)
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> Answered<'a, Vec<View>> {
        self.inner.clear(clears)
    }

    fn lease<'a>(&'a self, requests: &'a [LeaseRequest]) -> Answered<'a, Vec<LeaseAnswer>> {
        self.inner.lease(requests)
    }

    fn settle<'a>(&'a self, settles: &'a [Settle]) -> Answered<'a, Vec<View>> {
        self.inner.settle(settles)
    }

    fn control<'a>(&'a self, commands: &'a [Control]) -> Answered<'a, Vec<View>> {
        self.inner.control(commands)
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> Answered<'a, Vec<View>> {
        self.inner.seed(seeds)
    }

    fn probe(&self) -> Answered<'_, ()> {
        self.inner.probe()
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> Answered<'a, ()> {
        self.inner.announce(said)
    }

    fn withdraw<'a>(&'a self, group: &'a str, process: ProcessId) -> Answered<'a, ()> {
        self.inner.withdraw(group, process)
    }

    fn instances<'a>(&'a self, group: &'a str) -> Answered<'a, Vec<Instance>> {
        self.inner.instances(group)
    }

    fn watch(&self) -> Answered<'_, Box<dyn Watch>> {
        self.watched.store(true, SeqCst);
        let taken_in = Arc::clone(&self.taken_in);
        Box::pin(async move {
            let inner = self.inner.watch().await?;
            Ok(Box::new(ObservedWatch { inner, taken_in, given: 0 }) as Box<dyn Watch>)
        })
    }
}

struct ObservedWatch {
    inner: Box<dyn Watch>,
    taken_in: Arc<AtomicU64>,
    given: u64,
}

impl Watch for ObservedWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        // Who comes for the next one is done with the last.
        self.taken_in.fetch_max(self.given, SeqCst);
        Box::pin(async {
            let event = self.inner.next().await;
            if let Event::Changed { view, .. } = &event {
                self.given = view.generation;
            }
            event
        })
    }
}
