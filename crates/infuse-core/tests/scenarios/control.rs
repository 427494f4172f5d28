//! Manual control and inspection.

use std::time::{Duration, SystemTime};

use infuse_core::{Cause, Clock, State};

use crate::support::*;

#[test]
fn an_opening_by_hand_ends_by_a_trial() {
    let (breaker, clock) = breaker(three());
    breaker.open();
    assert_eq!(counts(&breaker), (State::Open, 0, 0));
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    clock.advance(10 * SECOND);
    breaker.open();
    assert_eq!(rejected(&breaker).retry_after(), RESET, "opening again begins the time anew");
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn half_open_by_hand_makes_the_next_call_a_trial() {
    let (breaker, _) = breaker(three());
    breaker.half_open();
    let trial = breaker.try_permit().unwrap();
    assert!(trial.is_trial());
    assert_eq!(rejected(&breaker).state(), State::HalfOpen);
    trial.failure();
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
    breaker.half_open();
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn closing_and_resetting_count_anew() {
    let (breaker, _) = breaker(three());
    for end in [infuse_core::Breaker::close, infuse_core::Breaker::reset] {
        trip(&breaker);
        end(&breaker);
        assert_eq!(counts(&breaker), (State::Closed, 0, 0));
        fail(&breaker);
        fail(&breaker);
        end(&breaker);
        assert_eq!(breaker.fail_counter(), 0);
        fail(&breaker);
        assert_eq!(counts(&breaker), (State::Closed, 1, 0));
        succeed(&breaker).unwrap();
    }
}

#[test]
fn a_circuit_can_be_seeded_in_any_state() {
    let (breaker, _) = breaker(three());
    for state in [State::Open, State::HalfOpen, State::Closed] {
        breaker.put(state, Cause::Seed);
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn open_past_its_time_shows_open_with_nothing_left() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET + SECOND);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.retry_after(), Some(Duration::ZERO));
    assert_eq!(breaker.snapshot().state, State::Open, "looking makes no trial");
    assert_eq!(breaker.snapshot().retry_after, Some(Duration::ZERO));
}

#[test]
fn when_it_opened_is_known_until_it_closes() {
    let (breaker, clock) = breaker(three());
    assert_eq!(breaker.opened_at(), None);
    clock.advance(SECOND);
    trip(&breaker);
    let opened = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_001));
    assert_eq!(breaker.opened_at(), opened);
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    assert_eq!(breaker.opened_at(), opened, "a trial does not change it");
    trial.failure();
    assert_eq!(breaker.opened_at(), Some(clock.wall()));
    breaker.close();
    assert_eq!(breaker.opened_at(), None);
}

#[test]
fn a_snapshot_shows_it_all() {
    let (breaker, clock) = breaker(three().half_open_max_calls(2).success_threshold(2));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.epoch, snapshot.trials), (State::Closed, 0, 0));
    assert_eq!((snapshot.opened_at, snapshot.retry_after), (None, None));

    trip(&breaker);
    clock.advance(5 * SECOND);
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.fail_counter, snapshot.epoch), (State::Open, 3, 1));
    assert_eq!(snapshot.retry_after, Some(10 * SECOND));

    clock.advance(10 * SECOND);
    let trials = [breaker.try_permit().unwrap(), breaker.try_permit().unwrap()];
    assert_eq!(breaker.snapshot().trials, 2);
    let [one, other] = trials;
    one.success();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.success_counter), (State::HalfOpen, 1));
    assert_eq!((snapshot.trials, snapshot.retry_after), (1, Some(Duration::ZERO)));
    assert_eq!(snapshot.epoch, 2);
    other.success();
    assert_eq!(breaker.snapshot().epoch, 3);
}

#[test]
fn each_manual_change_is_a_new_epoch() {
    let (breaker, _) = breaker(three());
    let calls: [fn(&infuse_core::Breaker); 4] = [
        infuse_core::Breaker::open,
        infuse_core::Breaker::half_open,
        infuse_core::Breaker::close,
        infuse_core::Breaker::reset,
    ];
    for (before, call) in calls.into_iter().enumerate() {
        assert_eq!(breaker.snapshot().epoch, before as u64);
        call(&breaker);
    }
}

#[test]
fn a_clock_that_began_long_ago_is_as_good_as_any() {
    /// Fifty years in.
    #[derive(Debug)]
    struct Old(infuse_core::ManualClock);
    impl Clock for Old {
        fn now(&self) -> Duration {
            Duration::from_secs(50 * 365 * 24 * 3600) + self.0.now()
        }
    }
    let clock = infuse_core::ManualClock::new();
    let breaker = infuse_core::Breaker::builder("old").clock(Old(clock.clone())).build();
    trip(&breaker);
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}
