//! Every await of a guarded future with ok, error, slow, never, and dropped.

use std::{
    cell::Cell,
    future::{pending, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use infuse_core::{CallError, Outcome, State};

use crate::support::*;

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending that many times, then the result.
fn after<T: Clone>(mut pendings: u32, result: T) -> impl Future<Output = T> {
    poll_fn(move |_| match pendings {
        0 => Poll::Ready(result.clone()),
        _ => {
            pendings -= 1;
            Poll::Pending
        }
    })
}

#[test]
fn ok_and_error_at_once() {
    let (breaker, _) = breaker(three());
    assert_eq!(
        poll(pin!(breaker.call(|| after(0, Err::<(), _>(Broken))))),
        Poll::Ready(Err(CallError::Inner(Broken)))
    );
    assert_eq!(breaker.fail_counter(), 1);
    assert_eq!(poll(pin!(breaker.call(|| after(0, Ok::<_, Broken>(7))))), Poll::Ready(Ok(7)));
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn slow_ones_count_at_their_end() {
    let (breaker, _) = breaker(three());
    let mut failing = pin!(breaker.call(|| after(2, Err::<(), _>(Broken))));
    assert!(poll(failing.as_mut()).is_pending());
    assert!(poll(failing.as_mut()).is_pending());
    assert_eq!(breaker.fail_counter(), 0);
    assert!(poll(failing.as_mut()).is_ready());
    assert_eq!(breaker.fail_counter(), 1);
    let mut succeeding = pin!(breaker.call(|| after(1, Ok::<_, Broken>(()))));
    assert!(poll(succeeding.as_mut()).is_pending());
    assert_eq!(breaker.fail_counter(), 1);
    assert!(poll(succeeding.as_mut()).is_ready());
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn nothing_happens_before_the_first_poll() {
    let (breaker, clock) = breaker(three());
    let made = Cell::new(0);
    let call = || {
        breaker.call(|| {
            made.set(made.get() + 1);
            after(0, Ok::<_, Broken>(()))
        })
    };
    drop(call());
    let early = call();
    trip(&breaker);
    assert!(matches!(poll(pin!(early)), Poll::Ready(Err(CallError::Rejected(_)))));
    clock.advance(RESET);
    let (one, other) = (call(), call());
    assert_eq!((made.get(), breaker.state()), (0, State::Open), "no trial has begun either");
    assert!(matches!(poll(pin!(other)), Poll::Ready(Ok(()))));
    assert!(matches!(poll(pin!(one)), Poll::Ready(Ok(()))));
    assert_eq!((made.get(), breaker.state()), (2, State::Closed));
}

#[test]
fn never_and_dropped_count_nothing() {
    let (breaker, clock) = breaker(three());
    fail(&breaker);
    {
        let mut future = pin!(breaker.call(pending::<Result<(), Broken>>));
        assert!(poll(future.as_mut()).is_pending());
    }
    assert_eq!(counts(&breaker), (State::Closed, 1, 0));

    trip(&breaker);
    clock.advance(RESET);
    for _ in 0..1000 {
        let mut trial = pin!(breaker.call(pending::<Result<(), Broken>>));
        assert!(poll(trial.as_mut()).is_pending());
        rejected(&breaker);
    }
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));

    // One that never ends and is never dropped gives way too.
    let mut hanging = Box::pin(breaker.call(|| after(1, Err::<(), _>(Broken))));
    assert!(poll(hanging.as_mut()).is_pending());
    clock.advance(breaker.policy().lease(None));
    assert_eq!(succeed(&breaker), Ok(7));
    assert!(poll(hanging.as_mut()).is_ready());
    assert_eq!(counts(&breaker), (State::Closed, 0, 0), "and its late outcome is dropped");
}

#[test]
fn trials_end_as_their_futures_do() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    for (result, state) in [(Err(Broken), State::Open), (Ok(()), State::Closed)] {
        clock.advance(RESET);
        let mut trial = pin!(breaker.call(|| after(1, result)));
        assert!(poll(trial.as_mut()).is_pending());
        assert_eq!(breaker.state(), State::HalfOpen);
        assert!(poll(trial.as_mut()).is_ready());
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn a_future_that_outlives_a_change_counts_nothing() {
    let (breaker, _) = breaker(three());
    let mut late = pin!(breaker.call(|| after(1, Err::<(), _>(Broken))));
    assert!(poll(late.as_mut()).is_pending());
    breaker.close();
    assert!(poll(late.as_mut()).is_ready());
    assert_eq!(breaker.fail_counter(), 0);
}

#[test]
fn futures_are_judged_by_value_too() {
    let (breaker, _) = breaker(three().error_on_trip(true));
    let judge = |result: &Result<u16, &str>| match result {
        Ok(200..500) => Outcome::Success,
        Err("busy") => Outcome::Ignored,
        _ => Outcome::Failure,
    };
    let call = |result| {
        let Poll::Ready(result) = poll(pin!(breaker.call_with(|| after(0, result), judge))) else {
            panic!("pending")
        };
        result
    };
    assert_eq!(call(Ok(500)), Ok(500));
    assert_eq!(breaker.fail_counter(), 1);
    assert_eq!(call(Err("busy")), Err(CallError::Inner("busy")));
    assert_eq!(breaker.fail_counter(), 1);
    assert_eq!(call(Ok(204)), Ok(204));
    assert_eq!(breaker.fail_counter(), 0);
    assert_eq!(call(Ok(500)), Ok(500));
    assert_eq!(call(Err("down")), Err(CallError::Inner("down")));
    assert!(matches!(call(Err("down")), Err(CallError::Opened { error: "down", .. })));
    assert!(matches!(call(Ok(200)), Err(CallError::Rejected(_))));
}

#[test]
fn owned_permits_make_futures_that_go_anywhere() {
    fn goes_anywhere<T: Send + 'static>(future: T) -> T {
        future
    }
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    let permit = breaker.try_permit_owned().unwrap();
    let future = goes_anywhere(permit.run(|| after(1, Ok::<_, Broken>(7))));
    let mut future = Box::pin(future);
    assert!(poll(future.as_mut()).is_pending());
    assert_eq!(
        std::thread::spawn(move || poll(future.as_mut())).join().unwrap(),
        Poll::Ready(Ok(7))
    );
    assert_eq!(breaker.state(), State::Closed);

    let run_with = breaker.try_permit_owned().unwrap();
    let future =
        goes_anywhere(run_with.run_with(|| after(0, Err::<(), _>(1)), |_| Outcome::Failure));
    assert!(poll(pin!(future)).is_ready());
    assert_eq!(breaker.fail_counter(), 1);
    assert!(breaker.try_permit_owned().unwrap().run_sync(|| Err::<(), _>(Broken)).is_err());
    let judged = breaker.try_permit_owned().unwrap();
    assert!(judged.run_sync_with(|| Ok::<_, ()>(()), |_| Outcome::Success).is_ok());
    assert_eq!(breaker.fail_counter(), 0);
}

#[tokio::test]
async fn in_a_runtime_a_task_that_is_aborted_counts_nothing() {
    let (breaker, clock) = breaker(three());
    trip(&breaker);
    clock.advance(RESET);
    let caller = std::sync::Arc::clone(&breaker);
    let task = tokio::spawn(async move { caller.call(pending::<Result<(), Broken>>).await });
    while breaker.state() == State::Open {
        tokio::task::yield_now().await;
    }
    rejected(&breaker);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(counts(&breaker), (State::HalfOpen, 3, 0));
    assert_eq!(breaker.call(|| after(0, Ok::<_, Broken>(7))).await, Ok(7));
    assert_eq!(breaker.state(), State::Closed);
}
