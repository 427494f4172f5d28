//! Failures of our own side of the wire.

use std::sync::Arc;

use infuse_core::{Breaker, ManualClock, Outcome, PolicyBuilder, State, Verdict, Window};

use crate::support::*;

fn shared(policy: PolicyBuilder) -> (Recorder, Arc<Breaker>, ManualClock) {
    let told = Recorder::default();
    let (breaker, clock) = build(policy, |builder| builder.replica(Arc::new(told.clone())));
    (told, breaker, clock)
}

fn split() -> PolicyBuilder {
    three().split_local_origin(true)
}

fn fail_locally(breaker: &Breaker) {
    breaker.try_permit().unwrap().settle(Verdict::local_failure());
}

#[test]
fn a_local_failure_counts_here_and_is_told_as_such() {
    let (told, breaker, _) = shared(split());
    fail(&breaker);
    fail_locally(&breaker);
    assert_eq!(told.take(), ["counted 1", "counted 2 local"]);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open, "for this process alone");
    assert_eq!(told.take(), ["tripped failures 15s local", "closed > open failures"]);
}

#[test]
fn a_success_ends_the_run_of_which_it_was_a_part() {
    let (told, breaker, _) = shared(split());
    fail_locally(&breaker);
    succeed(&breaker).unwrap();
    for _ in 0..3 {
        fail(&breaker);
    }
    let trip = "tripped failures 15s";
    assert_eq!(told.take()[..5], ["counted 1 local", "counted 0", "counted 1", "counted 2", trip]);
}

#[test]
fn every_change_of_the_circuit_to_closed_ends_it_too() {
    let (told, breaker, clock) = shared(split());
    for _ in 0..3 {
        fail_locally(&breaker);
    }
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    told.take();
    trip(&breaker);
    assert_eq!(told.take()[2], "tripped failures 15s");
}

#[test]
fn unless_the_policy_tells_them_apart_it_is_a_failure_as_any() {
    let (told, breaker, clock) = shared(three());
    for _ in 0..3 {
        fail_locally(&breaker);
    }
    assert_eq!(told.take()[..3], ["counted 1", "counted 2", "tripped failures 15s"]);
    clock.advance(RESET);
    fail_locally(&breaker);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(told.take()[1], "tripped trial-failed 15s");
}

#[test]
fn a_trial_that_never_reached_the_service_says_nothing() {
    let (told, breaker, clock) = shared(split());
    trip(&breaker);
    clock.advance(RESET);
    let epoch = breaker.snapshot().epoch;
    let trial = breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).unwrap();
    told.take();
    trial.settle(Verdict::local_failure());
    assert_eq!(told.take(), ["trial 42 Ignored 0ns"]);
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    fail_locally(&breaker);
    assert_eq!(breaker.state(), State::HalfOpen, "its place is given back");
    assert!(told.take().is_empty());
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_trial_that_fails_after_a_local_run_is_the_service_s() {
    let (told, breaker, clock) = shared(split());
    for _ in 0..3 {
        fail_locally(&breaker);
    }
    clock.advance(RESET);
    told.take();
    fail(&breaker);
    assert_eq!(told.take()[1], "tripped trial-failed 15s");
}

#[test]
fn a_guarded_call_can_say_whose_failure_it_is() {
    let (told, breaker, _) = shared(split());
    let _ = breaker.call_sync_with(|| Err::<(), _>("no such name"), |_| Verdict::local_failure());
    assert_eq!(told.take(), ["counted 1 local"]);
    let busy = |_: &Result<(), &str>| Verdict::from(Outcome::Ignored).retry_after(SECOND);
    let _ = breaker.call_sync_with(|| Err("429"), busy);
    assert_eq!(told.take(), ["held off 1s"]);
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn in_a_window_it_counts_here_and_is_not_handed_out() {
    for window in [Window::Calls(4), Window::Time(10 * SECOND)] {
        let rate = split().no_max_failure().failure_rate(0.75).window(window).minimum_calls(4);
        let (told, breaker, _) = shared(rate);
        succeed(&breaker).unwrap();
        fail_locally(&breaker);
        fail(&breaker);
        let counts = breaker.snapshot().window.unwrap().counts;
        assert_eq!((counts.calls, counts.failures), (3, 2));
        let deltas = breaker.take_deltas().counts;
        assert_eq!((deltas.calls, deltas.failures), (2, 1));
        told.take();
        fail(&breaker);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(told.take()[0], "tripped failure-rate 15s local");

        // Without one, it is the service's.
        breaker.close();
        told.take();
        (0..4).for_each(|_| _ = fail(&breaker));
        assert_eq!(told.take()[0], "tripped failure-rate 15s");
    }
}

#[test]
fn one_of_our_own_beside_many_of_the_service_keeps_nothing_from_others() {
    for window in [Window::Calls(20), Window::Time(10 * SECOND)] {
        let rate = split().no_max_failure().failure_rate(0.5).window(window).minimum_calls(10);
        let (told, breaker, _) = shared(rate);
        for (own, trip) in [(1, "tripped failure-rate 15s"), (6, "tripped failure-rate 15s local")]
        {
            told.take();
            (0..own).for_each(|_| fail_locally(&breaker));
            (0..4).for_each(|_| _ = succeed(&breaker));
            while breaker.state() == State::Closed {
                let _ = fail(&breaker);
            }
            assert!(told.take().iter().any(|it| it == trip), "{window:?} {own}");
            breaker.close();
        }
    }
}
