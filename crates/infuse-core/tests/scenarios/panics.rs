//! Panics: in the guarded call, around it, and in listeners.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Waker},
};

use infuse_core::{Breaker, Listener, Outcome, Rejected, State, StateChange};

use crate::support::*;

/// Runs what panics with "boom" and makes sure that exactly that comes out.
fn boom(run: impl FnOnce()) {
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"boom"));
}

fn poll_once<T>(future: impl Future<Output = T>) {
    let mut future = pin!(future);
    let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[test]
fn a_panic_in_a_guarded_call_counts_and_goes_on() {
    let calls: [fn(&Breaker); 5] = [
        |breaker| drop(breaker.call_sync(|| -> Result<(), Broken> { panic!("boom") })),
        |breaker| {
            let judge = |_: &Result<(), ()>| -> Outcome { unreachable!() };
            drop(breaker.call_sync_with(|| panic!("boom"), judge));
        },
        |breaker| {
            poll_once(
                breaker.call(|| async { if true { panic!("boom") } else { Ok::<_, Broken>(()) } }),
            );
        },
        // While the future is made, before it is ever polled.
        |breaker| {
            poll_once(breaker.call(|| {
                if breaker.name() == "payments" {
                    panic!("boom");
                }
                std::future::ready(Ok::<_, Broken>(()))
            }));
        },
        |breaker| {
            let permit = breaker.try_permit().unwrap();
            poll_once(
                permit.run(|| async { if true { panic!("boom") } else { Ok::<_, Broken>(()) } }),
            );
        },
    ];
    for call in calls {
        let heard = Recorder::default();
        let (breaker, clock) = build(three(), |builder| builder.listener(heard.clone()));
        for failures in 1..=3 {
            boom(|| call(&breaker));
            assert_eq!(breaker.fail_counter(), failures);
        }
        assert_eq!(breaker.state(), State::Open);
        heard.take();
        clock.advance(RESET);
        boom(|| call(&breaker));
        assert_eq!(counts(&breaker), (State::Open, 4, 0), "a trial that panics has failed");
        assert_eq!(heard.take()[2..], ["failure 4 no error", "half-open > open trial-failed"]);
    }
}

#[test]
fn a_panic_at_a_later_poll_counts() {
    let (breaker, _) = breaker(three());
    let mut polls = 0;
    let future = breaker.call(|| {
        std::future::poll_fn(move |_| {
            polls += 1;
            if polls == 2 {
                panic!("boom");
            }
            std::task::Poll::<Result<(), Broken>>::Pending
        })
    });
    let mut future = Box::pin(future);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    assert_eq!(breaker.fail_counter(), 0);
    boom(|| drop(future.as_mut().poll(&mut cx)));
    drop(future);
    assert_eq!(breaker.fail_counter(), 1);
}

#[test]
fn what_is_dropped_in_someone_elses_unwinding_is_only_dropped() {
    let (breaker, clock) = breaker(three());
    let pending = || breaker.call(std::future::pending::<Result<(), Broken>>);
    boom(|| {
        let _permit = breaker.try_permit().unwrap();
        let mut future = Box::pin(pending());
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        panic!("boom");
    });
    assert_eq!(breaker.fail_counter(), 0);

    trip(&breaker);
    clock.advance(RESET);
    boom(|| {
        let _trial = breaker.try_permit().unwrap();
        panic!("boom");
    });
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    boom(|| {
        let mut future = Box::pin(pending());
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        rejected(&breaker);
        panic!("boom");
    });
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed, "the place was given back");
}

#[test]
fn a_panic_while_judging_is_the_callers_own() {
    let (breaker, clock) = build(three(), |builder| builder.exclude_if(|_| panic!("boom")));
    trip_by_permits(&breaker);
    clock.advance(RESET);
    boom(|| drop(breaker.call_sync(|| Err::<(), _>(Broken))));
    boom(|| drop(breaker.call_sync_with(|| Ok::<_, ()>(()), |_| -> Outcome { panic!("boom") })));
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    succeed(&breaker).unwrap();
    assert_eq!(breaker.state(), State::Closed);
}

fn trip_by_permits(breaker: &Breaker) {
    while breaker.state() == State::Closed {
        breaker.try_permit().unwrap().failure();
    }
}

#[test]
fn a_listener_that_panics_harms_nobody() {
    struct Rude;
    impl Listener for Rude {
        fn before_call(&self, _: &Breaker) {
            panic!("rude");
        }
        fn success(&self, _: &Breaker) {
            panic!("rude");
        }
        fn failure(&self, _: &Breaker, _: Option<&(dyn Error + 'static)>) {
            panic!("rude");
        }
        fn state_change(&self, _: &Breaker, _: &StateChange) {
            panic!("rude");
        }
        fn rejected(&self, _: &Breaker, _: Rejected) {
            panic!("rude");
        }
    }
    let heard = Recorder::default();
    let (breaker, clock) = build(three(), |builder| builder.listener(Rude).listener(heard.clone()));
    fail(&breaker);
    assert_eq!(heard.take(), ["before_call", "failure 1 broken"], "the next one is told");
    trip(&breaker);
    rejected(&breaker);
    clock.advance(RESET);
    succeed(&breaker).unwrap();
    assert_eq!(counts(&breaker), (State::Closed, 0, 0));
    heard.take();
    // A listener that panics while the call's own panic unwinds must not end the process.
    boom(|| drop(breaker.call_sync(|| -> Result<(), Broken> { panic!("boom") })));
    assert_eq!(heard.take(), ["before_call", "failure 1 no error"]);
}
