//! hyper's client over HTTP/1, and a service that fails in every way.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper_util::client::legacy::Error;
use infuse_axum::{CallError, CircuitBreakerLayer, Outcome, State, Verdict, layer::boxed};
use infuse_tests::{Answer, Double};
use tower::{Layer, ServiceBuilder, ServiceExt};
use tower_http::timeout::ResponseBodyTimeoutLayer;

use super::{RESET, circuit, get, guard, hyper, read, until};

#[tokio::test]
async fn a_service_that_is_gone_is_left_alone_until_it_is_back() {
    let (circuit, clock) = circuit().await;
    let mut service = Double::start(Answer::text("fine")).await;
    let (client, url) = (guard(&circuit, hyper()), service.url());
    assert_eq!(read(&client, &url).await.unwrap(), (200, "fine".into()));
    service.down().await;
    for failures in 1..=5 {
        assert_eq!(circuit.state(), State::Closed);
        let error = client.clone().oneshot(get(&url)).await.unwrap_err();
        let error: Error = error.into_inner().unwrap();
        // The first may find the connection that there was.
        assert!(error.is_connect() || failures == 1, "{error:?}");
    }
    assert_eq!(circuit.state(), State::Open);
    service.up();
    for _ in 0..3 {
        assert!(client.clone().oneshot(get(&url)).await.unwrap_err().is_rejected());
    }
    assert_eq!((service.requests(), service.connections()), (1, 1));
    clock.advance(RESET);
    assert_eq!(read(&client, &url).await.unwrap().0, 200);
    until(&circuit, State::Closed).await;
    assert_eq!(service.requests(), 2);
}

#[tokio::test]
async fn what_counts() {
    let (circuit, _clock) = circuit().await;
    let service = Double::start(Answer::text("fine")).await;
    let (client, url) = (guard(&circuit, hyper()), service.url());
    for (answer, works) in [
        (Answer::Status(500), true),
        (Answer::Status(503), true),
        (Answer::Reset, false),
        (Answer::HangUp, false),
        (Answer::Garbage, false),
        (Answer::Truncated, false),
        (Answer::TruncatedChunks, false),
        (Answer::ResetInBody, false),
    ] {
        service.answer(answer.clone());
        service.let_through(usize::from(matches!(answer, Answer::ResetInBody)));
        let result = read(&client, &url).await;
        assert_eq!(result.is_ok(), works, "{result:?}");
        assert_eq!(circuit.fail_counter(), 1, "{result:?}");
        // What works, in every shape of a body.
        for answer in [
            Answer::text("whole"),
            Answer::text(""),
            Answer::Status(404),
            Answer::Raw("HTTP/1.1 204 No Content\r\n\r\n".into()),
            Answer::Large(300_000),
            Answer::Raw(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".into(),
            ),
        ] {
            service.answer(answer);
            read(&client, &url).await.unwrap();
            assert_eq!(circuit.fail_counter(), 0);
        }
        // 429 is neither.
        service.answer(Answer::Status(500));
        read(&client, &url).await.unwrap();
        service.answer(Answer::Status(429));
        read(&client, &url).await.unwrap();
        assert_eq!(circuit.fail_counter(), 1);
        service.answer(Answer::text("fine"));
        read(&client, &url).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_to_its_end() {
    let (circuit, _clock) = circuit().await;
    let service = Double::start(Answer::Status(500)).await;
    let (client, url) = (guard(&circuit, hyper()), service.url());
    read(&client, &url).await.unwrap();
    assert_eq!(circuit.fail_counter(), 1);
    // Stalled within a read: nobody knows.
    service.answer(Answer::StalledBody);
    let mut body = client.clone().oneshot(get(&url)).await.unwrap().into_body();
    let reads = async { while body.frame().await.is_some() {} };
    assert!(tokio::time::timeout(Duration::from_millis(200), reads).await.is_err());
    drop(body);
    assert_eq!(circuit.fail_counter(), 1);
    // Seen enough of one that goes on for ever: it works.
    service.answer(Answer::Endless);
    let mut body = client.clone().oneshot(get(&url)).await.unwrap().into_body();
    for _ in 0..3 {
        body.frame().await.unwrap().unwrap();
    }
    drop(body);
    assert_eq!(circuit.fail_counter(), 0);
}

#[tokio::test]
async fn timeouts_inside_find_a_service_that_hangs() {
    let (circuit, _clock) = circuit().await;
    let service = Double::start(Answer::Silent).await;
    let url = service.url();
    let short = Duration::from_millis(100);
    let client = ServiceBuilder::new()
        .map_err(boxed)
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .layer(ResponseBodyTimeoutLayer::new(short))
        .timeout(short)
        .service(hyper());
    read(&client, &url).await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 1);
    service.answer(Answer::StalledHead);
    read(&client, &url).await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 2);
    service.answer(Answer::StalledBody);
    read(&client, &url).await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 3);
    // Outside they hide it: its callers go away.
    service.answer(Answer::Silent);
    let client = guard(&circuit, hyper());
    for gone in 1..=3 {
        let before = service.abandoned();
        assert!(tokio::time::timeout(short, read(&client, &url)).await.is_err(), "{gone}");
        service.until_abandoned(before + 1).await;
        assert_eq!(circuit.fail_counter(), 3);
    }
}

/// A place of a trial is taken when it is called for, by one of many, and given back.
#[tokio::test]
async fn one_of_a_herd_tries() {
    let (circuit, clock) = circuit().await;
    let service = Double::start(Answer::Status(500)).await;
    let (client, url) = (guard(&circuit, hyper()), service.url());
    for _ in 0..5 {
        read(&client, &url).await.unwrap();
    }
    for round in 1..=10 {
        clock.advance(RESET);
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let (mut client, request) = (client.clone(), get(&url));
            calls.spawn(async move {
                // Ready beforehand, as those are that stand in a pool.
                client.ready().await?;
                tokio::task::yield_now().await;
                client.oneshot(request).await.map(|answer| answer.status())
            });
        }
        let results = calls.join_all().await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert_eq!(service.requests(), 5 + round);
        until(&circuit, State::Open).await;
    }
    // One that is dropped while it waits for the answer leaves the place to the next.
    service.answer(Answer::Silent);
    clock.advance(RESET);
    let mut calls = tokio::task::JoinSet::new();
    calls.spawn(client.clone().oneshot(get(&url)));
    service.until_requests(16).await;
    calls.shutdown().await;
    service.answer(Answer::text("fine"));
    infuse_tests::eventually("the next tries", async || read(&client, &url).await.is_ok()).await;
    until(&circuit, State::Closed).await;
}

#[tokio::test]
async fn retry_after_is_heard() {
    let (circuit, clock) = circuit().await;
    let busy = "HTTP/1.1 503 Busy\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n";
    let service = Double::start(Answer::Raw(busy.into())).await;
    let (client, url) = (guard(&circuit, hyper()), service.url());
    for _ in 0..5 {
        assert_eq!(read(&client, &url).await.unwrap().0, 503);
    }
    let rejected = client.clone().oneshot(get(&url)).await.unwrap_err().rejected().unwrap();
    assert_eq!(rejected.retry_after(), Duration::from_secs(90));
    clock.advance(Duration::from_secs(89));
    assert!(client.clone().oneshot(get(&url)).await.unwrap_err().is_rejected());
    service.answer(Answer::text("fine"));
    clock.advance(Duration::from_secs(1));
    assert_eq!(read(&client, &url).await.unwrap().0, 200);
    until(&circuit, State::Closed).await;
}

/// hyper's error is a type of its own: what it means the application says.
#[tokio::test]
async fn errors_of_hyper_are_judged_by_the_application() {
    let (circuit, _clock) = circuit().await;
    let mut service = Double::start(Answer::Reset).await;
    let layer = CircuitBreakerLayer::new(circuit.clone()).judge_errors(|error: &Error| {
        error.is_connect().then_some(Verdict::from(Outcome::Ignored))
    });
    let client = layer.layer(hyper());
    read(&client, &service.url()).await.unwrap_err();
    assert_eq!(circuit.fail_counter(), 1);
    service.down().await;
    let error = client.clone().oneshot(get(&service.url())).await.unwrap_err();
    assert!(matches!(error, CallError::Inner(error) if error.is_connect()));
    assert_eq!(circuit.fail_counter(), 1);
}
