use std::sync::Arc;

use infuse_storage::{Cause, Note, Outcome, Policy, Reach, State};

use crate::support::{
    Fleet, RESET,
    events::{Heard, change},
    fail_times, let_happen, ready, rejected, succeed, try_once, until_both, until_state,
};

#[tokio::test(start_paused = true)]
async fn commands_reach_all() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    assert_eq!(one.open().await, Reach::Fleet);
    assert_eq!(one.state(), State::Open);
    until_both(&one, &two, State::Open).await;
    assert_eq!(two.retry_after(), Some(RESET));

    assert_eq!(two.half_open().await, Reach::Fleet);
    until_both(&one, &two, State::HalfOpen).await;
    try_once(&one, Outcome::Ignored).await;
    let_happen().await;

    assert_eq!(one.close().await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    fail_times(&two, 4).await;
    assert_eq!(one.reset().await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    // A newer closed replaces a closed: what was counted is forgotten in both.
    assert_eq!(two.fail_counter(), 0);
    fail_times(&two, 4).await;
    assert_eq!(two.state(), State::Closed);
    assert_eq!(one.snapshot().generation, 4);
}

#[tokio::test(start_paused = true)]
async fn a_circuit_that_was_opened_by_hand_ends_by_a_trial() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    assert_eq!(one.open().await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    try_once(&two, Outcome::Success).await;
    until_both(&one, &two, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_circuit_is_open_for_the_time_that_was_said_in_all() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    let time = 40 * RESET;
    assert_eq!(one.open_for(time, Note::new().because("moving house")).await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    assert_eq!((one.retry_after(), two.retry_after()), (Some(time), Some(time)));
    let_happen().await;
    fleet.clock.advance(time - RESET);
    rejected(&one).await;
    rejected(&two).await;
    fleet.clock.advance(RESET);
    try_once(&two, Outcome::Failure).await;
    until_both(&one, &two, State::Open).await;
    // Of its own it opens for its own time.
    assert_eq!(one.retry_after(), Some(RESET));
}

#[tokio::test(start_paused = true)]
async fn a_close_wins_over_a_trip_of_before() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    let_happen().await;
    // The trip is not told yet when the command is.
    for _ in 0..5 {
        one.try_permit().unwrap().failure();
    }
    assert_eq!(one.state(), State::Open);
    assert_eq!(two.close().await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    let_happen().await;
    assert_eq!((one.state(), one.snapshot().generation), (State::Closed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_command_overrides_a_trial_that_is_under_way() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    fleet.clock.advance(RESET);
    let trial = two.acquire(None).await.unwrap();
    until_both(&one, &two, State::HalfOpen).await;
    assert_eq!(one.open().await, Reach::Fleet);
    until_both(&one, &two, State::Open).await;
    trial.success();
    let_happen().await;
    assert_eq!((one.state(), two.state()), (State::Open, State::Open));
    rejected(&two).await;
}

#[tokio::test(start_paused = true)]
async fn a_seed_is_heard_by_all() {
    let fleet = Fleet::new();
    let heard = Heard::default();
    let caller = ready(fleet.builder().listener(Arc::new(heard.clone()))).await;
    let caller = caller.circuit("payments", Policy::default());
    for state in [State::Open, State::HalfOpen, State::Closed] {
        let service = fleet.join().await;
        let own = service.circuit("payments", Policy::default());
        assert_eq!(service.seed(&own, state).await, Reach::Fleet);
        assert_eq!(own.state(), state);
        until_both(&own, &caller, state).await;
    }
    let_happen().await;
    let expected = [
        change(State::Closed, State::Open, Cause::Seed, true),
        change(State::Open, State::HalfOpen, Cause::Seed, true),
        change(State::HalfOpen, State::Closed, Cause::Seed, true),
    ];
    assert_eq!(heard.changes(), expected);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_late_learns_at_once() {
    let fleet = Fleet::new();
    let one = fleet.join().await.circuit("payments", Policy::default());
    fail_times(&one, 5).await;
    until_state(&one, State::Open).await;
    let_happen().await;

    // Both ways: a circuit that is there before the first look, and one that is named later.
    let circuits = fleet.builder().start().unwrap();
    let early = circuits.circuit("payments", Policy::default());
    assert!(circuits.ready().await);
    assert_eq!(early.state(), State::Open);
    assert_eq!(early.retry_after(), Some(RESET));

    let circuits = fleet.join().await;
    let late = circuits.circuit("payments", Policy::default());
    assert_eq!(late.state(), State::Closed);
    let_happen().await;
    assert_eq!(late.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn joining_changes_nothing() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    let third = fleet.join().await.circuit("payments", Policy::default());
    until_both(&one, &third, State::Open).await;
    assert_eq!(one.snapshot().generation, 1);
}

#[tokio::test(start_paused = true)]
async fn thresholds_change_on_a_live_circuit() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    fail_times(&one, 3).await;
    one.set_policy(Policy::builder().max_failure(4).build().unwrap());
    assert_eq!(one.policy().max_failure(), 4);
    fail_times(&one, 1).await;
    until_both(&one, &two, State::Open).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_policy_of_a_name_stays() {
    let circuits = Fleet::new().join().await;
    let policy = Policy::builder().max_failure(1).build().unwrap();
    let circuit = circuits.circuit("payments", policy);
    let same = circuits.circuit("payments", Policy::default());
    assert_eq!(same.policy().max_failure(), 1);
    fail_times(&same, 1).await;
    assert_eq!(circuit.state(), State::Open);
    assert_eq!(circuits.get("payments").unwrap().state(), State::Open);
    assert!(circuits.get("orders").is_none());
    circuits.circuit("orders", Policy::default());
    let names: Vec<_> = circuits.all().iter().map(|circuit| circuit.name().to_owned()).collect();
    assert_eq!(names, ["orders", "payments"]);
}

#[tokio::test(start_paused = true)]
async fn exclusions_hold_in_shared_circuits() {
    let fleet = Fleet::new();
    let (one, two) = fleet.pair().await;
    one.add_excluded::<crate::support::Down>();
    fail_times(&one, 50).await;
    assert_eq!(one.fail_counter(), 0);
    assert!(one.remove_excluded::<crate::support::Down>());
    fail_times(&one, 5).await;
    until_both(&one, &two, State::Open).await;
    assert_eq!(two.close().await, Reach::Fleet);
    until_both(&one, &two, State::Closed).await;
    succeed(&one).await;
}
