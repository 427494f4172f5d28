//! Windows: what is counted by several threads at once.

use infuse_core::{Counts, Verdict, Window};

use super::*;

/// A share of the calls in a window, and no run.
fn rate(window: Window, share: f64, minimum: u32) -> PolicyBuilder {
    let policy = Policy::builder().no_max_failure().failure_rate(share);
    policy.window(window).minimum_calls(minimum)
}

const WINDOWS: [Window; 2] = [Window::Calls(2), Window::Time(Duration::from_secs(10))];

/// The calls and failures in the window.
fn counted(breaker: &Arc<Breaker>) -> (u64, u64) {
    let counts = breaker.snapshot().window.unwrap().counts;
    (counts.calls, counts.failures)
}

#[test]
fn two_failures_that_make_a_rate_open_once() {
    for window in WINDOWS {
        explore(move |order| {
            let (breaker, clock) = breaker(rate(window, 1.0, 2));
            order.race(on(&breaker, fail), on(&breaker, fail));
            assert_eq!(breaker.state(), State::Open);
            assert_eq!(breaker.snapshot().epoch, 1, "one trip, not two");
            assert_eq!(counted(&breaker), (0, 0));
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn a_failure_and_a_success_that_make_a_rate_open() {
    for window in WINDOWS {
        explore(move |order| {
            // Half of two: one of them makes the minimum.
            let (breaker, clock) = breaker(rate(window, 0.5, 2));
            order.race(on(&breaker, fail), on(&breaker, succeed));
            assert_eq!(breaker.state(), State::Open);
            recovers(&breaker, &clock);
        });
    }
}

fn repeat(breaker: &Arc<Breaker>, times: u32) {
    for _ in 0..times {
        succeed(breaker);
    }
}

#[test]
fn calls_that_push_each_other_out_leave_the_sums_right() {
    for size in [1, 2] {
        explore(move |order| {
            let (breaker, _) = breaker(rate(Window::Calls(size), 1.0, size).max_failure(99));
            // Full of successes, so that every call pushes one out.
            succeed(&breaker);
            succeed(&breaker);
            let (_, failed) = order.race(
                on(&breaker, move |breaker| repeat(breaker, size)),
                on(&breaker, move |breaker| size == 2 && fail(breaker)),
            );
            let (calls, failures) = counted(&breaker);
            assert_eq!(calls, size.into());
            assert!(failures <= u64::from(failed));
            // And the ring holds what the sums say: as many successes as it has slots leave none.
            repeat(&breaker, size);
            assert_eq!(counted(&breaker), (size.into(), 0));
        });
    }
}

#[test]
fn what_ends_after_a_change_is_in_no_window() {
    for window in WINDOWS {
        explore(move |order| {
            let (breaker, _) = breaker(rate(window, 1.0, 2));
            let stale = breaker.try_permit_owned().unwrap();
            let renewed = on(&breaker, |breaker| {
                breaker.close();
                fail(breaker);
            });
            order.race(renewed, move || stale.failure());
            assert_eq!(counted(&breaker), (1, 1), "the call of the new epoch, and no other");
            assert_eq!(breaker.state(), State::Closed);
        });
    }
}

#[test]
fn a_call_beside_a_change_of_shape() {
    for (from, to) in [(WINDOWS[0], WINDOWS[1]), (WINDOWS[1], WINDOWS[0])] {
        explore(move |order| {
            let (breaker, _) = breaker(rate(from, 1.0, 2));
            let reshape = on(&breaker, move |breaker| {
                breaker.set_policy(rate(to, 1.0, 2).build().unwrap());
            });
            order.race(reshape, on(&breaker, fail));
            let (calls, failures) = counted(&breaker);
            assert!(calls == failures && calls <= 1, "{calls} {failures}");
        });
    }
}

#[test]
fn each_call_is_handed_out_once() {
    for window in WINDOWS {
        explore(move |order| {
            let (breaker, _) = breaker(rate(window, 1.0, 2));
            let take = |breaker: &Arc<Breaker>| breaker.take_deltas().counts;
            let (_, mut taken) = order.race(on(&breaker, fail), on(&breaker, take));
            taken.calls += take(&breaker).calls;
            assert_eq!(taken.calls, 1);
            assert_eq!(take(&breaker), Counts::default());
            assert_eq!(counted(&breaker), (1, 1));
        });
    }
}

#[test]
fn a_failure_of_our_own_side_is_never_handed_out() {
    for window in WINDOWS {
        explore(move |order| {
            let (breaker, _) = breaker(rate(window, 1.0, 2).split_local_origin(true));
            let take = |breaker: &Arc<Breaker>| breaker.take_deltas().counts;
            succeed(&breaker);
            assert_eq!(take(&breaker), Counts { calls: 1, failures: 0, slow: 0 });
            let here = |breaker: &Arc<Breaker>| {
                breaker.try_permit().unwrap().settle(Verdict::local_failure());
            };
            let (_, taken) = order.race(on(&breaker, here), on(&breaker, take));
            assert_eq!((taken, take(&breaker)), (Counts::NONE, Counts::NONE));
            assert!(!breaker.has_deltas());
            assert_eq!(counted(&breaker), (2, 1));
        });
    }
}

#[test]
fn what_is_kept_back_leaves_the_sums_right() {
    explore(|order| {
        let (breaker, _) = breaker(rate(Window::Calls(2), 1.0, 2));
        // Full, with a failure in it: the next success of this thread is kept back, and counts.
        fail(&breaker);
        succeed(&breaker);
        assert_eq!(counted(&breaker), (2, 1));
        succeed(&breaker);
        assert_eq!(counted(&breaker), (2, 0));
        order.race(on(&breaker, fail), on(&breaker, fail));
        // The one that was kept back came in before the failure of this thread, but perhaps after
        // that of the other: a ring of two then holds the two failures, or one.
        if breaker.state() == State::Closed {
            let (calls, failures) = counted(&breaker);
            assert!(calls == 2 && (1..=2).contains(&failures), "{calls} {failures}");
            repeat(&breaker, 2);
            assert_eq!(counted(&breaker), (2, 0));
        }
    });
}

#[test]
fn what_is_kept_back_is_handed_out_once() {
    explore(|order| {
        let (breaker, _) = breaker(rate(Window::Calls(2), 1.0, 2));
        fail(&breaker);
        succeed(&breaker);
        let take = |breaker: &Arc<Breaker>| breaker.take_deltas().counts;
        assert_eq!(take(&breaker), Counts { calls: 2, failures: 1, slow: 0 });
        let calls = on(&breaker, |breaker| repeat(breaker, 2));
        let ((), taken) = order.race(calls, on(&breaker, take));
        assert_eq!(taken.calls + take(&breaker).calls, 2);
        assert!(!breaker.has_deltas());
    });
}

#[test]
fn a_bucket_that_several_take_over_at_once_holds_the_calls_of_all() {
    // Two threads beside the first, which count in the same row: three forced switches, at all
    // places.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let window = Window::Time(Duration::from_secs(10));
        let (breaker, clock) = breaker(rate(window, 1.0, 99));
        thread::spawn(on(&breaker, fail)).join().unwrap();
        assert_eq!(counted(&breaker), (1, 1));
        // A whole ring later, in the same bucket.
        clock.advance(4 * Duration::from_secs(5));
        let one = thread::spawn(on(&breaker, fail));
        let other = thread::spawn(on(&breaker, fail));
        one.join().unwrap();
        other.join().unwrap();
        assert_eq!(counted(&breaker), (2, 2));
    });
}
