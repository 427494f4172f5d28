use std::{sync::Arc, time::Duration};

use infuse_storage::{Circuits, Outcome, Policy, Reach, StartError, State};
use tokio::runtime::{Builder, Handle};

use crate::support::{
    Down, Fleet, RESET, fail_times, let_happen, ready, rejected,
    scripted::{Gate, Scripted, Verb},
    succeed, try_once, until, until_both, until_state,
};

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_handle() {
    let fleet = Fleet::new();
    let before = alive();
    let circuits = fleet.join().await;
    let clone = circuits.clone();
    let circuit = circuits.circuit("payments", Policy::default());
    assert_eq!(alive(), before + 1);
    drop((circuits, clone));
    let_happen().await;
    // A circuit alone keeps it alive.
    assert_eq!(alive(), before + 1);
    fail_times(&circuit, 5).await;
    let permit = circuit.acquire(None).await;
    drop(circuit);
    until("the task has ended", || alive() == before).await;
    drop(permit);
}

#[tokio::test(start_paused = true)]
async fn a_permit_outlives_everything() {
    let fleet = Fleet::new();
    let circuit = fleet.join().await.circuit("payments", Policy::default());
    assert_eq!(circuit.open().await, Reach::Fleet);
    fleet.clock.advance(RESET);
    let trial = circuit.acquire(None).await.unwrap();
    let ordinary = {
        let other = fleet.join().await.circuit("orders", Policy::default());
        other.acquire(None).await.unwrap()
    };
    drop(circuit);
    let_happen().await;
    assert!(trial.is_trial());
    trial.success();
    ordinary.failure();
}

#[tokio::test(start_paused = true)]
async fn shutdown_gives_leases_back_and_guards_on_locally() {
    let fleet = Fleet::new();
    let before = alive();
    let going = fleet.join().await;
    let one = going.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    let trial = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    rejected(&two).await;

    going.shutdown().await;
    // Repeating it does nothing.
    going.shutdown().await;
    until("its tasks have ended", || alive() == before + 1).await;
    assert!(!one.snapshot().shared);
    let_happen().await;
    let next = two.acquire(None).await.unwrap();
    assert!(next.is_trial());
    drop(next);
    let_happen().await;

    // The trial that was under way still decides, here.
    trial.success();
    assert_eq!(one.state(), State::Closed);
    assert_eq!(two.state(), State::HalfOpen);
    fail_times(&one, 5).await;
    assert_eq!(one.state(), State::Open);
    rejected(&one).await;
    fleet.clock.advance(RESET);
    try_once(&one, Outcome::Success).await;
    assert_eq!(one.state(), State::Closed);
    assert_eq!(one.open().await, Reach::Local);
    assert_eq!(going.seed(&one, State::Closed).await, Reach::Local);
    let_happen().await;
    assert_eq!(two.state(), State::HalfOpen);
    try_once(&two, Outcome::Success).await;
    until_state(&two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_tells_what_is_pending() {
    let fleet = Fleet::new();
    let going = fleet.join().await;
    let one = going.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    let_happen().await;
    for _ in 0..5 {
        one.try_permit().unwrap().failure();
    }
    going.shutdown().await;
    until_state(&two, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_takes_two_seconds_at_most() {
    for verb in [Verb::Lease, Verb::Settle, Verb::Trip, Verb::Look] {
        let fleet = Fleet::new();
        let before = alive();
        let scripted = Scripted::new(fleet.memory.clone());
        // Patient, so that it is not lost before.
        let builder = fleet.builder_on(Arc::new(scripted.clone())).timeout(Duration::from_secs(60));
        let circuits = ready(builder).await;
        let circuit = circuits.circuit("payments", Policy::default());
        assert_eq!(circuit.open().await, Reach::Fleet);
        fleet.clock.advance(RESET);
        let trial = circuit.acquire(None).await.unwrap();
        drop(trial);
        let_happen().await;
        scripted.set(verb, Gate::Never);
        let asking = {
            let circuit = circuit.clone();
            tokio::spawn(async move { circuit.acquire(None).await.is_ok() })
        };
        let_happen().await;
        let started = tokio::time::Instant::now();
        circuits.shutdown().await;
        assert!(started.elapsed() <= Duration::from_millis(2_010), "{verb:?}");
        drop((circuits, circuit));
        drop(asking.await);
        until("its tasks have ended", || alive() == before).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_was_given_up_can_be_repeated() {
    let fleet = Fleet::new();
    let before = alive();
    let circuits = fleet.join().await;
    let circuit = circuits.circuit("payments", Policy::default());
    drop(tokio::time::timeout(Duration::ZERO, circuits.shutdown()).await);
    let (one, two) = tokio::join!(circuits.shutdown(), circuits.shutdown());
    assert_eq!((one, two), ((), ()));
    until("its tasks have ended", || alive() == before).await;
    assert!(!circuit.snapshot().shared);
    succeed(&circuit).await;
}

#[test]
fn circuits_outlive_their_runtime() {
    let fleet = Fleet::new();
    let first = Builder::new_current_thread().enable_all().build().unwrap();
    let circuit = first.block_on(async {
        let circuit = fleet.join().await.circuit("payments", Policy::default());
        fail_times(&circuit, 5).await;
        circuit
    });
    drop(first);
    fleet.clock.advance(RESET);
    // Nobody is there to ask for a lease: it is guarded locally.
    assert!(!circuit.snapshot().shared);
    circuit.call_sync(|| Ok::<_, Down>(())).unwrap();
    assert_eq!(circuit.state(), State::Closed);

    let second = Builder::new_current_thread().enable_all().build().unwrap();
    second.block_on(async {
        fail_times(&circuit, 5).await;
        fleet.clock.advance(RESET);
        try_once(&circuit, Outcome::Success).await;
        assert_eq!(circuit.open().await, Reach::Local);
    });
}

#[test]
fn starting_needs_a_runtime() {
    let error = Circuits::builder().start().unwrap_err();
    assert!(matches!(error, StartError::NoRuntime));
    assert_eq!(error.to_string(), "circuits must be started within a tokio runtime");
}

#[tokio::test]
async fn times_must_be_sensible() {
    let error = Circuits::builder().timeout(Duration::ZERO).start().unwrap_err();
    assert_eq!(error.to_string(), "the storage's timeout is zero: it must be longer");
    let error = Circuits::builder().sync_interval(Duration::MAX).start().unwrap_err();
    assert_eq!(error.to_string(), "the sync interval is longer than a year: it must be shorter");
}

#[tokio::test(start_paused = true)]
async fn without_a_storage_of_ones_own_circuits_stand_alone() {
    let (one, two) = (Circuits::builder().start().unwrap(), Circuits::builder().start().unwrap());
    let one = one.circuit("payments", Policy::default());
    let two = two.circuit("payments", Policy::default());
    fail_times(&one, 5).await;
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::Open, State::Closed));
    assert!(one.snapshot().shared);
}
