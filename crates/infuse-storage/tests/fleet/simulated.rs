//! A healthy fleet in which some calls fail, for minutes.

use std::{sync::Arc, time::Duration};

use infuse_storage::{
    Announcement, BoxFuture, Circuit, Circuits, Clear, Control, Instance, LeaseAnswer,
    LeaseRequest, Look, Policy, ProcessId, Report, Seed, Settle, State, Storage, StorageError,
    Trip, View, Watch,
    test_util::{Fleet, Link},
};
use tokio::time::sleep;

use crate::support::ready;

const MILLI: Duration = Duration::from_millis(1);
const TIME: Duration = Duration::from_secs(120);

/// A storage that is told of no success: nothing drops what is counted, and what clears a suspicion
/// makes it come true.
#[derive(Debug)]
struct Unrefuted(Link);

impl Storage for Unrefuted {
    fn look<'a>(&'a self, looks: &'a [Look]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async {
            let mut looks = looks.to_vec();
            looks.iter_mut().for_each(|look| look.last_success = None);
            self.0.look(&looks).await
        })
    }

    fn report<'a>(
        &'a self,
        reports: &'a [Report],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async {
            let mut reports = reports.to_vec();
            reports.iter_mut().for_each(|report| report.last_success = None);
            self.0.report(&reports).await
        })
    }

    fn clear<'a>(&'a self, clears: &'a [Clear]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        Box::pin(async {
            let settle = |clear: &Clear| {
                let key = clear.key.clone();
                let mut trip = Trip::new(key, clear.presented, clear.process, TIME);
                trip.suspicion = Some(clear.suspicion);
                trip.grace = TIME;
                trip
            };
            let settles: Vec<Trip> = clears.iter().map(settle).collect();
            self.0.trip(&settles).await
        })
    }

    fn trip<'a>(&'a self, trips: &'a [Trip]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        self.0.trip(trips)
    }

    fn lease<'a>(
        &'a self,
        requests: &'a [LeaseRequest],
    ) -> BoxFuture<'a, Result<Vec<LeaseAnswer>, StorageError>> {
        self.0.lease(requests)
    }

    fn settle<'a>(
        &'a self,
        settles: &'a [Settle],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        self.0.settle(settles)
    }

    fn control<'a>(
        &'a self,
        commands: &'a [Control],
    ) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        self.0.control(commands)
    }

    fn seed<'a>(&'a self, seeds: &'a [Seed]) -> BoxFuture<'a, Result<Vec<View>, StorageError>> {
        self.0.seed(seeds)
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), StorageError>> {
        self.0.probe()
    }

    fn announce<'a>(&'a self, said: &'a Announcement) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.announce(said)
    }

    fn withdraw<'a>(
        &'a self,
        group: &'a str,
        process: ProcessId,
    ) -> BoxFuture<'a, Result<(), StorageError>> {
        self.0.withdraw(group, process)
    }

    fn instances<'a>(
        &'a self,
        group: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Instance>, StorageError>> {
        self.0.instances(group)
    }

    fn watch(&self) -> BoxFuture<'_, Result<Box<dyn Watch>, StorageError>> {
        self.0.watch()
    }
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn percent(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 100
    }
}

/// Sixteen processes at five hundred calls a second each, of which two in a hundred fail; when it
/// opened, if it did.
async fn scattered(circuits: &[Circuit], time: Duration) -> Option<Duration> {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for milli in 0..u32::try_from(time.as_millis()).unwrap() {
        for (number, circuit) in circuits.iter().enumerate() {
            if (number as u32 + milli).is_multiple_of(2) {
                let Ok(permit) = circuit.try_permit() else { return Some(milli * MILLI) };
                if dice.percent() < 2 { permit.failure() } else { permit.success() }
            }
        }
        sleep(MILLI).await;
    }
    None
}

/// So many processes, whose way to the storage goes through `way`.
async fn processes(
    way: impl Fn(Link) -> Arc<dyn Storage> + Send + Sync + 'static,
) -> (Fleet<Circuits>, Vec<Circuit>) {
    let fleet = Fleet::start(16, move |seat| {
        let builder = seat.circuits().storage(way(seat.storage()));
        async move { ready(builder).await }
    })
    .await;
    let payments = |circuits: &Circuits| circuits.circuit("payments", Policy::default());
    let circuits = fleet.iter().map(|process| payments(process)).collect();
    fleet.settle().await;
    (fleet, circuits)
}

#[tokio::test(start_paused = true)]
async fn scattered_failures_never_open_a_healthy_fleet() {
    let (_fleet, circuits) = processes(|link| Arc::new(link)).await;
    assert_eq!(scattered(&circuits, TIME).await, None);
    assert_eq!(circuits[0].snapshot().generation, 0);
}

#[tokio::test(start_paused = true)]
async fn without_what_refutes_them_they_open_it_within_a_second() {
    let (fleet, circuits) = processes(|link| Arc::new(Unrefuted(link))).await;
    let opened = scattered(&circuits, TIME).await.unwrap();
    assert!(opened < Duration::from_secs(1), "after {opened:?}");
    fleet.converges_to("payments", State::Open).await;
}
