//! Every interleaving of two or three threads at one breaker.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p infuse-core --test loom --release --target-dir target/loom`
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

#[path = "loom/modes.rs"]
mod modes;
#[path = "loom/told.rs"]
mod told;
#[path = "loom/window.rs"]
mod window;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use infuse_core::{
    Admission, Breaker, Cause, Listener, ManualClock, Permit, Policy, PolicyBuilder, Ramp,
    Rejected, Shared, State,
};
use loom::thread;

const RESET: Duration = Duration::from_secs(15);

/// Explores a test, once with either of its two sides as the first to go.
///
/// Both, because loom remembers only the last access to an atomic: a thread that reads and then
/// writes makes it forget who read before, and with one order alone it would find no race there.
fn explore(test: impl Fn(Order) + Sync + Send + Copy + 'static) {
    for order in [Order::FirstGoes, Order::SecondGoes] {
        loom::model::Builder::new().check(move || test(order));
    }
}

#[derive(Clone, Copy)]
enum Order {
    FirstGoes,
    SecondGoes,
}

impl Order {
    /// Runs both at once.
    fn race<A: 'static, B: 'static>(
        self,
        first: impl FnOnce() -> A + 'static,
        second: impl FnOnce() -> B + 'static,
    ) -> (A, B) {
        match self {
            Order::FirstGoes => {
                let second = thread::spawn(second);
                (first(), second.join().unwrap())
            }
            Order::SecondGoes => {
                let first = thread::spawn(first);
                let second = second();
                (first.join().unwrap(), second)
            }
        }
    }
}

fn breaker(policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock) {
    let clock = ManualClock::new();
    let policy = policy.reset_timeout(RESET).build().unwrap();
    let breaker = Breaker::builder("loom").policy(policy).clock(clock.clone()).build();
    (Arc::new(breaker), clock)
}

fn failures(most: u32) -> PolicyBuilder {
    Policy::builder().max_failure(most)
}

/// Open, with its time over.
fn due(policy: PolicyBuilder) -> (Arc<Breaker>, ManualClock) {
    let (breaker, clock) = breaker(policy);
    breaker.open();
    clock.advance(RESET);
    (breaker, clock)
}

/// What one side of a race does to the breaker.
fn on<T, F: FnOnce(&Arc<Breaker>) -> T>(
    breaker: &Arc<Breaker>,
    run: F,
) -> impl FnOnce() -> T + use<T, F> {
    let breaker = Arc::clone(breaker);
    move || run(&breaker)
}

/// A call that fails, if it is let through; whether it was.
fn fail(breaker: &Arc<Breaker>) -> bool {
    breaker.try_permit().map(Permit::failure).is_ok()
}

/// A call that succeeds, if it is let through; whether it was.
fn succeed(breaker: &Arc<Breaker>) -> bool {
    breaker.try_permit().map(Permit::success).is_ok()
}

/// Whatever happened: once time has passed a call is let through, and its success closes.
fn recovers(breaker: &Arc<Breaker>, clock: &ManualClock) {
    clock.advance(100 * RESET);
    assert!(succeed(breaker), "the circuit is wedged");
    assert_eq!((breaker.state(), breaker.fail_counter()), (State::Closed, 0));
}

/// What someone is told who asks to pass when no trial can be due.
fn look(breaker: &Arc<Breaker>) -> Option<Rejected> {
    match breaker.admit() {
        Admission::Admitted(permit) => {
            assert!(!permit.is_trial());
            None
        }
        Admission::Rejected(rejected) => Some(rejected),
        Admission::TrialDue => panic!("no trial is due"),
    }
}

#[test]
fn no_failure_is_lost_on_the_way_to_a_trip() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(3));
        fail(&breaker);
        order.race(on(&breaker, fail), on(&breaker, fail));
        assert_eq!((breaker.state(), breaker.fail_counter()), (State::Open, 3));
        recovers(&breaker, &clock);
    });
}

#[test]
fn a_failure_too_many_is_dropped_by_the_trip() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        order.race(on(&breaker, fail), on(&breaker, fail));
        assert_eq!((breaker.state(), breaker.fail_counter()), (State::Open, 1));
        assert_eq!(breaker.snapshot().epoch, 1, "one trip, not two");
        recovers(&breaker, &clock);
    });
}

#[test]
fn a_success_beside_the_last_failure_comes_before_or_after_it() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(2));
        fail(&breaker);
        order.race(on(&breaker, fail), on(&breaker, succeed));
        let end = (breaker.state(), breaker.fail_counter());
        assert!([(State::Open, 2), (State::Closed, 1)].contains(&end), "{end:?}");
        recovers(&breaker, &clock);
    });
}

#[test]
fn whoever_sees_a_trip_sees_its_deadline() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        let (_, seen) = order.race(on(&breaker, fail), on(&breaker, look));
        if let Some(rejected) = seen {
            assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, RESET));
        }
        assert_eq!(breaker.retry_after(), Some(RESET));
        recovers(&breaker, &clock);
    });
}

#[test]
fn whoever_looks_while_it_is_closed_finds_no_trial_due() {
    explore(|order| {
        let (breaker, _) = breaker(failures(1));
        breaker.open();
        order.race(on(&breaker, |breaker| breaker.close()), on(&breaker, look));
        assert_eq!(look(&breaker), None);
    });
}

#[test]
fn whoever_looks_while_it_changes_twice_finds_no_trial_due() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        let changes = on(&breaker, |breaker| {
            breaker.open();
            breaker.close();
            breaker.open();
        });
        let (_, seen) = order.race(changes, on(&breaker, look));
        if let Some(rejected) = seen {
            // 0 when it was caught half-way to another state.
            assert!([Duration::ZERO, RESET].contains(&rejected.retry_after()));
        }
        recovers(&breaker, &clock);
    });
}

#[test]
fn three_at_a_trip() {
    // Three threads need a bound: three forced switches, at all places.
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let (breaker, clock) = breaker(failures(2));
        let one = thread::spawn(on(&breaker, fail));
        let two = thread::spawn(on(&breaker, fail));
        look(&breaker);
        one.join().unwrap();
        two.join().unwrap();
        assert_eq!((breaker.state(), breaker.fail_counter()), (State::Open, 2));
        recovers(&breaker, &clock);
    });
}

#[test]
fn one_trial_is_granted_and_its_end_makes_room() {
    explore(|order| {
        let (breaker, _) = due(failures(1));
        let ask = |breaker: &Arc<Breaker>| breaker.try_permit_owned().ok();
        let (one, other) = order.race(on(&breaker, ask), on(&breaker, ask));
        let granted: Vec<_> = [one, other].into_iter().flatten().collect();
        assert_eq!(granted.len(), 1);
        assert!(granted[0].is_trial());
        assert!(breaker.try_permit().is_err());
        drop(granted);
        // Without any time passing: the place was given back.
        assert!(succeed(&breaker), "the circuit is wedged");
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn trials_that_end_at_once_leave_a_legal_state() {
    explore(|order| {
        let (breaker, clock) = due(failures(5));
        let (succeeded, failed) = order.race(on(&breaker, succeed), on(&breaker, fail));
        let end = (breaker.state(), breaker.fail_counter());
        match (succeeded, failed) {
            // The success closed; the failure came as an ordinary call.
            (true, true) => assert_eq!(end, (State::Closed, 1)),
            (true, false) => assert_eq!(end, (State::Closed, 0)),
            (false, true) => assert_eq!(end, (State::Open, 1)),
            (false, false) => panic!("nobody was let through"),
        }
        recovers(&breaker, &clock);
    });
}

#[test]
fn two_trials_of_two_count_both() {
    explore(|order| {
        let (breaker, _) = due(failures(1).half_open_max_calls(2).success_threshold(2));
        // One that asks while the other makes the circuit half-open may be rejected.
        let (one, other) = order.race(on(&breaker, succeed), on(&breaker, succeed));
        let granted = u32::from(one) + u32::from(other);
        assert!(granted > 0);
        for successes in granted..2 {
            assert_eq!((breaker.state(), breaker.success_counter()), (State::HalfOpen, successes));
            assert!(succeed(&breaker), "there is room");
        }
        assert_eq!((breaker.state(), breaker.fail_counter()), (State::Closed, 0));
    });
}

/// The ways in which a permit may end.
const ENDS: [fn(Permit<Arc<Breaker>>); 3] = [Permit::success, Permit::failure, drop];

#[test]
fn a_late_outcome_never_touches_the_trial() {
    for end in ENDS {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let old = breaker.try_permit_owned().unwrap();
            fail(&breaker);
            clock.advance(RESET);
            let trying = on(&breaker, |breaker| {
                let trial = breaker.try_permit().expect("a trial is due");
                assert!(trial.is_trial());
                assert_eq!(breaker.state(), State::HalfOpen);
                trial.success();
            });
            order.race(move || end(old), trying);
            assert_eq!((breaker.state(), breaker.fail_counter()), (State::Closed, 0));
        });
    }
}

#[test]
fn a_late_outcome_never_undoes_the_trip() {
    for end in ENDS {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let old = breaker.try_permit_owned().unwrap();
            let last = breaker.try_permit_owned().unwrap();
            order.race(move || end(old), move || last.failure());
            assert_eq!((breaker.state(), breaker.fail_counter()), (State::Open, 1));
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn a_trial_past_its_lease_gives_way_whatever_becomes_of_it() {
    for end in ENDS {
        explore(move |order| {
            let (breaker, clock) = due(failures(1));
            let hanging = breaker.try_permit_owned().unwrap();
            clock.advance(breaker.policy().lease(None));
            let ask = on(&breaker, |breaker| breaker.try_permit_owned().ok());
            let (_, next) = order.race(move || end(hanging), ask);
            let next = next.expect("the lease is over");
            assert_eq!((breaker.state(), breaker.fail_counter()), (State::HalfOpen, 0));
            assert!(breaker.try_permit().is_err(), "one trial, not two");
            next.success();
            assert_eq!(breaker.state(), State::Closed);
        });
    }
}

#[test]
fn manual_control_beside_a_trip() {
    for put in [State::Closed, State::Open, State::HalfOpen] {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            let control = on(&breaker, move |breaker| breaker.put(put, Cause::Manual));
            order.race(control, move || call.failure());
            let end = breaker.snapshot();
            // The trip came first, or too late: its call was from before the change.
            assert_eq!(end.state, put);
            assert!([1, 2].contains(&end.epoch));
            assert_eq!(end.fail_counter, u32::from(end.epoch == 2 && put != State::Closed));
            let left = match put {
                State::Closed => None,
                State::Open => Some(RESET),
                State::HalfOpen => Some(Duration::ZERO),
            };
            assert_eq!(end.retry_after, left);
            assert_eq!(end.opened_at.is_some(), put != State::Closed);
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn manual_control_beside_a_trial() {
    for put in [State::Closed, State::Open, State::HalfOpen] {
        explore(move |order| {
            let (breaker, clock) = due(failures(1));
            let control = on(&breaker, move |breaker| breaker.put(put, Cause::Manual));
            order.race(control, on(&breaker, succeed));
            let end = breaker.state();
            // A trial that was let through after the change may close it again.
            let legal = end == put || (put == State::HalfOpen && end == State::Closed);
            assert!(legal, "{end}");
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn a_view_of_the_storage_beside_a_trip() {
    const LEFT: Duration = Duration::from_secs(3);
    for (state, renew) in [
        (State::Closed, false),
        (State::Closed, true),
        (State::Open, false),
        (State::HalfOpen, true),
    ] {
        explore(move |order| {
            let (breaker, clock) = breaker(failures(1));
            let call = breaker.try_permit_owned().unwrap();
            let view = Shared {
                state,
                left: LEFT,
                open_for: Duration::ZERO,
                successes: 0,
                renew,
                cause: Cause::Adopted,
                remote: true,
                failed_trials: 0,
                ramp: Ramp::default(),
                tripped: None,
            };
            order.race(on(&breaker, move |breaker| breaker.adopt(view)), move || call.failure());
            let end = breaker.snapshot();
            let end = (end.state, end.retry_after);
            match (state, renew) {
                // It was closed still, which changed nothing, or again.
                (State::Closed, false) => {
                    assert!([(State::Open, Some(RESET)), (State::Closed, None)].contains(&end));
                }
                (State::Open, _) => assert_eq!(end, (State::Open, Some(LEFT))),
                _ => assert_eq!(end.0, state),
            }
            recovers(&breaker, &clock);
        });
    }
}

#[test]
fn a_policy_that_changes_beside_trials() {
    explore(|order| {
        let (breaker, _) = due(failures(1).half_open_max_calls(2));
        let held = breaker.try_permit_owned().unwrap();
        let fewer = on(&breaker, |breaker| {
            let policy = breaker.policy().to_builder().half_open_max_calls(1).build();
            breaker.set_policy(policy.unwrap());
        });
        let ask = on(&breaker, |breaker| breaker.try_permit_owned().ok());
        let (_, second) = order.race(fewer, ask);
        assert!(breaker.try_permit().is_err());
        drop((held, second));
        assert!(succeed(&breaker), "the circuit is wedged");
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[derive(Default)]
struct Heard {
    successes: AtomicU32,
    rejections: AtomicU32,
}

impl Listener for Heard {
    fn success(&self, _: &Breaker) {
        self.successes.fetch_add(1, Ordering::Relaxed);
    }

    fn rejected(&self, _: &Breaker, _: Rejected) {
        self.rejections.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_listener_added_while_a_call_succeeds() {
    explore(|order| {
        let (breaker, _) = breaker(failures(2));
        fail(&breaker);
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        let add = on(&breaker, |breaker| breaker.add_shared_listener(listener));
        let (id, _) = order.race(add, on(&breaker, succeed));
        assert_eq!(breaker.fail_counter(), 0, "neither takes anything from the other");
        let before = heard.successes.load(Ordering::Relaxed);
        assert!(before <= 1);
        succeed(&breaker);
        assert_eq!(heard.successes.load(Ordering::Relaxed), before + 1);
        assert!(breaker.remove_listener(id));
        succeed(&breaker);
        assert_eq!(heard.successes.load(Ordering::Relaxed), before + 1);
    });
}

#[test]
fn a_listener_added_during_a_trip_hears_what_follows() {
    explore(|order| {
        let (breaker, clock) = breaker(failures(1));
        let heard = Arc::new(Heard::default());
        let listener = Arc::clone(&heard);
        let add = on(&breaker, |breaker| breaker.add_shared_listener(listener));
        order.race(add, on(&breaker, fail));
        assert_eq!(breaker.state(), State::Open);
        assert!(breaker.try_permit().is_err());
        assert_eq!(heard.rejections.load(Ordering::Relaxed), 1);
        recovers(&breaker, &clock);
    });
}
