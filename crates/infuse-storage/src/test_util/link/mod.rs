//! The way from one process to a storage, which can break in every way that one can.

mod gate;
mod watch;

use std::{
    collections::HashMap,
    fmt,
    future::{Future, pending},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

use self::watch::LinkWatch;
use crate::{
    Announcement, BoxFuture, Clear, Control, Instance, LeaseAnswer, LeaseRequest, Look, ProcessId,
    Report, Seed, Settle, Storage, StorageError, Trip, View, Watch, hub::lock,
};

pub use gate::{Asked, Gate, VERBS, Verb};

/// A storage behind gates, one for each verb. Clones are the same link.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::sync::Arc;
/// use infuse_storage::{Circuits, MemoryStorage, Policy, Reach, test_util::{Gate, Link, TestClock, Verb}};
///
/// let clock = TestClock::new();
/// let link = Link::new(MemoryStorage::with_clock(clock.clone()));
/// let circuits = Circuits::builder().storage(Arc::new(link.clone())).clock(clock).start().unwrap();
/// let payments = circuits.circuit("payments", Policy::default());
///
/// link.set(Verb::Control, Gate::Error);
/// assert_eq!(payments.open().await, Reach::Local);
/// assert_eq!(link.count(Verb::Control), 2); // once more, to be sure
/// # }
/// ```
#[derive(Clone)]
pub struct Link {
    inner: Arc<dyn Storage>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Ends what is pushed to those who watch.
    end: Notify,
}

#[derive(Debug, Default)]
struct State {
    gates: HashMap<Verb, Gate>,
    /// Gates for the next times only, before the lasting ones, the last of them first.
    once: HashMap<Verb, Vec<Gate>>,
    asked: Vec<Asked>,
    loses_events: bool,
    delays_events: Duration,
    /// How many watches there were.
    watches: usize,
    /// Watches up to this one say nothing any more.
    silent: usize,
    /// Whether the process cannot reach the storage at all.
    broken: bool,
    /// Whether that is for good.
    dead: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// The link as a whole.
impl Link {
    /// A link to this storage that works.
    pub fn new(storage: impl Storage) -> Self {
        Self { inner: Arc::new(storage), shared: Arc::default() }
    }

    /// Breaks the link: what is asked is refused at once, and pushing ends.
    pub fn cut(&self) {
        self.break_by(Gate::Error);
        self.end_watches();
    }

    /// Breaks the link without a word: nothing is answered, and pushes get lost.
    pub fn hang(&self) {
        self.break_by(Gate::Never);
    }

    /// What is asked reaches the storage after so long, and what is pushed the process.
    pub fn slow(&self, by: Duration) {
        let mut state = self.shared.lock();
        state.all_gates(Gate::Slow(by));
        state.delays_events = by;
    }

    /// The link works again. What was pushed meanwhile is lost.
    pub fn heal(&self) {
        let mut state = self.shared.lock();
        state.broken = false;
        state.all_gates(Gate::Ok);
        state.once.clear();
        state.loses_events = false;
        state.delays_events = Duration::ZERO;
    }

    /// Whether it is neither cut nor hung.
    pub fn is_up(&self) -> bool {
        !self.shared.lock().broken
    }

    /// Breaks the link for good: its process is dead, whatever still holds it.
    pub(super) fn die(&self) {
        self.hang();
        self.shared.lock().dead = true;
    }

    fn break_by(&self, gate: Gate) {
        let mut state = self.shared.lock();
        state.broken = true;
        state.all_gates(gate);
        state.loses_events = true;
    }
}

/// One verb, or pushing, alone.
impl Link {
    /// What happens to a verb from now on.
    pub fn set(&self, verb: Verb, gate: Gate) {
        self.shared.lock().gates.insert(verb, gate);
    }

    /// What happens to every verb from now on.
    pub fn set_all(&self, gate: Gate) {
        self.shared.lock().all_gates(gate);
    }

    /// What happens to a verb the next times only, in this order.
    pub fn next(&self, verb: Verb, gates: impl Into<Vec<Gate>>) {
        let mut gates = gates.into();
        gates.reverse();
        self.shared.lock().once.insert(verb, gates);
    }

    /// What happens to a verb, but for the next times only.
    pub fn gate(&self, verb: Verb) -> Gate {
        self.shared.lock().gates.get(&verb).copied().unwrap_or_default()
    }

    /// Whether pushes get lost from now on.
    pub fn lose_events(&self, yes: bool) {
        self.shared.lock().loses_events = yes;
    }

    /// Those who watch now hear nothing any more, and are not told.
    pub fn silence_watches(&self) {
        let mut state = self.shared.lock();
        state.silent = state.watches;
    }

    /// Ends what is pushed to those who watch now, and tells them.
    pub fn end_watches(&self) {
        self.shared.end.notify_waiters();
    }
}

/// What went over it.
impl Link {
    /// How often a verb was asked for, and when.
    pub fn asked(&self, verb: Verb) -> Vec<Asked> {
        self.shared.lock().asked.iter().filter(|asked| asked.verb == verb).cloned().collect()
    }

    /// Every verb that was asked for, in the order in which they were.
    pub fn log(&self) -> Vec<Asked> {
        self.shared.lock().asked.clone()
    }

    /// How often a verb was asked for, in one batch or alone.
    pub fn count(&self, verb: Verb) -> usize {
        self.shared.lock().asked.iter().filter(|asked| asked.verb == verb).count()
    }

    /// How often any verb was asked for.
    pub fn count_all(&self) -> usize {
        self.shared.lock().asked.len()
    }

    /// How often a verb that may change a circuit was asked for.
    pub(super) fn changes(&self) -> usize {
        self.shared.lock().asked.iter().filter(|asked| asked.verb.changes()).count()
    }

    fn pass<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        circuits: usize,
        what: String,
        inner: impl Future<Output = Result<T, StorageError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StorageError>> {
        let gate = {
            let mut state = self.shared.lock();
            state.asked.push(Asked { verb, circuits, at: Instant::now(), what });
            state.take_gate(verb)
        };
        Box::pin(async move {
            match gate {
                Gate::Ok => inner.await,
                Gate::Error => Err(StorageError::unavailable("the test's link refuses it")),
                Gate::LosesAnswer => {
                    inner.await?;
                    Err(StorageError::unavailable("the test's link has lost the answer"))
                }
                Gate::Slow(time) => {
                    sleep(time).await;
                    inner.await
                }
                Gate::AnswersLate(time) => {
                    let answer = inner.await;
                    sleep(time).await;
                    answer
                }
                Gate::Never => pending().await,
                Gate::Panics => panic!("the test's link panics"),
            }
        })
    }
}

impl State {
    fn all_gates(&mut self, gate: Gate) {
        self.gates = VERBS.into_iter().map(|verb| (verb, gate)).collect();
    }

    fn take_gate(&mut self, verb: Verb) -> Gate {
        if self.dead {
            return Gate::Never;
        }
        let once = self.once.get_mut(&verb).and_then(Vec::pop);
        once.unwrap_or_else(|| self.gates.get(&verb).copied().unwrap_or_default())
    }
}

macro_rules! verbs {
    ($($name:ident: $verb:ident($type:ty) -> $answer:ty;)*) => {$(
        fn $name<'a>(
            &'a self,
            verbs: &'a [$type],
        ) -> BoxFuture<'a, Result<Vec<$answer>, StorageError>> {
            let what = format!("{:?}", verbs.first());
            self.pass(Verb::$verb, verbs.len(), what, self.inner.$name(verbs))
        }
    )*};
}

impl Storage for Link {
    verbs! {
        look: Look(Look) -> View;
        report: Report(Report) -> View;
        trip: Trip(Trip) -> View;
        clear: Clear(Clear) -> View;
        lease: Lease(LeaseRequest) -> LeaseAnswer;
        settle: Settle(Settle) -> View;
        control: Control(Control) -> View;
        seed: Seed(Seed) -> View;
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.pass(Verb::Probe, 0, String::new(), self.inner.probe())
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        self.pass(Verb::Announce, 0, format!("{said:?}"), self.inner.announce(said))
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let what = format!("{group:?}");
        self.pass(Verb::Withdraw, 0, what, self.inner.withdraw(group, process))
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        let what = format!("{group:?}");
        self.pass(Verb::Instances, 0, what, self.inner.instances(group))
    }

    fn release(&self) {
        self.inner.release();
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        let shared = Arc::clone(&self.shared);
        let inner = async move {
            let inner = self.inner.watch().await?;
            Ok(Box::new(LinkWatch::new(inner, shared)) as Box<dyn Watch>)
        };
        self.pass(Verb::Watch, 0, String::new(), inner)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("storage", &self.inner)
            .field("is_up", &self.is_up())
            .finish_non_exhaustive()
    }
}
