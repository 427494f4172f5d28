//! Failures and successes, and what opens the circuit.

use infuse_core::{CallError, Outcome, Policy, State};

use crate::support::*;

#[test]
fn successes_pass_the_result_on_and_count_nothing() {
    let (breaker, _) = breaker(defaults());
    for _ in 0..10 {
        assert_eq!(succeed(&breaker).unwrap(), 7);
        assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    }
}

#[test]
fn each_failure_counts_until_the_last_opens() {
    let (breaker, _) = breaker(defaults());
    for failures in 1..=4 {
        assert_eq!(fail(&breaker), CallError::Inner(Broken));
        assert_eq!(counts(&breaker), (State::Closed, failures, 0));
    }
    // The call that trips still gets its own error.
    assert_eq!(fail(&breaker), CallError::Inner(Broken));
    assert_eq!(counts(&breaker), (State::Open, 5, 0));
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    assert_eq!(counts(&breaker), (State::Open, 5, 0), "rejections count nothing");
}

#[test]
fn a_success_begins_the_count_anew() {
    let (breaker, _) = breaker(three());
    for _ in 0..10 {
        fail(&breaker);
        fail(&breaker);
        assert_eq!(breaker.fail_counter(), 2);
        succeed(&breaker).unwrap();
        assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    }
}

#[test]
fn one_failure_is_enough_when_it_is_told_so() {
    let (breaker, _) = breaker(Policy::builder().max_failure(1));
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
}

#[test]
fn the_largest_threshold_still_opens() {
    let (breaker, _) = breaker(Policy::builder().max_failure(65_535));
    for _ in 0..65_534 {
        fail(&breaker);
    }
    assert_eq!(counts(&breaker), (State::Closed, 65_534, 0));
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 65_535, 0));
}

#[test]
fn error_on_trip_tells_the_caller_of_the_tripping_call() {
    let (breaker, clock) = breaker(three().error_on_trip(true));
    assert_eq!(fail(&breaker), CallError::Inner(Broken));
    assert_eq!(fail(&breaker), CallError::Inner(Broken));
    let CallError::Opened { rejected, error } = fail(&breaker) else { panic!("not told") };
    assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, RESET));
    assert_eq!(error, Broken);

    clock.advance(RESET);
    assert!(matches!(fail(&breaker), CallError::Opened { .. }), "a failed trial opens as well");
}

#[test]
fn thresholds_change_on_a_live_circuit_and_its_state_stays() {
    let (breaker, clock) = breaker(defaults());
    for _ in 0..4 {
        fail(&breaker);
    }
    let lower = breaker.policy().to_builder().max_failure(2).build().unwrap();
    breaker.set_policy(lower);
    assert_eq!(counts(&breaker), (State::Closed, 4, 0), "a policy judges nothing by itself");
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 5, 0));

    // An opening keeps the time that it was given.
    let longer = breaker.policy().to_builder().reset_timeout(10 * RESET).build().unwrap();
    breaker.set_policy(longer);
    assert_eq!(breaker.retry_after(), Some(RESET));
    clock.advance(RESET);
    fail(&breaker);
    assert_eq!(breaker.retry_after(), Some(10 * RESET), "the next one has the new time");

    breaker.close();
    let higher = breaker.policy().to_builder().max_failure(7).build().unwrap();
    breaker.set_policy(higher);
    for _ in 0..6 {
        fail(&breaker);
    }
    assert_eq!(counts(&breaker), (State::Closed, 6, 0));
}

#[test]
fn two_steps_count_as_a_call_does() {
    let (breaker, _) = breaker(three());
    for failures in 1..=2 {
        breaker.try_permit().unwrap().settle(Outcome::Failure);
        assert_eq!(breaker.fail_counter(), failures);
    }
    breaker.try_permit().unwrap().settle(Outcome::Ignored);
    drop(breaker.try_permit().unwrap());
    assert_eq!(breaker.fail_counter(), 2, "ignored and dropped calls change no count");
    breaker.try_permit_owned().unwrap().settle(Outcome::Success);
    assert_eq!(breaker.fail_counter(), 0);
    for _ in 0..3 {
        breaker.try_permit_owned().unwrap().failure();
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn results_without_an_error_type_are_judged_by_value() {
    // Neither of these implements `Error`, as `anyhow::Error` does not.
    struct Opaque(&'static str);
    let (breaker, _) = breaker(three().error_on_trip(true));
    let judge = |result: &Result<u16, Opaque>| match result {
        Ok(200..500) => Outcome::Success,
        Ok(_) => Outcome::Failure,
        Err(opaque) if opaque.0 == "busy" => Outcome::Ignored,
        Err(_) => Outcome::Failure,
    };
    let call = |result: Result<u16, Opaque>| breaker.call_sync_with(|| result, judge);

    assert!(matches!(call(Ok(503)), Ok(503)), "a failure that is a value is handed on as one");
    assert_eq!(breaker.fail_counter(), 1);
    assert!(matches!(call(Err(Opaque("busy"))), Err(CallError::Inner(Opaque("busy")))));
    assert_eq!(breaker.fail_counter(), 1);
    assert!(call(Ok(404)).is_ok());
    assert_eq!(breaker.fail_counter(), 0);
    assert!(call(Ok(500)).is_ok());
    assert!(call(Err(Opaque("down"))).is_err());
    assert!(matches!(call(Err(Opaque("down"))), Err(CallError::Opened { .. })));
    assert_eq!(breaker.state(), State::Open);

    breaker.close();
    let boxed: Result<(), Box<dyn std::error::Error>> = Err("no".into());
    let by_error = |result: &Result<(), _>| match result {
        Ok(()) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    assert!(breaker.call_sync_with(|| boxed, by_error).is_err());
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn a_value_that_trips_is_handed_on_even_with_error_on_trip() {
    let (breaker, _) = breaker(defaults().max_failure(1).error_on_trip(true));
    let result = breaker.call_sync_with(|| Ok::<_, Broken>(503), |_| Outcome::Failure);
    assert_eq!(result, Ok(503));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn successes_copy_the_tick() {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    let ticks = Arc::new(AtomicU32::new(3));
    let (breaker, _) = build(three(), |builder| builder.ticks(Arc::clone(&ticks)));
    assert_eq!(breaker.last_success_tick(), 0);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.last_success_tick(), 3);
    ticks.store(9, Ordering::Relaxed);
    fail(&breaker);
    assert_eq!(breaker.last_success_tick(), 3, "a failure is no sign of life");
    succeed(&breaker).unwrap();
    assert_eq!(breaker.last_success_tick(), 9);
}
