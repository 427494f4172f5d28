use std::sync::Arc;

use infuse_storage::{Cause, Outcome, Policy, State};

use crate::support::{
    Fleet, RESET, SECOND,
    events::{Heard, change},
    fail, fail_times, let_happen, ready, rejected, succeed, try_once, until_both, until_state,
};

#[tokio::test(start_paused = true)]
async fn five_failures_in_one_open_both() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 4).await;
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::Closed, State::Closed));

    fail(&one).await;
    assert_eq!(one.state(), State::Open);
    until_both(&one, &two, State::Open).await;
    assert_eq!(two.snapshot().generation, 1);
    assert_eq!(two.retry_after(), Some(RESET));
    assert_eq!(two.opened_at(), one.opened_at());
    assert_eq!(rejected(&two).await.retry_after(), RESET);
    // The failures are the other's.
    assert_eq!((one.fail_counter(), two.fail_counter()), (5, 0));
}

#[tokio::test(start_paused = true)]
async fn listeners_hear_whose_change_it_was() {
    let fleet = Fleet::new();
    let (heard_one, heard_two) = (Heard::default(), Heard::default());
    let one = ready(fleet.builder().listener(Arc::new(heard_one.clone()))).await;
    let two = ready(fleet.builder().listener(Arc::new(heard_two.clone()))).await;
    let one = one.circuit("payments", Policy::default());
    let two = two.circuit("payments", Policy::default());

    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
    let_happen().await;

    let changes = |remote_first: bool| {
        vec![
            change(State::Closed, State::Open, Cause::Failures, remote_first),
            change(State::Open, State::HalfOpen, Cause::TrialStarted, !remote_first),
            change(State::HalfOpen, State::Closed, Cause::TrialSucceeded, !remote_first),
        ]
    };
    assert_eq!(heard_one.changes(), changes(false));
    assert_eq!(heard_two.changes(), changes(true));
}

#[tokio::test(start_paused = true)]
async fn the_order_of_a_callers_events_is_that_of_a_breaker() {
    let fleet = Fleet::new();
    let heard = Heard::default();
    let circuits = ready(fleet.builder().listener(Arc::new(heard.clone()))).await;
    let policy = Policy::builder().max_failure(2).build().unwrap();
    let circuit = circuits.circuit("payments", policy);

    fail_times(&circuit, 2).await;
    let_happen().await;
    let opened = change(State::Closed, State::Open, Cause::Failures, false);
    let expected = ["before_call", "failure", "before_call", "failure", opened.as_str()];
    assert_eq!(heard.take(), expected);

    rejected(&circuit).await;
    assert_eq!(heard.take(), ["rejected"]);

    fleet.clock.advance(RESET);
    try_once(&circuit, Outcome::Failure).await;
    let_happen().await;
    let tried = change(State::Open, State::HalfOpen, Cause::TrialStarted, false);
    let failed = change(State::HalfOpen, State::Open, Cause::TrialFailed, false);
    assert_eq!(heard.take(), [tried.as_str(), "before_call", "failure", failed.as_str()]);
}

#[tokio::test(start_paused = true)]
async fn thresholds_are_each_process_own() {
    let fleet = Fleet::new();
    let policy = |failures| Policy::builder().max_failure(failures).build().unwrap();
    let strict = fleet.join().await.circuit("payments", policy(2));
    let patient = fleet.join().await.circuit("payments", policy(100));
    fail_times(&patient, 50).await;
    let_happen().await;
    assert_eq!(strict.state(), State::Closed);
    fail_times(&strict, 2).await;
    until_both(&strict, &patient, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn the_open_time_is_that_of_whoever_tripped() {
    let fleet = Fleet::new();
    let policy = |reset| Policy::builder().reset_timeout(reset).build().unwrap();
    let short = fleet.join().await.circuit("payments", policy(2 * SECOND));
    let long = fleet.join().await.circuit("payments", policy(60 * SECOND));
    fail_times(&short, 5).await;
    until_both(&short, &long, State::Open).await;
    assert_eq!(long.retry_after(), Some(2 * SECOND));
    fleet.clock.advance(2 * SECOND);
    try_once(&long, Outcome::Failure).await;
    until_both(&short, &long, State::Open).await;
    assert_eq!(short.retry_after(), Some(60 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn outcomes_from_before_a_trip_change_nothing() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    let late_success = two.acquire(None).await.unwrap();
    let late_failure = two.acquire(None).await.unwrap();
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    let trial = one.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    late_success.success();
    late_failure.failure();
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::HalfOpen, State::HalfOpen));
    trial.success();
    until_both(&one, &two, State::Closed).await;
    succeed(&two).await;
}

#[tokio::test(start_paused = true)]
async fn two_that_trip_at_once_open_it_once() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    let_happen().await;
    // No await between the failures that gives way to the replicators.
    for _ in 0..5 {
        one.try_permit().unwrap().failure();
        two.try_permit().unwrap().failure();
    }
    assert_eq!((one.state(), two.state()), (State::Open, State::Open));
    until_both(&one, &two, State::Open).await;
    let_happen().await;
    assert_eq!(one.snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn names_in_other_namespaces_are_other_circuits() {
    let fleet = Fleet::new();
    let staging = ready(fleet.builder().namespace(|name| format!("staging:{name}"))).await;
    let live = ready(fleet.builder().namespace(|name| format!("live:{name}"))).await;
    let staging = staging.circuit("payments", Policy::default());
    let live = live.circuit("payments", Policy::default());
    fail_times(&staging, 5).await;
    until_state(&staging, State::Open).await;
    let_happen().await;
    assert_eq!(live.state(), State::Closed);
}
