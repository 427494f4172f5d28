//! Rates over the calls of all processes.

use std::{sync::Arc, time::Duration};

use infuse_storage::{Cause, Circuit, Counts, Outcome, Policy, Reach, Standing, State, Window};
use tokio::time::sleep;

use crate::support::{
    RESET, SECOND,
    events::{Heard, change},
    fail,
    in_step::InStep,
    ready,
    scripted::Verb,
    succeed, try_once, until, until_state,
};

const MILLI: Duration = Duration::from_millis(1);

/// By rates alone.
fn half_of(minimum: u32) -> Policy {
    let window = Window::Time(60 * SECOND);
    let policy = Policy::builder().no_max_failure().failure_rate(0.5).window(window);
    policy.minimum_calls(minimum).build().unwrap()
}

async fn many(fleet: &InStep, number: usize, policy: &Policy) -> Vec<Circuit> {
    let mut circuits = Vec::new();
    for _ in 0..number {
        circuits.push(fleet.join().await.circuit("payments", policy.clone()));
    }
    sleep(100 * MILLI).await;
    circuits
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_eight_processes_add_up() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 8, &half_of(20)).await;
    // Three calls of each, of which two fail: far too few for any of them alone.
    for circuit in &circuits {
        succeed(circuit).await;
        fail(circuit).await;
        fail(circuit).await;
        sleep(200 * MILLI).await;
    }
    for circuit in &circuits {
        until_state(circuit, State::Open).await;
        assert_eq!(circuit.snapshot().generation, 1);
    }
    assert_eq!(fleet.stored().await.cause, Cause::FailureRate);
}

#[tokio::test(start_paused = true)]
async fn too_small_a_share_does_not_open() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 8, &half_of(20)).await;
    for circuit in &circuits {
        succeed(circuit).await;
        succeed(circuit).await;
        fail(circuit).await;
    }
    sleep(3 * SECOND).await;
    let (one, seen) = (&circuits[0], Counts { calls: 24, failures: 8, slow: 0 });
    succeed(one).await;
    sleep(2 * SECOND).await;
    assert_eq!(fleet.stored().await.generation, 0);
    let window = one.snapshot().fleet_window.unwrap();
    assert_eq!(window.counts, Counts { calls: seen.calls + 1, ..seen });
    let rate = 8.0 / 25.0;
    assert_eq!(window.failure_rate, Some(Standing::Judged { rate, threshold: 0.5 }));
    let own = one.snapshot().window.unwrap();
    assert_eq!(own.counts, Counts { calls: 4, failures: 1, slow: 0 });
    assert_eq!(own.failure_rate, Some(Standing::NotJudged { calls: 4, minimum: 20 }));
}

#[tokio::test(start_paused = true)]
async fn slow_calls_add_up_too() {
    let fleet = InStep::new();
    let policy = Policy::builder()
        .slow_call_duration(SECOND)
        .slow_call_rate(0.5)
        .window(Window::Calls(20))
        .build()
        .unwrap();
    let circuits = many(&fleet, 8, &policy).await;
    for circuit in &circuits {
        for _ in 0..3 {
            // The last ones may find it open.
            let Ok(permit) = circuit.try_permit() else { break };
            sleep(SECOND).await;
            permit.success();
        }
        if circuit.state() == State::Open {
            break;
        }
    }
    for circuit in &circuits {
        until_state(circuit, State::Open).await;
    }
    assert_eq!(fleet.stored().await.cause, Cause::SlowCallRate);
}

#[tokio::test(start_paused = true)]
async fn calls_send_nothing_but_what_the_poll_carries() {
    let fleet = InStep::new();
    let (script, circuits) = fleet.scripted().await;
    let circuit = circuits.circuit("payments", half_of(1_000_000));
    sleep(100 * MILLI).await;
    let before = script.count_all();
    for _ in 0..10_000 {
        succeed(&circuit).await;
        sleep(MILLI).await;
    }
    let sent = script.count_all() - before;
    assert!((9..=12).contains(&sent), "{sent} commands in ten seconds");
    assert_eq!(script.count(Verb::Report), 0);
    // And what there is at the end is told by the next.
    sleep(2 * SECOND).await;
    assert_eq!(circuit.snapshot().fleet_window.unwrap().counts.calls, 10_000);
    // Then it rests.
    let before = script.count_all();
    sleep(30 * SECOND).await;
    assert!(script.count_all() - before <= 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_looks_opens_it_for_all_and_says_so() {
    let fleet = InStep::new();
    let heard = Heard::default();
    let builder = fleet.builder_on(Arc::new(fleet.memory.clone()));
    let other = ready(builder.listener(Arc::new(heard.clone()))).await;
    let other = other.circuit("payments", half_of(4));
    let one = fleet.join().await.circuit("payments", half_of(4));
    sleep(100 * MILLI).await;
    fail(&one).await;
    fail(&one).await;
    sleep(2 * SECOND).await;
    fail(&other).await;
    fail(&other).await;
    until_state(&one, State::Open).await;
    let expected = [change(State::Closed, State::Open, Cause::FailureRate, false)];
    until("it is heard of", || heard.changes() == expected).await;
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_one_process_opens_at_once() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2, &half_of(10)).await;
    for _ in 0..10 {
        circuits[0].try_permit().unwrap().failure();
    }
    assert_eq!(circuits[0].state(), State::Open);
    sleep(10 * MILLI).await;
    assert_eq!(circuits[1].state(), State::Open);
    assert_eq!(fleet.stored().await.cause, Cause::FailureRate);
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_before_a_change_is_no_matter_after_it() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 2, &half_of(10)).await;
    for _ in 0..8 {
        fail(&circuits[0]).await;
    }
    sleep(2 * SECOND).await;
    let _reach = circuits[0].close().await;
    sleep(10 * MILLI).await;
    assert_eq!(circuits[0].snapshot().fleet_window, None);
    fail(&circuits[1]).await;
    fail(&circuits[1]).await;
    sleep(2 * SECOND).await;
    assert_eq!(circuits[1].state(), State::Closed);
    assert_eq!(circuits[1].snapshot().fleet_window.unwrap().counts.calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_is_reached_while_it_recovers_is_one_more_trial_that_failed() {
    let fleet = InStep::new();
    let policy = half_of(4).to_builder().ramp(600 * SECOND).reset_backoff(2.0).build().unwrap();
    let circuits = many(&fleet, 2, &policy).await;
    assert_eq!(circuits[0].open().await, Reach::Fleet);
    sleep(RESET).await;
    try_once(&circuits[1], Outcome::Success).await;
    sleep(300 * SECOND).await;
    // Two failures of each, at once: neither opens it by itself.
    for circuit in &circuits {
        let mut failed = 0;
        while failed < 2 {
            if let Ok(permit) = circuit.try_permit() {
                permit.failure();
                failed += 1;
            }
        }
    }
    for circuit in &circuits {
        until_state(circuit, State::Open).await;
        let left = circuit.retry_after().unwrap();
        assert!(left > RESET && left <= 2 * RESET, "{left:?}");
        assert_eq!(circuit.snapshot().failed_trials, 1);
    }
}

/// A call, if it passes.
async fn call(circuit: &Circuit, outcome: Outcome) {
    if let Ok(permit) = circuit.acquire(None).await {
        permit.settle(outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn one_sick_process_flaps_nobody_for_long() {
    let fleet = InStep::new();
    let circuits = many(&fleet, 3, &half_of(20)).await;
    let (sick, well) = circuits.split_first().unwrap();
    let mut openings = 0;
    let mut was = State::Closed;
    // As many calls of the sick one as of all others, for ten minutes.
    for nth in 0..6000 {
        call(&well[nth % 2], Outcome::Success).await;
        call(sick, Outcome::Failure).await;
        sleep(100 * MILLI).await;
        let state = well[0].state();
        openings += usize::from(state == State::Open && was != State::Open);
        was = state;
    }
    // Not each reset timeout, of which there were forty; and when it is believed again, again.
    assert!((1..=12).contains(&openings), "{openings}");
}
