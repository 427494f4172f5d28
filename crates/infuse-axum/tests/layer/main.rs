//! The tower layer: any service behind a circuit.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod abandoned;
mod answers;
mod applied;
mod bodies;
mod errors;
mod readiness;
mod stacks;

use std::{convert::Infallible, future::ready, io, task::Poll, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{Empty, Full, StreamBody};
use infuse_axum::{
    Circuit, CircuitBreakerLayer, Infuse, ManualClock, Reach, State, config::Config,
};
use tower::{Service, service_fn};

const RESET: Duration = Duration::from_secs(15);

/// A circuit, and the clock that it goes by.
async fn circuit() -> (Circuit, ManualClock) {
    let (infuse, clock) = infuse().await;
    (infuse.breaker("target").unwrap(), clock)
}

async fn infuse() -> (Infuse, ManualClock) {
    let clock = ManualClock::new();
    let config = Config::builder().build().unwrap();
    (Infuse::builder().clock(clock.clone()).start(&config).await.unwrap(), clock)
}

/// One of which the next call is a trial.
async fn due() -> (Circuit, ManualClock) {
    let (circuit, clock) = circuit().await;
    assert_eq!(circuit.open().await, Reach::Fleet);
    clock.advance(RESET);
    (circuit, clock)
}

fn layer(circuit: &Circuit) -> CircuitBreakerLayer {
    CircuitBreakerLayer::new(circuit.clone())
}

fn request() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

fn answer(status: u16) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("body"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// A service that answers with the status that it is asked for.
fn echo()
-> impl Service<Request<u16>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    service_fn(|request: Request<u16>| ready(Ok(answer(request.into_body()))))
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

fn grpc_status(status: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("grpc-status", HeaderValue::from_static(status));
    headers
}

/// Waits until a circuit is in a state: the storage learns of a trial in its own time.
async fn until(circuit: &Circuit, state: State) {
    let reached = async {
        while circuit.state() != state {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(20), reached).await.is_err() {
        panic!("it is not {state}: {:?}", circuit.snapshot());
    }
}
