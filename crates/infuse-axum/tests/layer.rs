//! The tower layer: any service behind a circuit.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    convert::Infallible,
    future::{pending, ready},
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing::get};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use infuse_axum::{
    CallError, CircuitBreakerLayer, Infuse, ManualClock, ServiceError, State, config::Config,
};
use infuse_storage::Circuit;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::classify::{GrpcErrorsAsFailures, SharedClassifier};

const RESET: Duration = Duration::from_secs(15);

async fn circuit() -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let config = Config::builder().build().unwrap();
    let infuse = Infuse::builder().clock(clock.clone()).start(&config).await.unwrap();
    (infuse.breaker("target").unwrap(), clock)
}

fn request() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

fn answer(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("body"));
    *response.status_mut() = status;
    response
}

#[tokio::test]
async fn failing_answers_open_and_the_service_is_left_alone() {
    let (circuit, clock) = circuit().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<Empty<Bytes>>| {
        counted.fetch_add(1, SeqCst);
        ready(Ok::<_, Infallible>(answer(StatusCode::SERVICE_UNAVAILABLE)))
    });
    let layer = CircuitBreakerLayer::new(circuit.clone());
    // However often it is applied, the circuit is one.
    let services = [layer.layer(inner.clone()), layer.layer(inner)];
    for call in 0..5 {
        let service = services[call % 2].clone();
        assert_eq!(service.oneshot(request()).await.unwrap().status(), 503);
    }
    assert_eq!(circuit.state(), State::Open);
    for service in services.clone() {
        let error = service.oneshot(request()).await.err().unwrap();
        assert!(error.is_rejected());
    }
    assert_eq!(calls.load(SeqCst), 5);

    clock.advance(RESET);
    let [service, _] = services;
    assert_eq!(service.oneshot(request()).await.unwrap().status(), 503);
    assert_eq!((calls.load(SeqCst), circuit.state()), (6, State::Open));
}

#[tokio::test]
async fn errors_of_the_service_are_failures_and_come_through() {
    let (circuit, _clock) = circuit().await;
    let inner = service_fn(|_: Request<Empty<Bytes>>| {
        ready(Err::<Response<Full<Bytes>>, _>(io::Error::other("gone")))
    });
    let service = CircuitBreakerLayer::new(circuit.clone()).layer(inner);
    for _ in 0..5 {
        let error = service.clone().oneshot(request()).await.err().unwrap();
        assert_eq!(error.into_inner().unwrap().to_string(), "gone");
    }
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test]
async fn client_errors_are_successes() {
    let (circuit, _clock) = circuit().await;
    let service = CircuitBreakerLayer::new(circuit.clone()).layer(service_fn(
        |request: Request<StatusCode>| ready(Ok::<_, Infallible>(answer(request.into_body()))),
    ));
    for status in [500, 500, 500, 500, 404, 500] {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = service.clone().oneshot(Request::new(status)).await.unwrap();
        answer.into_body().collect().await.unwrap();
    }
    assert_eq!((circuit.state(), circuit.fail_counter()), (State::Closed, 1));
}

/// A body of these frames, and then of nothing more to come.
fn frames(
    frames: Vec<Result<Frame<Bytes>, io::Error>>,
    ends: bool,
) -> impl http_body::Body<Data = Bytes, Error = io::Error> {
    let mut frames = frames.into_iter();
    StreamBody::new(futures_util::stream::poll_fn(move |_| match frames.next() {
        Some(frame) => Poll::Ready(Some(frame)),
        None if ends => Poll::Ready(None),
        None => Poll::Pending,
    }))
}

fn data() -> Result<Frame<Bytes>, io::Error> {
    Ok(Frame::data(Bytes::from("data")))
}

/// A call of a service that answers with such a body.
async fn call_for<B>(
    circuit: &Circuit,
    body: impl Fn() -> B + Clone + Send + 'static,
) -> impl http_body::Body<Error = B::Error> + Unpin
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
{
    let service = service_fn(move |_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(body())))
    });
    let service = CircuitBreakerLayer::new(circuit.clone()).layer(service);
    Box::pin(service.oneshot(request()).await.unwrap().into_body())
}

#[tokio::test]
async fn the_verdict_waits_for_the_body() {
    let (circuit, _clock) = circuit().await;
    let counted = |failures| assert_eq!(circuit.fail_counter(), failures);
    // It breaks off.
    for failures in 1..=3 {
        let broken = || frames(vec![data(), Err(io::Error::other("broken"))], true);
        let mut body = call_for(&circuit, broken).await;
        body.frame().await.unwrap().ok().unwrap();
        counted(failures - 1);
        assert!(body.frame().await.unwrap().is_err());
        counted(failures);
    }
    // Dropped while the service keeps it waiting, it says nothing.
    let mut body = call_for(&circuit, || frames(vec![data()], false)).await;
    body.frame().await.unwrap().ok().unwrap();
    let read = std::pin::pin!(body.frame());
    assert!(futures_util::poll!(read).is_pending());
    drop(body);
    counted(3);
    // Dropped between reads, its status decides.
    let mut body = call_for(&circuit, || frames(vec![data(), data()], true)).await;
    body.frame().await.unwrap().ok().unwrap();
    drop(body);
    counted(0);
}

#[tokio::test]
async fn trailers_decide_for_grpc() {
    let (circuit, _clock) = circuit().await;
    let with_status = |status: &'static str| {
        service_fn(move |_: Request<Empty<Bytes>>| {
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(status));
            let body = frames(vec![data(), Ok(Frame::trailers(trailers))], true);
            ready(Ok::<_, Infallible>(Response::new(body)))
        })
    };
    let layer = CircuitBreakerLayer::new(circuit.clone())
        .classifier(SharedClassifier::new(GrpcErrorsAsFailures::new()));
    // 14: unavailable, 5: not found.
    for (status, failures) in [("14", 1), ("14", 2), ("5", 3), ("0", 0)] {
        let answer = layer.layer(with_status(status)).oneshot(request()).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(circuit.fail_counter(), failures, "{status}");
    }
    // Unread, nobody knows.
    layer.layer(with_status("14")).oneshot(request()).await.unwrap();
    assert_eq!(circuit.fail_counter(), 0);
}

/// A service that is never ready.
#[derive(Clone)]
struct Busy;

impl Service<Request<Empty<Bytes>>> for Busy {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Pending
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        unreachable!("it is not ready")
    }
}

#[tokio::test]
async fn an_open_circuit_rejects_although_the_service_is_not_ready() {
    let (circuit, clock) = circuit().await;
    let layer = CircuitBreakerLayer::new(circuit.clone());
    assert_eq!(circuit.open().await, infuse_storage::Reach::Fleet);
    let mut service = layer.layer(Busy);
    assert!(service.ready().await.unwrap().call(request()).await.err().unwrap().is_rejected());

    // Nothing is reserved by being ready, and a trial that is dropped gives way.
    clock.advance(RESET);
    for _ in 0..3 {
        let mut service = layer.layer(Busy);
        service.ready().await.unwrap();
        drop(service);
        let mut call = Box::pin(layer.layer(Busy).oneshot(request()));
        tokio::select! {
            biased;
            _ = &mut call => panic!("it is not ready"),
            () = async { while circuit.snapshot().trials == 0 { tokio::task::yield_now().await } } => {}
        }
        drop(call);
    }
}

#[tokio::test]
async fn a_panic_of_the_service_is_a_failure_and_goes_on() {
    let (circuit, _clock) = circuit().await;
    async fn fails(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        panic!("as it is meant to");
    }
    let layer = CircuitBreakerLayer::new(circuit.clone());
    for failures in 1..=4 {
        let call = layer.layer(service_fn(fails)).oneshot(request());
        assert!(tokio::spawn(call).await.unwrap_err().is_panic());
        assert_eq!(circuit.fail_counter(), failures);
    }
    // One that is dropped says nothing.
    let never = service_fn(|_: Request<Empty<Bytes>>| {
        pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let call = layer.layer(never).oneshot(request());
    assert!(tokio::time::timeout(Duration::from_millis(1), call).await.is_err());
    assert_eq!(circuit.fail_counter(), 4);
}

#[tokio::test]
async fn a_part_of_an_application_is_guarded_under_handle_error() {
    let (circuit, _clock) = circuit().await;
    let layer = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: CallError<Infallible>| {
            ServiceError::rejection("reports", error.rejected().unwrap())
        }))
        .layer(CircuitBreakerLayer::new(circuit.clone()));
    let app: Router = Router::new()
        .route("/reports", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(layer)
        .route("/health", get(async || "fine"));
    let status = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    for _ in 0..5 {
        assert_eq!(status("/reports").await, 500);
    }
    assert_eq!(status("/reports").await, 503);
    assert_eq!(status("/health").await, 200);
    assert_eq!(circuit.state(), State::Open);
}
