//! hyper's client over HTTP/2, where many calls share a connection.

use std::{convert::Infallible, future::pending, io};

use axum::{Router, body::Body, routing::get as route};
use bytes::Bytes;
use futures_util::stream;
use http::{StatusCode, Version};
use http_body_util::BodyExt;
use infuse_axum::State;
use tower::ServiceExt;

use super::{RESET, circuit, get, guard, hyper2, read, server::Server, until};

fn app() -> Router {
    let broken = || {
        Body::from_stream(stream::iter([Ok(Bytes::from("some")), Err(io::Error::other("broken"))]))
    };
    Router::new()
        .route("/fine", route(async |version: Version| format!("{version:?}")))
        .route("/fails", route(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/breaks", route(async move || broken()))
        .route("/none", route(async || StatusCode::NO_CONTENT))
        .route("/hangs", route(async || pending::<&str>().await))
        .route("/stalls", route(async || Body::from_stream(stalling())))
}

fn stalling() -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    stream::StreamExt::chain(stream::iter([Ok(Bytes::from("some"))]), stream::pending())
}

#[tokio::test]
async fn what_counts() {
    let (circuit, _clock) = circuit().await;
    let server = Server::start(app()).await;
    let client = guard(&circuit, hyper2());
    let call = async |path: &str| {
        let result = read(&client, &server.url(path)).await;
        (result.ok(), circuit.fail_counter())
    };
    assert_eq!(call("/fine").await, (Some((200, "HTTP/2.0".into())), 0));
    assert_eq!(call("/breaks").await, (None, 1));
    assert_eq!(call("/fails").await, (Some((500, String::new())), 2));
    assert_eq!(call("/none").await, (Some((204, String::new())), 0));
    // One that breaks off does not take along those that share its connection.
    let mut other = client.clone().oneshot(get(&server.url("/stalls"))).await.unwrap().into_body();
    other.frame().await.unwrap().unwrap();
    for failures in 1..=4 {
        assert_eq!(call("/breaks").await, (None, failures));
    }
    // Between two reads its status decides.
    drop(other);
    assert_eq!((circuit.state(), circuit.fail_counter()), (State::Closed, 0));
}

#[tokio::test]
async fn a_connection_that_is_lost_takes_its_calls_along() {
    let (circuit, clock) = circuit().await;
    let mut server = Server::start(app()).await;
    let client = guard(&circuit, hyper2());
    let mut calls = tokio::task::JoinSet::new();
    for path in ["/hangs", "/hangs", "/hangs", "/stalls", "/stalls"] {
        let (client, url) = (client.clone(), server.url(path));
        calls.spawn(async move { read(&client, &url).await });
    }
    server.until_requests(5).await;
    server.down().await;
    for result in calls.join_all().await {
        result.unwrap_err();
    }
    assert_eq!(circuit.state(), State::Open);
    server.up().await;
    let url = server.url("/fine");
    assert!(client.clone().oneshot(get(&url)).await.unwrap_err().is_rejected());
    assert_eq!(server.requests(), 5);
    clock.advance(RESET);
    assert_eq!(read(&client, &url).await.unwrap().0, 200);
    until(&circuit, State::Closed).await;
}

/// Streams that are given up are reset, and say nothing about the service.
#[tokio::test]
async fn a_caller_that_leaves_says_nothing() {
    let (circuit, clock) = circuit().await;
    let server = Server::start(app()).await;
    let client = guard(&circuit, hyper2());
    for requests in 1..=10 {
        let mut call = Box::pin(client.clone().oneshot(get(&server.url("/hangs"))));
        tokio::select! {
            answer = &mut call => panic!("it hangs: {answer:?}"),
            () = server.until_requests(requests) => {}
        }
    }
    assert_eq!((circuit.state(), circuit.fail_counter()), (State::Closed, 0));
    // Nor does a trial that is given up hold the place.
    let _ = circuit.open().await;
    clock.advance(RESET);
    let mut call = Box::pin(client.clone().oneshot(get(&server.url("/hangs"))));
    tokio::select! {
        answer = &mut call => panic!("it hangs: {answer:?}"),
        () = server.until_requests(11) => {}
    }
    drop(call);
    infuse_tests::eventually("the next tries", async || {
        read(&client, &server.url("/fine")).await.is_ok()
    })
    .await;
    until(&circuit, State::Closed).await;
}
