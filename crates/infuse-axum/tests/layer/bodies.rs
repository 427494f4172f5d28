//! The verdict at the end of the body or of the trailers.

use http_body_util::{BodyExt, Limited};
use tower::{Layer, ServiceExt};
use tower_http::classify::{GrpcErrorsAsFailures, SharedClassifier};

use super::*;

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
    let service = layer(circuit).layer(service);
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
            let body = frames(vec![data(), Ok(Frame::trailers(grpc_status(status)))], true);
            ready(Ok::<_, Infallible>(Response::new(body)))
        })
    };
    let layer = layer(&circuit).classifier(SharedClassifier::new(GrpcErrorsAsFailures::new()));
    // 14: unavailable, 5: not found.
    for (status, failures) in [("14", 1), ("14", 2), ("5", 3), ("0", 0)] {
        let answer = layer.layer(with_status(status)).oneshot(request()).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(circuit.fail_counter(), failures, "{status}");
    }
    // Unread, or left between two reads, nobody knows: it is neither a failure nor a success.
    let answer = layer.layer(with_status("14")).oneshot(request()).await.unwrap();
    answer.into_body().collect().await.unwrap();
    for status in ["14", "0"] {
        layer.layer(with_status(status)).oneshot(request()).await.unwrap();
        let answer = layer.layer(with_status(status)).oneshot(request()).await.unwrap();
        Box::pin(answer.into_body()).frame().await.unwrap().unwrap();
        assert_eq!(circuit.fail_counter(), 1, "{status}");
    }
}

/// As of a proxy that ends what it has lost, cleanly.
#[tokio::test]
async fn an_answer_of_grpc_that_ends_without_trailers_says_nothing() {
    let (circuit, _clock) = circuit().await;
    let layer = layer(&circuit).classifier(SharedClassifier::new(GrpcErrorsAsFailures::new()));
    let call = async |body: Vec<Result<Frame<Bytes>, io::Error>>| {
        let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
        let service = service_fn(move |_: Request<Empty<Bytes>>| {
            let body = body.lock().unwrap().take().unwrap();
            ready(Ok::<_, Infallible>(Response::new(frames(body, true))))
        });
        let answer = layer.layer(service).oneshot(request()).await.unwrap();
        answer.into_body().collect().await.unwrap();
    };
    call(vec![data(), Ok(Frame::trailers(grpc_status("14")))]).await;
    assert_eq!(circuit.fail_counter(), 1);
    call(vec![data(), data()]).await;
    call(vec![]).await;
    assert_eq!(circuit.fail_counter(), 1, "no success");
    assert_eq!(circuit.half_open().await, Reach::Fleet);
    call(vec![data()]).await;
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    call(vec![data(), Ok(Frame::trailers(grpc_status("0")))]).await;
    until(&circuit, State::Closed).await;

    // A body that is known to be at its end when it comes, too.
    layer.layer(fails_with("14")).oneshot(request()).await.unwrap();
    assert_eq!(circuit.fail_counter(), 1);
    let empty = service_fn(|_: Request<Empty<Bytes>>| {
        ready(Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())))
    });
    layer.layer(empty).oneshot(request()).await.unwrap();
    assert_eq!(circuit.fail_counter(), 1);
}

/// A service that answers with a status of gRPC and nothing else.
fn fails_with(
    status: &'static str,
) -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<Empty<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(move |_: Request<Empty<Bytes>>| {
        let mut answer = Response::new(Empty::new());
        *answer.headers_mut() = grpc_status(status);
        ready(Ok(answer))
    })
}

/// Who reads by the length that was announced does not come back for the end.
#[tokio::test]
async fn the_last_piece_is_the_end() {
    let (circuit, _clock) = circuit().await;
    let service = layer(&circuit).layer(echo());
    service.clone().oneshot(Request::new(500)).await.unwrap();
    let mut kept = service.oneshot(Request::new(200)).await.unwrap().into_body();
    assert_eq!(circuit.fail_counter(), 1);
    kept.frame().await.unwrap().unwrap();
    assert_eq!(circuit.fail_counter(), 0);
}

#[tokio::test]
async fn a_panic_in_the_body_is_a_failure_at_once() {
    let (circuit, _clock) = circuit().await;
    let panics = || {
        StreamBody::new(futures_util::stream::poll_fn(
            |_| -> Poll<Option<Result<Frame<Bytes>, io::Error>>> { panic!("as it is meant to") },
        ))
    };
    for failures in 1..=3 {
        let mut body = call_for(&circuit, panics).await;
        let read = std::panic::AssertUnwindSafe(body.frame());
        let panicked = futures_util::FutureExt::catch_unwind(read).await;
        assert!(panicked.is_err());
        // The body is still there.
        assert_eq!(circuit.fail_counter(), failures);
        drop(body);
        assert_eq!(circuit.fail_counter(), failures);
    }
}

#[tokio::test]
async fn a_limit_of_ours_says_nothing() {
    let (circuit, _clock) = circuit().await;
    let service = service_fn(|_: Request<Empty<Bytes>>| {
        let body = Limited::new(frames(vec![data(), data()], true), 5);
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let answer = layer(&circuit).layer(service).oneshot(request()).await.unwrap();
    answer.into_body().collect().await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 0);
    // It is no success either: it does not close.
    assert_eq!(circuit.half_open().await, Reach::Fleet);
    let answer = layer(&circuit).layer(service).oneshot(request()).await.unwrap();
    answer.into_body().collect().await.unwrap_err();
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
}

#[tokio::test]
async fn a_body_by_default_is_nobodys() {
    // As interceptors of clients want it.
    type Guarded = infuse_axum::layer::GuardedBody<Full<Bytes>, ()>;
    assert!(format!("{:?}", Guarded::default()).starts_with("GuardedBody"));
}
