//! Half-open: how many calls are let through to try, and what ends it.

use std::{sync::Barrier, thread, time::Duration};

use infuse_core::{Admission, CallError, Outcome, State};

use crate::support::*;

#[test]
fn a_successful_trial_closes() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET - Duration::from_micros(1));
    assert_eq!(rejected(&breaker).retry_after(), Duration::from_micros(1));
    clock.advance(Duration::from_micros(1));
    assert_eq!(succeed(&breaker).unwrap(), 7);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn a_failed_trial_opens_again_and_counts() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    for failures in 4..=6 {
        clock.advance(RESET);
        assert_eq!(fail(&breaker), CallError::Inner(Broken));
        assert_eq!(counts(&breaker), (State::Open, failures, 0));
        assert_eq!(rejected(&breaker).retry_after(), RESET);
    }
}

#[test]
fn as_many_successes_one_after_another_as_the_threshold_close() {
    let (breaker, clock) = breaker(three().success_threshold(3));
    trip(&breaker);
    clock.advance(RESET);
    for successes in 1..=2 {
        succeed(&breaker).unwrap();
        assert_eq!(counts(&breaker), (State::HalfOpen, 3, successes));
    }
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 4, 0));
    clock.advance(RESET);
    for successes in 1..=2 {
        succeed(&breaker).unwrap();
        assert_eq!(counts(&breaker), (State::HalfOpen, 4, successes), "counted anew");
    }
    succeed(&breaker).unwrap();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn no_more_trials_than_allowed_are_in_flight() {
    for most in [1, 3] {
        let policy = three().half_open_max_calls(most).success_threshold(1000);
        let (breaker, clock) = breaker(policy);
        trip(&breaker);
        clock.advance(RESET);
        let mut trials: Vec<_> = (0..most).map(|_| breaker.try_permit().unwrap()).collect();
        assert!(trials.iter().all(infuse_core::Permit::is_trial));
        assert_eq!(rejected(&breaker).state(), State::HalfOpen);

        // Each way in which a trial ends without ending the period makes room for one, not two.
        for outcome in [Outcome::Success, Outcome::Ignored] {
            trials.pop().unwrap().settle(outcome);
            trials.push(breaker.try_permit().unwrap());
            rejected(&breaker);
        }
        drop(trials.pop());
        trials.push(breaker.try_permit().unwrap());
        rejected(&breaker);
        assert_eq!(breaker.snapshot().trials, most);
    }
}

#[test]
fn the_number_of_trials_changes_on_a_live_circuit() {
    let (breaker, clock) = breaker(three().half_open_max_calls(3).success_threshold(1000));
    trip(&breaker);
    clock.advance(RESET);
    let one = breaker.try_permit().unwrap();
    let fewer = breaker.policy().to_builder().half_open_max_calls(1).build().unwrap();
    breaker.set_policy(fewer);
    rejected(&breaker);
    let more = breaker.policy().to_builder().half_open_max_calls(2).build().unwrap();
    breaker.set_policy(more);
    let other = breaker.try_permit().unwrap();
    rejected(&breaker);
    drop((one, other));
}

#[test]
fn fewer_trials_wait_until_enough_of_the_old_ones_have_ended() {
    let (breaker, clock) = breaker(three().half_open_max_calls(3));
    let lease = breaker.policy().lease(None);
    trip(&breaker);
    clock.advance(RESET);
    let mut hanging = Vec::new();
    for _ in 0..3 {
        hanging.push(breaker.try_permit().unwrap());
        clock.advance(SECOND);
    }
    let fewer = breaker.policy().to_builder().half_open_max_calls(2).build().unwrap();
    breaker.set_policy(fewer);
    clock.advance(lease - 3 * SECOND);
    rejected(&breaker);
    clock.advance(SECOND);
    hanging.push(breaker.try_permit().unwrap());
    rejected(&breaker);
}

#[test]
fn a_hundred_callers_at_once_get_one_trial() {
    for most in [1, 3] {
        let (breaker, clock) = breaker(three().half_open_max_calls(most));
        trip(&breaker);
        clock.advance(RESET);
        let (start, end) = (Barrier::new(100), Barrier::new(100));
        let granted: usize = thread::scope(|scope| {
            let callers: Vec<_> = (0..100)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let permit = breaker.try_permit();
                        // Nobody gives a place back before everybody has asked.
                        end.wait();
                        permit.map_or(0, |permit| usize::from(permit.is_trial()))
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().unwrap()).sum()
        });
        assert_eq!(granted, most as usize);
    }
}

#[test]
fn a_hanging_trial_gives_way_when_its_lease_ends() {
    let (breaker, clock) = breaker(three());
    let lease = breaker.policy().lease(None);
    for late in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        breaker.reset();
        trip(&breaker);
        clock.advance(RESET);
        let hanging = breaker.try_permit().unwrap();
        clock.advance(lease - SECOND);
        rejected(&breaker);
        clock.advance(SECOND);
        let next = breaker.try_permit().unwrap();
        assert!(next.is_trial());
        rejected(&breaker);
        hanging.settle(late);
        assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0), "{late:?} came too late");
        rejected(&breaker);
        next.success();
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn an_outcome_after_the_lease_is_dropped_even_if_nobody_took_the_place() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    for late in [Outcome::Success, Outcome::Failure] {
        clock.advance(RESET);
        let hanging = breaker.try_permit().unwrap();
        clock.advance(breaker.policy().lease(None));
        hanging.settle(late);
        assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0), "{late:?} came too late");
        let next = breaker.try_permit().unwrap();
        assert!(next.is_trial());
    }
}

#[test]
fn a_lease_goes_by_the_timeout_of_the_call() {
    let (breaker, clock) = breaker(three().call_timeout(Some(5 * SECOND)));
    trip(&breaker);
    clock.advance(RESET);
    let Admission::TrialDue = breaker.admit() else { panic!("no trial was due") };
    let hanging = breaker.begin_trial(&*breaker, Some(2 * SECOND)).unwrap();
    clock.advance(3 * SECOND - Duration::from_micros(1));
    rejected(&breaker);
    clock.advance(Duration::from_micros(1));
    let next = breaker.try_permit().unwrap();
    drop((hanging, next));
}

#[test]
fn a_thousand_ignored_trials_do_not_wedge() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    for round in 0..1000 {
        let trial = breaker.try_permit().unwrap();
        assert!(trial.is_trial());
        rejected(&breaker);
        if round % 2 == 0 { drop(trial) } else { trial.settle(Outcome::Ignored) }
    }
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_thousand_trials_that_never_end_do_not_wedge() {
    let (breaker, clock) = breaker(three().half_open_max_calls(3));
    trip(&breaker);
    clock.advance(RESET);
    let mut hanging = Vec::new();
    for _ in 0..1000 {
        hanging.extend([(); 3].map(|()| breaker.try_permit().unwrap()));
        rejected(&breaker);
        clock.advance(RESET);
    }
    assert_eq!(breaker.snapshot().trials, 0);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
    drop(hanging);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn a_result_from_before_a_change_changes_nothing() {
    let (breaker, clock) = breaker(three());
    for late in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        breaker.reset();
        let mut permits: Vec<_> = (0..5).map(|_| breaker.try_permit().unwrap()).collect();
        let mut settle_one = |what: &str| {
            let before = breaker.snapshot();
            permits.pop().unwrap().settle(late);
            assert_eq!(breaker.snapshot(), before, "{late:?} {what}");
        };
        trip(&breaker);
        settle_one("while open");
        clock.advance(RESET);
        let trial = breaker.try_permit().unwrap();
        settle_one("while half-open");
        rejected(&breaker);
        trial.failure();
        settle_one("while open again");
        clock.advance(RESET);
        succeed(&breaker).unwrap();
        fail(&breaker);
        settle_one("after it closed");
        breaker.close();
        fail(&breaker);
        settle_one("after it was closed by hand");
    }
}

#[test]
fn a_trial_from_before_a_manual_change_changes_nothing() {
    let (breaker, clock) = breaker(three());
    for late in [Outcome::Success, Outcome::Failure, Outcome::Ignored] {
        for put in [State::Closed, State::Open, State::HalfOpen] {
            breaker.reset();
            trip(&breaker);
            clock.advance(RESET);
            let trial = breaker.try_permit().unwrap();
            breaker.put(put, infuse_core::Cause::Manual);
            let before = breaker.snapshot();
            trial.settle(late);
            assert_eq!(breaker.snapshot(), before, "{late:?} after {put}");
        }
    }
}

#[test]
fn the_other_trials_of_a_period_that_is_over_change_nothing() {
    let (breaker, clock) = breaker(three().half_open_max_calls(3));
    for first in [Outcome::Success, Outcome::Failure] {
        breaker.reset();
        trip(&breaker);
        clock.advance(RESET);
        let [one, two, three] = [(); 3].map(|()| breaker.try_permit().unwrap());
        one.settle(first);
        let after = breaker.snapshot();
        assert_ne!(after.state, State::HalfOpen);
        two.success();
        three.failure();
        assert_eq!(breaker.snapshot(), after);
    }
}
