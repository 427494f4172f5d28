use std::{fmt, sync::Arc, time::Duration};

use infuse_core::{Breaker, BreakerBuilder, Cause, Listener, Policy, State, TimeSource};
use tokio::{
    runtime::Handle,
    sync::{Notify, mpsc},
    time::timeout,
};

use crate::{
    Circuit, CircuitKey, Health, Instance, MemoryStorage, ProcessId, Reach, Seed, StartError,
    Storage, StorageError, StorageEvent, View, announce,
    health::{self, Losses, StorageListener},
    hub::{Hub, LateSeed, Options},
    known::Heard,
    node::Node,
    registry::Entry,
    replicator,
};

/// How long shutting down may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// The longest time that can be set: a year.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// All circuits of one participant, shared with others through a storage.
///
/// Cloning is cheap. The task behind it lives as long as any clone, or any [`Circuit`] of it.
#[derive(Debug, Clone)]
pub struct Circuits(Arc<Hub>);

impl Circuits {
    /// A builder.
    pub fn builder() -> CircuitsBuilder {
        CircuitsBuilder {
            storage: None,
            time: TimeSource::system(),
            storage_listeners: Vec::new(),
            options: Options {
                sync_interval: Duration::from_secs(1),
                timeout: Duration::from_millis(100),
                trip_grace: Duration::from_millis(50),
                trip_rest: Duration::from_millis(250),
                fallback: None,
                namespace: Box::new(str::to_owned),
                listeners: Vec::new(),
            },
        }
    }

    pub(crate) fn of(hub: &Arc<Hub>) -> Self {
        Self(Arc::clone(hub))
    }

    /// The circuit of this name. If there is none yet it is made with `policy`; else the policy
    /// that it has stays.
    ///
    /// A new circuit is closed until the first look at the storage, which is sent at once.
    pub fn circuit(&self, name: impl Into<Arc<str>>, policy: Policy) -> Circuit {
        self.circuit_with(name, |breaker| breaker.policy(policy))
    }

    /// [`circuit`](Self::circuit) with listeners and exclusions too: `setup` is run if there is no
    /// circuit of this name yet. Where its time and its sharing come from is set afterwards.
    pub fn circuit_with(
        &self,
        name: impl Into<Arc<str>>,
        setup: impl FnOnce(BreakerBuilder) -> BreakerBuilder,
    ) -> Circuit {
        let hub = &self.0;
        let name = name.into();
        let (entry, new) = hub.registry.get_or(&name, || self.make(&name, setup));
        if new {
            // After it was registered, so that a loss that comes now finds it there.
            if let (true, Some(state)) = (hub.standing.is_lost(), hub.options.fallback) {
                entry.node.put_here(hub, &entry.breaker, state, Cause::Fallback);
            }
            entry.node.want_look();
        }
        self.circuit_of(entry)
    }

    fn make(&self, name: &Arc<str>, setup: impl FnOnce(BreakerBuilder) -> BreakerBuilder) -> Entry {
        let hub = &self.0;
        let key = CircuitKey::new((hub.options.namespace)(name));
        let node = Node::new(key, Arc::downgrade(hub));
        let mut builder = Breaker::builder(Arc::clone(name));
        for listener in &hub.options.listeners {
            builder = builder.shared_listener(Arc::clone(listener));
        }
        let builder = setup(builder)
            .clock(hub.time.clone())
            .ticks(hub.ticks.shared())
            .replica(Arc::clone(&node) as _);
        let breaker = Arc::new(builder.build());
        node.attach(&breaker);
        Entry { breaker, node }
    }

    fn circuit_of(&self, entry: Entry) -> Circuit {
        Circuit::new(entry.breaker, entry.node, Arc::clone(&self.0))
    }

    /// The circuit of this name, if there is one.
    pub fn get(&self, name: &str) -> Option<Circuit> {
        self.0.registry.get(name).map(|entry| self.circuit_of(entry))
    }

    /// All circuits, in the order of their names.
    pub fn all(&self) -> Vec<Circuit> {
        let mut circuits: Vec<_> =
            self.0.registry.entries().into_iter().map(|entry| self.circuit_of(entry)).collect();
        circuits.sort_by(|a, b| a.name().cmp(b.name()));
        circuits
    }

    /// Waits until changes are pushed to this process and every circuit that there is has been
    /// looked at; at most the storage's timeout. Whether that was long enough.
    pub async fn ready(&self) -> bool {
        let hub = &self.0;
        let nodes = hub.registry.nodes();
        let mut progress = hub.progress.subscribe();
        let there = progress.wait_for(|progress| {
            progress.subscribed.is_some() && nodes.iter().all(|node| node.looked_at().is_some())
        });
        matches!(timeout(hub.options.timeout, there).await, Ok(Ok(_)))
    }

    /// Puts the application's own circuit into a state at its start, for everybody who calls it.
    ///
    /// If the storage is away it holds in this process alone, and is told when the storage is
    /// back, unless the circuit has changed there since these circuits were started.
    pub async fn seed(&self, circuit: &Circuit, state: State) -> Reach {
        let hub = &self.0;
        let Some(Entry { breaker, node }) = hub.registry.get(circuit.name()) else {
            return Reach::Local;
        };
        let token = hub.next_token();
        if !hub.standing.is_alone() {
            let open_time = breaker.policy().reset_timeout();
            let asked = node.ask_storage(hub.now());
            let mut seed = Seed::new(node.key.clone(), token, state, open_time);
            seed.presented = asked.presented;
            seed.overridden = asked.overridden.clone();
            seed.provenance = asked.provenance.clone();
            let seed = [seed];
            match hub.twice(|| hub.storage.seed(&seed)).await {
                Ok(views) => {
                    if let Some(view) = views.first() {
                        node.learn(hub, view, Heard::Answered(&asked));
                        return Reach::Fleet;
                    }
                }
                Err(error) => hub.lose(&error),
            }
        }
        node.put_here(hub, &breaker, state, Cause::Seed);
        hub.add_late_seed(LateSeed { node, token, state });
        // The storage may have come back just now.
        hub.wake();
        Reach::Local
    }

    /// The id of this participant. It is another one each time that circuits are started.
    pub fn process(&self) -> ProcessId {
        self.0.process
    }

    /// How sharing goes. It asks nobody.
    pub fn health(&self) -> Health {
        self.0.health()
    }

    /// Asks the storage what it says about every circuit that there is here, now, in the order of
    /// their names. The answers are taken in, too.
    ///
    /// It puts off nothing that circuits have to tell. So that it does not burden the storage
    /// either, it asks for no more than 500 circuits a second: after one look at ten circuits the
    /// next may begin 20 ms later. Whoever asks meanwhile waits for that, and those who wait get
    /// the answers of one look.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the storage does not answer in time, twice, and so is lost; or if it was
    /// lost before, or sharing has ended, and then at once.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: others who wait for the same answers go on.
    pub async fn look(&self) -> Result<Vec<(Circuit, View)>, StorageError> {
        self.0.is_there()?;
        let answers = self.0.surveys.look(&self.0).await?;
        Ok(answers.into_iter().map(|(entry, view)| (self.circuit_of(entry), view)).collect())
    }

    /// Tells all others of `group` what this participant says of itself, now and every so often, in
    /// the background. It is forgotten after three times `every`, and at shutdown.
    ///
    /// `say` is asked for the text each time, in a task, so it must be quick. It is given these
    /// circuits, because one that held them would keep them from ever ending. A text of more than
    /// 256 KiB ([`Announcement::MOST_TEXT`](crate::Announcement::MOST_TEXT)) is not announced; that
    /// is logged once, and so is a `say` that panics.
    ///
    /// What circuits have to tell goes first, for as long as the storage's timeout. An announcement
    /// that fails is made again when the next is due, and is no loss of the storage; while that is
    /// lost nothing is announced.
    ///
    /// `every` is between 10 ms and a day: what is shorter or longer is taken for that. Up to a tenth
    /// of it is added at random. Announcing to the same group again replaces what is said, at once;
    /// after shutdown it does nothing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use infuse_storage::{Circuits, Policy};
    ///
    /// let circuits = Circuits::builder().start()?;
    /// circuits.circuit("payments", Policy::default());
    /// circuits.announce("production", Duration::from_secs(5), |circuits| {
    ///     format!("I have {} circuit", circuits.all().len())
    /// });
    /// # tokio::task::yield_now().await;
    /// # while circuits.instances("production").await?.is_empty() { tokio::task::yield_now().await }
    /// let instances = circuits.instances("production").await?;
    /// assert_eq!(instances[0].process, circuits.process());
    /// assert_eq!(&*instances[0].text, "I have 1 circuit");
    /// # Ok(()) }
    /// ```
    pub fn announce(
        &self,
        group: impl Into<Arc<str>>,
        every: Duration,
        say: impl Fn(&Circuits) -> String + Send + Sync + 'static,
    ) {
        announce::start(&self.0, group.into(), every, Arc::new(say));
    }

    /// What the participants of `group` have [announced](Self::announce), this one among them, in
    /// the order of their ids. It asks the storage each time.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the storage does not answer in time, twice, which is no loss of it; or
    /// if it was lost before, or sharing has ended, and then at once.
    pub async fn instances(&self, group: &str) -> Result<Vec<Instance>, StorageError> {
        let hub = &self.0;
        hub.is_there()?;
        let mut instances = hub.twice(|| hub.storage.instances(group)).await?;
        instances.sort_unstable_by_key(|instance| instance.process);
        Ok(instances)
    }

    /// Stops sharing: leases are given back, what is pending is told, what was announced is taken
    /// back, the tasks end. (Calls that only a rate would count, and that were not told yet, are
    /// not.) Calls are still guarded afterwards, in this process alone. It takes at most twice the
    /// storage's
    /// timeout, once for what is under way and once for the rest, and no more than 2 s; and may be
    /// repeated.
    ///
    /// # Cancel safety
    ///
    /// Sharing stops as soon as this is polled first. To be sure of the rest, repeat it.
    pub async fn shutdown(&self) {
        let hub = &self.0;
        let limit = hub.options.timeout.min(FAREWELL / 2);
        let mut done = hub.farewell.lock().await;
        if *done {
            return;
        }
        let was_lost = hub.standing.is_lost();
        hub.close();
        // It finishes what it has begun, so that nothing is told out of order.
        if let Some(mut task) = hub.take_task()
            && timeout(limit, &mut task).await.is_err()
        {
            task.abort();
        }
        let mut asks = hub.take_asks();
        let asked = async { while asks.join_next().await.is_some() {} };
        let told = async {
            if !was_lost {
                replicator::farewell(hub).await;
            }
        };
        // Out of time: leases end by themselves, and tasks that still wait are dropped.
        let _ = timeout(limit, async { tokio::join!(told, asked) }).await;
        hub.storage.release();
        *done = true;
    }
}

/// Builds [`Circuits`].
#[must_use]
pub struct CircuitsBuilder {
    storage: Option<Arc<dyn Storage>>,
    time: TimeSource,
    storage_listeners: Vec<StorageListener>,
    options: Options,
}

impl CircuitsBuilder {
    /// Where circuits are shared. Default: a [`MemoryStorage`] of their own.
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// Where the time comes from. Default: the system's monotonic clock.
    pub fn clock(mut self, clock: impl Into<TimeSource>) -> Self {
        self.time = clock.into();
        self
    }

    /// How often circuits in use are looked at, to repair what pushing lost. Default 1 s.
    pub fn sync_interval(mut self, interval: Duration) -> Self {
        self.options.sync_interval = interval;
        self
    }

    /// The longest that a call may wait for a lease, and a verb of the storage for its answer.
    /// Default 100 ms.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = timeout;
        self
    }

    /// How long a process that has seen a success has to refute it when the failures of several
    /// processes add up to a trip. Default 50 ms, at least 1 ms.
    pub fn trip_grace(mut self, grace: Duration) -> Self {
        self.options.trip_grace = grace;
        self
    }

    /// How long failures are not added up after that was refuted. Default 250 ms.
    pub fn trip_rest(mut self, rest: Duration) -> Self {
        self.options.trip_rest = rest;
        self
    }

    /// The state that every circuit is put into, in this process alone, when the storage is lost.
    /// Default: each keeps the last one that it knew.
    pub fn fallback(mut self, state: Option<State>) -> Self {
        self.options.fallback = state;
        self
    }

    /// How a circuit's name becomes its namespace in the storage. Default: it is the name.
    pub fn namespace(mut self, namespace: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.options.namespace = Box::new(namespace);
        self
    }

    /// Adds a listener to every circuit.
    pub fn listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.options.listeners.push(listener);
        self
    }

    /// Adds one who is told when the storage is lost and when it is back, in that order, in a task
    /// of ours: it must be quick. One that panics harms nobody. Whatever it holds is held until
    /// sharing ends, so it must not hold these circuits.
    pub fn storage_listener(
        mut self,
        listener: impl Fn(&StorageEvent) + Send + Sync + 'static,
    ) -> Self {
        self.storage_listeners.push(Box::new(listener));
        self
    }

    /// Starts the task that shares the circuits, on the current runtime of tokio.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`] outside one, [`StartError::ZeroTime`] and
    /// [`StartError::LongTime`] for an interval or another time that is zero or longer than a year.
    /// Never because the storage cannot be reached.
    pub fn start(self) -> Result<Circuits, StartError> {
        let Self { storage, time, storage_listeners, options } = self;
        let times = [
            ("the sync interval", options.sync_interval),
            ("the storage's timeout", options.timeout),
            ("the trip grace", options.trip_grace),
            ("the trip rest", options.trip_rest),
        ];
        for (name, time) in times {
            if time.is_zero() {
                return Err(StartError::ZeroTime(name));
            }
            if time > LONGEST {
                return Err(StartError::LongTime(name));
            }
        }
        let runtime = Handle::try_current().map_err(|_| StartError::NoRuntime)?;
        let storage = storage.unwrap_or_else(|| Arc::new(MemoryStorage::with_clock(time.clone())));
        let notify = Arc::new(Notify::new());
        let events = (!storage_listeners.is_empty()).then(|| {
            let (events, heard) = mpsc::unbounded_channel();
            runtime.spawn(health::tell(heard, storage_listeners));
            events
        });
        let losses = Losses::new(events);
        let handle = runtime.clone();
        let hub = Arc::new(Hub::new(storage, time, options, handle, Arc::clone(&notify), losses));
        hub.set_task(runtime.spawn(replicator::run(Arc::downgrade(&hub), notify)));
        Ok(Circuits(hub))
    }
}

impl fmt::Debug for CircuitsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitsBuilder").field("storage", &self.storage).finish_non_exhaustive()
    }
}
