//! How long the circuit stays open: growth, jitter, and the service's own word.

use std::time::Duration;

use infuse_core::{Breaker, CallError, Clock, ManualClock, Outcome, Rejected, State, Verdict};

use crate::support::*;

/// Waits for the trial and has it fail; how long the circuit is open then, in seconds.
fn fail_trial(breaker: &Breaker, clock: &ManualClock) -> u64 {
    clock.advance(breaker.retry_after().unwrap());
    fail(breaker);
    assert_eq!(breaker.state(), State::Open);
    breaker.retry_after().unwrap().as_secs()
}

#[test]
fn it_grows_with_each_failed_trial_and_begins_anew_when_closed() {
    let policy = three().reset_backoff(2.0).max_reset_timeout(100 * SECOND);
    let (breaker, clock) = breaker(policy);
    trip(&breaker);
    assert_eq!(breaker.retry_after(), Some(RESET));
    let times: Vec<u64> = (0..4).map(|_| fail_trial(&breaker, &clock)).collect();
    assert_eq!(times, [30, 60, 100, 100]);
    assert_eq!(breaker.snapshot().failed_trials, 4);

    // One that went away says nothing.
    clock.advance(100 * SECOND);
    drop(breaker.try_permit().unwrap());
    assert_eq!(breaker.snapshot().failed_trials, 4);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.snapshot().failed_trials, 0);
    trip(&breaker);
    assert_eq!(breaker.retry_after(), Some(RESET));
}

#[test]
fn by_hand_it_is_the_reset_timeout() {
    let (breaker, clock) = breaker(three().reset_backoff(3.0).reset_jitter(1.0));
    trip(&breaker);
    fail_trial(&breaker, &clock);
    breaker.open();
    assert_eq!(breaker.retry_after(), Some(RESET));
    assert_eq!(breaker.snapshot().failed_trials, 0, "and all is forgotten");
}

#[test]
fn by_hand_it_may_be_another_for_once() {
    let (breaker, clock) = breaker(three());
    breaker.open_for(100 * SECOND);
    assert_eq!(breaker.retry_after(), Some(100 * SECOND));
    clock.advance(100 * SECOND);
    fail_trial(&breaker, &clock);
    assert_eq!(breaker.retry_after(), Some(RESET));
    breaker.open_for(Duration::MAX);
    assert!(left(rejected(&breaker)) > 1_000_000);
}

#[test]
fn jitter_is_by_the_clocks_dice() {
    #[derive(Debug)]
    struct Loaded(ManualClock);
    impl Clock for Loaded {
        fn now(&self) -> Duration {
            self.0.now()
        }

        fn fraction(&self) -> f64 {
            0.25
        }
    }
    let policy = three().reset_jitter(0.8).build().unwrap();
    let clock = Loaded(ManualClock::new());
    let breaker = Breaker::builder("payments").policy(policy).clock(clock).build();
    trip(&breaker);
    assert_eq!(breaker.retry_after(), Some(RESET.mul_f64(0.8)));
}

#[test]
fn jitter_cuts_each_opening_once() {
    let (breaker, clock) = breaker(three().reset_jitter(0.5));
    let mut times = Vec::new();
    for _ in 0..50 {
        trip(&breaker);
        let left = breaker.retry_after().unwrap();
        assert!(left > RESET / 2 && left <= RESET, "{left:?}");
        assert_eq!(rejected(&breaker).retry_after(), left, "decided once");
        times.push(left);
        clock.advance(left);
        succeed(&breaker).unwrap();
    }
    times.sort_unstable();
    times.dedup();
    // In microseconds of 7.5 s: two that are the same would be a rarity.
    assert!(times.len() > 45, "{}", times.len());
}

#[test]
fn error_on_trip_says_how_long_it_really_is() {
    let (breaker, clock) = breaker(three().reset_backoff(2.0).error_on_trip(true));
    trip(&breaker);
    clock.advance(RESET);
    let CallError::Opened { rejected, .. } = fail(&breaker) else { panic!("not told") };
    assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, 2 * RESET));
}

fn settle(breaker: &Breaker, outcome: Outcome, retry_after: u64) {
    let permit = breaker.try_permit().unwrap();
    permit.settle(Verdict::from(outcome).retry_after(Duration::from_secs(retry_after)));
}

fn left(rejected: Rejected) -> u64 {
    rejected.retry_after().as_secs()
}

#[test]
fn the_service_can_ask_for_longer_and_not_for_less() {
    let (breaker, clock) = breaker(three());
    fail(&breaker);
    fail(&breaker);
    settle(&breaker, Outcome::Failure, 60);
    assert_eq!(left(rejected(&breaker)), 60);
    clock.advance(60 * SECOND);
    settle(&breaker, Outcome::Failure, 1);
    assert_eq!(left(rejected(&breaker)), 15, "a failed trial, and the usual time");
    clock.advance(15 * SECOND);
    settle(&breaker, Outcome::Failure, 40);
    assert_eq!(left(rejected(&breaker)), 40);
}

#[test]
fn what_the_service_asks_is_capped() {
    let (breaker, clock) = breaker(three().max_retry_after(Some(100 * SECOND)));
    breaker.open();
    breaker.hold_off(3600 * SECOND);
    assert_eq!(left(rejected(&breaker)), 100);
    breaker.hold_off(Duration::MAX);
    assert_eq!(left(rejected(&breaker)), 100);

    clock.advance(100 * SECOND);
    succeed(&breaker).unwrap();
    let deaf = breaker.policy().to_builder().max_retry_after(None).build().unwrap();
    breaker.set_policy(deaf);
    breaker.open();
    breaker.hold_off(3600 * SECOND);
    assert_eq!(left(rejected(&breaker)), 15);
}

#[test]
fn what_the_service_asked_before_holds_for_the_trip_that_follows() {
    let (breaker, clock) = breaker(three());
    // A 429, which says nothing about whether it works.
    settle(&breaker, Outcome::Ignored, 60);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "it opens nothing by itself");
    clock.advance(20 * SECOND);
    trip(&breaker);
    assert_eq!(left(rejected(&breaker)), 40);

    clock.advance(40 * SECOND);
    succeed(&breaker).unwrap();
    settle(&breaker, Outcome::Ignored, 60);
    breaker.close();
    trip(&breaker);
    assert_eq!(left(rejected(&breaker)), 15, "what closes forgets it");
    breaker.close();
    settle(&breaker, Outcome::Success, 60);
    trip(&breaker);
    assert_eq!(left(rejected(&breaker)), 15, "a success asks for nothing");
}

#[test]
fn a_call_that_ends_after_the_trip_can_lengthen_it() {
    let (breaker, clock) = breaker(three());
    let late = breaker.try_permit().unwrap();
    trip(&breaker);
    clock.advance(5 * SECOND);
    late.settle(Verdict::from(Outcome::Failure).retry_after(60 * SECOND));
    assert_eq!((left(rejected(&breaker)), breaker.fail_counter()), (60, 3));
}

#[test]
fn a_trial_that_is_sent_away_puts_off_the_next() {
    let (breaker, clock) = breaker(three());
    breaker.half_open();
    settle(&breaker, Outcome::Ignored, 30);
    assert_eq!(rejected(&breaker).state(), State::HalfOpen);
    clock.advance(29 * SECOND);
    rejected(&breaker);
    clock.advance(SECOND);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn whoever_does_it_by_hand_knows_better_than_the_service() {
    let (breaker, _) = breaker(three());
    settle(&breaker, Outcome::Ignored, 60);
    breaker.half_open();
    let trial = breaker.try_permit().unwrap();
    drop(trial);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_trial_that_succeeds_knows_better_than_the_service() {
    let (breaker, clock) = breaker(three().half_open_max_calls(2));
    breaker.open();
    clock.advance(RESET);
    let one = breaker.try_permit().unwrap();
    settle(&breaker, Outcome::Ignored, 60);
    one.success();
    assert_eq!(breaker.state(), State::Closed);
    trip(&breaker);
    assert_eq!(left(rejected(&breaker)), 15);
}
