//! What the tests have in common.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    CircuitKey, Command, Control, Event, KeyLayout, LeaseAnswer, LeaseRequest, Look, Outcome,
    Presented, ProcessId, Rates, RedisConfig, RedisStorage, Report, Settle, State, Storage, Token,
    Trip, View, Watch,
    core::{Counts, Mode, Override, Window},
};
use infuse_test_servers::{RedisServer, Reply};
use tokio::time::timeout;

pub(crate) const ME: ProcessId = ProcessId::from_u64(0xA);
pub(crate) const OTHER: ProcessId = ProcessId::from_u64(0xB);
/// A time that does not end while a test runs.
pub(crate) const LONG: Duration = Duration::from_secs(60);
/// Where a storage has the time from that goes by a clock of the test's.
pub(crate) const CLOCK: &str = "clock";
/// The endings of a circuit's keys.
pub(crate) const ENDINGS: [&str; 5] = ["state", "fail_counter", "opened_at", "record", "shares"];

/// Half of at least ten calls.
pub(crate) const RATES: Rates = Rates {
    window: Window::Time(Duration::from_secs(10)),
    minimum_calls: 10,
    failure_rate: Some(0.5),
    slow_call_rate: None,
};

pub(crate) fn night() -> Override {
    Override::new(Mode::Isolated).lasting(LONG).by("ada").because("a b: c\n")
}

/// For a machine that may be busy.
pub(crate) fn config(redis: &RedisServer) -> RedisConfig {
    let mut config = RedisConfig::new([redis.url()]);
    config.timeout = Duration::from_secs(30);
    config
}

pub(crate) fn token(number: u64) -> Token {
    Token { process: ME, number }
}

/// A Redis, and a circuit in it.
pub(crate) struct Fixture {
    pub(crate) redis: RedisServer,
    pub(crate) storage: RedisStorage,
    pub(crate) key: CircuitKey,
    prefix: String,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with_layout(KeyLayout::Infuse).await
    }

    pub(crate) async fn with_layout(layout: KeyLayout) -> Self {
        let redis = RedisServer::start().await;
        let mut config = config(&redis);
        config.key_layout = layout;
        let prefix = match layout {
            KeyLayout::Pybreaker => "test:payments:pybreaker",
            _ => "infuse:test:payments",
        };
        Self::of(redis, RedisStorage::new(config).unwrap(), prefix)
    }

    /// Whose time is what [`set_clock`](Self::set_clock) says.
    pub(crate) async fn with_clock() -> Self {
        let redis = RedisServer::start().await;
        let storage = RedisStorage::on_clock_in(config(&redis), CLOCK).unwrap();
        let fixture = Self::of(redis, storage, "infuse:test:payments");
        fixture.set_clock(1_000_000_000).await;
        fixture
    }

    fn of(redis: RedisServer, storage: RedisStorage, prefix: &str) -> Self {
        Self { redis, storage, key: CircuitKey::new("test:payments"), prefix: prefix.to_owned() }
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.storage.clone())
    }

    pub(crate) async fn set_clock(&self, micros: u64) {
        self.redis.set(CLOCK, &micros.to_string()).await.unwrap();
    }

    // What strangers do.

    /// A key of the circuit.
    pub(crate) fn name(&self, ending: &str) -> String {
        format!("{}:{ending}", self.prefix)
    }

    pub(crate) async fn get(&self, ending: &str) -> Option<String> {
        self.redis.get(&self.name(ending)).await.unwrap()
    }

    pub(crate) async fn set(&self, ending: &str, value: &str) {
        self.redis.set(&self.name(ending), value).await.unwrap();
    }

    /// A command about a key of the circuit.
    pub(crate) async fn command(&self, command: &str, ending: &str, rest: &[&str]) -> Reply {
        let name = self.name(ending);
        let words: Vec<_> = [command, &name].iter().chain(rest).copied().collect();
        self.redis.command(&words).await.unwrap()
    }

    pub(crate) async fn size(&self) -> i64 {
        self.redis.command(&["DBSIZE"]).await.unwrap().int().unwrap()
    }

    /// How long a key is kept, in milliseconds.
    pub(crate) async fn kept_for(&self, ending: &str) -> i64 {
        self.command("PTTL", ending, &[]).await.int().unwrap()
    }

    // What we do.

    /// Looks as one who knows nothing.
    pub(crate) async fn now(&self) -> View {
        self.look(Presented::NOTHING).await
    }

    pub(crate) async fn look(&self, presented: Presented) -> View {
        let look = [Look::new(self.key.clone(), presented)];
        self.storage.look(&look).await.unwrap().remove(0)
    }

    pub(crate) fn report_of(&self, view: &View, process: ProcessId, failures: u32) -> Report {
        let mut report = Report::new(self.key.clone(), view.into(), process, failures);
        report.clears = view.clears;
        report
    }

    pub(crate) async fn report(&self, report: Report) -> View {
        self.storage.report(&[report]).await.unwrap().remove(0)
    }

    pub(crate) async fn trip(&self, presented: Presented, open_time: Duration) -> View {
        let trip = [Trip::new(self.key.clone(), presented, ME, open_time)];
        self.storage.trip(&trip).await.unwrap().remove(0)
    }

    pub(crate) async fn lease(&self, presented: Presented, number: u64) -> LeaseAnswer {
        let request = [LeaseRequest::new(self.key.clone(), presented, token(number), LONG)];
        self.storage.lease(&request).await.unwrap().remove(0)
    }

    pub(crate) async fn settle(&self, presented: Presented, number: u64, of: Outcome) -> View {
        let settle = [Settle::new(self.key.clone(), presented, token(number), of)];
        self.storage.settle(&settle).await.unwrap().remove(0)
    }

    /// Puts an override on, or takes it away.
    pub(crate) async fn override_by(&self, number: u64, overridden: Option<Override>) -> View {
        let command = Command::Override(overridden.map(Arc::new));
        let command = [Control::new(self.key.clone(), token(number), command)];
        self.storage.control(&command).await.unwrap().remove(0)
    }

    /// Tells of calls, and goes by these rates.
    pub(crate) async fn tell(&self, view: &View, process: ProcessId, counts: Counts) -> View {
        let mut look = Look::new(self.key.clone(), view.into());
        look.thresholds.rates = Some(RATES);
        look.process = Some(process);
        look.counts = counts;
        self.storage.look(&[look]).await.unwrap().remove(0)
    }

    pub(crate) async fn put(&self, state: State, number: u64) -> View {
        let command = [Control::put(self.key.clone(), token(number), state, LONG)];
        self.storage.control(&command).await.unwrap().remove(0)
    }
}

/// The next change that is pushed.
pub(crate) async fn pushed(watch: &mut dyn Watch) -> (CircuitKey, View) {
    match timeout(Duration::from_secs(10), watch.next()).await.unwrap() {
        Event::Changed { key, view } => (key, view),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn assert_view(view: &View, state: State, generation: u64) {
    assert_eq!((view.state, view.generation), (state, generation), "{view:?}");
}

/// A time that was `whole` a moment ago.
#[track_caller]
pub(crate) fn assert_left(left: Duration, whole: Duration) {
    assert!(left <= whole && left + Duration::from_secs(10) > whole, "{left:?} of {whole:?}");
}
