//! Rules of one's own for what opens a circuit.

use std::sync::{Arc, Mutex};

use infuse_core::{Counts, Evidence, Outcome, State, TripRule, Window};

use crate::support::*;

#[test]
fn a_rule_opens_beside_the_policy() {
    let heard = Recorder::default();
    let (breaker, clock) = build(defaults(), |builder| {
        builder.listener(heard.clone()).trip_rule(|it: &Evidence| it.counts.failures >= 3)
    });
    for _ in 0..2 {
        fail(&breaker);
        succeed(&breaker).unwrap();
    }
    heard.take();
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
    assert_eq!(heard.take(), ["before_call", "failure 1 broken", "closed > open rule"]);

    clock.advance(RESET);
    succeed(&breaker).unwrap();
    // It is given the usual window, of the last ten seconds.
    fail(&breaker);
    fail(&breaker);
    clock.advance(10 * SECOND);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().window.unwrap().to_string(), "1 calls: 1 failed, 0 slow");
}

#[test]
fn a_rule_is_told_what_there_is_to_know() {
    struct Notes(Mutex<Vec<Evidence>>);
    impl TripRule for Notes {
        fn trips(&self, evidence: &Evidence) -> bool {
            self.0.lock().unwrap().push(*evidence);
            false
        }
    }
    let notes = Arc::new(Notes(Mutex::new(Vec::new())));
    let policy = defaults().window(Window::Calls(2)).slow_call_rate(1.0).slow_call_duration(SECOND);
    let (breaker, clock) =
        build(policy, |builder| builder.shared_trip_rule(Arc::clone(&notes) as Arc<dyn TripRule>));
    fail(&breaker);
    let slow = breaker.try_permit().unwrap();
    clock.advance(SECOND);
    slow.failure();
    drop(breaker.try_permit().unwrap());
    succeed(&breaker).unwrap();
    let told: Vec<_> = notes
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|it| (it.outcome, it.slow, it.fail_counter, it.counts))
        .collect();
    let counts = |calls, failures, slow| Counts { calls, failures, slow };
    assert_eq!(
        told,
        [
            (Outcome::Failure, false, 1, counts(1, 1, 0)),
            (Outcome::Failure, true, 2, counts(2, 2, 1)),
            (Outcome::Success, false, 0, counts(2, 1, 1)),
        ]
    );
}

#[test]
fn a_rule_that_panics_says_no_and_harms_nobody() {
    let (breaker, _) = build(three(), |builder| {
        builder
            .trip_rule(|_: &Evidence| panic!("a rule of one's own"))
            .trip_rule(|it: &Evidence| it.fail_counter == 2)
    });
    succeed(&breaker).unwrap();
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Closed, 1, 0));
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 2, 0), "the next rule is asked all the same");
}

#[test]
fn a_rule_alone_opens_and_nothing_else_does() {
    let (breaker, clock) = build(defaults().by_rules_alone(), |builder| {
        builder.trip_rule(|it: &Evidence| it.counts.failures >= 20)
    });
    for _ in 0..19 {
        fail(&breaker);
    }
    assert_eq!((counts(&breaker), breaker.snapshot().max_failure), ((State::Closed, 19, 0), None));
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    // It recovers like any other.
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn rules_stay_when_the_policy_changes() {
    let (breaker, _) = build(defaults().failure_rate(0.5), |it| {
        it.trip_rule(|it: &Evidence| it.counts.calls == 3)
    });
    breaker.set_policy(defaults().build().unwrap());
    for _ in 0..3 {
        succeed(&breaker).unwrap();
    }
    assert_eq!(breaker.state(), State::Open);
}
