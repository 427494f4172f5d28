//! Counts of everything that ever happened.

use std::{sync::Arc, thread};

use infuse_core::{Breaker, CallError, Mode, Outcome, Totals, Window};

use crate::support::*;

/// Successes, failures, ignored ones, rejections, those that would have been, and trials.
fn totals(breaker: &Breaker) -> [u64; 6] {
    let Totals { success, failure, ignored, rejected, would_have_rejected, trials, .. } =
        breaker.totals().unwrap();
    [success, failure, ignored, rejected, would_have_rejected, trials]
}

#[test]
fn nothing_is_counted_unless_it_is_asked_for() {
    let (breaker, _) = breaker(three());
    assert_eq!(breaker.totals(), None);
    assert!(breaker.quiet_permit().is_some());
    let before = breaker.try_permit().unwrap();
    breaker.keep_totals();
    breaker.keep_totals();
    assert_eq!(breaker.totals(), Some(Totals::default()));
    before.success();
    assert_eq!(totals(&breaker), [1, 0, 0, 0, 0, 0], "a call in flight is counted");
    assert!(breaker.quiet_permit().is_none());
}

#[test]
fn each_way_to_make_a_call_counts_it_once() {
    fn now<T>(future: impl Future<Output = T>) -> T {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::pin!(future).poll(&mut context) {
            std::task::Poll::Ready(output) => output,
            std::task::Poll::Pending => panic!("it waits"),
        }
    }
    type Call = fn(&Arc<Breaker>, bool) -> Result<(), CallError<Broken>>;
    fn end(well: bool) -> Result<(), Broken> {
        if well { Ok(()) } else { Err(Broken) }
    }
    fn judge(result: &Result<(), Broken>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
    let calls: [Call; 7] = [
        |breaker, well| breaker.call_sync(|| end(well)),
        |breaker, well| breaker.call_sync_with(|| end(well), judge),
        |breaker, well| now(breaker.call(async || end(well))),
        |breaker, well| now(breaker.call_with(async || end(well), judge)),
        |breaker, well| breaker.try_permit().map_err(CallError::Rejected)?.run_sync(|| end(well)),
        |breaker, well| {
            now(breaker.try_permit_owned().map_err(CallError::Rejected)?.run(async || end(well)))
        },
        |breaker, well| {
            let permit = breaker.try_permit().map_err(CallError::Rejected)?;
            permit.settle(judge(&end(well)));
            Ok(())
        },
    ];
    let window = Window::Calls(100);
    let policies = [
        three().max_failure(1),
        three().max_failure(1).failure_rate(1.0).window(window),
        three().max_failure(1).abandoned_after(SECOND),
    ];
    for policy in policies {
        for call in calls {
            let (breaker, clock) = build(policy.clone(), |builder| builder.totals());
            let call = |well| drop(call(&breaker, well));
            (0..5).for_each(|_| call(true));
            assert_eq!(totals(&breaker), [5, 0, 0, 0, 0, 0]);
            call(false);
            assert_eq!(totals(&breaker), [5, 1, 0, 0, 0, 0]);
            call(true);
            call(true);
            assert_eq!(totals(&breaker), [5, 1, 0, 2, 0, 0]);
            clock.advance(RESET);
            call(true);
            assert_eq!(totals(&breaker), [6, 1, 0, 2, 0, 1]);
            call(true);
            assert_eq!(totals(&breaker), [7, 1, 0, 2, 0, 1]);
        }
    }
}

#[test]
fn what_says_nothing_is_ignored() {
    let (breaker, clock) = build(three(), |builder| builder.totals());
    drop(breaker.try_permit().unwrap());
    breaker.try_permit().unwrap().settle(Outcome::Ignored);
    assert_eq!(totals(&breaker), [0, 0, 2, 0, 0, 0]);
    // Late ones, whose run had a failure, and whose had none.
    let late = [(); 3].map(|()| breaker.try_permit().unwrap());
    breaker.open();
    for permit in late {
        permit.success();
    }
    assert_eq!(totals(&breaker), [0, 0, 5, 0, 0, 0]);
    breaker.close();
    fail(&breaker);
    let late = breaker.try_permit().unwrap();
    trip(&breaker);
    late.success();
    assert_eq!(totals(&breaker), [0, 3, 6, 0, 0, 0]);
    // A trial that outlives its lease.
    clock.advance(RESET);
    let trial = breaker.try_permit().unwrap();
    clock.advance(100 * RESET);
    trial.success();
    assert_eq!(totals(&breaker), [0, 3, 7, 0, 0, 1]);
}

#[test]
fn modes_have_their_own_counts() {
    let (breaker, _) = build(three(), |builder| builder.totals().mode(Mode::Disabled));
    succeed(&breaker).unwrap();
    fail(&breaker);
    drop(breaker.try_permit().unwrap());
    assert_eq!(totals(&breaker), [0; 6], "nothing is counted in one that is disabled");
    breaker.set_mode(Mode::Isolated);
    rejected(&breaker);
    assert_eq!(totals(&breaker), [0, 0, 0, 1, 0, 0]);
    breaker.set_mode(Mode::Observe);
    trip(&breaker);
    succeed(&breaker).unwrap();
    fail(&breaker);
    drop(breaker.try_permit().unwrap());
    assert_eq!(totals(&breaker), [0, 3, 0, 1, 3, 0], "whatever came of what would be rejected");
    assert_eq!(breaker.snapshot().would_have_rejected, 3);
}

#[test]
fn every_rejection_is_counted() {
    let (breaker, clock) = build(three().ramp(RESET), |builder| builder.totals());
    trip(&breaker);
    rejected(&breaker);
    assert!(breaker.try_permit().is_err());
    assert!(breaker.try_permit_owned().is_err());
    breaker.reject();
    drop(breaker.admit());
    drop(breaker.admit_owned());
    assert_eq!(totals(&breaker), [0, 3, 0, 6, 0, 0]);
    clock.advance(RESET);
    assert!(breaker.refuse(&*breaker).is_err());
    assert_eq!(totals(&breaker), [0, 3, 0, 7, 0, 0]);
    succeed(&breaker).unwrap();
    // One of ten, at first.
    succeed(&breaker).unwrap();
    rejected(&breaker);
    assert_eq!(totals(&breaker), [2, 3, 0, 8, 0, 1]);
}

#[test]
fn they_are_right_at_every_moment_after_a_call_and_lose_none() {
    const CALLS: u64 = 2000;
    // More than have a seat to themselves, and others that come after them.
    for threads in [1, 2, 20] {
        let breaker = Arc::new(Breaker::builder("busy").totals().build());
        for round in 1..=2 {
            thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        let mut before = breaker.totals().unwrap();
                        for call in 0..CALLS {
                            match call % 4 {
                                0 => drop(breaker.try_permit().unwrap()),
                                _ => drop(succeed(&breaker).unwrap()),
                            }
                            let after = breaker.totals().unwrap();
                            let sum = |it: Totals| it.success + it.ignored;
                            assert!(sum(after) > sum(before), "this thread's own call is in it");
                            assert!(
                                after.success >= before.success && after.ignored >= before.ignored
                            );
                            before = after;
                        }
                    });
                }
            });
            let calls = round * threads * CALLS;
            assert_eq!(totals(&breaker), [calls / 4 * 3, 0, calls / 4, 0, 0, 0]);
        }
    }
}
