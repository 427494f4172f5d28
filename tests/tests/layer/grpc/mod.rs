//! A client of gRPC as tonic generates them, over HTTP/2, and `GrpcErrorsAsFailures`.

mod client;
mod server;

use std::time::Duration;

use hyper_util::client::legacy::Error;
use infuse_axum::{
    CallError, Circuit, CircuitBreaker, CircuitBreakerLayer, ManualClock, Rejected, State,
    layer::boxed,
};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, timeout::error::Elapsed, util::MapErr};
use tower_http::classify::{GrpcCode, GrpcErrorsAsFailures, SharedClassifier};

use self::client::{GreeterClient, Status};
use super::{Hyper, RESET, circuit, hyper2, server::Server, until};

const OK: u32 = 0;
const DEADLINE_EXCEEDED: u32 = 4;
const NOT_FOUND: u32 = 5;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// What a user writes.
fn layer(circuit: &Circuit) -> CircuitBreakerLayer<SharedClassifier<GrpcErrorsAsFailures>> {
    let classifier = GrpcErrorsAsFailures::new().with_success(GrpcCode::NotFound);
    CircuitBreakerLayer::new(circuit.clone()).classifier(SharedClassifier::new(classifier))
}

type Guarded = CircuitBreaker<Hyper, SharedClassifier<GrpcErrorsAsFailures>>;
type Greeter = GreeterClient<MapErr<Guarded, fn(CallError<Error>) -> BoxError>>;

async fn stage() -> (Server, Greeter, Circuit, ManualClock) {
    let server = Server::start(server::greeter()).await;
    let (circuit, clock) = circuit().await;
    let channel = layer(&circuit).layer(hyper2()).map_err(boxed as fn(_) -> _);
    let greeter = GreeterClient::new(server.url(""), channel);
    (server, greeter, circuit, clock)
}

fn rejected(status: &Status) -> Option<Rejected> {
    status.find::<Rejected>().copied()
}

#[tokio::test]
async fn unary_calls() {
    let (server, mut greeter, circuit, clock) = stage().await;
    assert_eq!(greeter.greet("0").await.unwrap(), "hello");
    for (status, failures) in [
        (UNAVAILABLE, 1),
        (INTERNAL, 2),
        (DEADLINE_EXCEEDED, 3),
        (NOT_FOUND, 0),
        (INTERNAL, 1),
        (OK, 0),
    ] {
        let answer = greeter.greet(&status.to_string()).await;
        assert_eq!(answer.map_or_else(|status| status.code, |_| OK), status);
        assert_eq!(circuit.fail_counter(), failures, "{status}");
    }
    for _ in 0..5 {
        assert_eq!(greeter.greet("14").await.unwrap_err().code, UNAVAILABLE);
    }
    let requests = server.requests();
    let status = greeter.greet("0").await.unwrap_err();
    assert_eq!(rejected(&status).unwrap().retry_after(), RESET);
    assert_eq!((circuit.state(), server.requests()), (State::Open, requests));
    clock.advance(RESET);
    assert_eq!(greeter.greet("0").await.unwrap(), "hello");
    until(&circuit, State::Closed).await;
}

/// An answer that is nothing but its status comes in the headers, and is judged with them.
#[tokio::test]
async fn trailers_only() {
    let (_server, mut greeter, circuit, _clock) = stage().await;
    for failures in 1..=3 {
        let status = greeter.call("only-trailers", "14").await.unwrap_err();
        assert_eq!((status.code, circuit.fail_counter()), (UNAVAILABLE, failures));
    }
    assert_eq!(greeter.call("only-trailers", "5").await.unwrap_err().code, NOT_FOUND);
    assert_eq!(circuit.fail_counter(), 0);
}

/// What is no answer of gRPC at all: the page of a proxy in between.
#[tokio::test]
async fn answers_of_something_else() {
    let (_server, mut greeter, circuit, _clock) = stage().await;
    for failures in 1..=2 {
        greeter.call("page", "503").await.unwrap_err();
        assert_eq!(circuit.fail_counter(), failures);
    }
    greeter.call("page", "429").await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 2);
}

#[tokio::test]
async fn streams_of_the_server() {
    let (_server, mut greeter, circuit, _clock) = stage().await;
    greeter.greet("14").await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 1);
    // Nothing is said before the trailers, however many messages have come.
    let mut stream = greeter.greet_many("3 0").await.unwrap();
    for _ in 0..3 {
        assert_eq!(stream.message().await.unwrap().unwrap(), "hello");
        assert_eq!(circuit.fail_counter(), 1);
    }
    assert_eq!(stream.message().await.unwrap(), None);
    assert_eq!(circuit.fail_counter(), 0);

    // It fails after messages, without one, and by being broken off.
    for (failures, (asked, messages, code)) in
        (1..).zip([("2 13", 2, INTERNAL), ("0 14", 0, UNAVAILABLE)])
    {
        let mut stream = greeter.greet_many(asked).await.unwrap();
        for _ in 0..messages {
            stream.message().await.unwrap().unwrap();
        }
        assert_eq!(circuit.fail_counter(), failures - 1);
        assert_eq!(stream.message().await.unwrap_err().code, code);
        assert_eq!(circuit.fail_counter(), failures, "{asked}");
    }

    // Broken off, where the messages before may or may not have come.
    let mut broken = async || -> Result<(), Status> {
        let mut stream = greeter.greet_many("2 broken").await?;
        while stream.message().await?.is_some() {}
        Ok(())
    };
    broken().await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 3);

    // Who leaves before the trailers says nothing, between two messages or waiting for one.
    let mut stream = greeter.greet_many("2 0").await.unwrap();
    stream.message().await.unwrap().unwrap();
    drop(stream);
    let mut stream = greeter.greet_many("1 hangs").await.unwrap();
    stream.message().await.unwrap().unwrap();
    let wait = tokio::time::timeout(Duration::from_millis(100), stream.message());
    assert!(wait.await.is_err());
    drop(stream);
    assert_eq!(circuit.fail_counter(), 3);
}

/// A stream that is the trial closes the circuit when it ends, and not before.
#[tokio::test]
async fn a_stream_as_trial() {
    let (_server, mut greeter, circuit, clock) = stage().await;
    let _ = circuit.open().await;
    clock.advance(RESET);
    let mut stream = greeter.greet_many("2 0").await.unwrap();
    stream.message().await.unwrap().unwrap();
    stream.message().await.unwrap().unwrap();
    assert_eq!(circuit.state(), State::HalfOpen);
    let status = greeter.greet("0").await.unwrap_err();
    assert_eq!(rejected(&status).unwrap().state(), State::HalfOpen);
    assert_eq!(stream.message().await.unwrap(), None);
    until(&circuit, State::Closed).await;

    // Dropped before its trailers, it leaves the place to the next.
    let _ = circuit.open().await;
    clock.advance(RESET);
    let mut stream = greeter.greet_many("2 0").await.unwrap();
    stream.message().await.unwrap().unwrap();
    drop(stream);
    infuse_tests::eventually("the next tries", async || greeter.clone().greet("0").await.is_ok())
        .await;
    until(&circuit, State::Closed).await;
}

/// tonic's own deadlines are kept inside of the channel, where the circuit sees them.
#[tokio::test]
async fn deadlines() {
    let server = Server::start(server::greeter()).await;
    let (circuit, _clock) = circuit().await;
    let channel = ServiceBuilder::new()
        .map_err(boxed)
        .layer(layer(&circuit))
        .timeout(Duration::from_millis(100))
        .service(hyper2());
    let mut greeter = GreeterClient::new(server.url(""), channel);
    for failures in 1..=3 {
        let status = greeter.greet("hangs").await.unwrap_err();
        assert!(status.find::<Elapsed>().is_some(), "{status:?}");
        assert_eq!(circuit.fail_counter(), failures);
    }
    // One that the server keeps: a stream that takes too long ends so, in its trailers.
    let mut stream = greeter.greet_many("1 4").await.unwrap();
    stream.message().await.unwrap().unwrap();
    assert_eq!(stream.message().await.unwrap_err().code, DEADLINE_EXCEEDED);
    assert_eq!(circuit.fail_counter(), 4);
    // And one outside of the circuit, which hides it.
    let mut outside = GreeterClient::new(server.url(""), layer(&circuit).layer(hyper2()));
    let call = tokio::time::timeout(Duration::from_millis(100), outside.greet("hangs"));
    assert!(call.await.is_err());
    assert_eq!(circuit.fail_counter(), 4);
}

#[tokio::test]
async fn a_server_that_is_gone() {
    let (mut server, mut greeter, circuit, clock) = stage().await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = greeter.greet_many("1 hangs").await.unwrap();
        stream.message().await.unwrap().unwrap();
        streams.push(stream);
    }
    server.down().await;
    for mut stream in streams {
        stream.message().await.unwrap_err();
    }
    assert_eq!(circuit.fail_counter(), 3);
    for _ in 0..2 {
        assert!(rejected(&greeter.greet("0").await.unwrap_err()).is_none());
    }
    assert_eq!(circuit.state(), State::Open);
    server.up().await;
    assert!(rejected(&greeter.greet("0").await.unwrap_err()).is_some());
    clock.advance(RESET);
    assert_eq!(greeter.greet("0").await.unwrap(), "hello");
    until(&circuit, State::Closed).await;
}

/// As tonic keeps its channels: behind a buffer, cloned for each task.
#[tokio::test]
async fn a_channel_that_many_share() {
    let server = Server::start(server::greeter()).await;
    let (circuit, clock) = circuit().await;
    let channel =
        ServiceBuilder::new().boxed_clone().buffer(64).layer(layer(&circuit)).service(hyper2());
    let greeter = GreeterClient::new(server.url(""), channel);
    let calls = async |status: &'static str| {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let mut greeter = greeter.clone();
            calls.spawn(async move { greeter.greet(status).await });
        }
        let results: Vec<Result<String, BoxError>> =
            calls.join_all().await.into_iter().map(|result| result.map_err(Into::into)).collect();
        results.iter().filter(|result| result.is_ok()).count()
    };
    assert_eq!(calls("0").await, 20);
    assert_eq!(calls("14").await, 0);
    assert_eq!(circuit.state(), State::Open);
    let requests = server.requests();
    assert_eq!(calls("0").await, 0);
    assert_eq!(server.requests(), requests);
    clock.advance(RESET);
    assert!(calls("0").await >= 1);
    until(&circuit, State::Closed).await;
    assert_eq!(calls("0").await, 20);
}
