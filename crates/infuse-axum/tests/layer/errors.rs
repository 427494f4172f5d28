//! What errors, panics and dropped calls mean.

use std::{fmt, future::pending};

use axum::BoxError;
use infuse_axum::{Outcome, Rejected, layer::boxed};
use tower::{
    Layer, ServiceBuilder, ServiceExt, load_shed::error::Overloaded, timeout::error::Elapsed,
};

use super::*;

fn fails<E: Send + 'static>(
    error: impl Fn() -> E + Clone + Send + 'static,
) -> impl Service<Request<Empty<Bytes>>, Response = Response<Full<Bytes>>, Error = E, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(move |_: Request<Empty<Bytes>>| ready(Err(error())))
}

fn hangs() -> impl Service<
    Request<Empty<Bytes>>,
    Response = Response<Full<Bytes>>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    service_fn(|_: Request<Empty<Bytes>>| pending())
}

#[tokio::test]
async fn errors_of_the_service_are_failures_and_come_through() {
    let (circuit, _clock) = circuit().await;
    let service = layer(&circuit).layer(fails(|| io::Error::other("gone")));
    for _ in 0..5 {
        let error = service.clone().oneshot(request()).await.unwrap_err();
        assert_eq!(error.into_inner().unwrap().to_string(), "gone");
    }
    assert_eq!(circuit.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_inside_is_a_failure() {
    let (circuit, _clock) = circuit().await;
    let service = ServiceBuilder::new()
        .map_err(boxed)
        .layer(layer(&circuit))
        .timeout(Duration::from_secs(1))
        .service(hangs());
    for _ in 0..5 {
        let error = service.clone().oneshot(request()).await.unwrap_err();
        assert!(error.is::<Elapsed>());
    }
    let error = service.oneshot(request()).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().retry_after(), RESET);
}

#[tokio::test]
async fn a_service_of_which_we_have_no_more_places_has_not_failed() {
    let (circuit, _clock) = circuit().await;
    let service = ServiceBuilder::new()
        .layer(layer(&circuit))
        .load_shed()
        .concurrency_limit(1)
        .service(hangs());
    let mut first = Box::pin(service.clone().oneshot(request()));
    assert!(futures_util::poll!(&mut first).is_pending());
    for _ in 0..10 {
        let error = service.clone().oneshot(request()).await.unwrap_err();
        assert!(error.into_inner().unwrap().is::<Overloaded>());
    }
    assert_eq!((circuit.state(), circuit.fail_counter()), (State::Closed, 0));
    // Nor does a trial that found none decide anything.
    assert_eq!(circuit.half_open().await, Reach::Fleet);
    service.clone().oneshot(request()).await.unwrap_err();
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
}

#[tokio::test]
async fn another_circuit_that_rejects_on_the_way_is_no_failure() {
    let (infuse, _clock) = infuse().await;
    let (outer, inner) = (infuse.breaker("outer").unwrap(), infuse.breaker("inner").unwrap());
    assert_eq!(inner.open().await, Reach::Fleet);
    let service = ServiceBuilder::new()
        .layer(layer(&outer))
        .map_err(boxed)
        .layer(layer(&inner))
        .service(hangs());
    for _ in 0..10 {
        let error = service.clone().oneshot(request()).await.unwrap_err();
        assert!(error.into_inner().unwrap().is::<Rejected>());
    }
    assert_eq!(outer.fail_counter(), 0);
}

#[derive(Debug, thiserror::Error)]
enum Mine {
    #[error("not found")]
    NotFound,
    #[error("not here")]
    NotHere,
    #[error("broken")]
    Broken,
}

#[tokio::test]
async fn the_application_judges_errors_by_type() {
    let (circuit, clock) = circuit().await;
    let layer = layer(&circuit).judge_errors(|_: &fmt::Error| Some(Outcome::Success)).judge_errors(
        |error: &Mine| match error {
            Mine::NotFound => Some(Outcome::Success),
            Mine::NotHere => Some(Outcome::Ignored),
            Mine::Broken => None,
        },
    );
    let call = async |error: fn() -> Mine| {
        layer.layer(fails(error)).oneshot(request()).await.unwrap_err();
        circuit.fail_counter()
    };
    assert_eq!(call(|| Mine::Broken).await, 1);
    assert_eq!(call(|| Mine::NotHere).await, 1);
    assert_eq!(call(|| Mine::Broken).await, 2);
    assert_eq!(call(|| Mine::NotFound).await, 0);
    // A trial: what says nothing gives its place to the next, which decides.
    assert_eq!(circuit.open().await, Reach::Fleet);
    clock.advance(RESET);
    call(|| Mine::NotHere).await;
    assert_eq!((circuit.state(), circuit.snapshot().trials), (State::HalfOpen, 0));
    call(|| Mine::NotFound).await;
    until(&circuit, State::Closed).await;
}

#[tokio::test]
async fn the_application_judges_errors_of_bodies_too() {
    let (circuit, _clock) = circuit().await;
    let layer = layer(&circuit).judge_errors(|error: &io::Error| {
        (error.to_string() == "mine").then_some(Outcome::Ignored)
    });
    for (error, failures) in [("mine", 0), ("theirs", 1), ("mine", 1)] {
        let service = service_fn(move |_: Request<Empty<Bytes>>| {
            let body = frames(vec![data(), Err(io::Error::other(error))], true);
            ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let answer = layer.layer(service).oneshot(request()).await.unwrap();
        http_body_util::BodyExt::collect(answer.into_body()).await.unwrap_err();
        assert_eq!(circuit.fail_counter(), failures, "{error}");
    }
}

#[tokio::test]
async fn a_panic_of_the_service_is_a_failure_and_goes_on() {
    async fn panics(_: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
        panic!("as it is meant to");
    }
    let (circuit, clock) = circuit().await;
    for failures in 1..=4 {
        let call = layer(&circuit).layer(service_fn(panics)).oneshot(request());
        assert!(tokio::spawn(call).await.unwrap_err().is_panic());
        assert_eq!(circuit.fail_counter(), failures);
    }
    // Also one that panics before it has made a future.
    let at_once = service_fn(|_: Request<Empty<Bytes>>| -> std::future::Ready<Result<Response<Full<Bytes>>, Infallible>> {
        panic!("as it is meant to")
    });
    let call = layer(&circuit).layer(at_once).oneshot(request());
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!(circuit.state(), State::Open);
    // And a trial: it opens anew.
    clock.advance(RESET);
    let call = layer(&circuit).layer(at_once).oneshot(request());
    assert!(tokio::spawn(call).await.unwrap_err().is_panic());
    assert_eq!((circuit.state(), circuit.retry_after()), (State::Open, Some(RESET)));
}

#[tokio::test]
async fn a_call_that_is_dropped_says_nothing() {
    let (circuit, clock) = circuit().await;
    for _ in 0..10 {
        let mut call = Box::pin(layer(&circuit).layer(hangs()).oneshot(request()));
        assert!(futures_util::poll!(&mut call).is_pending());
        drop(call);
        assert_eq!(circuit.fail_counter(), 0);
    }
    assert_eq!(circuit.open().await, Reach::Fleet);
    clock.advance(RESET);
    for _ in 0..3 {
        let call = layer(&circuit).layer(hangs()).oneshot(request());
        assert!(tokio::time::timeout(Duration::from_millis(5), call).await.is_err());
        assert_eq!(circuit.snapshot().trials, 0);
    }
    let answer = layer(&circuit).layer(echo()).oneshot(Request::new(404)).await.unwrap();
    drop(answer); // between reads: its status decides
    until(&circuit, State::Closed).await;
}

#[test]
fn errors_can_be_boxed_whatever_they_are() {
    fn boxes(_: impl Into<BoxError>) {}
    boxes(infuse_axum::CallError::Inner(io::Error::other("an error boxes itself")));
    let error = boxed(infuse_axum::CallError::Inner(BoxError::from("a box does not")));
    assert_eq!(error.to_string(), "a box does not");
}
