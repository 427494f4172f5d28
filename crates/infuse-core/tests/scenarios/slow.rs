//! Slow calls.

use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use infuse_core::{Breaker, CallError, Counts, ManualClock, Outcome, PolicyBuilder, State, Window};

use crate::support::*;

/// Half of ten calls, of a second or more.
fn slow() -> PolicyBuilder {
    let window = Window::Calls(10);
    defaults().slow_call_rate(0.5).slow_call_duration(SECOND).window(window)
}

/// A call that takes so long.
fn take(breaker: &Breaker, clock: &ManualClock, time: Duration) -> Result<(), CallError<Broken>> {
    breaker.call_sync(|| {
        clock.advance(time);
        Ok(())
    })
}

fn window(breaker: &Breaker) -> Counts {
    breaker.snapshot().window.unwrap().counts
}

const ALMOST: Duration = Duration::from_micros(999_999);

#[test]
fn a_call_is_slow_from_the_duration_on() {
    let (breaker, clock) = breaker(slow());
    take(&breaker, &clock, ALMOST).unwrap();
    assert_eq!(window(&breaker), Counts { calls: 1, failures: 0, slow: 0 });
    take(&breaker, &clock, SECOND).unwrap();
    assert_eq!(window(&breaker), Counts { calls: 2, failures: 0, slow: 1 });
    // A permit and a future, from when they were let through to their outcome.
    let permit = breaker.try_permit().unwrap();
    clock.advance(SECOND);
    permit.failure();
    assert_eq!(window(&breaker), Counts { calls: 3, failures: 1, slow: 2 }, "both");
    let mut polls = 0;
    let future = poll_fn(move |_| {
        polls += 1;
        if polls == 1 { Poll::Pending } else { Poll::Ready(Ok::<_, Broken>(())) }
    });
    let mut future = pin!(breaker.call(|| future));
    let mut cx = Context::from_waker(Waker::noop());
    clock.advance(SECOND);
    assert!(future.as_mut().poll(&mut cx).is_pending(), "asked to pass at its first poll");
    clock.advance(ALMOST);
    assert!(future.as_mut().poll(&mut cx).is_ready());
    assert_eq!(window(&breaker), Counts { calls: 4, failures: 1, slow: 2 });
    let owned = std::sync::Arc::clone(&breaker).try_permit_owned().unwrap();
    clock.advance(SECOND);
    owned.success();
    assert_eq!(window(&breaker), Counts { calls: 5, failures: 1, slow: 3 });
}

#[test]
fn a_call_that_begins_late_is_timed_from_then_on() {
    let (breaker, clock) = breaker(slow().abandoned_after(SECOND));
    let mut permit = breaker.try_permit().unwrap();
    clock.advance(5 * SECOND);
    permit.begin_call();
    clock.advance(ALMOST);
    permit.success();
    assert_eq!(window(&breaker), Counts { calls: 1, failures: 0, slow: 0 });
    let mut permit = breaker.try_permit().unwrap();
    clock.advance(5 * SECOND);
    permit.begin_call();
    clock.advance(ALMOST);
    drop(permit);
    assert_eq!(window(&breaker), Counts { calls: 1, failures: 0, slow: 0 }, "nor abandoned");
    let mut permit = breaker.try_permit().unwrap();
    permit.begin_call();
    clock.advance(SECOND);
    permit.success();
    assert_eq!(window(&breaker), Counts { calls: 2, failures: 0, slow: 1 });

    // A trial too, which would fail if it were slow. Its lease is not the longer for it.
    breaker.half_open();
    let mut trial = breaker.try_permit().unwrap();
    clock.advance(5 * SECOND);
    trial.begin_call();
    trial.success();
    assert_eq!(breaker.state(), State::Closed);
    breaker.half_open();
    let mut trial = breaker.try_permit().unwrap();
    clock.advance(RESET - SECOND / 2);
    trial.begin_call();
    clock.advance(SECOND / 2);
    trial.success();
    assert_eq!(breaker.state(), State::HalfOpen, "its lease was over");

    // One that nobody times is not from now on either.
    let (plain, _clock) = build(three(), |builder| builder);
    let mut permit = plain.try_permit().unwrap();
    permit.begin_call();
    permit.success();
}

#[test]
fn enough_slow_calls_open_though_each_succeeds() {
    let heard = Recorder::default();
    let (breaker, clock) = build(slow(), |builder| builder.listener(heard.clone()));
    for nth in 0..9 {
        take(&breaker, &clock, if nth < 5 { ALMOST } else { SECOND }).unwrap();
    }
    assert_eq!(breaker.state(), State::Closed);
    heard.take();
    assert_eq!(take(&breaker, &clock, SECOND), Ok(()), "its caller gets what it asked for");
    assert_eq!(counts(&breaker), (State::Open, 0, 0));
    assert_eq!(heard.take(), ["before_call", "success 0", "closed > open slow-call-rate"]);
    assert_eq!(rejected(&breaker).retry_after(), RESET);
}

#[test]
fn a_slow_success_ends_a_run_of_failures() {
    let (breaker, clock) = breaker(slow());
    fail(&breaker);
    fail(&breaker);
    take(&breaker, &clock, SECOND).unwrap();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn a_value_that_trips_by_being_slow_is_handed_on_even_with_error_on_trip() {
    let (breaker, clock) = breaker(slow().error_on_trip(true).window(Window::Calls(1)));
    assert_eq!(take(&breaker, &clock, SECOND), Ok(()));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_slow_trial_opens_again() {
    let heard = Recorder::default();
    let (breaker, clock) = build(slow(), |builder| builder.listener(heard.clone()));
    breaker.open();
    clock.advance(RESET);
    heard.take();
    assert_eq!(take(&breaker, &clock, SECOND), Ok(()));
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
    assert_eq!(breaker.snapshot().failed_trials, 1);
    assert_eq!(
        heard.take(),
        [
            "open > half-open trial-started",
            "before_call",
            "failure 1 no error",
            "half-open > open trial-failed"
        ]
    );
    clock.advance(RESET);
    take(&breaker, &clock, ALMOST).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_slow_trial_under_a_shared_lease_is_told_as_a_failure() {
    let heard = Recorder::default();
    let replica = std::sync::Arc::new(heard.clone());
    let (breaker, clock) = build(slow(), |builder| builder.replica(replica));
    breaker.open();
    clock.advance(RESET);
    let epoch = breaker.snapshot().epoch;
    let trial = breaker.begin_shared_trial(&*breaker, 42, 5 * SECOND, epoch).unwrap();
    clock.advance(SECOND);
    heard.take();
    trial.settle(Outcome::Success);
    assert_eq!(heard.take(), ["trial 42 Failure 15s", "half-open > open trial-failed"]);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn without_a_rate_no_trial_is_slow() {
    let (breaker, clock) = breaker(defaults());
    breaker.open();
    clock.advance(RESET);
    take(&breaker, &clock, 10 * SECOND).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_call_that_was_let_through_untimed_is_not_slow() {
    let (breaker, clock) = breaker(defaults());
    let early = breaker.try_permit().unwrap();
    clock.advance(10 * SECOND);
    breaker.set_policy(slow().build().unwrap());
    early.success();
    assert_eq!(window(&breaker), Counts { calls: 1, failures: 0, slow: 0 });
}
