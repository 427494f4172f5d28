//! Open times that grow, what the service asks for, and the ramp, are the same in all processes.

use std::time::Duration;

use infuse_storage::{Circuit, Outcome, Policy, Reason, State, Verdict};
use tokio::time::sleep;

use crate::support::{
    RESET, SECOND, fail_times, in_step::InStep, rejected, scripted::Verb, succeed, try_once, until,
    until_both,
};

const MILLI: Duration = Duration::from_millis(1);

async fn three(fleet: &InStep, policy: Policy) -> [Circuit; 3] {
    let mut circuits = Vec::new();
    for _ in 0..3 {
        circuits.push(fleet.join().await.circuit("payments", policy.clone()));
    }
    sleep(100 * MILLI).await;
    circuits.try_into().unwrap()
}

async fn until_all(circuits: &[Circuit; 3], state: State) {
    let [one, two, three] = circuits;
    until_both(one, two, state).await;
    until_both(two, three, state).await;
}

/// How long it is open, in all.
fn left(circuits: &[Circuit; 3]) -> Duration {
    let left = circuits.each_ref().map(|circuit| circuit.retry_after().unwrap());
    let (least, most) = (left.iter().min().unwrap(), left.iter().max().unwrap());
    assert!(*most - *least <= 5 * MILLI, "{left:?}");
    *most
}

fn busy(circuit: &Circuit, outcome: Outcome, seconds: u32) {
    let permit = circuit.try_permit().unwrap();
    permit.settle(Verdict::from(outcome).retry_after(seconds * SECOND));
}

/// Asked for, within what it takes to be told.
fn is_about(left: Duration, asked: Duration) -> bool {
    left <= asked && left + 50 * MILLI >= asked
}

#[tokio::test(start_paused = true)]
async fn the_open_time_grows_whoever_makes_the_trial() {
    let fleet = InStep::new();
    let policy = Policy::builder().reset_backoff(2.0).max_reset_timeout(100 * SECOND);
    let circuits = three(&fleet, policy.build().unwrap()).await;
    fail_times(&circuits[0], 5).await;
    until_all(&circuits, State::Open).await;
    for (round, seconds) in [15, 30, 60, 100, 100].into_iter().enumerate() {
        assert!(is_about(left(&circuits), seconds * SECOND), "{round}: {:?}", left(&circuits));
        assert_eq!(circuits[1].snapshot().failed_trials, round as u32);
        sleep(seconds * SECOND).await;
        try_once(&circuits[round % 3], Outcome::Failure).await;
        until_all(&circuits, State::Open).await;
        sleep(10 * MILLI).await;
    }
    sleep(100 * SECOND).await;
    try_once(&circuits[2], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
    // It begins anew.
    fail_times(&circuits[1], 5).await;
    until_all(&circuits, State::Open).await;
    assert!(is_about(left(&circuits), RESET));
}

#[tokio::test(start_paused = true)]
async fn jitter_is_thrown_once_for_all() {
    let fleet = InStep::new();
    let policy = Policy::builder().reset_jitter(0.5).build().unwrap();
    let circuits = three(&fleet, policy).await;
    let mut seen = Vec::new();
    for round in 0..6 {
        fail_times(&circuits[round % 3], 5).await;
        until_all(&circuits, State::Open).await;
        sleep(10 * MILLI).await;
        seen.push(left(&circuits));
        sleep(RESET).await;
        try_once(&circuits[(round + 1) % 3], Outcome::Success).await;
        until_all(&circuits, State::Closed).await;
        // So that nobody is taken for sick.
        assert_eq!(circuits[0].close().await, infuse_storage::Reach::Fleet);
        until_all(&circuits, State::Closed).await;
    }
    seen.sort();
    assert!(seen[5] - seen[0] > SECOND, "{seen:?}");
    assert!(seen[0] > 7 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn what_the_service_asks_for_with_the_last_failure_holds_for_all() {
    let fleet = InStep::new();
    let circuits = three(&fleet, Policy::default()).await;
    for _ in 0..4 {
        circuits[0].try_permit().unwrap().failure();
    }
    busy(&circuits[0], Outcome::Failure, 60);
    until_all(&circuits, State::Open).await;
    sleep(10 * MILLI).await;
    assert!(is_about(left(&circuits), 60 * SECOND), "{:?}", left(&circuits));
    for _ in 0..5 {
        sleep(10 * SECOND).await;
        rejected(&circuits[2]).await;
        left(&circuits);
    }
    sleep(10 * SECOND).await;
    try_once(&circuits[2], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn what_it_asks_of_one_holds_when_another_trips() {
    for outcome in [Outcome::Ignored, Outcome::Failure] {
        let fleet = InStep::new();
        let circuits = three(&fleet, Policy::default()).await;
        busy(&circuits[0], outcome, 60);
        sleep(10 * SECOND).await;
        fail_times(&circuits[1], 5).await;
        until_all(&circuits, State::Open).await;
        sleep(2 * SECOND).await;
        assert!(is_about(left(&circuits), 48 * SECOND), "{outcome:?} {:?}", left(&circuits));
    }
}

#[tokio::test(start_paused = true)]
async fn what_it_asks_of_a_trial_holds_for_all() {
    let fleet = InStep::new();
    let circuits = three(&fleet, Policy::default()).await;
    fail_times(&circuits[1], 5).await;
    until_all(&circuits, State::Open).await;
    sleep(RESET).await;
    let trial = circuits[0].acquire(None).await.unwrap();
    trial.settle(Verdict::from(Outcome::Failure).retry_after(60 * SECOND));
    sleep(20 * MILLI).await;
    assert!(is_about(left(&circuits), 60 * SECOND), "{:?}", left(&circuits));
    assert_eq!(fleet.stored().await.generation, 3);
    sleep(30 * SECOND).await;
    assert!(is_about(left(&circuits), 30 * SECOND), "{:?}", left(&circuits));
}

#[tokio::test(start_paused = true)]
async fn what_it_asks_after_the_trip_holds_for_all() {
    let fleet = InStep::new();
    let circuits = three(&fleet, Policy::default()).await;
    fail_times(&circuits[1], 5).await;
    until_all(&circuits, State::Open).await;
    sleep(SECOND).await;
    // By a call of before.
    circuits[0].acquire(None).await.unwrap_err();
    circuits[0].hold_off(60 * SECOND);
    sleep(20 * MILLI).await;
    assert!(is_about(left(&circuits), 60 * SECOND), "{:?}", left(&circuits));
    assert_eq!(fleet.stored().await.generation, 1);
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_is_put_off_is_put_off_for_all() {
    let fleet = InStep::new();
    let circuits = three(&fleet, Policy::default()).await;
    fail_times(&circuits[1], 5).await;
    until_all(&circuits, State::Open).await;
    sleep(RESET).await;
    let trial = circuits[0].acquire(None).await.unwrap();
    trial.settle(Verdict::from(Outcome::Ignored).retry_after(30 * SECOND));
    sleep(20 * MILLI).await;
    for _ in 0..29 {
        for circuit in &circuits {
            rejected(circuit).await;
        }
        sleep(SECOND).await;
    }
    sleep(2 * SECOND).await;
    try_once(&circuits[1], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_with_each_call_costs_one_command_a_second() {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    let circuit = circuits.circuit("payments", Policy::default());
    sleep(100 * MILLI).await;
    for _ in 0..5_000 {
        busy(&circuit, Outcome::Ignored, 60);
        sleep(MILLI).await;
    }
    let reports = script.count(Verb::Report);
    assert!((4..=6).contains(&reports), "{reports} reports in five seconds");
    let report = &script.asked(Verb::Report)[0].what;
    assert!(report.contains("failures: 0,") && report.contains("held_off: 60s"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn telling_what_it_asks_for_says_nothing_of_failures_that_were_not_told() {
    let fleet = InStep::new();
    let circuits = three(&fleet, Policy::default()).await;
    fail_times(&circuits[0], 2).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 2);
    // When they are too old to be told again.
    sleep(3 * SECOND).await;
    busy(&circuits[0], Outcome::Ignored, 60);
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 2);
    fail_times(&circuits[0], 1).await;
    sleep(SECOND).await;
    assert_eq!(fleet.stored().await.failures, 3);
}

#[tokio::test(start_paused = true)]
async fn the_ramp_is_the_same_in_all_and_a_failure_in_it_is_one_more_that_failed() {
    let fleet = InStep::new();
    let policy = Policy::builder().ramp(100 * SECOND).reset_backoff(2.0).build().unwrap();
    let circuits = three(&fleet, policy).await;
    fail_times(&circuits[0], 5).await;
    until_all(&circuits, State::Open).await;
    sleep(RESET).await;
    try_once(&circuits[1], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
    sleep(50 * SECOND).await;
    let late = fleet.join().await.circuit("payments", circuits[0].policy());
    until("it has learnt of it", || late.snapshot().generation > 0).await;
    for circuit in circuits.iter().chain([&late]) {
        let ramp = circuit.snapshot().ramp.unwrap();
        assert_eq!(ramp.time, 100 * SECOND);
        assert!(is_about(ramp.left, 50 * SECOND), "{ramp:?}");
        let calls = (0..100).map(|_| circuit.try_permit());
        let passed = calls.filter(|call| match call {
            Ok(_) => true,
            Err(rejected) => {
                assert_eq!(rejected.reason(), Reason::Recovering);
                false
            }
        });
        let passed = passed.count();
        assert!((45..=65).contains(&passed), "{passed} of 100");
    }
    let mut failed = 0;
    while failed < 5 {
        if let Ok(permit) = circuits[2].try_permit() {
            permit.failure();
            failed += 1;
        }
    }
    until_all(&circuits, State::Open).await;
    sleep(10 * MILLI).await;
    assert!(is_about(left(&circuits), 2 * RESET), "{:?}", left(&circuits));
    assert_eq!(circuits[0].snapshot().failed_trials, 1);
    sleep(2 * RESET).await;
    try_once(&circuits[0], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
    sleep(101 * SECOND).await;
    for circuit in &circuits {
        succeed(circuit).await;
        assert_eq!(circuit.snapshot().ramp, None);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_that_add_up_while_it_recovers_are_one_more_trial_that_failed() {
    let fleet = InStep::new();
    let policy = Policy::builder().ramp(600 * SECOND).reset_backoff(2.0).build().unwrap();
    let circuits = three(&fleet, policy).await;
    fail_times(&circuits[0], 5).await;
    until_all(&circuits, State::Open).await;
    sleep(RESET).await;
    try_once(&circuits[0], Outcome::Success).await;
    until_all(&circuits, State::Closed).await;
    sleep(300 * SECOND).await;
    for (circuit, failures) in circuits.iter().zip([2, 2, 1]) {
        let mut failed = 0;
        while failed < failures {
            if let Ok(permit) = circuit.try_permit() {
                permit.failure();
                failed += 1;
            }
        }
    }
    until_all(&circuits, State::Open).await;
    sleep(10 * MILLI).await;
    assert!(is_about(left(&circuits), 2 * RESET), "{:?}", left(&circuits));
}
