use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Announcement, BoxFuture, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look, ProcessId,
    Report, Seed, Settle, Storage, StorageError, Trip, View, Watch,
};

/// How many verbs a storage was asked for.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Tally {
    /// How many were answered, and how many failed.
    pub(crate) fn counts(&self) -> (u64, u64) {
        // Relaxed, also below: they order nothing.
        (self.answered.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

/// A storage whose verbs are counted when they are over. One that nobody waits for any more has
/// failed: whoever asked has given up.
pub(crate) struct Counted {
    inner: Arc<dyn Storage>,
    tally: Arc<Tally>,
}

impl Counted {
    pub(crate) fn new(inner: Arc<dyn Storage>, tally: Arc<Tally>) -> Self {
        Self { inner, tally }
    }

    fn count<'a, T: 'a>(
        &'a self,
        verb: BoxFuture<'a, Result<T, StorageError>>,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        Box::pin(async move {
            let mut over = Over { tally: &self.tally, answered: false };
            let answer = verb.await;
            over.answered = answer.is_ok();
            answer
        })
    }
}

/// Counts a verb when it is dropped.
struct Over<'a> {
    tally: &'a Tally,
    answered: bool,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let counter = if self.answered { &self.tally.answered } else { &self.tally.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

macro_rules! counted {
    ($($name:ident: $verb:ty => $answer:ty,)*) => {$(
        fn $name<'a>(
            &'a self,
            verbs: &'a [$verb],
        ) -> BoxFuture<'a, Result<Vec<$answer>, StorageError>> {
            self.count(self.inner.$name(verbs))
        }
    )*};
}

impl Storage for Counted {
    counted! {
        look: Look => View,
        report: Report => View,
        trip: Trip => View,
        clear: Clear => View,
        lease: LeaseRequest => LeaseAnswer,
        settle: Settle => View,
        control: Control => View,
        seed: Seed => View,
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.count(self.inner.probe())
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        self.count(self.inner.announce(said))
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.count(self.inner.withdraw(group, process))
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        self.count(self.inner.instances(group))
    }

    fn release(&self) {
        self.inner.release();
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        self.count(self.inner.watch())
    }
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
