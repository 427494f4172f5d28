//! What opened a circuit, for whoever looks at it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use infuse_core::{
    Admission, Breaker, Cause, Clock, Evidence, Fault, FaultKind, Listener, ManualClock, Opened,
    Origin, Outcome, PolicyBuilder, Replica, Shared, State, StateChange, TrialOver, Tripped,
    Verdict, Window,
};

use crate::support::*;

/// Where a fault was told, and which.
type Told = (&'static str, Option<Fault>);

/// The faults that were told.
#[derive(Debug, Clone, Default)]
struct Faults(Arc<Mutex<Vec<Told>>>);

impl Faults {
    fn note(&self, place: &'static str, fault: Option<Fault>) {
        self.0.lock().unwrap().push((place, fault));
    }

    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Listener for Faults {
    fn state_change(&self, _: &Breaker, change: &StateChange) {
        self.note(change.to.as_str(), change.fault);
    }
}

impl Replica for Faults {
    fn counted(&self, _: u32, _: Origin, fault: Option<Fault>) {
        self.note("counted", fault);
    }

    fn tripped(&self, opened: Opened) {
        self.note("tripped", opened.fault);
    }

    fn changed(&self, _: &Breaker, change: StateChange) {
        self.note("changed", change.fault);
    }

    fn trial_over(&self, over: TrialOver) {
        self.note("trial", over.fault);
    }

    fn held_off(&self, _: Duration) {}
}

fn told(policy: PolicyBuilder) -> (Faults, Arc<Breaker>, ManualClock) {
    let faults = Faults::default();
    let (breaker, clock) =
        build(policy, |builder| builder.replica(Arc::new(faults.clone())).listener(faults.clone()));
    (faults, breaker, clock)
}

fn kind(kind: FaultKind) -> Option<Fault> {
    Some(Fault::new(kind))
}

/// A call that fails in this way.
fn fail_by(breaker: &Breaker, fault: Fault) {
    breaker.try_permit().unwrap().settle(Verdict::from(Outcome::Failure).fault(fault));
}

fn tripped(breaker: &Breaker) -> (Cause, SystemTime, Option<Fault>) {
    let Tripped { cause, at, fault, .. } = breaker.tripped().unwrap();
    assert_eq!(breaker.snapshot().tripped, breaker.tripped());
    (cause, at, fault)
}

#[test]
fn the_fault_of_the_call_that_opened_it() {
    let (faults, breaker, clock) = told(three());
    assert_eq!((breaker.tripped(), breaker.last_fault()), (None, None));
    fail_by(&breaker, Fault::status(500));
    fail_by(&breaker, Fault::new(FaultKind::Connect));
    assert_eq!((breaker.tripped(), breaker.last_fault()), (None, kind(FaultKind::Connect)));
    clock.advance(SECOND);
    fail_by(&breaker, Fault::status(503));
    let by = Some(Fault::status(503));
    assert_eq!(tripped(&breaker), (Cause::Failures, clock.wall(), by));
    assert_eq!(
        faults.take(),
        [
            ("counted", Some(Fault::status(500))),
            ("counted", kind(FaultKind::Connect)),
            ("tripped", by),
            ("changed", by),
            ("open", by)
        ]
    );
    // What comes too late is not to blame.
    breaker.close();
    assert_eq!((breaker.tripped(), breaker.last_fault()), (None, None));
    let late = breaker.try_permit().unwrap();
    for _ in 0..3 {
        fail_by(&breaker, Fault::status(502));
    }
    late.settle(Verdict::from(Outcome::Failure).fault(Fault::status(599)));
    assert_eq!(breaker.last_fault(), Some(Fault::status(502)));
    assert_eq!(tripped(&breaker).2, Some(Fault::status(502)));
    breaker.close();
    succeed(&breaker).unwrap();
    fail(&breaker);
    faults.take();
    succeed(&breaker).unwrap();
    assert_eq!(faults.take(), [("counted", None)], "a success has none");
}

#[test]
fn calls_that_say_nothing_of_it_have_one_all_the_same() {
    let one = || defaults().max_failure(1).abandoned_after(SECOND);
    type Way = fn(&Breaker, &ManualClock);
    let ways: [(FaultKind, Way); 6] = [
        (FaultKind::Error, |breaker, _| _ = fail(breaker)),
        (FaultKind::Error, |breaker, _| breaker.try_permit().unwrap().failure()),
        (FaultKind::Error, |breaker, _| {
            drop(breaker.call_sync_with(|| Err::<(), _>(()), |_| Verdict::local_failure()));
        }),
        (FaultKind::Panic, |breaker, _| {
            let call = || -> Result<(), Broken> { panic!("boom") };
            catch_unwind(AssertUnwindSafe(|| breaker.call_sync(call))).unwrap_err();
        }),
        (FaultKind::Abandoned, |breaker, clock| {
            let permit = breaker.try_permit().unwrap();
            clock.advance(SECOND);
            drop(permit);
        }),
        (FaultKind::Timeout, |breaker, _| fail_by(breaker, Fault::new(FaultKind::Timeout))),
    ];
    for (expected, way) in ways {
        let (faults, breaker, clock) = told(one());
        way(&breaker, &clock);
        assert_eq!(tripped(&breaker), (Cause::Failures, clock.wall(), kind(expected)));
        faults.take();
        // And by a trial.
        breaker.close();
        breaker.open();
        clock.advance(RESET);
        way(&breaker, &clock);
        assert_eq!(breaker.state(), State::Open);
        assert_eq!(tripped(&breaker).2, kind(expected));
        let trial = faults.take();
        assert_eq!(
            trial[trial.len() - 3..],
            [("tripped", kind(expected)), ("changed", kind(expected)), ("open", kind(expected))]
        );
    }
}

#[test]
fn a_trial_that_fails_renews_the_fault_alone() {
    let (faults, breaker, clock) = told(three());
    let opened = clock.wall();
    for _ in 0..3 {
        fail_by(&breaker, Fault::status(503));
    }
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    assert_eq!(tripped(&breaker), (Cause::Failures, opened, Some(Fault::status(503))));
    trial.settle(Verdict::from(Outcome::Failure).fault(Fault::new(FaultKind::Timeout)));
    assert_eq!(tripped(&breaker), (Cause::Failures, opened, kind(FaultKind::Timeout)));
    assert_eq!(breaker.last_fault(), kind(FaultKind::Timeout));
    assert_ne!(breaker.opened_at(), Some(opened), "it opened again since");
    faults.take();

    // Under a lease of the storage.
    clock.advance(RESET);
    let epoch = breaker.snapshot().epoch;
    let trial = breaker.begin_shared_trial(&*breaker, 7, RESET, epoch).unwrap();
    trial.settle(Verdict::from(Outcome::Failure).fault(Fault::status(500)));
    let by = Some(Fault::status(500));
    assert_eq!(tripped(&breaker), (Cause::Failures, opened, by));
    assert_eq!(faults.take()[2..], [("trial", by), ("changed", by), ("open", by)]);

    // One that says nothing leaves it, and so does one that succeeds but is not the last.
    clock.advance(RESET);
    drop(breaker.try_permit().unwrap());
    assert_eq!(tripped(&breaker).2, by);
    let epoch = breaker.snapshot().epoch;
    breaker.begin_shared_trial(&*breaker, 8, RESET, epoch).unwrap().success();
    assert_eq!(faults.take().last(), Some(&("trial", None)));
    assert_eq!(tripped(&breaker).2, by);
    breaker.count_trial_success();
    assert_eq!((breaker.state(), breaker.tripped()), (State::Closed, None));
}

#[test]
fn slowness_is_a_fault_where_it_opens() {
    let slow = || defaults().slow_call_rate(0.5).slow_call_duration(SECOND);
    let slow = || slow().window(Window::Calls(2)).minimum_calls(2);
    let (_, breaker, clock) = told(slow());
    let take = |time| {
        let permit = breaker.try_permit().unwrap();
        clock.advance(time);
        permit.success();
    };
    take(SECOND);
    assert_eq!(breaker.state(), State::Closed);
    // A quick one, which makes it a rate.
    take(Duration::ZERO);
    assert_eq!(tripped(&breaker).0, Cause::SlowCallRate);
    assert_eq!(tripped(&breaker).2, kind(FaultKind::Slow));
    clock.advance(RESET);
    take(SECOND);
    assert_eq!((breaker.state(), tripped(&breaker).2), (State::Open, kind(FaultKind::Slow)));
    assert_eq!(tripped(&breaker).0, Cause::SlowCallRate, "why it opened first");
    // A failure that is slow is a failure.
    breaker.close();
    take(SECOND);
    fail_by(&breaker, Fault::status(500));
    assert_eq!(tripped(&breaker).2, Some(Fault::status(500)));
}

#[test]
fn a_success_that_makes_it_a_rate_is_not_to_blame() {
    let half = defaults().no_max_failure().failure_rate(0.5).window(Window::Calls(4));
    let (faults, breaker, _) = told(half.minimum_calls(4));
    for status in [500, 503] {
        fail_by(&breaker, Fault::status(status));
    }
    succeed(&breaker).unwrap();
    succeed(&breaker).unwrap();
    assert_eq!(tripped(&breaker).0, Cause::FailureRate);
    assert_eq!(tripped(&breaker).2, Some(Fault::status(503)), "the last one that failed");
    assert_eq!(faults.take()[0], ("tripped", Some(Fault::status(503))));
}

#[test]
fn a_rule_opens_by_whatever_call_there_was() {
    let at_second = |it: &Evidence| it.counts.calls == 2;
    let slow = defaults().slow_call_rate(1.0).slow_call_duration(SECOND).window(Window::Calls(9));
    let (breaker, clock) = build(slow.minimum_calls(9), |builder| builder.trip_rule(at_second));
    let take = |time| {
        let permit = breaker.try_permit().unwrap();
        clock.advance(time);
        permit.success();
    };
    take(Duration::ZERO);
    take(Duration::ZERO);
    assert_eq!(
        (tripped(&breaker).0, tripped(&breaker).2),
        (Cause::Rule, None),
        "nothing was wrong"
    );
    breaker.close();
    take(Duration::ZERO);
    take(SECOND);
    assert_eq!(tripped(&breaker).2, kind(FaultKind::Slow));
}

#[test]
fn by_hand_there_is_no_fault() {
    let (faults, breaker, clock) = told(three());
    breaker.half_open();
    assert_eq!(tripped(&breaker), (Cause::Manual, clock.wall(), None));
    breaker.close();
    breaker.put(State::Open, Cause::Seed);
    assert_eq!(tripped(&breaker), (Cause::Seed, clock.wall(), None));
    breaker.close();
    for _ in 0..3 {
        fail_by(&breaker, Fault::status(503));
    }
    let (opened, by) = (clock.wall(), Some(Fault::status(503)));
    clock.advance(SECOND);
    // Half open, it is open for the same reason as before.
    breaker.half_open();
    assert_eq!(tripped(&breaker), (Cause::Failures, opened, by));
    // Who opens it has a reason of their own.
    breaker.open();
    assert_eq!(tripped(&breaker), (Cause::Manual, clock.wall(), None));
    clock.advance(SECOND);
    breaker.open();
    assert_eq!(tripped(&breaker).1, clock.wall());
    faults.take();
    breaker.reset();
    assert_eq!((breaker.tripped(), breaker.last_fault()), (None, None));
    assert_eq!(faults.take(), [("changed", None), ("closed", None)]);
}

#[test]
fn a_process_that_takes_a_circuit_over_shows_what_tripped_it() {
    let (faults, breaker, clock) = told(three());
    let when = clock.wall() - 60 * SECOND;
    let there = Tripped::new(Cause::FailureRate, when, Some(Fault::status(504)));
    breaker.adopt(Shared { tripped: Some(there), ..view(State::Open) });
    assert_eq!(breaker.tripped(), Some(there));
    let by = Some(Fault::status(504));
    assert_eq!(faults.take(), [("changed", by), ("open", by)]);
    // A trial by another begins: nothing is said that opened it.
    let half = Shared { cause: Cause::TrialStarted, renew: true, ..view(State::HalfOpen) };
    breaker.adopt(half);
    assert_eq!(breaker.tripped(), Some(there), "what is known stays, where nothing is told");
    assert_eq!(faults.take(), [("changed", None), ("half-open", None)]);
    // It failed, by another fault.
    let mut again = there;
    again.fault = kind(FaultKind::Timeout);
    let failed = Shared { cause: Cause::TrialFailed, renew: true, ..view(State::Open) };
    breaker.adopt(Shared { tripped: Some(again), ..failed });
    assert_eq!(breaker.tripped(), Some(again));
    assert_eq!(faults.take()[1], ("open", kind(FaultKind::Timeout)));
    breaker.adopt(Shared {
        cause: Cause::TrialSucceeded,
        tripped: Some(there),
        ..view(State::Closed)
    });
    assert_eq!(breaker.tripped(), None);
    // A refresh brings it too, where only the times were known.
    breaker.adopt(view(State::Open));
    let opened = clock.wall() - 2 * SECOND;
    assert_eq!(tripped(&breaker), (Cause::Failures, opened, None));
    breaker.adopt(Shared { tripped: Some(there), ..view(State::Open) });
    assert_eq!(breaker.tripped(), Some(there));
}

#[test]
fn a_storage_that_does_not_know_leaves_what_is_known() {
    let (_, breaker, clock) = told(three());
    for _ in 0..3 {
        fail_by(&breaker, Fault::status(503));
    }
    let own = tripped(&breaker);
    breaker.adopt(view(State::Open));
    assert_eq!(tripped(&breaker), own, "the same again");
    let failed = Shared { cause: Cause::TrialFailed, renew: true, ..view(State::Open) };
    breaker.adopt(failed);
    assert_eq!(tripped(&breaker), own, "still open for it");
    // Something else has opened it.
    let by_hand = Shared { cause: Cause::Manual, renew: true, ..view(State::Open) };
    breaker.adopt(by_hand);
    assert_eq!(tripped(&breaker), (Cause::Manual, clock.wall() - 2 * SECOND, None));

    // Who starts while others try does not know why.
    let (_, late, _) = told(three());
    late.adopt(Shared { cause: Cause::TrialStarted, ..view(State::HalfOpen) });
    assert_eq!(tripped(&late).0, Cause::Adopted);
}

#[test]
fn a_trial_under_a_lease_keeps_it_until_the_storage_closes() {
    let (_, breaker, clock) = told(three());
    trip(&breaker);
    clock.advance(RESET);
    assert!(matches!(breaker.admit(), Admission::TrialDue));
    let epoch = breaker.snapshot().epoch;
    breaker.begin_shared_trial(&*breaker, 1, RESET, epoch).unwrap().success();
    assert!(breaker.tripped().is_some());
    breaker.adopt(Shared { cause: Cause::TrialSucceeded, remote: false, ..view(State::Closed) });
    assert_eq!(breaker.tripped(), None);
}
