//! Calls whose callers went away.

use std::{future::pending, sync::Arc, time::Duration};

use infuse_core::{Outcome, PolicyBuilder, State, Verdict, Window};

use crate::support::*;

const LONG: Duration = Duration::from_secs(2);

fn policy() -> PolicyBuilder {
    three().abandoned_after(LONG)
}

#[test]
fn a_call_that_was_dropped_after_so_long_is_a_failure() {
    let heard = Recorder::default();
    let (breaker, clock) = build(policy(), |builder| builder.listener(heard.clone()));
    let permit = breaker.try_permit().unwrap();
    clock.advance(LONG - Duration::from_micros(1));
    drop(permit);
    assert_eq!(breaker.fail_counter(), 0);
    assert_eq!(heard.take(), ["before_call", "ignored"]);

    for failures in 1..=3 {
        let permit = breaker.try_permit_owned().unwrap();
        clock.advance(LONG);
        drop(permit);
        assert_eq!(breaker.fail_counter(), failures);
    }
    assert_eq!(breaker.state(), State::Open);
    let end = ["before_call", "failure 3 no error", "closed > open failures"];
    assert_eq!(heard.take()[4..], end);
}

#[test]
fn a_future_that_was_dropped_after_so_long_is_a_failure() {
    let (breaker, clock) = breaker(policy());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let mut hangs = Box::pin(breaker.call(pending::<Result<(), Broken>>));
    clock.advance(LONG);
    assert!(hangs.as_mut().poll(&mut context).is_pending());
    drop(hangs);
    assert_eq!(breaker.fail_counter(), 0, "its time begins with the first poll");

    let mut hangs = Box::pin(breaker.call(pending::<Result<(), Broken>>));
    assert!(hangs.as_mut().poll(&mut context).is_pending());
    clock.advance(LONG);
    drop(hangs);
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn by_default_none_is() {
    let (breaker, clock) = breaker(three());
    let permit = breaker.try_permit().unwrap();
    clock.advance(100 * LONG);
    drop(permit);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    assert!(breaker.quiet_permit().is_some(), "and nobody reads a clock for it");
}

#[test]
fn what_is_said_of_a_call_holds_however_long_it_took() {
    let (breaker, clock) = breaker(policy());
    let permits = [(); 3].map(|()| breaker.try_permit().unwrap());
    clock.advance(LONG);
    let [ignored, success, sent_away] = permits;
    ignored.settle(Outcome::Ignored);
    success.success();
    sent_away.settle(Verdict::from(Outcome::Ignored).retry_after(SECOND));
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn an_abandoned_trial_has_failed() {
    let (breaker, clock) = breaker(policy());
    trip(&breaker);
    clock.advance(RESET);
    let quick = breaker.try_permit().unwrap();
    clock.advance(LONG / 2);
    drop(quick);
    assert_eq!(breaker.state(), State::HalfOpen, "it says nothing");
    let long = breaker.try_permit().unwrap();
    clock.advance(LONG);
    drop(long);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().failed_trials, 1);

    // Past its lease it says nothing any more.
    clock.advance(RESET);
    let hangs = breaker.try_permit().unwrap();
    clock.advance(100 * RESET);
    drop(hangs);
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[test]
fn an_abandoned_trial_under_a_lease_is_told() {
    let told = Recorder::default();
    let (breaker, clock) = build(policy(), |builder| builder.replica(Arc::new(told.clone())));
    trip(&breaker);
    clock.advance(RESET);
    let epoch = breaker.snapshot().epoch;
    let trial = breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).unwrap();
    told.take();
    clock.advance(LONG);
    drop(trial);
    assert_eq!(told.take(), ["trial 42 Failure 15s", "half-open > open trial-failed"]);
}

#[test]
fn an_abandoned_call_of_another_epoch_is_nothing() {
    let (breaker, clock) = breaker(policy());
    let stale = breaker.try_permit().unwrap();
    breaker.close();
    clock.advance(LONG);
    drop(stale);
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn it_goes_into_the_window_too() {
    let rates = policy().failure_rate(0.5).window(Window::Calls(10));
    let (breaker, clock) = breaker(rates.slow_call_rate(0.9).slow_call_duration(SECOND));
    let permit = breaker.try_permit().unwrap();
    clock.advance(LONG);
    drop(permit);
    let counts = breaker.snapshot().window.unwrap().counts;
    assert_eq!((counts.calls, counts.failures, counts.slow), (1, 1, 1));
}

#[test]
fn it_can_be_set_on_a_live_circuit() {
    let (breaker, clock) = breaker(three());
    let before = breaker.try_permit().unwrap();
    breaker.set_policy(breaker.policy().to_builder().abandoned_after(LONG).build().unwrap());
    let after = breaker.try_permit().unwrap();
    clock.advance(LONG);
    drop(before);
    assert_eq!(breaker.fail_counter(), 0, "nobody knows how long it took");
    drop(after);
    assert_eq!(breaker.fail_counter(), 1);
    let late = breaker.try_permit().unwrap();
    breaker.set_policy(breaker.policy().to_builder().abandoned_after(None).build().unwrap());
    clock.advance(LONG);
    drop(late);
    assert_eq!(breaker.fail_counter(), 1);
    breaker.try_permit().unwrap().success();
    assert!(breaker.quiet_permit().is_some());
}

#[test]
fn where_calls_are_timed_for_their_slowness_none_is_abandoned() {
    let rates = three().slow_call_rate(0.9).slow_call_duration(SECOND);
    let (breaker, clock) = breaker(rates);
    let permit = breaker.try_permit().unwrap();
    clock.advance(100 * LONG);
    drop(permit);
    assert_eq!(breaker.fail_counter(), 0);
    assert_eq!(breaker.snapshot().window.unwrap().counts.calls, 0);
}
