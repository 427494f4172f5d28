//! The embedded storage.

mod instances;
pub(crate) mod record;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use infuse_core::TimeSource;
use tokio::sync::broadcast::{self, error::RecvError};

use self::{
    instances::Instances,
    record::{Effect, Record},
};
use crate::{
    Announcement, CircuitKey, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look, ProcessId,
    Report, Seed, Settle, StorageError, Trip, View,
    hub::lock,
    storage::{BoxFuture, Event, Storage, Watch},
};

/// How many events a watcher may be behind before it has missed some.
const BACKLOG: usize = 1024;
/// How many records there are before those that are expired are looked for.
const SWEEP_FROM: usize = 1024;

/// Keeps circuits in this process. Clones share what they keep, so several applications in one
/// process can share circuits.
///
/// It fails for nothing but an announcement that is too long.
#[derive(Debug, Clone)]
pub struct MemoryStorage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    time: TimeSource,
    records: Mutex<Records>,
    instances: Mutex<Instances>,
    events: broadcast::Sender<Event>,
}

#[derive(Debug)]
struct Records {
    /// Boxed, so that the map's free places are small.
    by_key: HashMap<CircuitKey, Box<Record>>,
    sweep_at: usize,
}

impl MemoryStorage {
    /// An empty storage on the system's clock.
    pub fn new() -> Self {
        Self::with_clock(TimeSource::system())
    }

    /// An empty storage on a clock of one's own.
    pub fn with_clock(clock: impl Into<TimeSource>) -> Self {
        Self(Arc::new(Shared {
            time: clock.into(),
            records: Mutex::new(Records { by_key: HashMap::new(), sweep_at: SWEEP_FROM }),
            instances: Mutex::default(),
            events: broadcast::channel(BACKLOG).0,
        }))
    }

    /// Forgets everything, as a storage does that is restarted empty. Nobody is told.
    pub fn forget_all(&self) {
        self.records().by_key.clear();
        lock(&self.0.instances).clear();
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.0.records)
    }

    /// Does one verb to each circuit of a batch.
    fn each<V, R, A>(
        &self,
        verbs: &[V],
        key: impl Fn(&V) -> &CircuitKey,
        act: impl Fn(&mut Record, Duration, &V) -> (Effect, R),
        answer: impl Fn(View, R) -> A,
    ) -> Vec<A> {
        let now = self.0.time.now();
        let mut records = self.records();
        let mut answers = Vec::with_capacity(verbs.len());
        for verb in verbs {
            let key = key(verb);
            let stored = records.by_key.remove(key).filter(|record| !record.is_expired(now));
            let mut record = stored.unwrap_or_else(|| Box::new(Record::new(now)));
            let (effect, result) = act(&mut record, now, verb);
            let view = record.view(now);
            if effect == Effect::Pushed {
                // An error says that nobody watches.
                let _ = self.0.events.send(Event::Changed { key: key.clone(), view: view.clone() });
            }
            answers.push(answer(view, result));
            if !record.is_blank() {
                records.by_key.insert(key.clone(), record);
            }
        }
        records.sweep(now);
        answers
    }

    fn views<V>(
        &self,
        verbs: &[V],
        key: impl Fn(&V) -> &CircuitKey,
        act: impl Fn(&mut Record, Duration, &V) -> Effect,
    ) -> Result<Vec<View>, StorageError> {
        let act = |record: &mut Record, now: Duration, verb: &V| (act(record, now, verb), ());
        Ok(self.each(verbs, key, act, |view, ()| view))
    }
}

impl Records {
    /// Forgets expired records, when there are twice as many as after the last time.
    fn sweep(&mut self, now: Duration) {
        if self.by_key.len() >= self.sweep_at {
            self.by_key.retain(|_, record| !record.is_expired(now));
            self.sweep_at = SWEEP_FROM.max(self.by_key.len() * 2);
        }
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl Storage for MemoryStorage {
    fn look<'a>(&'a self, looks: &'a [Look]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async {
            let act = |record: &mut Record, now: Duration, look: &Look| {
                let effect = record.look(now, look);
                (effect, record.counts(now, &look.thresholds))
            };
            let answer = |view, counts| View { counts, ..view };
            Ok(self.each(looks, |look| &look.key, act, answer))
        })
    }

    fn report<'a>(
        &'a self,
        reports: &'a [Report],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async {
            let act = |record: &mut Record, now: Duration, report: &Report| {
                let effect = record.report(now, report);
                (effect, record.share(report.process))
            };
            let answer = |view, share| View { share, ..view };
            Ok(self.each(reports, |report| &report.key, act, answer))
        })
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async { self.views(trips, |trip| &trip.key, Record::trip) })
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async { self.views(clears, |clear| &clear.key, Record::clear) })
    }

    fn lease<'a>(
        &'a self,
        requests: &'a [LeaseRequest],
    ) -> BoxFuture<'a, Result<Vec<LeaseAnswer>, StorageError>> {
        Box::pin(async {
            let act = |record: &mut Record, now: Duration, request: &LeaseRequest| {
                record.lease(now, request)
            };
            let answer = |view, granted| LeaseAnswer { view, granted };
            Ok(self.each(requests, |request| &request.key, act, answer))
        })
    }

    fn settle<'a>(
        &'a self,
        settles: &'a [Settle],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async { self.views(settles, |settle| &settle.key, Record::settle) })
    }

    fn control<'a>(
        &'a self,
        commands: &'a [Control],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async { self.views(commands, |command| &command.key, Record::control) })
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async { self.views(seeds, |seed| &seed.key, Record::seed) })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        Box::pin(async { Ok(()) })
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async {
            said.check()?;
            let now = self.0.time.now();
            lock(&self.0.instances).announce(said, now);
            Ok(())
        })
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        Box::pin(async move {
            lock(&self.0.instances).withdraw(group, process);
            Ok(())
        })
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        Box::pin(async {
            let now = self.0.time.now();
            Ok(lock(&self.0.instances).of(group, now))
        })
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        let events = self.0.events.subscribe();
        Box::pin(async { Ok(Box::new(MemoryWatch(events)) as Box<dyn Watch>) })
    }
}

#[derive(Debug)]
struct MemoryWatch(broadcast::Receiver<Event>);

impl Watch for MemoryWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        Box::pin(async {
            match self.0.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(_)) => Event::Missed,
                Err(RecvError::Closed) => Event::Ended,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use infuse_core::{ManualClock, State};

    use super::*;
    use crate::{Presented, Token};

    const HOUR: Duration = Duration::from_secs(60 * 60);

    async fn close(storage: &MemoryStorage, name: &str) {
        let token = Token { process: ProcessId::random(), number: 1 };
        let command = Control::put(CircuitKey::new(name), token, State::Closed, HOUR);
        storage.control(&[command]).await.unwrap();
    }

    async fn generation(storage: &MemoryStorage, name: &str) -> u64 {
        let look = Look::new(CircuitKey::new(name), Presented::NOTHING);
        storage.look(&[look]).await.unwrap()[0].generation
    }

    #[tokio::test]
    async fn a_record_is_forgotten_a_day_after_it_was_touched() {
        let clock = ManualClock::new();
        let storage = MemoryStorage::with_clock(clock.clone());
        close(&storage, "payments").await;
        clock.advance(23 * HOUR);
        assert_eq!(generation(&storage, "payments").await, 1);
        // The look has touched it.
        clock.advance(23 * HOUR);
        assert_eq!(generation(&storage, "payments").await, 1);
        clock.advance(24 * HOUR);
        assert_eq!(generation(&storage, "payments").await, 0);
    }

    #[tokio::test]
    async fn expired_records_do_not_pile_up_nor_do_looks_make_any() {
        let clock = ManualClock::new();
        let storage = MemoryStorage::with_clock(clock.clone());
        for day in 0..10 {
            for number in 0..1_000 {
                close(&storage, &format!("{day}-{number}")).await;
                generation(&storage, &format!("never changed {day}-{number}")).await;
            }
            clock.advance(25 * HOUR);
        }
        assert!(storage.records().by_key.len() <= 2 * SWEEP_FROM);
    }
}
