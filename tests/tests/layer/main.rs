//! `CircuitBreakerLayer` around clients and in front of handlers, over real sockets.

#![allow(clippy::unwrap_used)]

mod app;
mod grpc;
mod hyper1;
mod hyper2;
mod server;
mod stack;

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use infuse_axum::{Circuit, CircuitBreaker, CircuitBreakerLayer, Infuse, ManualClock, State};
use infuse_tests::{config, eventually};
use tower::{Layer, Service};
use tower_http::classify::{ServerErrorsAsFailures, SharedClassifier};

type Hyper = Client<HttpConnector, Body>;
type Guarded = CircuitBreaker<Hyper, SharedClassifier<ServerErrorsAsFailures>>;

/// A client of hyper, for HTTP/1.
fn hyper() -> Hyper {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A client of hyper, for HTTP/2 without TLS.
fn hyper2() -> Hyper {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

fn guard(circuit: &Circuit, client: Hyper) -> Guarded {
    CircuitBreakerLayer::new(circuit.clone()).layer(client)
}

const RESET: Duration = Duration::from_secs(15);

/// Circuits, and the clock that they go by.
async fn infuse() -> (Infuse, ManualClock) {
    let clock = ManualClock::new();
    (Infuse::builder().clock(clock.clone()).start(&config(&[])).await.unwrap(), clock)
}

async fn circuit() -> (Circuit, ManualClock) {
    let (infuse, clock) = infuse().await;
    (infuse.breaker("target").unwrap(), clock)
}

fn get(url: &str) -> Request<Body> {
    Request::get(url).body(Body::empty()).unwrap()
}

/// Calls and reads all of the answer.
async fn read<S, B>(service: &S, url: &str) -> Result<(u16, String), String>
where
    S: Service<Request<Body>, Response = Response<B>, Error: std::fmt::Debug> + Clone,
    B: http_body::Body<Data: std::fmt::Debug, Error: std::fmt::Debug>,
{
    let answer = tower::ServiceExt::oneshot(service.clone(), get(url)).await;
    let answer = answer.map_err(|error| format!("{error:?}"))?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
    Ok((status, String::from_utf8(body.to_bytes().to_vec()).unwrap()))
}

async fn until(circuit: &Circuit, state: State) {
    eventually("the circuit changes", async || circuit.state() == state).await;
}
