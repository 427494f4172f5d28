//! The hooks by which a breaker is shared with other processes.

use std::sync::Arc;

use infuse_core::{
    Admission, Breaker, Cause, ManualClock, Outcome, PolicyBuilder, Shared, State, Verdict,
};

use crate::support::*;

fn shared(policy: PolicyBuilder) -> (Recorder, Arc<Breaker>, ManualClock) {
    let told = Recorder::default();
    let (breaker, clock) = build(policy, |builder| builder.replica(Arc::new(told.clone())));
    (told, breaker, clock)
}

/// What a replica is told when the first trial begins.
const BEGUN: &str = "open > half-open trial-started";

/// Open, with its time over.
fn due(policy: PolicyBuilder) -> (Recorder, Arc<Breaker>, ManualClock) {
    let (told, breaker, clock) = shared(policy);
    trip(&breaker);
    clock.advance(RESET);
    told.take();
    (told, breaker, clock)
}

fn trial(breaker: &Breaker, token: u64) -> infuse_core::Permit<&Breaker> {
    assert!(matches!(breaker.admit(), Admission::TrialDue));
    let epoch = breaker.snapshot().epoch;
    breaker.begin_shared_trial(breaker, token, 6 * SECOND, epoch).unwrap()
}

#[test]
fn the_run_of_failures_is_told_and_quiet_successes_are_not() {
    let (told, breaker, _) = shared(three());
    succeed(&breaker).unwrap();
    assert!(told.take().is_empty(), "a healthy circuit has nothing to tell");
    fail(&breaker);
    fail(&breaker);
    succeed(&breaker).unwrap();
    succeed(&breaker).unwrap();
    assert_eq!(told.take(), ["counted 1", "counted 2", "counted 0"]);
    trip(&breaker);
    assert_eq!(
        told.take(),
        ["counted 1", "counted 2", "tripped failures 15s", "closed > open failures"]
    );
    breaker.close();
    breaker.open();
    assert_eq!(told.take(), ["open > closed manual", "closed > open manual"]);
}

#[test]
fn a_trial_that_is_due_is_left_to_whoever_has_the_lease() {
    let (told, breaker, _) = due(three());
    assert!(matches!(breaker.admit_owned(), Admission::TrialDue));
    assert_eq!(breaker.state(), State::Open, "asking changes nothing");
    let permit = trial(&breaker, 42);
    assert!(permit.is_trial());
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(matches!(breaker.admit(), Admission::Rejected(_)));
    assert_eq!(told.take(), [BEGUN]);
    drop(permit);
    assert_eq!(told.take(), ["trial 42 Ignored 0ns"]);
    assert!(matches!(breaker.admit(), Admission::TrialDue));
}

#[test]
fn a_shared_success_waits_for_the_storage() {
    let (told, breaker, _) = due(three());
    trial(&breaker, 42).success();
    assert_eq!(told.take(), [BEGUN, "trial 42 Success 0ns"]);
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    assert!(matches!(breaker.admit(), Admission::Rejected(_)), "nobody else needs to try");

    breaker.adopt(Shared { cause: Cause::TrialSucceeded, remote: false, ..view(State::Closed) });
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
}

#[test]
fn a_shared_success_that_cannot_be_told_counts_here() {
    let (_, breaker, clock) = due(three().success_threshold(2));
    trial(&breaker, 1).success();
    breaker.count_trial_success();
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 1));
    trial(&breaker, 2).success();
    breaker.count_trial_success();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));

    // In any other state it comes too late.
    fail(&breaker);
    breaker.count_trial_success();
    assert_eq!(counts(&breaker), (State::Closed, 1, 0));
    trip(&breaker);
    clock.advance(RESET);
    breaker.count_trial_success();
    assert_eq!(counts(&breaker), (State::Open, 3, 0));
}

#[test]
fn a_shared_failure_opens_at_once() {
    let (told, breaker, _) = due(three());
    trial(&breaker, 42).failure();
    let events = [BEGUN, "trial 42 Failure 15s", "half-open > open trial-failed"];
    assert_eq!(told.take(), events, "a shared trial's failure is no trip of its own");
    assert_eq!(counts(&breaker), (State::Open, 4, 0));
    assert_eq!(rejected(&breaker).retry_after(), RESET);
}

#[test]
fn a_shared_trial_that_outlives_its_lease_is_dropped() {
    let (told, breaker, clock) = due(three());
    let permit = trial(&breaker, 42);
    clock.advance(6 * SECOND);
    permit.failure();
    assert_eq!(told.take(), [BEGUN]);
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    assert!(matches!(breaker.admit(), Admission::TrialDue));
}

#[test]
fn a_lease_that_comes_after_the_circuit_closed_is_an_ordinary_call() {
    let (told, breaker, _) = due(three());
    let epoch = breaker.snapshot().epoch;
    breaker.close();
    let permit = breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).unwrap();
    assert!(!permit.is_trial());
    permit.failure();
    assert_eq!(told.take(), ["open > closed manual", "counted 1"]);
    assert_eq!(counts(&breaker), (State::Closed, 1, 0));
}

#[test]
fn a_lease_that_comes_after_the_circuit_changed_moves_nothing() {
    let (told, breaker, clock) = due(three());
    let epoch = breaker.snapshot().epoch;
    breaker.open();
    assert!(breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).is_none());
    // Nor one of which the time is over again.
    clock.advance(RESET);
    assert!(breaker.begin_shared_trial(&*breaker, 42, 6 * SECOND, epoch).is_none());
    assert_eq!((breaker.state(), breaker.snapshot().trials), (State::Open, 0));
    told.take();
    drop(trial(&breaker, 43));
    assert_eq!(told.take(), [BEGUN, "trial 43 Ignored 0ns"]);
}

#[test]
fn the_only_trial_is_one_whatever_the_policy_allows() {
    let (_, breaker, clock) = due(three().half_open_max_calls(3).success_threshold(2));
    let only = breaker.begin_only_trial(&*breaker, Some(2 * SECOND)).unwrap();
    assert!(matches!(breaker.admit(), Admission::Rejected(_)));
    // Thresholds that change set anew when a trial is due: the next caller is rejected all the same.
    breaker.set_policy(breaker.policy());
    assert!(matches!(breaker.admit(), Admission::TrialDue));
    assert!(breaker.begin_only_trial(&*breaker, None).is_err());
    assert!(matches!(breaker.admit(), Admission::Rejected(_)));
    // The next comes when this one has said something, or its time is over.
    only.success();
    let hangs = breaker.begin_only_trial(&*breaker, Some(2 * SECOND)).unwrap();
    assert!(breaker.begin_only_trial(&*breaker, None).is_err());
    clock.advance(3 * SECOND);
    breaker.begin_only_trial(&*breaker, None).unwrap().success();
    assert_eq!(breaker.state(), State::Closed);
    drop(hangs);
}

#[test]
fn a_denied_lease_says_when_to_ask_again() {
    let (_, breaker, clock) = due(three());
    breaker.defer_trial(4 * SECOND);
    assert_eq!(rejected(&breaker).retry_after(), 4 * SECOND);
    clock.advance(4 * SECOND);
    assert!(matches!(breaker.admit(), Admission::TrialDue));

    breaker.half_open();
    breaker.defer_trial(4 * SECOND);
    assert_eq!(rejected(&breaker).state(), State::HalfOpen);
    clock.advance(4 * SECOND);
    assert!(matches!(breaker.admit(), Admission::TrialDue));

    breaker.close();
    breaker.defer_trial(4 * SECOND);
    succeed(&breaker).unwrap();
}

#[test]
fn a_rejection_for_want_of_a_lease_is_told_and_never_says_closed() {
    let heard = Recorder::default();
    let (breaker, clock) = build(three(), |builder| builder.listener(heard.clone()));
    trip(&breaker);
    clock.advance(5 * SECOND);
    heard.take();
    assert_eq!(breaker.reject().retry_after(), 10 * SECOND);
    assert_eq!(heard.take(), ["rejected open 10s"]);
    for put in [State::HalfOpen, State::Closed] {
        breaker.put(put, Cause::Manual);
        assert_eq!(breaker.reject().state(), State::HalfOpen);
    }
}

#[test]
fn a_view_is_taken_over() {
    let heard = Recorder::default();
    let (breaker, clock) = build(three(), |builder| builder.listener(heard.clone()));
    clock.advance(10 * SECOND);
    fail(&breaker);
    heard.take();
    let before = breaker.try_permit().unwrap();
    breaker.adopt(view(State::Open));
    assert_eq!(heard.take(), ["before_call", "closed > open failures remote"]);
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    let opened = infuse_core::Clock::wall(&clock) - 2 * SECOND;
    assert_eq!(breaker.opened_at(), Some(opened));
    before.success();
    assert_eq!(counts(&breaker), (State::Open, 1, 0), "calls from before are late ones");

    // The same state with other times is no change, but the times are taken.
    heard.take();
    breaker.adopt(Shared { left: 3 * SECOND, ..view(State::Open) });
    assert!(heard.take().is_empty());
    assert_eq!((breaker.retry_after(), breaker.snapshot().epoch), (Some(3 * SECOND), 1));

    let half = Shared {
        left: 2 * SECOND,
        successes: 1,
        cause: Cause::TrialStarted,
        ..view(State::HalfOpen)
    };
    breaker.adopt(half);
    assert_eq!(heard.take(), ["open > half-open trial-started remote"]);
    assert_eq!(counts(&breaker), (State::HalfOpen, 1, 1));
    assert!(matches!(breaker.admit(), Admission::Rejected(_)), "someone else is trying");
    clock.advance(2 * SECOND);
    assert!(matches!(breaker.admit(), Admission::TrialDue));
}

#[test]
fn the_same_view_again_changes_nothing_unless_it_is_renewed() {
    let (_, breaker, _) = shared(three());
    fail(&breaker);
    let call = breaker.try_permit().unwrap();
    breaker.adopt(view(State::Closed));
    call.failure();
    assert_eq!(breaker.fail_counter(), 2, "closed still, and the count goes on");

    let call = breaker.try_permit().unwrap();
    breaker.adopt(Shared { renew: true, ..view(State::Closed) });
    assert_eq!(breaker.fail_counter(), 0, "another closed: it was something else in between");
    call.failure();
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn a_trial_survives_a_view_that_says_the_same_and_not_one_that_is_new() {
    let (told, breaker, _) = due(three());
    let permit = trial(&breaker, 1);
    breaker.adopt(view(State::HalfOpen));
    permit.failure();
    assert_eq!(told.take(), [BEGUN, "trial 1 Failure 15s", "half-open > open trial-failed"]);
    assert_eq!(breaker.state(), State::Open);

    let (told, breaker, _) = due(three());
    let permit = trial(&breaker, 2);
    breaker.adopt(Shared { renew: true, ..view(State::HalfOpen) });
    permit.failure();
    assert_eq!(told.take(), [BEGUN]);
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
}

#[test]
fn a_breaker_with_a_replica_can_stand_alone() {
    let (told, breaker, _) = due(three());
    let permit = breaker.begin_trial(&*breaker, None).unwrap();
    permit.success();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "no lease, no waiting");
    assert_eq!(told.take(), [BEGUN, "half-open > closed trial-succeeded"]);
    let permit = breaker.begin_trial(Arc::clone(&breaker), None).unwrap();
    assert!(!permit.is_trial(), "it closed meanwhile: an ordinary call");
    permit.settle(Outcome::Ignored);
    breaker.open();
    assert_eq!(breaker.begin_trial(&*breaker, None).unwrap_err().retry_after(), RESET);
}

#[test]
fn a_failed_trial_that_the_breaker_granted_itself_is_a_trip() {
    let (told, breaker, _) = due(three());
    fail(&breaker);
    assert_eq!(told.take(), [BEGUN, "tripped trial-failed 15s", "half-open > open trial-failed"]);
}

#[test]
fn a_view_can_be_taken_over_now_and_announced_later() {
    let heard = Recorder::default();
    let (breaker, _) = build(three(), |builder| builder.listener(heard.clone()));
    let change = breaker.adopt_quietly(view(State::Open)).unwrap();
    assert_eq!(breaker.state(), State::Open);
    assert!(heard.take().is_empty());
    breaker.announce(change);
    assert_eq!(heard.take(), ["closed > open failures remote"]);
    assert_eq!(breaker.adopt_quietly(view(State::Open)), None);
}

#[test]
fn a_permit_can_change_its_owner() {
    let (told, breaker, _) = due(three());
    let permit = trial(&breaker, 42).with_owner(Arc::clone(&breaker));
    assert!(permit.is_trial());
    assert_eq!(breaker.snapshot().trials, 1);
    permit.failure();
    assert_eq!(told.take(), [BEGUN, "trial 42 Failure 15s", "half-open > open trial-failed"]);
}

#[test]
fn what_the_breaker_decided_is_told() {
    let policy = || three().reset_backoff(2.0);
    let (told, breaker, clock) = due(policy());
    trial(&breaker, 42).failure();
    assert_eq!(told.take()[1], "trial 42 Failure 30s", "grown by the trial that failed");
    clock.advance(30 * SECOND);
    let verdict = Verdict::from(Outcome::Failure).retry_after(90 * SECOND);
    trial(&breaker, 43).settle(verdict);
    let heard = ["open > half-open trial-started", "held off 90s", "trial 43 Failure 90s"];
    assert_eq!(told.take()[..3], heard, "the service's own word is in it");

    // Where it grants its trials itself.
    clock.advance(90 * SECOND);
    fail(&breaker);
    assert_eq!(told.take()[1], "tripped trial-failed 120s");
}

#[test]
fn the_service_s_own_word_is_told_once_and_capped() {
    let (told, breaker, clock) = shared(three().max_retry_after(Some(60 * SECOND)));
    let ignored = |left| {
        let verdict = Verdict::from(Outcome::Ignored).retry_after(left * SECOND);
        breaker.try_permit().unwrap().settle(verdict);
    };
    ignored(900);
    assert_eq!(told.take(), ["held off 60s"]);
    ignored(60);
    ignored(20);
    ignored(0);
    assert!(told.take().is_empty(), "it says no more than is known");
    clock.advance(SECOND);
    ignored(60);
    assert_eq!(told.take(), ["held off 60s"]);

    let (told, deaf, _) = shared(three().max_retry_after(None));
    deaf.hold_off(RESET);
    assert!(told.take().is_empty());
}

#[test]
fn a_view_makes_the_open_time_of_the_next_failure() {
    let (_, breaker, clock) = shared(three().reset_backoff(2.0));
    breaker.adopt(Shared { failed_trials: 7, ..view(State::Closed) });
    assert_eq!(breaker.snapshot().failed_trials, 0, "not of a closed circuit");
    breaker.adopt(Shared { failed_trials: 1, ..view(State::Open) });
    assert_eq!(breaker.snapshot().failed_trials, 1);
    // Another has made a trial meanwhile.
    breaker.adopt(Shared { failed_trials: 2, ..view(State::Open) });
    clock.advance(RESET);
    fail(&breaker);
    assert_eq!(breaker.retry_after(), Some(8 * RESET));
    assert_eq!(breaker.snapshot().failed_trials, 3);
    breaker.adopt(view(State::Closed));
    assert_eq!(breaker.snapshot().failed_trials, 0);
}

#[test]
fn a_view_does_not_shorten_what_the_service_asked_for() {
    let (_, breaker, clock) = shared(three());
    breaker.hold_off(60 * SECOND);
    breaker.adopt(view(State::Open));
    assert_eq!(breaker.retry_after(), Some(60 * SECOND), "the storage may not know of it yet");
    clock.advance(10 * SECOND);
    breaker.adopt(view(State::Open));
    assert_eq!(breaker.retry_after(), Some(50 * SECOND));
    // But a command does, for whoever gives it knows better.
    breaker.adopt(Shared { renew: true, cause: Cause::Manual, ..view(State::Open) });
    assert_eq!(breaker.retry_after(), Some(RESET));
}
