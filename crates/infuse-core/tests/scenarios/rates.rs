//! Failure rates, and what broke those of others.

use std::{sync::Arc, thread, time::Duration};

use infuse_core::{Breaker, Cause, Counts, PolicyBuilder, Standing, State, Window};

use crate::support::*;

/// Half of the last so many calls.
fn half_of(calls: u32) -> PolicyBuilder {
    defaults().no_max_failure().failure_rate(0.5).window(Window::Calls(calls))
}

/// Half of the calls of the last ten seconds, if there are ten.
fn half_of_ten_seconds() -> PolicyBuilder {
    let window = Window::Time(10 * SECOND);
    defaults().no_max_failure().failure_rate(0.5).window(window).minimum_calls(10)
}

fn window(breaker: &Breaker) -> Counts {
    breaker.snapshot().window.unwrap().counts
}

fn calls_and_failures(breaker: &Breaker) -> (u64, u64) {
    let counts = window(breaker);
    (counts.calls, counts.failures)
}

#[test]
fn half_of_the_calls_open_once_there_are_enough() {
    let heard = Recorder::default();
    let (breaker, _) =
        build(half_of_ten_seconds(), |builder| builder.replica(Arc::new(heard.clone())));
    for _ in 0..4 {
        succeed(&breaker).unwrap();
    }
    for failures in 1..=5 {
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (4 + failures, failures));
    }
    heard.take();
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 1, 0));
    assert_eq!(heard.take(), ["tripped failure-rate 15s", "closed > open failure-rate"]);
    assert_eq!(rejected(&breaker).retry_after(), RESET);
    assert_eq!(calls_and_failures(&breaker), (0, 0), "the window is emptied");
}

#[test]
fn the_call_that_makes_the_minimum_may_be_a_success() {
    let (breaker, _) = breaker(half_of_ten_seconds());
    for _ in 0..9 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(succeed(&breaker).unwrap(), 7, "its caller gets what it asked for");
    assert_eq!(counts(&breaker), (State::Open, 0, 0));
}

#[test]
fn a_rate_below_the_threshold_never_opens() {
    let (breaker, clock) = breaker(half_of_ten_seconds());
    for _ in 0..500 {
        succeed(&breaker).unwrap();
        fail(&breaker);
        succeed(&breaker).unwrap();
        clock.advance(SECOND / 10);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn the_run_and_the_rate_open_whichever_comes_first() {
    let policy = || half_of(100).max_failure(3).minimum_calls(6);
    let (breaker, _) = breaker(policy());
    fail(&breaker);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(counts(&breaker), (State::Open, 3, 0), "the run");

    breaker.close();
    for _ in 0..3 {
        succeed(&breaker).unwrap();
        fail(&breaker);
    }
    assert_eq!(counts(&breaker), (State::Open, 1, 0), "the rate");
}

#[test]
fn without_a_run_only_the_rate_opens() {
    let (breaker, _) = breaker(half_of(100).minimum_calls(100));
    for failures in 1..=99 {
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (failures, failures));
        assert_eq!(breaker.fail_counter(), 0, "nobody asks for it");
    }
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_thousand_successes_do_not_outweigh_the_last_hundred_calls() {
    let (breaker, _) = breaker(half_of(100));
    for _ in 0..1000 {
        succeed(&breaker).unwrap();
    }
    for failures in 1..50 {
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (100, failures));
    }
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_window_by_calls_slides_and_does_not_begin_anew() {
    let (breaker, _) = breaker(half_of(10).failure_rate(0.6));
    // Five of ten, over and over: the share in the last ten stays what it is.
    for nth in 0..200 {
        if nth % 2 == 0 {
            succeed(&breaker).unwrap();
        } else {
            fail(&breaker);
        }
        assert_eq!(breaker.state(), State::Closed);
    }
    // The last ten now end in a failure: the next five push out three failures and two successes.
    for _ in 0..2 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn windows_of_one_two_and_three_calls() {
    let (one, _) = breaker(half_of(1));
    succeed(&one).unwrap();
    fail(&one);
    assert_eq!(one.state(), State::Open);

    let (two, _) = breaker(half_of(2).failure_rate(1.0));
    fail(&two);
    succeed(&two).unwrap();
    fail(&two);
    assert_eq!(calls_and_failures(&two), (2, 1));
    fail(&two);
    assert_eq!(two.state(), State::Open);

    let (three, _) = breaker(half_of(3).failure_rate(2.0 / 3.0));
    for _ in 0..5 {
        succeed(&three).unwrap();
        succeed(&three).unwrap();
        fail(&three);
        assert_eq!(calls_and_failures(&three), (3, 1));
    }
    fail(&three);
    assert_eq!(three.state(), State::Open, "two of three, to the digit");
}

#[test]
fn a_window_over_time_slides_and_does_not_begin_anew() {
    let (breaker, clock) = breaker(half_of_ten_seconds());
    // A failure and four successes a second: after ten seconds the first second falls out, alone.
    for second in 1..=30 {
        fail(&breaker);
        for _ in 0..4 {
            succeed(&breaker).unwrap();
        }
        let kept = second.min(10);
        assert_eq!(calls_and_failures(&breaker), (5 * kept, kept));
        clock.advance(SECOND);
    }
    // Nine seconds of that are left, with 9 failures of 45. It takes 27 more.
    for failures in 1..27 {
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (45 + failures, 9 + failures));
    }
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_call_counts_for_nine_tenths_of_the_window_at_least_and_never_longer_than_it() {
    for offset in [0, 1, 500, 999] {
        let (breaker, clock) = breaker(half_of_ten_seconds());
        clock.advance(Duration::from_millis(offset));
        fail(&breaker);
        clock.advance(9 * SECOND);
        assert_eq!(calls_and_failures(&breaker), (1, 1));
        clock.advance(SECOND);
        assert_eq!(calls_and_failures(&breaker), (0, 0));
    }
}

#[test]
fn a_clock_that_jumps_empties_a_window_over_time_and_harms_nothing() {
    let (breaker, clock) = breaker(half_of_ten_seconds());
    // Also by multiples of the ring, and over the whole range of what a stamp can hold.
    for jump in [16, 160, 1 << 22, (1 << 22) - 16, 3600 * 24 * 365] {
        for _ in 0..9 {
            fail(&breaker);
        }
        clock.advance(Duration::from_secs(jump));
        assert_eq!(breaker.state(), State::Closed, "{jump}");
        breaker.close();
    }
    for _ in 0..10 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_clock_that_goes_back_harms_nothing() {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    #[derive(Debug, Default)]
    struct Bad(Arc<AtomicU64>);
    impl infuse_core::Clock for Bad {
        fn now(&self) -> Duration {
            Duration::from_secs(self.0.load(Relaxed))
        }
    }
    let seconds = Arc::new(AtomicU64::new(0));
    let policy = half_of_ten_seconds().slow_call_rate(1.0).slow_call_duration(SECOND);
    let breaker = Breaker::builder("bad clock")
        .policy(policy.build().unwrap())
        .clock(Bad(Arc::clone(&seconds)))
        .build();
    for now in [100, 99, 95, 80, 0, 100, 3, 100] {
        seconds.store(now, Relaxed);
        let permit = breaker.try_permit().unwrap();
        seconds.store(now / 2, Relaxed);
        permit.failure();
    }
    assert_eq!(breaker.state(), State::Closed);
    seconds.store(200, Relaxed);
    for _ in 0..10 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn outcomes_of_an_epoch_that_is_over_do_not_count() {
    for policy in [half_of(10), half_of_ten_seconds()] {
        let (breaker, _) = breaker(policy);
        let stale: Vec<_> = (0..20).map(|_| breaker.try_permit().unwrap()).collect();
        breaker.close();
        for (nth, permit) in stale.into_iter().enumerate() {
            if nth % 2 == 0 { permit.failure() } else { permit.success() }
        }
        assert_eq!(calls_and_failures(&breaker), (0, 0));
        assert_eq!(breaker.state(), State::Closed);
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (1, 1));
    }
}

#[test]
fn every_change_of_state_empties_the_window() {
    for policy in [half_of(10), half_of_ten_seconds()] {
        let (breaker, clock) = breaker(policy);
        for put in [Breaker::open, Breaker::half_open, Breaker::close, Breaker::reset] {
            fail(&breaker);
            assert_eq!(calls_and_failures(&breaker), (1, 1));
            put(&breaker);
            assert_eq!(calls_and_failures(&breaker), (0, 0));
            clock.advance(RESET);
            if breaker.state() != State::Closed {
                succeed(&breaker).unwrap();
            }
            assert_eq!(calls_and_failures(&breaker), (0, 0), "a trial goes into no window");
        }
    }
}

#[test]
fn ignored_calls_do_not_count() {
    for policy in [half_of(10), half_of_ten_seconds()] {
        let (breaker, _) = breaker(policy);
        for _ in 0..20 {
            drop(breaker.try_permit().unwrap());
            breaker.try_permit().unwrap().settle(infuse_core::Outcome::Ignored);
        }
        assert_eq!(calls_and_failures(&breaker), (0, 0));
    }
}

#[test]
fn a_window_keeps_its_calls_when_the_policy_changes_and_its_shape_does_not() {
    for policy in [half_of(10), half_of_ten_seconds()] {
        let (breaker, clock) = breaker(policy);
        for _ in 0..4 {
            fail(&breaker);
        }
        let now = breaker.policy().to_builder();
        breaker.set_policy(now.clone().failure_rate(0.9).minimum_calls(5).build().unwrap());
        assert_eq!(calls_and_failures(&breaker), (4, 4));
        assert_eq!(breaker.state(), State::Closed, "a policy judges nothing by itself");

        breaker.set_policy(now.clone().window(Window::Calls(20)).build().unwrap());
        assert_eq!(calls_and_failures(&breaker), (0, 0), "of another shape, it begins anew");
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (1, 1));
        for window in [60 * SECOND, SECOND, Duration::from_millis(1), 3600 * SECOND] {
            breaker.set_policy(now.clone().window(Window::Time(window)).build().unwrap());
            assert_eq!(calls_and_failures(&breaker), (0, 0));
            fail(&breaker);
            assert_eq!(calls_and_failures(&breaker), (1, 1));
            clock.advance(100 * SECOND);
        }
        breaker.set_policy(now.window(Window::Calls(10_000)).build().unwrap());
        fail(&breaker);
        assert_eq!(calls_and_failures(&breaker), (1, 1));
    }
}

#[test]
fn a_rate_can_be_switched_on_and_off_on_a_live_circuit() {
    let (breaker, _) = breaker(defaults());
    assert_eq!(breaker.snapshot().window, None);
    let early = breaker.try_permit().unwrap();
    breaker.set_policy(half_of(4).build().unwrap());
    early.failure();
    assert_eq!(calls_and_failures(&breaker), (1, 1), "also a call that was let through before");

    breaker.set_policy(defaults().build().unwrap());
    assert_eq!(breaker.snapshot().window, None);
    fail(&breaker);
    breaker.set_policy(half_of(4).build().unwrap());
    assert_eq!(calls_and_failures(&breaker), (0, 0), "it does not remember from before");

    // A listener that comes and goes does not switch it off.
    let id = breaker.add_listener(Recorder::default());
    breaker.remove_listener(id);
    succeed(&breaker).unwrap();
    succeed(&breaker).unwrap();
    assert_eq!(calls_and_failures(&breaker), (2, 0));
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_snapshot_says_how_far_each_rate_is_from_opening() {
    let (breaker, _) = breaker(half_of_ten_seconds().max_failure(7));
    for _ in 0..6 {
        fail(&breaker);
    }
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.fail_counter, snapshot.max_failure), (6, Some(7)));
    let window = snapshot.window.unwrap();
    assert_eq!(window.window, Window::Time(10 * SECOND));
    assert_eq!(window.failure_rate, Some(Standing::NotJudged { calls: 6, minimum: 10 }));
    assert_eq!(window.slow_call_rate, None);
    assert_eq!(window.to_string(), "failures: 6 of 10 calls, not judged yet");

    breaker.close();
    for _ in 0..9 {
        succeed(&breaker).unwrap();
    }
    fail(&breaker);
    let window = breaker.snapshot().window.unwrap();
    assert_eq!(window.failure_rate, Some(Standing::Judged { rate: 0.1, threshold: 0.5 }));
    assert_eq!(window.to_string(), "failures: 10 % of 50 %");

    let (off, _) = build(half_of(10), |builder| builder);
    assert_eq!(off.snapshot().max_failure, None);
}

#[test]
fn counts_are_handed_out_once() {
    for policy in [half_of(10).failure_rate(1.0), half_of_ten_seconds().failure_rate(1.0)] {
        let (breaker, _) = breaker(policy);
        succeed(&breaker).unwrap();
        fail(&breaker);
        let deltas = breaker.take_deltas();
        assert_eq!((deltas.epoch, deltas.counts), (0, Counts { calls: 2, failures: 1, slow: 0 }));
        assert_eq!(breaker.take_deltas().counts, Counts::default());
        assert!(!breaker.has_deltas());
        fail(&breaker);
        assert!(breaker.has_deltas());
        assert_eq!(breaker.take_deltas().counts, Counts { calls: 1, failures: 1, slow: 0 });
        assert_eq!(calls_and_failures(&breaker), (3, 2), "the window keeps them");
        fail(&breaker);
        breaker.open();
        assert!(!breaker.has_deltas(), "they are of no use any more");
        assert_eq!(breaker.take_deltas().counts, Counts::default());
        breaker.close();
        assert!(!breaker.has_deltas());
    }
    let (plain, _) = breaker(defaults());
    fail(&plain);
    assert_eq!(plain.take_deltas().counts, Counts::default());
}

#[test]
fn nothing_is_lost_between_threads() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 3000;
    for window in [Window::Calls(10_000), Window::Calls(7), Window::Time(10 * SECOND)] {
        let policy = half_of(10_000).failure_rate(1.0).window(window).minimum_calls(7);
        let (breaker, _) = breaker(policy);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let breaker = &breaker;
                scope.spawn(move || {
                    for call in 0..CALLS {
                        if (call + thread) % 3 == 0 {
                            fail(breaker);
                        } else {
                            succeed(breaker).unwrap();
                        }
                    }
                });
            }
        });
        let counts = calls_and_failures(&breaker);
        match window {
            Window::Time(_) => assert_eq!(counts, (THREADS * CALLS, THREADS * CALLS / 3)),
            Window::Calls(most) => {
                assert_eq!(counts.0, most.into());
                // Head and slots agree again: in as many calls as it holds, the ring has no
                // failure left.
                for _ in 0..most {
                    succeed(&breaker).unwrap();
                }
                assert_eq!(calls_and_failures(&breaker), (most.into(), 0));
            }
        }
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[test]
fn calls_of_many_threads_one_after_another_count_as_those_of_one() {
    for policy in [half_of(20), half_of_ten_seconds().minimum_calls(20)] {
        let (breaker, _) = breaker(policy);
        let in_a_thread = |call: fn(&Breaker)| {
            thread::scope(|scope| scope.spawn(|| call(&breaker)).join().unwrap());
        };
        for calls in 1..=10 {
            in_a_thread(|breaker| drop(succeed(breaker)));
            assert_eq!(calls_and_failures(&breaker), (calls, 0));
        }
        for failures in 1..=9 {
            in_a_thread(|breaker| _ = fail(breaker));
            assert_eq!(calls_and_failures(&breaker), (10 + failures, failures));
        }
        in_a_thread(|breaker| _ = fail(breaker));
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn a_trip_by_a_rate_is_told_as_such() {
    assert_eq!(Cause::FailureRate.as_str(), "failure-rate");
    assert_eq!(Cause::SlowCallRate.as_str(), "slow-call-rate");
    assert_eq!(Cause::Rule.as_str(), "rule");
}
