//! Windows full of calls, where most calls do not look at all that is counted: they open at the very
//! call all the same.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use infuse_core::{Breaker, Counts, Evidence, Outcome, PolicyBuilder, State, Verdict, Window};

use crate::support::*;

/// Half of the calls of the last ten seconds, if there are ten.
fn half_of_ten_seconds() -> PolicyBuilder {
    let window = Window::Time(10 * SECOND);
    defaults().no_max_failure().failure_rate(0.5).window(window).minimum_calls(10)
}

fn half_of(calls: u32) -> PolicyBuilder {
    defaults().no_max_failure().failure_rate(0.5).window(Window::Calls(calls))
}

fn window(breaker: &Breaker) -> Counts {
    breaker.snapshot().window.unwrap().counts
}

fn times(calls: u64, call: impl Fn()) {
    (0..calls).for_each(|_| call());
}

#[test]
fn a_busy_window_over_time_opens_at_the_very_call() {
    let (breaker, clock) = breaker(half_of_ten_seconds());
    times(6000, || _ = succeed(&breaker).unwrap());
    clock.advance(SECOND);
    times(4000, || _ = succeed(&breaker).unwrap());
    times(9999, || _ = fail(&breaker));
    assert_eq!(window(&breaker), Counts { calls: 19_999, failures: 9999, slow: 0 });
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_bucket_that_falls_out_takes_the_room_with_it() {
    let (breaker, clock) = breaker(half_of_ten_seconds());
    times(50_000, || _ = succeed(&breaker).unwrap());
    clock.advance(9 * SECOND);
    times(1000, || _ = succeed(&breaker).unwrap());
    // There is room for tens of thousands, until the next second.
    times(900, || _ = fail(&breaker));
    clock.advance(SECOND);
    times(99, || _ = fail(&breaker));
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open, "a thousand of two thousand");
}

#[test]
fn slow_calls_use_up_the_room_as_well() {
    let policy = half_of_ten_seconds().slow_call_rate(0.25).slow_call_duration(SECOND / 100);
    let (breaker, clock) = breaker(policy);
    times(9000, || _ = succeed(&breaker).unwrap());
    let slowly = |outcome: Outcome| {
        let permits: Vec<_> = (0..100).map(|_| breaker.try_permit().unwrap()).collect();
        clock.advance(SECOND / 100);
        permits.into_iter().for_each(|permit| permit.settle(outcome));
    };
    times(10, || slowly(Outcome::Failure));
    times(19, || slowly(Outcome::Success));
    assert_eq!(window(&breaker), Counts { calls: 11_900, failures: 1000, slow: 2900 });
    slowly(Outcome::Success);
    // The last but one of these makes a quarter: 3000 of 12,000.
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_policy_that_gets_stricter_holds_from_the_next_call_on() {
    for policy in [half_of_ten_seconds(), half_of(10_000)] {
        for call in
            [|breaker: &Breaker| _ = fail(breaker), |breaker: &Breaker| _ = succeed(breaker)]
        {
            let (breaker, _) = breaker(policy.clone());
            times(8000, || _ = succeed(&breaker).unwrap());
            times(2000, || _ = fail(&breaker));
            // Successes that need not be looked at, and failures that have room.
            times(3, || _ = succeed(&breaker).unwrap());
            let stricter = breaker.policy().to_builder().failure_rate(0.1).build().unwrap();
            breaker.set_policy(stricter);
            assert_eq!(breaker.state(), State::Closed);
            call(&breaker);
            assert_eq!(breaker.state(), State::Open);
        }
    }
}

#[test]
fn a_rule_is_asked_about_every_call() {
    for policy in [half_of_ten_seconds(), half_of(40)] {
        let asked = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&asked);
        let rule = move |evidence: &Evidence| {
            seen.fetch_add(1, Relaxed);
            assert!(evidence.counts.calls > 0);
            false
        };
        let (breaker, _) = build(policy, |builder| builder.trip_rule(rule));
        fail(&breaker);
        times(100, || _ = succeed(&breaker).unwrap());
        assert_eq!(asked.load(Relaxed), 101);
    }
}

#[test]
fn threads_together_open_no_call_too_late() {
    const THREADS: u64 = 12;
    for policy in [half_of_ten_seconds(), half_of(5000)] {
        let (breaker, _) = breaker(policy);
        // More threads than have counters of their own, each with some successes.
        let (failed, all) = (AtomicU64::new(0), Barrier::new(THREADS as usize));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    times(500, || _ = succeed(&breaker).unwrap());
                    all.wait();
                    for _ in 0..20_000 {
                        let Ok(permit) = breaker.try_permit() else { break };
                        failed.fetch_add(1, Relaxed);
                        permit.failure();
                    }
                });
            }
        });
        assert_eq!(breaker.state(), State::Open);
        let needed = match breaker.policy().window() {
            Window::Time(_) => 500 * THREADS,
            Window::Calls(calls) => u64::from(calls) / 2,
        };
        // Those that ended at the moment of the trip may be too many.
        let failed = failed.into_inner();
        assert!((needed..=needed + THREADS).contains(&failed), "{failed} of {needed}");
    }
}

#[test]
fn what_one_thread_may_do_unseen_ends_when_another_uses_up_the_room() {
    let (breaker, _) = breaker(half_of_ten_seconds());
    let at = Barrier::new(2);
    times(20_000, || _ = succeed(&breaker).unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            // With so much room, the next failures of this thread need not be looked at.
            fail(&breaker);
            at.wait();
            at.wait();
            fail(&breaker);
        });
        at.wait();
        times(19_998, || _ = fail(&breaker));
        assert_eq!(breaker.state(), State::Closed);
        at.wait();
    });
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_policy_that_gets_stricter_holds_for_other_threads_too() {
    let (breaker, _) = breaker(half_of_ten_seconds());
    let at = Barrier::new(2);
    times(9000, || _ = succeed(&breaker).unwrap());
    times(999, || _ = fail(&breaker));
    thread::scope(|scope| {
        scope.spawn(|| {
            fail(&breaker);
            at.wait();
            at.wait();
            fail(&breaker);
        });
        at.wait();
        // 1001 of 10,001 are less than that, 1002 of 10,002 are not.
        let stricter = breaker.policy().to_builder().failure_rate(0.1001).build().unwrap();
        breaker.set_policy(stricter);
        fail(&breaker);
        assert_eq!(breaker.state(), State::Closed);
        at.wait();
    });
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn threads_that_come_and_go_lose_nothing() {
    for policy in [half_of_ten_seconds(), half_of(10_000)] {
        let (breaker, _) = breaker(policy);
        times(9_000, || _ = succeed(&breaker).unwrap());
        let before = window(&breaker).calls;
        for _ in 0..50 {
            thread::scope(|scope| {
                for _ in 0..10 {
                    scope.spawn(|| {
                        _ = succeed(&breaker).unwrap();
                        fail(&breaker);
                    });
                }
            });
        }
        assert_eq!(window(&breaker), Counts { calls: before + 1000, failures: 500, slow: 0 });
        assert_eq!(breaker.take_deltas().counts, window(&breaker));
        assert!(!breaker.has_deltas());
    }
}

#[test]
fn failures_of_our_own_side_are_in_the_window_and_go_no_further() {
    for policy in [half_of_ten_seconds(), half_of(40)] {
        let (breaker, _) = breaker(policy.split_local_origin(true).minimum_calls(40));
        times(30, || _ = succeed(&breaker).unwrap());
        times(5, || _ = fail(&breaker));
        times(4, || breaker.try_permit().unwrap().settle(Verdict::local_failure()));
        assert_eq!(window(&breaker), Counts { calls: 39, failures: 9, slow: 0 });
        let told = Counts { calls: 35, failures: 5, slow: 0 };
        assert_eq!(breaker.take_deltas().counts, told);
        breaker.try_permit().unwrap().settle(Verdict::local_failure());
        assert!(!breaker.has_deltas(), "it is no matter for others");
        assert_eq!(breaker.take_deltas().counts, Counts::NONE);
    }
    // Where they are not told apart they are failures as any other.
    let (breaker, _) = breaker(half_of(40));
    breaker.try_permit().unwrap().settle(Verdict::local_failure());
    assert_eq!(breaker.take_deltas().counts, Counts { calls: 1, failures: 1, slow: 0 });
}
