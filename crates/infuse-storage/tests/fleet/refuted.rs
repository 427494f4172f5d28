//! A process whose trip was refuted by another opens only itself for a while.

use std::time::Duration;

use infuse_storage::{Circuit, Outcome, Policy, Reach, State};
use tokio::time::{Instant, sleep};

use crate::support::{
    RESET, SECOND, fail, fail_times,
    in_step::InStep,
    rejected,
    scripted::{Scripted, Verb},
    succeed, try_once, until, until_both, until_state,
};

const MILLI: Duration = Duration::from_millis(1);

/// A process whose calls fail, and one whose trial has refuted it.
async fn refuted() -> (InStep, Scripted, Circuit, Circuit) {
    let fleet = InStep::new();
    let (script, sick) = fleet.scripted().await;
    let sick = sick.circuit("payments", Policy::default());
    let well = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    fail_times(&sick, 5).await;
    until_both(&sick, &well, State::Open).await;
    sleep(RESET).await;
    try_once(&well, Outcome::Success).await;
    until_both(&sick, &well, State::Closed).await;
    (fleet, script, sick, well)
}

#[tokio::test(start_paused = true)]
async fn it_opens_only_itself_and_tries_by_itself() {
    let (fleet, script, sick, well) = refuted().await;
    let asked = |verb| script.count(verb);
    let (trips, leases) = (asked(Verb::Trip), asked(Verb::Lease));
    for _ in 0..3 {
        if sick.state() == State::Closed {
            fail_times(&sick, 5).await;
        } else {
            try_once(&sick, Outcome::Failure).await;
        }
        assert_eq!(sick.state(), State::Open);
        rejected(&sick).await;
        // Looks do not drag it back.
        sleep(10 * SECOND).await;
        assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
        sleep(RESET - 10 * SECOND).await;
    }
    try_once(&sick, Outcome::Success).await;
    assert_eq!(sick.state(), State::Closed);
    assert_eq!((asked(Verb::Trip), asked(Verb::Lease)), (trips, leases));
    assert_eq!(fleet.stored().await.generation, 3);
    succeed(&well).await;
}

#[tokio::test(start_paused = true)]
async fn its_local_trial_is_one() {
    let (_fleet, _script, sick, _well) = refuted().await;
    sick.set_policy(Policy::builder().half_open_max_calls(3).build().unwrap());
    fail_times(&sick, 5).await;
    sleep(RESET).await;
    let trial = sick.acquire(None).await.unwrap();
    assert!(trial.is_trial());
    rejected(&sick).await;
    trial.success();
    assert_eq!(sick.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn its_share_joins_up_with_the_failures_of_others() {
    let (fleet, _script, sick, well) = refuted().await;
    fail_times(&sick, 5).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 4);
    assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
    // One of another is enough, and it is open by the fleet's will from then on.
    fail(&well).await;
    until_both(&sick, &well, State::Open).await;
    assert_eq!(fleet.stored().await.generation, 4);
}

#[tokio::test(start_paused = true)]
async fn its_own_trials_that_fail_count_for_the_fleet() {
    let (fleet, _script, sick, well) = refuted().await;
    fail_times(&sick, 5).await;
    sleep(RESET / 2).await;
    // What failed before no longer counts.
    succeed(&well).await;
    sleep(RESET / 2).await;
    assert_eq!(fleet.stored().await.failures, 0);
    try_once(&sick, Outcome::Failure).await;
    sleep(100 * MILLI).await;
    assert_eq!(fleet.stored().await.failures, 1);
    assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn it_is_believed_if_others_fail_too() {
    let (fleet, _script, sick, well) = refuted().await;
    fail(&well).await;
    sleep(100 * MILLI).await;
    // Its own report brings home that there is another failure.
    fail(&sick).await;
    sleep(10 * MILLI).await;
    assert_eq!(sick.snapshot().fleet_failures, 2);
    let started = Instant::now();
    for _ in 0..4 {
        sick.try_permit().unwrap().failure();
    }
    // At once, not when a grace ends.
    until_both(&sick, &well, State::Open).await;
    assert!(started.elapsed() <= 20 * MILLI, "{:?}", started.elapsed());
    assert_eq!(fleet.stored().await.generation, 4);
}

#[tokio::test(start_paused = true)]
async fn after_ten_reset_timeouts_it_is_believed_again() {
    let (_fleet, _script, sick, well) = refuted().await;
    sleep(10 * RESET + SECOND).await;
    fail_times(&sick, 5).await;
    until_both(&sick, &well, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_trial_of_its_own_refutes_nothing() {
    let fleet = InStep::new();
    let one = fleet.join().await.circuit("payments", Policy::default());
    let two = fleet.join().await.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    for _ in 0..2 {
        fail_times(&one, 5).await;
        until_both(&one, &two, State::Open).await;
        sleep(RESET).await;
        try_once(&one, Outcome::Success).await;
        until_both(&one, &two, State::Closed).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_fleet_ends_being_apart() {
    let (_fleet, _script, sick, well) = refuted().await;
    fail_times(&sick, 5).await;
    sleep(SECOND).await;
    assert_eq!(sick.state(), State::Open);
    assert_eq!(well.close().await, Reach::Fleet);
    until_state(&sick, State::Closed).await;
    fail_times(&sick, 5).await;
    until_both(&sick, &well, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn one_sick_process_does_not_flap_the_fleet() {
    let (fleet, _script, sick, well) = refuted().await;
    let mut rejections = 0;
    for _ in 0..1_000 {
        drop(sick.call(|| async { Err::<(), _>(crate::support::Down) }).await);
        let passed = well.call(|| async { Ok::<_, crate::support::Down>(()) }).await.is_ok();
        rejections += usize::from(!passed);
        sleep(100 * MILLI).await;
    }
    assert_eq!(rejections, 0);
    assert_eq!(fleet.stored().await.generation, 3);
    until("the sick one stands apart", || sick.state() != State::Closed).await;
}
