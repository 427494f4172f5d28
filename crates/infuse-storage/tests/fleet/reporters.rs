//! More than one process must have seen failures.

use std::time::Duration;

use infuse_storage::{Circuit, Outcome, Policy, State, Window};
use tokio::time::sleep;

use crate::support::{
    RESET, SECOND, fail, fail_times,
    in_step::InStep,
    rejected,
    scripted::{Scripted, Verb},
    succeed, try_once, until_both,
};

const MILLI: Duration = Duration::from_millis(1);

fn two_of_them() -> Policy {
    Policy::builder().min_reporters(2).build().unwrap()
}

async fn pair(policy: Policy) -> (InStep, Scripted, Circuit, Circuit) {
    let fleet = InStep::new();
    let (script, sick) = fleet.scripted().await;
    let sick = sick.circuit("payments", policy.clone());
    let well = fleet.join().await.circuit("payments", policy);
    sleep(100 * MILLI).await;
    (fleet, script, sick, well)
}

#[tokio::test(start_paused = true)]
async fn one_sick_process_closes_off_nobody_but_itself() {
    let (fleet, script, sick, well) = pair(two_of_them()).await;
    for round in 0..3 {
        if round == 0 {
            fail_times(&sick, 5).await;
        } else {
            // Its own trial, without a lease.
            try_once(&sick, Outcome::Failure).await;
        }
        assert_eq!(sick.state(), State::Open);
        for _ in 0..10 {
            sleep(SECOND).await;
            // Looks do not drag it back.
            assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
            rejected(&sick).await;
            succeed(&well).await;
        }
        sleep(RESET - 10 * SECOND).await;
    }
    assert_eq!((script.count(Verb::Trip), script.count(Verb::Lease)), (1, 0));
    try_once(&sick, Outcome::Success).await;
    assert_eq!(sick.state(), State::Closed);
    assert_eq!(fleet.stored().await.generation, 0);
    // And the next time it asks again.
    fail_times(&sick, 5).await;
    sleep(100 * MILLI).await;
    assert_eq!(script.count(Verb::Trip), 2);
    assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_second_one_opens_it_for_all() {
    let (fleet, _script, sick, well) = pair(two_of_them()).await;
    fail_times(&sick, 5).await;
    sleep(SECOND).await;
    assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
    assert_eq!(fleet.stored().await.failures, 5);
    // What the first has seen is known: one more is enough, after a grace.
    fail(&well).await;
    until_both(&sick, &well, State::Open).await;
    assert_eq!(fleet.stored().await.generation, 1);
    sleep(RESET).await;
    try_once(&well, Outcome::Success).await;
    until_both(&sick, &well, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn the_trip_of_a_second_one_opens_it_at_once() {
    let (_fleet, _script, sick, well) = pair(two_of_them()).await;
    fail_times(&sick, 5).await;
    sleep(SECOND).await;
    for _ in 0..5 {
        well.try_permit().unwrap().failure();
    }
    sleep(10 * MILLI).await;
    until_both(&sick, &well, State::Open).await;
    assert_eq!(sick.snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_success_elsewhere_refutes_what_it_saw() {
    let (fleet, _script, sick, well) = pair(two_of_them()).await;
    fail_times(&sick, 5).await;
    sleep(SECOND).await;
    succeed(&well).await;
    sleep(2 * SECOND).await;
    assert_eq!(fleet.stored().await.failures, 0);
    fail_times(&well, 4).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.generation, 0);
}

#[tokio::test(start_paused = true)]
async fn a_rate_needs_as_many() {
    let policy = Policy::builder()
        .no_max_failure()
        .failure_rate(0.5)
        .minimum_calls(4)
        .window(Window::Time(60 * SECOND))
        .min_reporters(2)
        .build()
        .unwrap();
    let (fleet, _script, sick, well) = pair(policy).await;
    for _ in 0..3 {
        fail(&sick).await;
    }
    sleep(2 * SECOND).await;
    succeed(&well).await;
    sleep(2 * SECOND).await;
    // 3 of 4, by one.
    assert_eq!((sick.state(), well.state()), (State::Closed, State::Closed));
    fail(&sick).await;
    assert_eq!(sick.state(), State::Open);
    sleep(2 * SECOND).await;
    assert_eq!((sick.state(), well.state()), (State::Open, State::Closed));
    assert_eq!(fleet.stored().await.generation, 0);
    fail(&well).await;
    until_both(&sick, &well, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn a_sick_process_does_not_ask_for_ever() {
    let policy = Policy::builder().max_failure(1).reset_timeout(MILLI).min_reporters(2);
    let (fleet, script, sick, well) = pair(policy.build().unwrap()).await;
    let before = script.count_all();
    for number in 0..10_000 {
        if let Ok(permit) = sick.acquire(None).await {
            // Opens and closes, again and again.
            permit.settle([Outcome::Failure, Outcome::Success][number % 2]);
        }
        sleep(MILLI).await;
    }
    let sent = script.count_all() - before;
    assert!(sent <= 250, "{sent} commands in ten seconds");
    assert_eq!(well.state(), State::Closed);
    assert_eq!(fleet.stored().await.generation, 0);
}

#[tokio::test(start_paused = true)]
async fn a_trip_by_a_rate_counts_the_failures_that_there_were() {
    let policy = Policy::builder()
        .max_failure(10)
        .failure_rate(0.5)
        .minimum_calls(4)
        .window(Window::Time(60 * SECOND))
        .min_reporters(2)
        .build()
        .unwrap();
    let (fleet, _script, sick, _well) = pair(policy).await;
    succeed(&sick).await;
    for _ in 0..3 {
        sick.try_permit().unwrap().failure();
    }
    assert_eq!(sick.state(), State::Open);
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 3);
}
