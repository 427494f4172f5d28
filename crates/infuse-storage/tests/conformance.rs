//! The embedded storage passes the suite, and the suite finds storages that do not.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use infuse_storage::{
    Announcement, BoxFuture, Clear, Clock, Command, Control, Instance, LeaseAnswer, LeaseRequest,
    Look, ManualClock, MemoryStorage, Note, Presented, ProcessId, Report, Seed, Settle, Storage,
    StorageError, Token, Trip, View, Watch,
    conformance::{self, Harness},
    core::Override,
};

struct Embedded {
    storage: Arc<dyn Storage>,
    clock: ManualClock,
}

impl Embedded {
    fn new(wrap: impl FnOnce(MemoryStorage) -> Arc<dyn Storage>) -> Self {
        let clock = ManualClock::new();
        Self { storage: wrap(MemoryStorage::with_clock(clock.clone())), clock }
    }
}

impl Harness for Embedded {
    fn storage(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.storage)
    }

    fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
        self.clock.advance(time);
        Box::pin(async {})
    }
}

#[tokio::test]
async fn the_embedded_storage_conforms() {
    conformance::check(&Embedded::new(|memory| Arc::new(memory))).await;
}

/// Time that passes by itself and is waited for, as with a server.
#[tokio::test(start_paused = true)]
async fn the_embedded_storage_conforms_as_time_passes() {
    #[derive(Debug)]
    struct RuntimeClock(tokio::time::Instant);

    impl Clock for RuntimeClock {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }
    }

    struct Waiting(MemoryStorage);

    impl Harness for Waiting {
        fn storage(&self) -> Arc<dyn Storage> {
            Arc::new(self.0.clone())
        }

        fn pass(&self, time: Duration) -> BoxFuture<'_, ()> {
            Box::pin(tokio::time::sleep(time))
        }
    }

    let clock = RuntimeClock(tokio::time::Instant::now());
    conformance::check(&Waiting(MemoryStorage::with_clock(clock))).await;
}

#[test]
fn cases_have_names_of_their_own() {
    let mut names: Vec<_> = conformance::cases().iter().map(|case| case.name()).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// A way in which a storage can be wrong.
#[derive(Debug, Clone, Copy)]
enum Bug {
    IgnoresMaxCalls,
    GrantsAnewOnRepeat,
    ForgetsWhatWasPresented,
    AppliesOlderTrips,
    AnswersInAnyOrder,
    PushesNothing,
    CountsRepeatedCommands,
    KeepsRefutedFailures,
    DropsNoLateSeed,
    EndsNoLease,
    OneGenerationForAll,
    ClearsTheNextSuspicion,
    TripsWithoutSuspicion,
    KnowsNoClears,
    RestsNot,
    SuspectsForEver,
    RenewsNothing,
    HearsOfNoCalls,
    CountsCallsTwice,
    NeedsNoReporters,
    KnowsNoRuns,
    HearsNoWish,
    HearsNoTrialsWish,
    RampsNever,
    ForgetsOverrides,
    EndsNoOverride,
    OverridesNothing,
    HearsNoFault,
    HearsNoTrialsFault,
    HearsNoRatesFault,
    ForgetsProvenance,
    HearsNoNote,
    AnnouncesForEver,
    AnnouncesToAll,
    CutsWhatIsAnnounced,
    AnnouncesTooMuch,
    WithdrawsNobody,
    ForgetsWhoSpoke,
}

/// The embedded storage with a bug.
#[derive(Debug)]
struct Faulty {
    inner: MemoryStorage,
    bug: Bug,
    /// The last suspicion.
    raised: AtomicU64,
}

impl Faulty {
    fn new(inner: MemoryStorage, bug: Bug) -> Arc<Self> {
        Arc::new(Self { inner, bug, raised: AtomicU64::new(0) })
    }
}

fn with<V: Clone>(verbs: &[V], change: impl Fn(&mut V)) -> Vec<V> {
    let mut verbs = verbs.to_vec();
    verbs.iter_mut().for_each(change);
    verbs
}

impl Storage for Faulty {
    fn look<'a>(&'a self, looks: &'a [Look]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let looks = with(looks, |look| match self.bug {
            Bug::ForgetsWhatWasPresented => look.presented = Presented::NOTHING,
            Bug::KeepsRefutedFailures => look.last_success = None,
            Bug::HearsOfNoCalls => look.process = None,
            Bug::CountsCallsTwice => look.counts += look.counts,
            Bug::NeedsNoReporters => look.thresholds.min_reporters = 1,
            Bug::ForgetsOverrides => look.overridden = None,
            Bug::ForgetsProvenance => look.provenance = None,
            Bug::HearsNoRatesFault => look.fault = None,
            _ => {}
        });
        Box::pin(async move {
            let mut views = self.inner.look(&looks).await?;
            match self.bug {
                Bug::AnswersInAnyOrder => views.reverse(),
                Bug::OneGenerationForAll => views.iter_mut().for_each(|view| view.generation = 1),
                _ => {}
            }
            Ok(views)
        })
    }

    fn report<'a>(
        &'a self,
        reports: &'a [Report],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let reports = with(reports, |report| match self.bug {
            Bug::TripsWithoutSuspicion => report.thresholds.max_failure = 1_000,
            Bug::KnowsNoClears => report.clears = u64::MAX,
            Bug::RestsNot => report.rest = Duration::ZERO,
            Bug::SuspectsForEver => report.lapse = Duration::from_secs(3_600),
            Bug::NeedsNoReporters => report.thresholds.min_reporters = 1,
            Bug::HearsNoWish => report.held_off = Duration::ZERO,
            Bug::ForgetsOverrides => report.overridden = None,
            _ => {}
        });
        Box::pin(async move {
            let views = self.inner.report(&reports).await?;
            if let Some(suspicion) = views.last().and_then(|view| view.suspicion) {
                self.raised.store(suspicion.id.raised_at, Ordering::Relaxed);
            }
            Ok(views)
        })
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async move {
            let mut trips = trips.to_vec();
            if let Bug::AppliesOlderTrips = self.bug {
                for trip in &mut trips {
                    let look = [Look::new(trip.key.clone(), Presented::NOTHING)];
                    trip.presented = Presented::from(&self.inner.look(&look).await?[0]);
                }
            }
            for trip in &mut trips {
                match self.bug {
                    Bug::NeedsNoReporters => trip.thresholds.min_reporters = 1,
                    Bug::KnowsNoRuns => trip.failures = 0,
                    Bug::HearsNoFault => trip.fault = None,
                    _ => {}
                }
            }
            if let Bug::RenewsNothing = self.bug {
                trips.iter_mut().for_each(|trip| trip.grace = Duration::from_secs(3_600));
            }
            self.inner.trip(&trips).await
        })
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let clears = with(clears, |clear| {
            if let Bug::ClearsTheNextSuspicion = self.bug {
                clear.suspicion.raised_at = self.raised.load(Ordering::Relaxed);
            }
        });
        Box::pin(async move { self.inner.clear(&clears).await })
    }

    fn lease<'a>(
        &'a self,
        requests: &'a [LeaseRequest],
    ) -> BoxFuture<'a, Result<Vec<LeaseAnswer>, StorageError>> {
        let requests = with(requests, |request| match self.bug {
            Bug::IgnoresMaxCalls => request.max_calls = 1_000,
            Bug::GrantsAnewOnRepeat => {
                request.token =
                    Token { process: ProcessId::random(), number: request.token.number };
            }
            Bug::EndsNoLease => request.lease = Duration::from_secs(3_600),
            _ => {}
        });
        Box::pin(async move { self.inner.lease(&requests).await })
    }

    fn settle<'a>(
        &'a self,
        settles: &'a [Settle],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let settles = with(settles, |settle| match self.bug {
            Bug::RampsNever => settle.ramp = Duration::ZERO,
            Bug::HearsNoTrialsWish => settle.held_off = Duration::ZERO,
            Bug::HearsNoTrialsFault => settle.fault = None,
            _ => {}
        });
        Box::pin(async move { self.inner.settle(&settles).await })
    }

    fn control<'a>(
        &'a self,
        commands: &'a [Control],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let commands = with(commands, |command| {
            let overridden = match &command.command {
                Command::Override(overridden) => overridden.clone(),
                _ => None,
            };
            if let (Bug::HearsNoNote, Command::Put { note, .. }) = (self.bug, &mut command.command)
            {
                *note = Note::new();
            }
            match (self.bug, overridden) {
                (Bug::CountsRepeatedCommands, _) => command.token.process = ProcessId::random(),
                (Bug::OverridesNothing, Some(_)) => command.command = Command::Override(None),
                (Bug::EndsNoOverride, Some(it)) => {
                    let mut endless = Override::clone(&it);
                    endless.left = None;
                    command.command = Command::Override(Some(Arc::new(endless)));
                }
                _ => {}
            }
        });
        Box::pin(async move { self.inner.control(&commands).await })
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        let seeds = with(seeds, |seed| {
            if let Bug::DropsNoLateSeed = self.bug {
                seed.late_by = None;
            }
        });
        Box::pin(async move { self.inner.seed(&seeds).await })
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.inner.probe()
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        let mut said = said.clone();
        match self.bug {
            Bug::AnnouncesForEver => said.lasting = Duration::from_secs(3_600),
            Bug::AnnouncesToAll => said.group = "all".into(),
            Bug::CutsWhatIsAnnounced => said.text = said.text.trim().into(),
            Bug::AnnouncesTooMuch if said.check().is_err() => said.text = "much".into(),
            Bug::ForgetsWhoSpoke => said.process = ProcessId::from_u64(1),
            _ => {}
        }
        Box::pin(async move { self.inner.announce(&said).await })
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        let group = if let Bug::WithdrawsNobody = self.bug { "nobody" } else { group };
        self.inner.withdraw(group, process)
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        let group = if let Bug::AnnouncesToAll = self.bug { "all" } else { group };
        self.inner.instances(group)
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        match self.bug {
            // A storage of its own, in which nothing happens.
            Bug::PushesNothing => Box::pin(async { MemoryStorage::new().watch().await }),
            _ => self.inner.watch(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_suite_names_what_a_storage_does_wrong() {
    for (bug, caught_by) in [
        (Bug::IgnoresMaxCalls, "one lease may run where one call is allowed"),
        (Bug::GrantsAnewOnRepeat, "a repeated lease request is granted again"),
        (Bug::ForgetsWhatWasPresented, "a lost record becomes what is presented"),
        (Bug::AppliesOlderTrips, "a trip that races with a close loses"),
        (Bug::AnswersInAnyOrder, "answers come in the order of the batch"),
        (Bug::PushesNothing, "every change is pushed, in order"),
        (Bug::CountsRepeatedCommands, "a repeated command changes nothing"),
        (Bug::KeepsRefutedFailures, "a success drops the failures that were counted before it"),
        (Bug::DropsNoLateSeed, "a late seed is dropped if the circuit has changed since the start"),
        (Bug::EndsNoLease, "a lease that has ended gives way"),
        (Bug::OneGenerationForAll, "a circuit without a record is closed and of generation 0"),
        (Bug::ClearsTheNextSuspicion, "a clear of another suspicion changes nothing"),
        (Bug::TripsWithoutSuspicion, "shares that add up make the circuit suspect"),
        (Bug::KnowsNoClears, "of a report that knows too few clears one failure counts"),
        (Bug::RestsNot, "after a suspicion was cleared the count rests"),
        (Bug::SuspectsForEver, "a suspicion that nobody settles lapses"),
        (Bug::RenewsNothing, "a suspicion that is settled late is renewed"),
        (
            Bug::HearsOfNoCalls,
            "a rate that is reached at a look opens the circuit, which is pushed",
        ),
        (Bug::CountsCallsTwice, "calls are added each time that they are told of"),
        (
            Bug::NeedsNoReporters,
            "a suspicion takes failures of as many processes as its sender says",
        ),
        (Bug::NeedsNoReporters, "a trip by too few processes counts, and the circuit stays closed"),
        (Bug::NeedsNoReporters, "a rate takes failures of as many processes as its sender says"),
        (Bug::KnowsNoRuns, "a trip by too few processes counts, and the circuit stays closed"),
        (
            Bug::HearsNoWish,
            "an open circuit stays open while the service asks for it, which is pushed",
        ),
        (Bug::HearsNoTrialsWish, "a trial tells of the service's wish"),
        (Bug::RampsNever, "a ramp says its time and what is left, and keeps the failed trials"),
        (Bug::ForgetsOverrides, "a lost override is mended by every verb of one who knows it"),
        (Bug::EndsNoOverride, "an override ends by itself, which is no new generation"),
        (Bug::OverridesNothing, "every mode can be put on"),
        (Bug::HearsNoFault, "any fault is kept, and none too"),
        (Bug::HearsNoTrialsFault, "a trial that failed renews what went wrong, and nothing else"),
        (Bug::HearsNoRatesFault, "a rate that opens says what went wrong"),
        (
            Bug::ForgetsProvenance,
            "what opened a lost circuit is mended by every verb of one who knows it",
        ),
        (Bug::HearsNoNote, "every command says who and why, until the next change"),
        (Bug::AnnouncesForEver, "what is said ends by itself"),
        (Bug::AnnouncesToAll, "groups of any name know nothing of each other"),
        (Bug::CutsWhatIsAnnounced, "any text is told as it was said"),
        (Bug::AnnouncesTooMuch, "a text that is too long is refused, and the one before stays"),
        (Bug::WithdrawsNobody, "what is withdrawn is gone, and what others say stays"),
        (Bug::ForgetsWhoSpoke, "what participants say is told, with how long ago they said so"),
    ] {
        let harness = Embedded::new(|inner| Faulty::new(inner, bug));
        let case = conformance::cases().iter().find(|case| case.name() == caught_by).unwrap();
        let failure = case.run(&harness).await.expect_err(&format!("{bug:?} was not caught"));
        assert_eq!(failure.case(), caught_by);
        assert!(failure.to_string().starts_with(&format!("{caught_by}: ")), "{failure}");
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "one lease may run where one call is allowed")]
async fn checking_a_faulty_storage_panics_with_the_case() {
    let bug = Bug::IgnoresMaxCalls;
    conformance::check(&Embedded::new(|inner| Faulty::new(inner, bug))).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_what_differs() {
    let bug = Bug::IgnoresMaxCalls;
    let harness = Embedded::new(|inner| Faulty::new(inner, bug));
    let name = "one lease may run where one call is allowed";
    let case = conformance::cases().iter().find(|case| case.name() == name).unwrap();
    let failure = case.run(&harness).await.unwrap_err();
    assert_eq!(failure.differs(), "whether the lease was granted is true, and should be false");
}
