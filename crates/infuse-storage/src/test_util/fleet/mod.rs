//! Several processes in one test.

mod agreement;
mod process;

use std::{fmt, future::Future, ops::Index, time::Duration};

use infuse_core::Clock;
use tokio::time::{Instant, sleep};

use super::{Link, TestClock};
use crate::{BoxFuture, Circuits, CircuitsBuilder, MemoryStorage, State};

pub use agreement::Disagreement;
pub use process::{Application, Process, Seat};

/// How long it takes at most until processes agree: ten polls by the defaults.
const LIMIT: Duration = Duration::from_secs(10);
/// How long nothing must happen for the fleet to be at rest: longer than a report waits for its
/// turn, and than the grace of a suspicion, by the defaults.
const QUIET: Duration = Duration::from_millis(100);
/// How often it is looked at.
const STEP: Duration = Duration::from_millis(1);

type Start<A> = Box<dyn Fn(Seat) -> BoxFuture<'static, A>>;

/// Several processes that share circuits by one embedded storage, each over a [`Link`] of its own.
///
/// Processes have numbers from 0, and `fleet[0]` is what runs in the first. One that is killed keeps
/// its number, and may be started anew. Dropping the fleet ends all of them.
///
/// What it says of agreement is said of those processes that [reach](Link::is_up) the storage: one
/// that is cut off does as it sees fit.
pub struct Fleet<A> {
    clock: TestClock,
    storage: MemoryStorage,
    start: Start<A>,
    processes: Vec<Option<Process<A>>>,
}

impl Fleet<Circuits> {
    /// So many processes that have circuits and nothing else, built as `setup` says.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and if the builder refuses what is set.
    pub async fn of_circuits(
        processes: usize,
        setup: impl Fn(CircuitsBuilder) -> CircuitsBuilder + Send + Sync + 'static,
    ) -> Self {
        Self::start(processes, move |seat| {
            let builder = setup(seat.circuits());
            async move {
                let circuits = builder.start().expect("settings that circuits can be started with");
                circuits.ready().await;
                circuits
            }
        })
        .await
    }
}

impl<A: Application> Fleet<A> {
    /// So many processes, in each of which runs what `start` makes of a [`Seat`]: something with
    /// circuits on the seat's storage and clock. It is used again for processes that are started
    /// later.
    ///
    /// # Panics
    ///
    /// Where [`TestClock::new`] does.
    pub async fn start<F>(processes: usize, start: impl Fn(Seat) -> F + 'static) -> Self
    where
        F: Future<Output = A> + Send + 'static,
    {
        Self::start_with(TestClock::new(), processes, start).await
    }

    /// [`start`](Self::start) on a clock that there is already.
    pub async fn start_with<F>(
        clock: TestClock,
        processes: usize,
        start: impl Fn(Seat) -> F + 'static,
    ) -> Self
    where
        F: Future<Output = A> + Send + 'static,
    {
        let storage = MemoryStorage::with_clock(clock.view());
        let start: Start<A> = Box::new(move |seat| Box::pin(start(seat)));
        let mut fleet = Self { clock, storage, start, processes: Vec::new() };
        for _ in 0..processes {
            fleet.add().await;
        }
        fleet
    }

    /// The clock of them all, which [`advance`](TestClock::advance) moves on.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The storage itself, which nobody uses but over a [`Link`].
    pub fn storage(&self) -> &MemoryStorage {
        &self.storage
    }
}

/// Processes.
impl<A: Application> Fleet<A> {
    /// How many there are, those that were killed among them.
    #[allow(clippy::len_without_is_empty, reason = "it is not a collection")]
    pub fn len(&self) -> usize {
        self.processes.len()
    }

    /// The process of this number, if it runs.
    pub fn get(&self, number: usize) -> Option<&Process<A>> {
        self.processes.get(number)?.as_ref()
    }

    /// Those that run, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Process<A>> {
        self.processes.iter().flatten()
    }

    /// Starts one more; its number.
    pub async fn add(&mut self) -> usize {
        self.processes.push(None);
        let number = self.processes.len() - 1;
        self.restart(number).await;
        number
    }

    /// Kills a process: nothing more comes from it, no farewell either, and what it holds is held
    /// until it expires. It is dropped; whatever of it the test holds goes on by itself, alone.
    ///
    /// # Panics
    ///
    /// If there is none of this number.
    #[track_caller]
    pub fn kill(&mut self, number: usize) {
        self.link(number).die();
        self.processes[number] = None;
    }

    /// Starts a process anew under this number; kills it first, if it runs.
    ///
    /// # Panics
    ///
    /// If there was never one of this number.
    pub async fn restart(&mut self, number: usize) {
        if self.get(number).is_some() {
            self.kill(number);
        }
        let seat = Seat::new(number, Link::new(self.storage.clone()), self.clock.view());
        let application = (self.start)(seat.clone()).await;
        self.processes[number] = Some(Process::new(seat, application));
    }

    #[track_caller]
    fn link(&self, number: usize) -> &Link {
        self[number].link()
    }
}

/// Faults. Each panics if no process of the number runs.
impl<A: Application> Fleet<A> {
    /// Cuts a process off: what it asks of the storage is refused. See [`Link::cut`].
    #[track_caller]
    pub fn cut(&self, number: usize) {
        self.link(number).cut();
    }

    /// Cuts a process off without a word: see [`Link::hang`].
    #[track_caller]
    pub fn hang(&self, number: usize) {
        self.link(number).hang();
    }

    /// Makes the way to and from the storage take so long: see [`Link::slow`].
    #[track_caller]
    pub fn slow(&self, number: usize, by: Duration) {
        self.link(number).slow(by);
    }

    /// Loses what is pushed to a process, which can ask as before.
    #[track_caller]
    pub fn deafen(&self, number: usize) {
        self.link(number).lose_events(true);
    }

    /// Makes the link of a process whole again. Within a poll interval it shares circuits again.
    #[track_caller]
    pub fn heal(&self, number: usize) {
        self.link(number).heal();
    }

    /// The storage is away: [`cut`](Self::cut) for all.
    pub fn cut_all(&self) {
        self.iter().for_each(|process| process.link().cut());
    }

    /// [`heal`](Self::heal) for all.
    pub fn heal_all(&self) {
        self.iter().for_each(|process| process.link().heal());
    }

    /// The storage forgets everything, as one does that is restarted empty.
    pub fn forget(&self) {
        self.storage.forget_all();
    }
}

/// What they come to.
impl<A: Application> Fleet<A> {
    /// The state of a circuit in each process that runs, in the order of their numbers.
    ///
    /// # Panics
    ///
    /// If one of them has no such circuit.
    #[track_caller]
    pub fn states(&self, circuit: &str) -> Vec<State> {
        let state = |process: &Process<A>| {
            process.circuits().into_iter().find(|one| one.service == circuit).map(|one| one.state)
        };
        let states: Option<Vec<State>> = self.iter().map(state).collect();
        states.unwrap_or_else(|| {
            panic!("a process has no circuit {circuit:?}; there are\n{}", self.describe())
        })
    }

    /// Waits until the processes agree and are at rest: all share the last change of every circuit,
    /// none is suspect, and for 100 ms nothing was told to the storage and nothing has changed. How
    /// long it took.
    ///
    /// One that stands apart may be in a [state](Self::states) of its own all the same: it has opened
    /// for itself alone, or has been cut off, and will try by itself.
    ///
    /// # Panics
    ///
    /// If they do not within 10 s; the message shows what each of them thinks.
    pub async fn settle(&self) -> Duration {
        self.try_settle(LIMIT).await.unwrap_or_else(|disagreement| panic!("{disagreement}"))
    }

    /// [`settle`](Self::settle) with a limit of one's own.
    ///
    /// # Errors
    ///
    /// What each process thinks, if they do not agree in time.
    pub async fn try_settle(&self, limit: Duration) -> Result<Duration, Disagreement> {
        let started = Instant::now();
        self.clock.let_happen().await;
        let (mut picture, mut since) = (self.picture(), Instant::now());
        loop {
            if since.elapsed() >= QUIET && self.agrees() {
                return Ok(started.elapsed());
            }
            if started.elapsed() >= limit {
                return Err(self.disagreement("agreement at rest".to_owned(), limit));
            }
            sleep(STEP).await;
            let now = self.picture();
            if now != picture {
                (picture, since) = (now, Instant::now());
            }
        }
    }

    /// Waits until a circuit is in this state in every process that reaches the storage. How long it
    /// took.
    ///
    /// # Panics
    ///
    /// If it is not within 10 s; the message shows what each of them thinks.
    pub async fn converges_to(&self, circuit: &str, state: State) -> Duration {
        let converged = self.try_converges_to(circuit, state, LIMIT).await;
        converged.unwrap_or_else(|disagreement| panic!("{disagreement}"))
    }

    /// [`converges_to`](Self::converges_to) with a limit of one's own.
    ///
    /// # Errors
    ///
    /// What each process thinks, if it does not come about in time.
    pub async fn try_converges_to(
        &self,
        circuit: &str,
        state: State,
        limit: Duration,
    ) -> Result<Duration, Disagreement> {
        let started = Instant::now();
        self.clock.let_happen().await;
        while !self.is_all(circuit, state) {
            if started.elapsed() >= limit {
                let wanted = format!("that {circuit:?} is {state} everywhere");
                return Err(self.disagreement(wanted, limit));
            }
            sleep(STEP).await;
        }
        Ok(started.elapsed())
    }
}

impl<A: Application> Index<usize> for Fleet<A> {
    type Output = Process<A>;

    #[track_caller]
    fn index(&self, number: usize) -> &Process<A> {
        self.get(number).unwrap_or_else(|| match number < self.len() {
            true => panic!("process {number} was killed"),
            false => panic!("there is no process {number} among {}", self.len()),
        })
    }
}

impl<A> fmt::Debug for Fleet<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet")
            .field("time", &self.clock.now())
            .field("processes", &self.processes.len())
            .finish_non_exhaustive()
    }
}
