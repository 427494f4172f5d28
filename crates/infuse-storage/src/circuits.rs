use std::{fmt, sync::Arc, time::Duration};

use infuse_core::{Breaker, BreakerBuilder, Cause, Listener, Policy, State, TimeSource};
use tokio::{runtime::Handle, sync::Notify, time::timeout};

use crate::{
    Circuit, CircuitKey, MemoryStorage, Reach, Seed, StartError, Storage,
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
                entry.breaker.put(state, Cause::Fallback);
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
        breaker.put(state, Cause::Seed);
        hub.add_late_seed(LateSeed { node, token, state });
        // The storage may have come back just now.
        hub.wake();
        Reach::Local
    }

    /// Stops sharing: leases are given back, what is pending is told, the tasks end. (Calls that only
    /// a rate would count, and that were not told yet, are not.) Calls are
    /// still guarded afterwards, in this process alone. It takes at most twice the storage's
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

    /// Starts the task that shares the circuits, on the current runtime of tokio.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`] outside one, [`StartError::ZeroTime`] and
    /// [`StartError::LongTime`] for an interval or another time that is zero or longer than a year.
    /// Never because the storage cannot be reached.
    pub fn start(self) -> Result<Circuits, StartError> {
        let Self { storage, time, options } = self;
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
        let hub = Arc::new(Hub::new(storage, time, options, runtime.clone(), Arc::clone(&notify)));
        hub.set_task(runtime.spawn(replicator::run(Arc::downgrade(&hub), notify)));
        Ok(Circuits(hub))
    }
}

impl fmt::Debug for CircuitsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitsBuilder").field("storage", &self.storage).finish_non_exhaustive()
    }
}
