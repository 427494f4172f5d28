//! Calls that their callers give up, where the policy says from when on that counts.

use std::future::pending;

use http_body_util::BodyExt;
use infuse_axum::{Policy, Window};
use tower::{Layer, ServiceExt, limit::ConcurrencyLimit};
use tower_http::classify::GrpcErrorsAsFailures;

use super::*;

const AFTER: Duration = Duration::from_secs(2);

async fn impatient() -> Circuit {
    let (circuit, _clock) = circuit().await;
    circuit.set_policy(Policy::builder().abandoned_after(AFTER).build().unwrap());
    circuit
}

async fn give_up_after(circuit: &Circuit, time: Duration) -> u32 {
    let hangs = service_fn(|_: Request<Empty<Bytes>>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let call = layer(circuit).layer(hangs).oneshot(request());
    assert!(tokio::time::timeout(time, call).await.is_err());
    circuit.fail_counter()
}

#[tokio::test(start_paused = true)]
async fn who_waited_for_so_long_counts() {
    let circuit = impatient().await;
    let short = AFTER - Duration::from_millis(100);
    assert_eq!(give_up_after(&circuit, short).await, 0);
    assert_eq!(give_up_after(&circuit, AFTER).await, 1);
    assert_eq!(give_up_after(&circuit, short).await, 1);
    assert_eq!(give_up_after(&circuit, AFTER * 2).await, 2);
    // By default nothing does.
    circuit.set_policy(Policy::default());
    assert_eq!(give_up_after(&circuit, AFTER * 100).await, 2);
}

/// The wait for a place in a queue of our own is no wait for the service.
#[tokio::test(start_paused = true)]
async fn who_waited_for_a_place_does_not_count() {
    let circuit = impatient().await;
    let hangs = service_fn(|_: Request<Empty<Bytes>>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let service = layer(&circuit).layer(ConcurrencyLimit::new(hangs, 1));
    let mut first = Box::pin(service.clone().oneshot(request()));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut second = Box::pin(service.clone().oneshot(request()));
    assert!(tokio::time::timeout(AFTER * 10, &mut second).await.is_err());
    // It has waited for the service for far too long.
    drop(first);
    assert_eq!(circuit.fail_counter(), 1);
    // The other comes to its turn, and has waited for the service only since then.
    assert!(tokio::time::timeout(AFTER / 2, &mut second).await.is_err());
    drop(second);
    assert_eq!(circuit.fail_counter(), 1);
    // One that never had a place.
    let _first = {
        let mut first = Box::pin(service.clone().oneshot(request()));
        assert!(futures_util::poll!(&mut first).is_pending());
        first
    };
    assert!(tokio::time::timeout(AFTER * 10, service.oneshot(request())).await.is_err());
    assert_eq!(circuit.fail_counter(), 1);
}

/// Nor is it what makes a call slow, an ordinary one or a trial.
#[tokio::test]
async fn a_call_is_slow_by_the_time_since_its_service_was_ready() {
    let (circuit, clock) = circuit().await;
    let policy = Policy::builder().slow_call_rate(1.0).slow_call_duration(AFTER);
    circuit.set_policy(policy.window(Window::Calls(10)).build().unwrap());
    let place = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let limit = tower::limit::GlobalConcurrencyLimitLayer::with_semaphore(place.clone());
    let slow = |took: Duration| {
        let clock = clock.clone();
        service_fn(move |_: Request<Empty<Bytes>>| {
            clock.advance(took);
            ready(Ok::<_, Infallible>(answer(200)))
        })
    };
    let slow_calls = || circuit.snapshot().window.unwrap().counts.slow;
    let call = async |waits: Duration, took: Duration| {
        let service = layer(&circuit).layer(limit.layer(slow(took)));
        let mut call = Box::pin(service.oneshot(request()));
        assert!(futures_util::poll!(&mut call).is_pending());
        clock.advance(waits);
        place.add_permits(1);
        call.await.unwrap().into_body().collect().await.unwrap();
        place.forget_permits(1);
    };
    call(AFTER * 5, AFTER / 2).await;
    assert_eq!(slow_calls(), 0);
    call(Duration::ZERO, AFTER).await;
    assert_eq!(slow_calls(), 1);

    // A trial that is slow would not close.
    place.add_permits(1);
    assert_eq!(circuit.half_open().await, Reach::Fleet);
    place.forget_permits(1);
    let service = layer(&circuit).layer(limit.layer(slow(AFTER / 2)));
    let mut trial = Box::pin(service.oneshot(request()));
    let waits = async {
        while circuit.snapshot().trials == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        _ = &mut trial => panic!("there is no place"),
        () = waits => {}
    }
    clock.advance(AFTER * 2);
    place.add_permits(1);
    trial.await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}

/// A body of which each piece comes when it has been waited for that long.
fn slow(pieces: Vec<Duration>) -> impl http_body::Body<Data = Bytes, Error = io::Error> {
    let pieces = futures_util::stream::unfold(pieces.into_iter(), |mut pieces| async {
        tokio::time::sleep(pieces.next()?).await;
        Some((data(), pieces))
    });
    StreamBody::new(Box::pin(pieces))
}

async fn read_from(circuit: &Circuit, pieces: Vec<Duration>) -> impl http_body::Body + Unpin {
    let service = service_fn(move |_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(slow(pieces.clone()))))
    });
    layer(circuit).layer(service).oneshot(request()).await.unwrap().into_body()
}

#[tokio::test(start_paused = true)]
async fn only_the_waiting_for_the_service_counts() {
    let circuit = impatient().await;
    let piece = Duration::from_millis(900);
    let pieces = vec![piece, piece, piece];

    // Two pieces and the beginning of a third are waited for, in all long enough.
    let mut body = read_from(&circuit, pieces.clone()).await;
    body.frame().await;
    body.frame().await;
    assert!(tokio::time::timeout(Duration::from_millis(300), body.frame()).await.is_err());
    drop(body);
    assert_eq!(circuit.fail_counter(), 1);

    // A slow reader does not wait for the service, whether it gives up within a read ...
    let mut body = read_from(&circuit, pieces.clone()).await;
    body.frame().await;
    tokio::time::sleep(AFTER * 10).await;
    assert!(tokio::time::timeout(Duration::from_millis(300), body.frame()).await.is_err());
    drop(body);
    assert_eq!(circuit.fail_counter(), 1);

    // ... or between two, where the status decides.
    let mut body = read_from(&circuit, vec![AFTER * 2, piece]).await;
    body.frame().await;
    drop(body);
    assert_eq!(circuit.fail_counter(), 0);
}

/// Who leaves between two messages was not kept waiting just then, however long it was before.
#[tokio::test(start_paused = true)]
async fn a_stream_that_is_left_between_two_messages_says_nothing() {
    let circuit = impatient().await;
    let service = service_fn(|_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(slow(vec![AFTER * 2, AFTER]))))
    });
    let layer = layer(&circuit).classifier(GrpcErrorsAsFailures::make_classifier());
    let mut body = layer.layer(service).oneshot(request()).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);
    assert_eq!(circuit.fail_counter(), 0);
}
