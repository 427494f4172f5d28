//! A circuit that recovers step by step.

use std::{sync::Arc, time::Duration};

use infuse_core::{
    Admission, Breaker, ManualClock, Mode, PolicyBuilder, Ramp, Reason, Shared, State, Window,
};

use crate::support::*;

const RAMP: Duration = Duration::from_secs(30);

fn ramped() -> PolicyBuilder {
    three().ramp(RAMP)
}

/// Closed by a trial this very moment.
fn recovering(policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock) {
    let (breaker, clock) = breaker(policy);
    trip(&breaker);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
    (breaker, clock)
}

/// How many of a hundred calls pass.
fn passed(breaker: &Breaker) -> usize {
    (0..100).filter(|_| succeed(breaker).is_ok()).count()
}

fn ramp(breaker: &Breaker) -> Option<Ramp> {
    breaker.snapshot().ramp
}

/// Asks until a call is let through.
fn permit(breaker: &Breaker) -> infuse_core::Permit<&Breaker> {
    (0..100).find_map(|_| breaker.try_permit().ok()).expect("one of a hundred passes")
}

#[test]
fn the_share_that_passes_grows_evenly_from_a_tenth_to_all() {
    let (breaker, clock) = recovering(ramped());
    for tenths in 0..10 {
        let (share, passed) = (10 + 9 * tenths, passed(&breaker));
        assert!(passed.abs_diff(share) <= 2, "{passed} of {share} after {tenths} tenths");
        clock.advance(RAMP / 10);
    }
    assert_eq!(passed(&breaker), 100);
    assert_eq!(ramp(&breaker), None);
}

#[test]
fn what_does_not_pass_is_told_why() {
    let heard = Recorder::default();
    let (breaker, clock) = build(ramped(), |builder| builder.listener(heard.clone()));
    trip(&breaker);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    heard.take();
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "success 0"], "the first passes");
    let rejection = rejected(&breaker);
    assert_eq!((rejection.reason(), rejection.state()), (Reason::Recovering, State::Closed));
    assert_eq!(rejection.retry_after(), Duration::ZERO);
    assert_eq!(heard.take(), ["rejected recovering 0ns"]);
    assert_eq!(breaker.retry_after(), None, "it is closed");
}

#[test]
fn every_way_to_call_has_its_share() {
    let (breaker, _) = recovering(ramped());
    let mut passed = 0;
    for _ in 0..50 {
        passed += usize::from(breaker.try_permit_owned().is_ok());
        passed += usize::from(matches!(breaker.admit(), Admission::Admitted(_)));
        passed += usize::from(matches!(breaker.admit_owned(), Admission::Admitted(_)));
        passed += usize::from(breaker.quiet_permit().is_some());
    }
    assert!(passed.abs_diff(15) <= 3, "{passed} of 150");
}

#[test]
fn a_snapshot_says_how_far_it_is() {
    let (breaker, clock) = recovering(ramped());
    assert_eq!(ramp(&breaker), Some(Ramp { time: RAMP, left: RAMP }));
    clock.advance(10 * SECOND);
    assert_eq!(ramp(&breaker), Some(Ramp { time: RAMP, left: 20 * SECOND }));
    clock.advance(20 * SECOND);
    assert_eq!(ramp(&breaker), None);
    // And it is as quiet as ever.
    assert!(breaker.quiet_permit().is_some());
}

#[test]
fn without_a_ramp_all_pass_at_once() {
    let (breaker, _) = recovering(three());
    assert!(breaker.quiet_permit().is_some());
    assert_eq!((passed(&breaker), ramp(&breaker)), (100, None));
}

#[test]
fn closed_by_hand_there_is_none_and_a_command_ends_one() {
    let (breaker, clock) = breaker(ramped());
    trip(&breaker);
    breaker.close();
    assert_eq!((passed(&breaker), ramp(&breaker)), (100, None));

    for put in [Breaker::close, Breaker::reset] {
        trip(&breaker);
        clock.advance(RESET);
        succeed(&breaker).unwrap();
        assert!(ramp(&breaker).is_some());
        put(&breaker);
        assert_eq!((passed(&breaker), ramp(&breaker)), (100, None));
    }
}

#[test]
fn all_rules_hold_meanwhile() {
    let (by_run, _) = recovering(ramped());
    for failures in 1..=2 {
        permit(&by_run).failure();
        assert_eq!(counts(&by_run), (State::Closed, failures, 0));
    }
    permit(&by_run).success();
    assert_eq!(by_run.fail_counter(), 0);
    for _ in 0..3 {
        permit(&by_run).failure();
    }
    assert_eq!(counts(&by_run), (State::Open, 3, 0));
    assert_eq!(ramp(&by_run), None);
    assert_eq!(rejected(&by_run).reason(), Reason::Open);

    // A rate does too.
    let rate = ramped().no_max_failure().failure_rate(0.5).window(Window::Calls(4));
    let (breaker, clock) = breaker(rate);
    breaker.open();
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    for nth in 0..4 {
        assert_eq!(breaker.state(), State::Closed);
        let permit = permit(&breaker);
        if nth < 2 { permit.success() } else { permit.failure() }
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn opening_meanwhile_counts_as_one_more_failed_trial() {
    let policy = || ramped().reset_backoff(2.0).max_reset_timeout(1000 * SECOND);
    let (breaker, clock) = recovering(policy());
    assert_eq!(breaker.snapshot().failed_trials, 0);
    for expected in [2, 4, 8] {
        clock.advance(RAMP - Duration::from_micros(1));
        for _ in 0..3 {
            permit(&breaker).failure();
        }
        let open_time = breaker.retry_after().unwrap();
        assert_eq!(open_time, expected * RESET, "a service that cannot bear all calls");
        clock.advance(open_time);
        succeed(&breaker).unwrap();
        assert_eq!(breaker.state(), State::Closed, "and is kept while it recovers");
    }
    assert_eq!(breaker.snapshot().failed_trials, 3);
    clock.advance(RAMP);
    assert_eq!(breaker.snapshot().failed_trials, 0, "forgotten when it has recovered");
    trip(&breaker);
    assert_eq!(breaker.retry_after(), Some(RESET));
}

#[test]
fn a_trip_that_finds_the_ramp_over_begins_anew() {
    // Nobody looked between the end of the ramp and the trip.
    let (breaker, clock) = recovering(ramped().max_failure(1).reset_backoff(2.0));
    let late = permit(&breaker);
    clock.advance(RAMP);
    late.failure();
    assert_eq!(breaker.retry_after(), Some(RESET));
    assert_eq!(breaker.snapshot().failed_trials, 0);
}

#[test]
fn each_ramp_is_a_whole_one() {
    let (breaker, clock) = recovering(ramped());
    clock.advance(RAMP / 2);
    for _ in 0..3 {
        permit(&breaker).failure();
    }
    clock.advance(2 * RESET);
    succeed(&breaker).unwrap();
    assert_eq!(ramp(&breaker), Some(Ramp { time: RAMP, left: RAMP }));
    assert!(succeed(&breaker).is_ok(), "the first passes again");
    assert!(passed(&breaker) < 15);
}

#[test]
fn a_policy_that_changes_leaves_a_ramp_as_it_began() {
    let (breaker, clock) = recovering(ramped());
    for other in [None, Some(RAMP * 2)] {
        breaker.set_policy(breaker.policy().to_builder().ramp(other).build().unwrap());
        assert_eq!(ramp(&breaker), Some(Ramp { time: RAMP, left: RAMP }));
    }
    clock.advance(RAMP);
    assert_eq!(passed(&breaker), 100);
}

#[test]
fn modes_go_above_it() {
    let heard = Recorder::default();
    let (breaker, clock) = build(ramped(), |builder| builder.listener(heard.clone()));
    trip(&breaker);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    succeed(&breaker).unwrap();
    heard.take();
    breaker.set_mode(Mode::Observe);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["would reject recovering 0ns"]);
    assert_eq!(passed(&breaker), 100);
    breaker.set_mode(Mode::Disabled);
    assert_eq!(passed(&breaker), 100);
    breaker.set_mode(Mode::Isolated);
    assert_eq!(passed(&breaker), 0);
    breaker.set_mode(Mode::Enabled);
    assert!(passed(&breaker) < 15, "it goes on");
    // Its time goes on in every mode, and both may end at once.
    breaker.set_override(Some(infuse_core::Override::new(Mode::Isolated).lasting(RAMP)));
    clock.advance(RAMP);
    assert!(succeed(&breaker).is_ok());
    assert_eq!((passed(&breaker), ramp(&breaker)), (100, None));
    breaker.remove_listener(breaker.add_listener(Recorder::default()));
}

#[test]
fn a_storage_says_how_far_the_fleet_is() {
    let (breaker, clock) = breaker(three().reset_backoff(2.0));
    trip(&breaker);
    let part = Ramp { time: RAMP, left: RAMP / 2 };
    breaker.adopt(Shared { ramp: part, failed_trials: 2, ..view(State::Closed) });
    assert_eq!((ramp(&breaker), breaker.snapshot().failed_trials), (Some(part), 2));
    let share = passed(&breaker);
    assert!(share.abs_diff(55) <= 2, "{share}: whatever the policy here says");

    // The same again with another time, and no new start.
    clock.advance(SECOND);
    let later = Ramp { left: RAMP / 3, ..part };
    breaker.adopt(Shared { ramp: later, failed_trials: 2, ..view(State::Closed) });
    assert_eq!(ramp(&breaker), Some(later));
    for _ in 0..3 {
        permit(&breaker).failure();
    }
    assert_eq!(breaker.retry_after(), Some(8 * RESET), "one more than the fleet's");

    breaker.adopt(Shared { ramp: part, failed_trials: 3, ..view(State::Closed) });
    breaker.adopt(view(State::Closed));
    assert_eq!((ramp(&breaker), breaker.snapshot().failed_trials), (None, 0), "it ends it too");
    assert!(breaker.quiet_permit().is_some());
    // And may begin one where there was none.
    breaker.adopt(Shared { ramp: part, ..view(State::Closed) });
    assert_eq!(ramp(&breaker), Some(part));
    assert!(breaker.quiet_permit().is_none());
    // What is left is never more than the whole.
    breaker.adopt(Shared { ramp: Ramp { time: SECOND, left: RAMP }, ..view(State::Closed) });
    assert_eq!(ramp(&breaker), Some(Ramp { time: SECOND, left: SECOND }));
    // Open, it has none.
    breaker.adopt(Shared { ramp: part, ..view(State::Open) });
    assert_eq!(ramp(&breaker), None);
}

#[test]
fn a_trial_that_counts_here_for_want_of_a_storage_begins_one() {
    let told = Recorder::default();
    let (breaker, clock) = build(ramped(), |builder| builder.replica(Arc::new(told)));
    trip(&breaker);
    clock.advance(RESET);
    let epoch = breaker.snapshot().epoch;
    breaker.begin_shared_trial(&*breaker, 1, 6 * SECOND, epoch).unwrap().success();
    breaker.count_trial_success();
    assert_eq!(ramp(&breaker), Some(Ramp { time: RAMP, left: RAMP }));
}

#[test]
fn a_lease_that_comes_after_it_closed_has_no_more_than_its_share() {
    let (breaker, _) = recovering(ramped());
    let epoch = breaker.snapshot().epoch;
    let shared = |token| breaker.begin_shared_trial(&*breaker, token, 6 * SECOND, epoch);
    assert!(!shared(1).unwrap().is_trial());
    assert!(shared(2).is_none());
    let own = breaker.begin_trial(&*breaker, None);
    assert_eq!(own.unwrap_err().reason(), Reason::Recovering);
}

#[test]
fn views_that_say_the_same_give_no_turn_to_more() {
    let (breaker, _) = breaker(three());
    trip(&breaker);
    let whole = Shared { ramp: Ramp { time: RAMP, left: RAMP }, ..view(State::Closed) };
    let asked = (0..100).filter(|_| {
        breaker.adopt(whole);
        succeed(&breaker).is_ok()
    });
    let passed = asked.count();
    assert!(passed.abs_diff(10) <= 2, "{passed} of a tenth");
}
