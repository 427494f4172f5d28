//! What answers mean before their bodies have come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Poll,
};

use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_http::classify::{GrpcErrorsAsFailures, SharedClassifier, StatusInRangeAsFailures};

use super::*;

#[tokio::test]
async fn failing_answers_open_and_the_service_is_left_alone() {
    let (circuit, clock) = circuit().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<Empty<Bytes>>| {
        counted.fetch_add(1, SeqCst);
        ready(Ok::<_, Infallible>(answer(503)))
    });
    let service = layer(&circuit).layer(inner);
    for _ in 0..5 {
        assert_eq!(service.clone().oneshot(request()).await.unwrap().status(), 503);
    }
    assert_eq!(circuit.state(), State::Open);
    let rejected = service.clone().oneshot(request()).await.unwrap_err().rejected().unwrap();
    assert_eq!((rejected.state(), rejected.retry_after()), (State::Open, RESET));
    assert_eq!(calls.load(SeqCst), 5);

    clock.advance(RESET);
    assert_eq!(service.oneshot(request()).await.unwrap().status(), 503);
    assert_eq!((calls.load(SeqCst), circuit.state()), (6, State::Open));
}

#[tokio::test]
async fn client_errors_are_successes() {
    let (circuit, _clock) = circuit().await;
    let service = layer(&circuit).layer(echo());
    for status in [500, 500, 500, 500, 404, 500] {
        let answer = service.clone().oneshot(Request::new(status)).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!((circuit.state(), circuit.fail_counter()), (State::Closed, 1));
}

#[tokio::test]
async fn too_many_requests_say_nothing() {
    // Not that it works: neither is the run of failures broken, nor does a trial close.
    let (circuit, clock) = circuit().await;
    let service = layer(&circuit).layer(echo());
    for status in [500, 429, 500, 429] {
        service.clone().oneshot(Request::new(status)).await.unwrap();
    }
    assert_eq!(circuit.fail_counter(), 2);
    assert_eq!(circuit.open().await, Reach::Fleet);
    clock.advance(RESET);
    for _ in 0..3 {
        // Each is a trial, since the place of the one before is given back, though its body is held.
        let held = service.clone().oneshot(Request::new(429)).await.unwrap();
        assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
        drop(held);
    }
    service.oneshot(Request::new(200)).await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}

#[tokio::test]
async fn another_classifier_has_the_say() {
    let (circuit, _clock) = circuit().await;
    let classifier = StatusInRangeAsFailures::new(429..=429).into_make_classifier();
    let service = layer(&circuit).classifier(classifier).layer(echo());
    for (status, failures) in [(429, 1), (429, 2), (500, 0), (429, 1)] {
        let answer = service.clone().oneshot(Request::new(status)).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(circuit.fail_counter(), failures, "{status}");
    }
}

#[tokio::test]
async fn what_grpc_says_in_its_headers() {
    let (circuit, _clock) = circuit().await;
    let layer = layer(&circuit).classifier(SharedClassifier::new(GrpcErrorsAsFailures::new()));
    let answers = |status: u16, grpc: Option<&'static str>| {
        service_fn(move |_: Request<Empty<Bytes>>| {
            let mut answer = Response::new(Empty::<Bytes>::new());
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            *answer.headers_mut() = grpc.map(grpc_status).unwrap_or_default();
            ready(Ok::<_, Infallible>(answer))
        })
    };
    // Nobody reads the bodies, which are empty: nothing is left to wait for.
    for (status, grpc, failures) in [
        (200, Some("14"), 1),
        (200, Some("4"), 2),
        (200, Some("0"), 0),
        // The page of a proxy, which tower-http takes for a success.
        (503, None, 1),
        (502, None, 2),
        (429, None, 2),
        // Nor is there anything to go by here, although it takes this for a success as well.
        (404, None, 2),
        (200, None, 2),
        (200, Some("0"), 0),
    ] {
        layer.layer(answers(status, grpc)).oneshot(request()).await.unwrap();
        assert_eq!(circuit.fail_counter(), failures, "{status} {grpc:?}");
    }
}

/// A stale success: its call was let through before the circuit opened.
#[tokio::test]
async fn an_answer_of_an_earlier_state_closes_nothing() {
    let (circuit, clock) = circuit().await;
    let service = layer(&circuit).layer(echo());
    let stale = service.clone().oneshot(Request::new(200)).await.unwrap();
    assert_eq!(circuit.half_open().await, Reach::Fleet);
    stale.into_body().collect().await.unwrap();
    assert_eq!((circuit.state(), circuit.success_counter()), (State::HalfOpen, 0));
    clock.advance(RESET);
    service.oneshot(Request::new(200)).await.unwrap().into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}

/// A trial of which the answer hangs gives way when its lease has ended, and so does one of which
/// nobody ever reads the body.
#[tokio::test]
async fn a_trial_that_is_held_gives_way() {
    let (circuit, clock) = due().await;
    let service = layer(&circuit).call_timeout(Duration::from_secs(3)).layer(echo());
    let held = service.clone().oneshot(Request::new(200)).await.unwrap();
    let call = service.clone().oneshot(Request::new(200));
    assert!(call.await.unwrap_err().is_rejected());
    let lease = circuit.policy().lease(Some(Duration::from_secs(3)));
    clock.advance(lease);
    let second = service.clone().oneshot(Request::new(200)).await.unwrap();
    second.into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
    drop(held);
}

#[tokio::test]
async fn a_classifier_that_panics_holds_nobody_up() {
    #[derive(Clone)]
    struct Panics;
    impl tower_http::classify::ClassifyResponse for Panics {
        type FailureClass = ();
        type ClassifyEos = Panics;
        fn classify_response<B>(
            self,
            answer: &Response<B>,
        ) -> tower_http::classify::ClassifiedResponse<(), Panics> {
            assert_ne!(answer.status(), 500, "as it is meant to");
            tower_http::classify::ClassifiedResponse::RequiresEos(self)
        }
        fn classify_error<E>(self, _: &E) {}
    }
    impl tower_http::classify::ClassifyEos for Panics {
        type FailureClass = ();
        fn classify_eos(self, _: Option<&HeaderMap>) -> Result<(), ()> {
            panic!("as it is meant to")
        }
        fn classify_error<E>(self, _: &E) {}
    }
    let (circuit, _clock) = due().await;
    let service = layer(&circuit).classifier(SharedClassifier::new(Panics)).layer(echo());
    let call = tokio::spawn(service.clone().oneshot(Request::new(500)));
    assert!(call.await.unwrap_err().is_panic());
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    let body = service.oneshot(Request::new(200)).await.unwrap().into_body();
    assert!(tokio::spawn(body.collect()).await.unwrap_err().is_panic());
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    // And so it is ready for the next.
    let mut next = Box::pin(layer(&circuit).layer(echo()).oneshot(Request::new(200)));
    assert!(matches!(futures_util::poll!(&mut next), Poll::Pending | Poll::Ready(Ok(_))));
}

/// Both answers that may ask to be left alone: the one opens for so long, the other keeps the next
/// trial away.
#[tokio::test]
async fn a_service_is_left_alone_for_as_long_as_it_asks() {
    let asks = |status: u16, seconds: u64| {
        service_fn(move |_: Request<Empty<Bytes>>| {
            let mut answer = answer(status);
            answer.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
            ready(Ok::<_, Infallible>(answer))
        })
    };
    let (circuit, clock) = circuit().await;
    for _ in 0..5 {
        layer(&circuit).layer(asks(503, 40)).oneshot(request()).await.unwrap();
    }
    let rejected = |error: infuse_axum::CallError<Infallible>| error.rejected().unwrap();
    let call = layer(&circuit).layer(echo()).oneshot(Request::new(200));
    assert_eq!(rejected(call.await.unwrap_err()).retry_after(), Duration::from_secs(40));

    clock.advance(Duration::from_secs(40));
    layer(&circuit).layer(asks(429, 60)).oneshot(request()).await.unwrap();
    clock.advance(Duration::from_secs(59));
    let call = layer(&circuit).layer(echo()).oneshot(Request::new(200));
    assert!(call.await.unwrap_err().is_rejected());
    clock.advance(Duration::from_secs(1));
    let answer = layer(&circuit).layer(echo()).oneshot(Request::new(200)).await.unwrap();
    answer.into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
}
