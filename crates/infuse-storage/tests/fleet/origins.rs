//! Failures of our own side of the wire weigh for this process alone.

use std::time::Duration;

use infuse_storage::{Circuit, Outcome, Policy, State, Verdict, Window, core::Counts};
use tokio::time::sleep;

use crate::support::{
    RESET, SECOND, fail, fail_times,
    in_step::InStep,
    rejected,
    scripted::{Scripted, Verb},
    succeed, try_once, until_both,
};

const MILLI: Duration = Duration::from_millis(1);

async fn pair(policy: Policy) -> (InStep, Scripted, Circuit, Circuit) {
    let fleet = InStep::new();
    let (script, here) = fleet.scripted().await;
    let here = here.circuit("payments", policy.clone());
    let there = fleet.join().await.circuit("payments", policy);
    sleep(100 * MILLI).await;
    (fleet, script, here, there)
}

async fn split() -> (InStep, Scripted, Circuit, Circuit) {
    pair(Policy::builder().split_local_origin(true).build().unwrap()).await
}

fn fail_here(circuit: &Circuit, times: u32) {
    for _ in 0..times {
        circuit.try_permit().unwrap().settle(Verdict::local_failure());
    }
}

#[tokio::test(start_paused = true)]
async fn they_open_this_process_alone() {
    let (fleet, script, here, there) = split().await;
    fail_here(&here, 5);
    assert_eq!(here.state(), State::Open);
    for _ in 0..10 {
        sleep(SECOND).await;
        rejected(&here).await;
        succeed(&there).await;
    }
    assert_eq!((script.count(Verb::Trip), script.count(Verb::Report)), (0, 0));
    sleep(RESET - 10 * SECOND).await;
    try_once(&here, Outcome::Success).await;
    assert_eq!(here.state(), State::Closed);
    assert_eq!(script.count(Verb::Lease), 0);
    assert_eq!(fleet.stored().await.generation, 0);
}

#[tokio::test(start_paused = true)]
async fn one_of_them_in_the_run_is_enough_for_that() {
    let (fleet, _script, here, there) = split().await;
    fail_times(&here, 2).await;
    fail_here(&here, 1);
    fail_times(&here, 2).await;
    assert_eq!(here.state(), State::Open);
    sleep(SECOND).await;
    assert_eq!(there.state(), State::Closed);
    // Those of the service are told; the last of them, which tripped, is not.
    assert_eq!(fleet.stored().await.failures, 3);
    fail_times(&there, 1).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 4);
    fail(&there).await;
    until_both(&here, &there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn its_trial_that_fails_is_no_matter_for_others_either() {
    let (fleet, script, here, there) = split().await;
    fail_here(&here, 5);
    sleep(RESET).await;
    try_once(&here, Outcome::Failure).await;
    assert_eq!(here.state(), State::Open);
    sleep(SECOND).await;
    assert_eq!((here.state(), there.state()), (State::Open, State::Closed));
    assert_eq!(script.count(Verb::Trip), 0);
    // But that it failed is.
    assert_eq!(fleet.stored().await.failures, 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_without_them_opens_all_as_ever() {
    let (_fleet, _script, here, there) = split().await;
    fail_here(&here, 3);
    succeed(&here).await;
    fail_times(&here, 5).await;
    until_both(&here, &there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn where_they_are_not_told_apart_they_are_failures() {
    let (_fleet, _script, here, there) = pair(Policy::default()).await;
    fail_here(&here, 5);
    until_both(&here, &there, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn they_are_in_this_process_own_window() {
    let policy = Policy::builder()
        .split_local_origin(true)
        .no_max_failure()
        .failure_rate(0.5)
        .minimum_calls(10)
        .window(Window::Time(60 * SECOND))
        .build()
        .unwrap();
    let (fleet, script, here, there) = pair(policy).await;
    succeed(&here).await;
    fail_here(&here, 8);
    sleep(2 * SECOND).await;
    assert_eq!(here.snapshot().window.unwrap().counts.calls, 9);
    let told = Counts { calls: 1, failures: 0, slow: 0 };
    assert_eq!(here.snapshot().fleet_window.unwrap().counts, told);
    fail(&here).await;
    assert_eq!(here.state(), State::Open);
    sleep(2 * SECOND).await;
    assert_eq!((here.state(), there.state()), (State::Open, State::Closed));
    assert_eq!(script.count(Verb::Trip), 0);
    assert_eq!(fleet.stored().await.generation, 0);
}
