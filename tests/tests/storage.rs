//! A storage that is away: no call may fail because of it, and none may wait for it.

#![allow(clippy::unwrap_used)]

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use infuse_axum::{
    Infuse, MemoryStorage, ProcessId, State, Storage, StorageError,
    storage::{
        Announcement, BoxFuture, Clear, Control, Event, Instance, LeaseAnswer, LeaseRequest, Look,
        Report, Seed, Settle, Trip, View, Watch,
    },
};
use infuse_tests::{Answer, Double, Logs, Stage, config, eventually};
use tokio::{net::TcpListener, time::sleep};

/// A storage of one's own: one that can be away in the two ways in which one can be.
#[derive(Debug, Clone)]
struct Fickle {
    inner: MemoryStorage,
    mood: Arc<AtomicU8>,
}

const FINE: u8 = 0;
const SILENT: u8 = 1;
const FAILING: u8 = 2;

impl Fickle {
    fn new(inner: MemoryStorage, mood: u8) -> Self {
        Self { inner, mood: Arc::new(AtomicU8::new(mood)) }
    }

    fn turn(&self, mood: u8) {
        self.mood.store(mood, SeqCst);
    }

    async fn moody<T>(
        &self,
        verb: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        match self.mood.load(SeqCst) {
            FINE => verb.await,
            SILENT => pending().await,
            _ => Err(StorageError::unavailable("it is away")),
        }
    }
}

type Answered<'a, T> = BoxFuture<'a, Result<T, StorageError>>;

impl Storage for Fickle {
    fn look<'a>(&'a self, looks: &'a [Look]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.look(looks)))
    }

    fn report<'a>(&'a self, reports: &'a [Report]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.report(reports)))
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.trip(trips)))
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.clear(clears)))
    }

    fn lease<'a>(&'a self, requests: &'a [LeaseRequest]) -> Answered<'a, Vec<LeaseAnswer>> {
        Box::pin(self.moody(self.inner.lease(requests)))
    }

    fn settle<'a>(&'a self, settles: &'a [Settle]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.settle(settles)))
    }

    fn control<'a>(&'a self, commands: &'a [Control]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.control(commands)))
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> Answered<'a, Vec<View>> {
        Box::pin(self.moody(self.inner.seed(seeds)))
    }

    fn probe(&self) -> Answered<'_, ()> {
        Box::pin(self.moody(self.inner.probe()))
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> Answered<'a, ()> {
        Box::pin(self.moody(self.inner.announce(said)))
    }

    fn withdraw<'a>(&'a self, group: &'a str, process: ProcessId) -> Answered<'a, ()> {
        Box::pin(self.moody(self.inner.withdraw(group, process)))
    }

    fn instances<'a>(&'a self, group: &'a str) -> Answered<'a, Vec<Instance>> {
        Box::pin(self.moody(self.inner.instances(group)))
    }

    fn watch(&self) -> Answered<'_, Box<dyn Watch>> {
        Box::pin(self.moody(async {
            let inner = self.inner.watch().await?;
            Ok(Box::new(FickleWatch { inner, storage: self.clone() }) as Box<dyn Watch>)
        }))
    }
}

struct FickleWatch {
    inner: Box<dyn Watch>,
    storage: Fickle,
}

impl Watch for FickleWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        Box::pin(async {
            let event = self.inner.next().await;
            match self.storage.mood.load(SeqCst) {
                FINE => event,
                SILENT => {
                    while self.storage.mood.load(SeqCst) == SILENT {
                        sleep(Duration::from_millis(2)).await;
                    }
                    Event::Missed
                }
                _ => Event::Ended,
            }
        })
    }
}

/// The longest that a call may take in which nothing waits for the storage.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The storage's.
const TIMEOUT: Duration = Duration::from_secs(1);

const SETTINGS: [(&str, &str); 3] = [
    ("infuse_service_name", "orders"),
    ("infuse_redis_timeout", "1s"),
    ("infuse_sync_interval", "20ms"),
];

#[tokio::test]
async fn an_app_starts_and_works_without_its_storage() {
    for mood in [SILENT, FAILING] {
        let storage = Fickle::new(MemoryStorage::new(), mood);
        let began = Instant::now();
        let stage = Stage::set_with(&SETTINGS, |builder| builder.storage(storage)).await;
        // It waits once for all that it has to ask and to tell.
        assert!(began.elapsed() < TIMEOUT * 2, "{:?}", began.elapsed());
        let began = Instant::now();
        assert_eq!(stage.call().await, 200);
        assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());

        stage.service.answer(Answer::Status(500));
        for _ in 0..5 {
            assert_eq!(stage.call().await, 502);
        }
        assert_eq!(stage.state(), State::Open);
        let requests = stage.service.requests();
        assert_eq!(stage.call().await, 503);
        assert_eq!(stage.service.requests(), requests);
        stage.service.answer(Answer::text("fine"));
        stage.let_reset_timeout_pass();
        // Whoever finds out that it is away may be rejected once.
        eventually("a trial closes it", async || stage.call().await == 200).await;
        stage.until(State::Closed).await;
        assert!(!stage.snapshot().shared);

        let began = Instant::now();
        stage.infuse.shutdown().await;
        assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn an_app_starts_and_works_without_its_redis() {
    // One that refuses connections, and one that takes them and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("redis://{}", take_and_say_nothing(listener));
    for url in ["redis://127.0.0.1:1", &silent] {
        let service = Double::start(Answer::text("fine")).await;
        let mut settings = SETTINGS.to_vec();
        settings.push(("infuse_redis_url", url));
        let service_url = service.url();
        settings.push(("infuse_services.payments.url", &service_url));
        let began = Instant::now();
        let infuse = Infuse::builder().start(&config(&settings)).await.unwrap();
        assert!(began.elapsed() < TIMEOUT * 2, "{url}: {:?}", began.elapsed());

        let payments = infuse.client().service("payments").unwrap();
        let began = Instant::now();
        assert_eq!(payments.get("balance").send().await.unwrap().status(), 200);
        assert!(began.elapsed() < AT_ONCE, "{url}: {:?}", began.elapsed());
        service.answer(Answer::Status(500));
        for _ in 0..5 {
            assert_eq!(payments.get("balance").send().await.unwrap().status(), 500);
        }
        assert!(payments.get("balance").send().await.unwrap_err().is_rejected());
        assert_eq!(infuse.breaker("payments").unwrap().state(), State::Open);

        let began = Instant::now();
        infuse.shutdown().await;
        assert!(began.elapsed() < Duration::from_millis(2_500), "{url}: {:?}", began.elapsed());
    }
}

/// Takes every connection, and says nothing on any.
fn take_and_say_nothing(listener: TcpListener) -> SocketAddr {
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut taken = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            taken.push(socket);
        }
    });
    address
}

#[tokio::test]
async fn no_call_fails_while_it_goes_away_and_comes_back() {
    let logs = Logs::catch();
    let storage = Fickle::new(MemoryStorage::new(), FINE);
    let other = storage.inner.clone();
    let stage = Stage::set_with(&SETTINGS, |builder| builder.storage(storage.clone())).await;
    for mood in [SILENT, FAILING] {
        storage.turn(mood);
        let began = Instant::now();
        while stage.snapshot().shared {
            // A failure is what it has to be told.
            stage.service.answer(Answer::Status(500));
            assert_eq!(stage.call().await, 502);
            stage.service.answer(Answer::text("fine"));
            let called = Instant::now();
            assert_eq!(stage.call().await, 200);
            assert!(called.elapsed() < AT_ONCE, "{:?}", called.elapsed());
            assert!(began.elapsed() < Duration::from_secs(10), "it is never noticed");
        }
        assert_eq!(stage.call().await, 200);
        storage.turn(FINE);
        eventually("it is shared again", async || stage.snapshot().shared).await;
        assert_eq!(stage.call().await, 200);
    }
    let said = |level: &str, text: &str| {
        logs.lines(level).iter().filter(|line| line.contains(text)).count()
    };
    let (lost, back) = (said("WARN", "the storage is lost"), said("INFO", "the storage is back"));
    assert_eq!((lost, back), (2, 2), "once each: {:#?}", logs.lines("WARN"));

    // What others do is seen again.
    let other = Infuse::builder().storage(other).start(&config(&[])).await.unwrap();
    let _ = other.breaker("payments").unwrap().open().await;
    stage.until(State::Open).await;
}

#[tokio::test]
async fn a_trial_waits_for_it_no_longer_than_is_set() {
    let storage = Fickle::new(MemoryStorage::new(), FINE);
    let stage = Stage::set_with(&SETTINGS, |builder| builder.storage(storage.clone())).await;
    stage.open(Answer::text("fine")).await;
    storage.turn(SILENT);
    stage.let_reset_timeout_pass();
    let began = Instant::now();
    stage.call().await;
    assert!(began.elapsed() < TIMEOUT + AT_ONCE * 2, "{:?}", began.elapsed());
    eventually("a trial closes it", async || stage.call().await == 200).await;
    stage.until(State::Closed).await;
}

#[tokio::test]
async fn a_trip_while_it_is_away_is_not_undone_when_it_is_back() {
    let storage = Fickle::new(MemoryStorage::new(), FINE);
    let stage = Stage::set_with(&SETTINGS, |builder| builder.storage(storage.clone())).await;
    storage.turn(FAILING);
    stage.service.answer(Answer::Status(500));
    for _ in 0..5 {
        assert_eq!(stage.call().await, 502);
    }
    eventually("it is noticed", async || !stage.snapshot().shared).await;
    assert_eq!(stage.state(), State::Open);
    storage.turn(FINE);
    eventually("it is shared again", async || stage.snapshot().shared).await;
    // The fleet does not know of it: a trial finds out, and calls do not flow before.
    assert_ne!(stage.state(), State::Closed);
    let requests = stage.service.requests();
    assert_eq!(stage.call().await, 502);
    assert_eq!(stage.service.requests(), requests + 1);
    assert_eq!(stage.call().await, 503);
    assert_eq!(stage.service.requests(), requests + 1);
}

#[tokio::test]
async fn the_fallback_state_is_taken_if_one_is_set() {
    let storage = Fickle::new(MemoryStorage::new(), FINE);
    let mut settings = SETTINGS.to_vec();
    settings.push(("infuse_fallback_circuit_state", "open"));
    let stage = Stage::set_with(&settings, |builder| builder.storage(storage.clone())).await;
    assert_eq!(stage.call().await, 200);
    storage.turn(FAILING);
    stage.service.answer(Answer::Status(500));
    stage.call().await;
    stage.until(State::Open).await;
    assert_eq!(stage.call().await, 503);
}
