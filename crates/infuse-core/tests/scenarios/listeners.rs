//! What listeners are told, and in which order.

use infuse_core::{Breaker, Listener, Rejected, State, StateChange};

use crate::support::*;

fn recorded(
    policy: infuse_core::PolicyBuilder,
) -> (Recorder, std::sync::Arc<Breaker>, infuse_core::ManualClock) {
    let recorder = Recorder::default();
    let (breaker, clock) = build(policy, |builder| builder.listener(recorder.clone()));
    (recorder, breaker, clock)
}

#[test]
fn the_order_of_calls_through_a_whole_life() {
    let (heard, breaker, clock) = recorded(three());
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "success 0"]);
    fail(&breaker);
    assert_eq!(heard.take(), ["before_call", "failure 1 broken"]);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "success 0"]);
    fail(&breaker);
    fail(&breaker);
    heard.take();
    fail(&breaker);
    assert_eq!(
        heard.take(),
        ["before_call", "failure 3 broken", "closed > open failures"],
        "the failure, then what came of it"
    );
    clock.advance(SECOND);
    rejected(&breaker);
    assert_eq!(heard.take(), ["rejected open 14s"]);

    clock.advance(RESET - SECOND);
    fail(&breaker);
    assert_eq!(
        heard.take(),
        [
            "open > half-open trial-started",
            "before_call",
            "failure 4 broken",
            "half-open > open trial-failed"
        ]
    );
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(
        heard.take(),
        [
            "open > half-open trial-started",
            "before_call",
            "half-open > closed trial-succeeded",
            "success 0"
        ]
    );
}

#[test]
fn a_trial_that_is_not_the_last_is_a_success_without_a_change() {
    let (heard, breaker, clock) = recorded(three().success_threshold(2));
    trip(&breaker);
    clock.advance(RESET);
    heard.take();
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["open > half-open trial-started", "before_call", "success 3"]);
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["before_call", "half-open > closed trial-succeeded", "success 0"]);
}

#[test]
fn rejections_while_a_trial_is_under_way() {
    let (heard, breaker, clock) = recorded(three());
    trip(&breaker);
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    heard.take();
    rejected(&breaker);
    assert_eq!(heard.take(), ["rejected half-open 0ns"]);
    drop(trial);
    assert!(heard.take().is_empty(), "an ignored call is told of no more");
}

#[test]
fn manual_changes_are_told_once_and_only_when_they_are_changes() {
    let (heard, breaker, _) = recorded(three());
    breaker.close();
    assert!(heard.take().is_empty());
    breaker.open();
    breaker.open();
    assert_eq!(heard.take(), ["closed > open manual"]);
    breaker.half_open();
    breaker.half_open();
    assert_eq!(heard.take(), ["open > half-open manual"]);
    breaker.reset();
    assert_eq!(heard.take(), ["half-open > closed manual"]);
}

#[test]
fn failures_without_an_error_value() {
    let (heard, breaker, _) = recorded(three());
    breaker.try_permit().unwrap().failure();
    assert_eq!(heard.take(), ["before_call", "failure 1 no error"]);
}

#[test]
fn late_outcomes_are_not_told() {
    let (heard, breaker, _) = recorded(three());
    let (one, other) = (breaker.try_permit().unwrap(), breaker.try_permit().unwrap());
    trip(&breaker);
    heard.take();
    one.success();
    other.failure();
    assert!(heard.take().is_empty());
}

#[test]
fn listeners_come_and_go() {
    let (breaker, _) = breaker(three());
    let (one, two) = (Recorder::default(), Recorder::default());
    assert!(!breaker.has_listeners());
    let before = breaker.try_permit().unwrap();
    let first = breaker.add_listener(one.clone());
    before.success();
    assert_eq!(one.take(), ["success 0"], "a call in flight is seen by who came meanwhile");

    let second = breaker.add_listener(two.clone());
    fail(&breaker);
    assert_eq!(one.take(), ["before_call", "failure 1 broken"]);
    assert_eq!(two.take(), ["before_call", "failure 1 broken"]);
    assert!(breaker.remove_listener(first));
    assert!(!breaker.remove_listener(first));
    assert!(breaker.has_listeners());
    succeed(&breaker).unwrap();
    assert!(one.take().is_empty());
    assert_eq!(two.take(), ["before_call", "success 0"]);

    let during = breaker.try_permit().unwrap();
    assert!(breaker.remove_listener(second));
    assert!(!breaker.has_listeners());
    two.take();
    fail(&breaker);
    during.success();
    assert!(two.take().is_empty());
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "whoever listens, the counts are the same");
}

#[test]
fn listeners_are_told_in_the_order_they_were_added() {
    struct Numbered(u8, Recorder);
    impl Listener for Numbered {
        fn success(&self, _: &Breaker) {
            self.1.note(self.0.to_string());
        }
    }
    let heard = Recorder::default();
    let (breaker, _) = build(three(), |builder| {
        builder.listener(Numbered(1, heard.clone())).listener(Numbered(2, heard.clone()))
    });
    breaker.add_listener(Numbered(3, heard.clone()));
    succeed(&breaker).unwrap();
    assert_eq!(heard.take(), ["1", "2", "3"]);
}

#[test]
fn a_listener_may_use_the_breaker_as_anyone_may() {
    /// Holds the circuit open as soon as it opens, and takes itself for a caller.
    struct Meddler(Recorder);
    impl Listener for Meddler {
        fn state_change(&self, breaker: &Breaker, change: &StateChange) {
            self.0.note(format!("{}", change.to));
            breaker.snapshot();
            breaker.policy();
            if change.to == State::Open {
                breaker.add_listener(Recorder::default());
                breaker.close();
            }
        }
        fn rejected(&self, breaker: &Breaker, _: Rejected) {
            breaker.half_open();
        }
    }
    let heard = Recorder::default();
    let (breaker, _) = build(three(), |builder| builder.listener(Meddler(heard.clone())));
    for _ in 0..3 {
        fail(&breaker);
    }
    assert_eq!(heard.take(), ["open", "closed"]);
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}
