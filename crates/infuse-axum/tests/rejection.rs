//! What callers are told whom a circuit rejects that is not a service's.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    error_handling::HandleErrorLayer,
    response::{IntoResponse, Response},
    routing::get,
};
use http::Request;
use http_body_util::BodyExt;
use infuse_axum::{
    CallError, Circuit, CircuitBreakerLayer, Clock, Infuse, Mode, Outcome, Override, ServiceError,
    Verdict, config::Config,
};
use tower::{ServiceBuilder, ServiceExt};

/// A clock that stands still, whose dice the test throws, in hundredths.
#[derive(Debug, Clone, Default)]
struct Dice(Arc<AtomicU64>);

impl Clock for Dice {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn fraction(&self) -> f64 {
        self.0.load(SeqCst) as f64 / 100.0
    }
}

fn config(settings: &[(&str, &str)]) -> Config {
    let set = |config: config::ConfigBuilder<_>, (key, value): &(&str, &str)| {
        config.set_override(key, *value).unwrap()
    };
    settings.iter().fold(Config::builder(), set).build().unwrap()
}

async fn open(infuse: &Infuse, name: &str) -> Circuit {
    let circuit = infuse.breaker(name).unwrap();
    let _ = circuit.open().await;
    circuit
}

fn rejected(infuse: &Infuse, circuit: &Circuit) -> ServiceError {
    infuse.rejection(circuit, circuit.try_permit().unwrap_err())
}

fn told(answer: &Response) -> u64 {
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_jitter_is_that_of_the_circuit() {
    let dice = Dice::default();
    let settings = config(&[
        ("infuse_breaker_reset_timeout", "100"),
        ("infuse_retry_after_jitter", "0.2"),
        ("infuse_services.reports.retry_after_jitter", "1"),
        ("infuse_services.users.retry_after_jitter", "0"),
    ]);
    let infuse = Infuse::builder().clock(dice.clone()).start(&settings).await.unwrap();
    for (name, seconds) in
        [("database", [100, 110, 120]), ("reports", [100, 150, 200]), ("users", [100, 100, 100])]
    {
        let circuit = open(&infuse, name).await;
        for (hundredths, seconds) in [0, 50, 100].into_iter().zip(seconds) {
            dice.0.store(hundredths, SeqCst);
            let error = rejected(&infuse, &circuit);
            assert_eq!(told(&(&error).into_response()), seconds, "{name}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(100)));
            assert_eq!((error.service(), error.circuit()), (name, Some(name)));
        }
    }
    // Of what knows neither, as it is.
    let circuit = infuse.breaker("reports").unwrap();
    let error = ServiceError::rejection("reports", circuit.try_permit().unwrap_err());
    assert_eq!(told(&error.into_response()), 100);
    // Reloaded like any other.
    infuse.reload(&config(&[("infuse_breaker_reset_timeout", "100")])).unwrap();
    assert_eq!(told(&rejected(&infuse, &circuit).into_response()), 100);
}

#[tokio::test]
async fn a_service_has_its_own_jitter_and_so_has_what_is_below_it() {
    let settings = config(&[
        ("infuse_service_connections", "payments, users"),
        ("infuse_services.payments.retry_after_jitter", "1"),
    ]);
    let dice = Dice::default();
    dice.0.store(100, SeqCst);
    let infuse = Infuse::builder().clock(dice).start(&settings).await.unwrap();
    let service = |name| infuse.client().service(name).unwrap();
    for (name, seconds) in [("payments", 30), ("users", 15)] {
        let circuit = open(&infuse, name).await;
        let error = service(name).get("x").send().await.unwrap_err();
        assert_eq!(told(&error.into_response()), seconds, "{name}");
        let _ = circuit.close().await;
        let below = service(name).circuit("part").unwrap();
        let part = below.below().unwrap();
        let _ = part.open().await;
        let error = rejected(&infuse, part);
        let full = format!("{name}/part");
        assert_eq!((error.service(), error.circuit()), (name, Some(full.as_str())));
        let other = below.get("x").send().await.unwrap_err();
        for error in [error, other] {
            let answer = error.into_response();
            assert_eq!(told(&answer), seconds, "{name}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!((&body["service"], &body["circuit"]), (&name.into(), &full.as_str().into()));
        }
    }
}

#[tokio::test]
async fn isolated_without_an_end_it_is_the_circuits_reset_timeout() {
    let settings = config(&[("infuse_services.reports.breaker_reset_timeout", "40")]);
    let infuse = Infuse::builder().start(&settings).await.unwrap();
    let circuit = infuse.breaker("reports").unwrap();
    let _ = circuit.set_override(Some(Override::new(Mode::Isolated))).await;
    assert_eq!(told(&rejected(&infuse, &circuit).into_response()), 40);
    let stranger = ServiceError::rejection("reports", circuit.try_permit().unwrap_err());
    assert_eq!(told(&stranger.into_response()), 15);
}

#[tokio::test]
async fn around_the_layer() {
    let settings = config(&[("infuse_retry_after_jitter", "100%")]);
    let infuse = Infuse::builder().start(&settings).await.unwrap();
    let reports = open(&infuse, "reports").await;
    let (teller, circuit) = (infuse.clone(), reports.clone());
    let layer = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(move |error: CallError<Infallible>| {
            let error = teller.rejection(&circuit, error.rejected().unwrap());
            async move { error }
        }))
        .layer(CircuitBreakerLayer::new(reports));
    let app: Router = Router::new().route("/", get(|| async {})).route_layer(layer);
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let request = Request::get("/").body(Body::empty()).unwrap();
        seen.insert(told(&app.clone().oneshot(request).await.unwrap()));
    }
    assert!(seen.len() > 3 && seen.iter().all(|told| (14..=30).contains(told)), "{seen:?}");
}

#[tokio::test]
async fn while_half_open_they_are_told_for_how_long_the_service_asked() {
    let infuse = Infuse::builder().clock(Dice::default()).start(&config(&[])).await.unwrap();
    let circuit = infuse.breaker("database").unwrap();
    let _ = circuit.half_open().await;
    let trial = circuit.acquire(None).await.unwrap();
    assert_eq!(told(&rejected(&infuse, &circuit).into_response()), 1, "nobody knows");
    let asked = Verdict::from(Outcome::Ignored).retry_after(Duration::from_secs(60));
    trial.settle(asked);
    assert_eq!(told(&rejected(&infuse, &circuit).into_response()), 60);
    assert_eq!(circuit.retry_after(), Some(Duration::from_secs(60)));
}
