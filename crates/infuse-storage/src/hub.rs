//! What all circuits of one participant share: the storage, the clock, what is to be told, the
//! leases that are held, and whether the storage can be reached.

use std::{
    future::Future,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use infuse_core::{Cause, Listener, State, TimeSource};
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};

use crate::{
    ProcessId, Storage, StorageError, Token,
    announce::Announcers,
    counted::{Counted, Tally},
    health::Losses,
    node::Node,
    queue::{Queue, Waiting},
    registry::Registry,
    standing::Standing,
    survey::Surveys,
    suspected::Graces,
    ticks::{self, Ticks},
};

pub(crate) struct Hub {
    pub(crate) storage: Arc<dyn Storage>,
    /// How many verbs it was asked for.
    pub(crate) tally: Arc<Tally>,
    pub(crate) process: ProcessId,
    pub(crate) time: TimeSource,
    /// When this participant started, by its clock.
    pub(crate) started: Duration,
    pub(crate) options: Options,
    pub(crate) runtime: Handle,
    pub(crate) ticks: Ticks,
    pub(crate) registry: Registry,
    pub(crate) standing: Standing,
    pub(crate) losses: Losses,
    pub(crate) surveys: Surveys,
    pub(crate) announcers: Announcers,
    pub(crate) progress: watch::Sender<Progress>,
    /// Held while shutting down; whether that is done.
    pub(crate) farewell: tokio::sync::Mutex<bool>,
    queue: Mutex<Queue>,
    /// The circuits that are suspect, as far as is known.
    suspects: Mutex<Vec<Arc<Node>>>,
    /// Wakes who sees to them.
    pub(crate) suspected: Arc<Notify>,
    /// Asks for a new subscription.
    pub(crate) anew: Arc<Notify>,
    held: Mutex<Vec<Held>>,
    late_seeds: Mutex<Vec<LateSeed>>,
    asks: Mutex<JoinSet<()>>,
    notify: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
    numbers: AtomicU64,
    /// Whether an event was ignored while the storage was lost.
    ignored_event: AtomicBool,
}

pub(crate) struct Options {
    pub(crate) sync_interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) trip_grace: Duration,
    pub(crate) trip_rest: Duration,
    pub(crate) fallback: Option<State>,
    pub(crate) namespace: Box<dyn Fn(&str) -> String + Send + Sync>,
    pub(crate) listeners: Vec<Arc<dyn Listener>>,
}

/// How far the replicator has come, for those who wait for it.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Since when changes are pushed to this participant, if they are.
    pub(crate) subscribed: Option<Instant>,
    /// How often it was tried to subscribe.
    pub(crate) attempts: u64,
    /// Whether sharing has ended, and how.
    pub(crate) closed: Option<Closed>,
}

/// How sharing has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Closed {
    /// Whether the storage may still be asked for something: not one that was lost, or panicked.
    pub(crate) asks: bool,
}

/// A lease that was granted and not settled.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) token: u64,
    pub(crate) node: Arc<Node>,
    ends: Duration,
    /// Whether its trial is over, and the storage does not know.
    over: bool,
}

/// A seed that the storage was not there to take.
#[derive(Debug, Clone)]
pub(crate) struct LateSeed {
    pub(crate) node: Arc<Node>,
    pub(crate) token: Token,
    pub(crate) state: State,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No user code runs under a lock of this crate but a clock, which is read before anything is
    // changed, so what they guard is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        time: TimeSource,
        options: Options,
        runtime: Handle,
        notify: Arc<Notify>,
        losses: Losses,
    ) -> Self {
        let tally = Arc::new(Tally::default());
        Self {
            storage: Arc::new(Counted::new(storage, Arc::clone(&tally))),
            tally,
            process: ProcessId::random(),
            started: time.now(),
            ticks: Ticks::new(time.now()),
            time,
            options,
            runtime,
            registry: Registry::default(),
            standing: Standing::default(),
            losses,
            surveys: Surveys::default(),
            announcers: Announcers::default(),
            progress: watch::Sender::default(),
            farewell: tokio::sync::Mutex::default(),
            queue: Mutex::default(),
            suspects: Mutex::default(),
            suspected: Arc::default(),
            anew: Arc::default(),
            held: Mutex::default(),
            late_seeds: Mutex::default(),
            asks: Mutex::default(),
            notify,
            task: Mutex::default(),
            numbers: AtomicU64::new(1),
            ignored_event: AtomicBool::new(false),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.time.now()
    }

    /// Moves on the coarse clock that calls are stamped by.
    pub(crate) fn tick(&self) {
        self.ticks.write(self.now());
    }

    /// How long ago the circuit saw a success, at most.
    pub(crate) fn age_of_success(&self, node: &Node) -> Option<Duration> {
        ticks::age(node.breaker()?.last_success_tick(), self.now())
    }

    pub(crate) fn graces(&self) -> Graces {
        let Options { trip_grace, sync_interval, timeout, .. } = self.options;
        Graces::new(trip_grace, sync_interval, timeout)
    }

    pub(crate) fn next_token(&self) -> Token {
        // Relaxed: only its being used once matters.
        self.token(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn token(&self, number: u64) -> Token {
        Token { process: self.process, number }
    }

    /// Awaits a verb of the storage for as long as it may take.
    pub(crate) async fn in_time<T>(
        &self,
        verb: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        let limit = self.options.timeout;
        timeout(limit, verb).await.unwrap_or(Err(StorageError::TimedOut(limit)))
    }

    /// A verb, repeated once if it fails: every verb may be.
    pub(crate) async fn twice<T, F>(&self, verb: impl Fn() -> F) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        match self.in_time(verb()).await {
            Ok(answer) => Ok(answer),
            Err(_) => self.in_time(verb()).await,
        }
    }

    /// [`twice`](Self::twice) for verbs about these circuits, each of which pays for it.
    pub(crate) async fn twice_for<T, F>(
        &self,
        nodes: &[Arc<Node>],
        verb: impl Fn() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = Result<T, StorageError>>,
    {
        self.twice(|| {
            nodes.iter().for_each(|node| node.charge());
            verb()
        })
        .await
    }
}

/// Suspicions.
impl Hub {
    /// A circuit is suspect: from now on ages are told exactly.
    pub(crate) fn suspect(&self, node: Arc<Node>) {
        self.tick();
        let mut suspects = lock(&self.suspects);
        if !suspects.iter().any(|other| Arc::ptr_eq(other, &node)) {
            suspects.push(node);
        }
        drop(suspects);
        self.suspected.notify_one();
    }

    /// Those that are suspect still.
    pub(crate) fn suspects(&self) -> Vec<Arc<Node>> {
        let mut suspects = lock(&self.suspects);
        suspects.retain(|node| node.is_suspect());
        suspects.clone()
    }
}

/// What is to be told.
impl Hub {
    pub(crate) fn enqueue(&self, node: Arc<Node>) {
        lock(&self.queue).push(node);
    }

    pub(crate) fn take_queue(&self) -> Vec<Waiting> {
        lock(&self.queue).take()
    }

    /// Something of a circuit that was taken is put off.
    pub(crate) fn put_off(&self, was: &Waiting) {
        lock(&self.queue).put_off(was);
    }

    /// What has been waiting since then is being told; nothing is, if unset.
    pub(crate) fn tells(&self, since: Option<Instant>) {
        lock(&self.queue).tell(since);
    }

    /// Since when the oldest of what is to be told has been waiting, or is being told.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        let (waiting, telling) = lock(&self.queue).show();
        // Some only want a look, or have been told on the way.
        let waiting = waiting.iter().filter(|it| it.node.has_to_tell()).map(|it| it.since);
        waiting.chain(telling).min()
    }

    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// There is something to tell.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }

    /// Events were or may have been missed: every circuit is to be looked at.
    pub(crate) fn look_at_everything(&self) {
        for node in self.registry.nodes() {
            node.want_look();
        }
    }

    /// An event came while this process decides alone.
    pub(crate) fn ignore_event(&self) {
        // Relaxed, also below: both are called by the one task.
        self.ignored_event.store(true, Ordering::Relaxed);
    }

    /// Whether an event was ignored since this was last asked.
    pub(crate) fn heed_events(&self) -> bool {
        self.ignored_event.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn add_late_seed(&self, seed: LateSeed) {
        let mut seeds = lock(&self.late_seeds);
        seeds.retain(|other| !Arc::ptr_eq(&other.node, &seed.node));
        seeds.push(seed);
    }

    pub(crate) fn has_late_seeds(&self) -> bool {
        !lock(&self.late_seeds).is_empty()
    }

    pub(crate) fn late_seeds(&self) -> Vec<LateSeed> {
        lock(&self.late_seeds).clone()
    }

    pub(crate) fn forget_late_seeds(&self, sent: &[LateSeed]) {
        lock(&self.late_seeds).retain(|seed| !sent.iter().any(|sent| sent.token == seed.token));
    }
}

/// Leases.
impl Hub {
    /// Runs a task that asks for a lease.
    pub(crate) fn spawn_ask(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let ending = OnPanic(Arc::downgrade(self));
        let mut asks = lock(&self.asks);
        while asks.try_join_next().is_some() {}
        let task = async move {
            let _ending = ending;
            task.await;
        };
        asks.spawn_on(task, &self.runtime);
    }

    pub(crate) fn take_asks(&self) -> JoinSet<()> {
        mem::take(&mut *lock(&self.asks))
    }

    pub(crate) fn hold(&self, token: u64, node: &Arc<Node>, lease: Duration) {
        let now = self.now();
        let ends = now.saturating_add(lease);
        let mut held = lock(&self.held);
        held.retain(|held| now < held.ends);
        held.push(Held { token, node: Arc::clone(node), ends, over: false });
    }

    pub(crate) fn release(&self, token: u64) {
        lock(&self.held).retain(|held| held.token != token);
    }

    /// The lease may have been granted, or be granted yet, and nobody will hear of it: when the
    /// storage is back it is given back.
    pub(crate) fn orphan(&self, token: u64, node: &Arc<Node>) {
        let held = Held { token, node: Arc::clone(node), ends: Duration::MAX, over: true };
        lock(&self.held).push(held);
    }

    /// The trial is over. The lease is held until the storage knows.
    pub(crate) fn trial_over(&self, token: u64) {
        for held in lock(&self.held).iter_mut().filter(|held| held.token == token) {
            held.over = true;
        }
    }

    pub(crate) fn take_held(&self) -> Vec<Held> {
        mem::take(&mut *lock(&self.held))
    }

    /// Leases of trials that are over without the storage having been told: it was lost.
    pub(crate) fn take_orphaned(&self) -> Vec<Held> {
        let now = self.now();
        let mut held = lock(&self.held);
        let (orphaned, kept) = mem::take(&mut *held)
            .into_iter()
            .filter(|held| now < held.ends)
            .partition(|held| held.over);
        *held = kept;
        orphaned
    }
}

/// Whether the storage can be reached.
impl Hub {
    /// The storage did not do what it was asked, twice.
    pub(crate) fn lose(&self, error: &StorageError) {
        if !self.begin_loss(error) {
            return;
        }
        tracing::warn!(
            target: "infuse",
            error = error as &dyn std::error::Error,
            "the storage is lost: circuits go on in this process alone",
        );
        for entry in self.registry.entries() {
            entry.node.forget();
            if let Some(state) = self.options.fallback {
                entry.node.put_here(self, &entry.breaker, state, Cause::Fallback);
            }
        }
    }

    /// The storage can be written to again.
    pub(crate) fn find(&self) {
        if self.end_loss() {
            tracing::info!(target: "infuse", "the storage is back: circuits are shared again");
        }
    }

    /// A storage that panics is not asked again, by whoever it was.
    pub(crate) fn end_by_panic(&self) {
        let first = self.lose_for_good(|| self.standing.close());
        self.end(Closed { asks: false });
        self.registry.nodes().iter().for_each(|node| node.forget());
        if first {
            tracing::error!(
                target: "infuse",
                "the storage panicked: circuits go on in this process alone",
            );
        }
    }

    /// Sharing has ended; whether it had not before.
    pub(crate) fn close(&self) -> bool {
        let closed = Closed { asks: !self.standing.is_lost() };
        let first = self.standing.close();
        if first {
            self.close_losses();
        }
        self.end(closed);
        first
    }

    /// Tells the tasks that sharing has ended.
    fn end(&self, closed: Closed) {
        self.wake();
        self.progress.send_if_modified(|progress| {
            let first = progress.closed.is_none();
            progress.closed.get_or_insert(closed);
            first
        });
    }

    pub(crate) fn set_task(&self, task: JoinHandle<()>) {
        *lock(&self.task) = Some(task);
    }

    pub(crate) fn take_task(&self) -> Option<JoinHandle<()>> {
        lock(&self.task).take()
    }
}

/// Ends sharing if a task that asks the storage panics.
struct OnPanic(Weak<Hub>);

impl Drop for OnPanic {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(hub) = self.0.upgrade()
        {
            hub.end_by_panic();
        }
    }
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub")
            .field("process", &self.process)
            .field("storage", &self.storage)
            .finish()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // The replicator holds no more than a weak reference: it finds nothing and ends.
        self.notify.notify_one();
        // What is granted too late is still given back.
        lock(&self.asks).detach_all();
    }
}
