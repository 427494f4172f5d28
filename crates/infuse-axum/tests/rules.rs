//! Rules of the application's own for what opens circuits.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{Router, http::StatusCode};
use infuse_axum::{
    Evidence, Infuse, InfuseBuilder, InitError, ManualClock, Policy, State, config::Config,
};

fn config(settings: &[(&str, &str)]) -> Config {
    let set = |config: config::ConfigBuilder<_>, (key, value): &(&str, &str)| {
        config.set_override(key, *value).unwrap()
    };
    let services = Config::builder().set_override("infuse_service_connections", "payments");
    settings.iter().fold(services.unwrap(), set).build().unwrap()
}

/// Calls `payments`, which always fails.
async fn infuse(
    settings: &[(&str, &str)],
    build: impl FnOnce(InfuseBuilder) -> InfuseBuilder,
) -> Infuse {
    let payments = Router::new().fallback(|| async { StatusCode::INTERNAL_SERVER_ERROR });
    let builder = Infuse::builder().clock(ManualClock::new()).transport("payments", payments);
    build(builder).start(&config(settings)).await.unwrap()
}

const ALONE: (&str, &str) = ("infuse_breaker_max_failure", "none");

#[tokio::test]
async fn a_rule_is_on_every_circuit_and_knows_which() {
    let asked: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    let infuse = infuse(&[ALONE], |builder| {
        builder.trip_rule(move |circuit, evidence: &Evidence| {
            noted.lock().unwrap().insert(circuit.to_owned());
            circuit != "database" && evidence.fail_counter == 7
        })
    })
    .await;
    let payments = infuse.client().service("payments").unwrap();
    let refunds = payments.circuit("refunds").unwrap();
    for _ in 0..7 {
        assert!(refunds.get("x").send().await.is_ok());
    }
    assert!(refunds.get("x").send().await.unwrap_err().is_rejected());
    assert_eq!(infuse.circuit("payments").unwrap().state(), State::Closed);
    for _ in 0..7 {
        payments.get("x").send().await.unwrap();
    }
    assert!(payments.get("x").send().await.unwrap_err().is_rejected());

    let database = infuse.breaker("database").unwrap();
    for _ in 0..50 {
        database.call_sync(|| Err::<(), _>(std::io::Error::other("down"))).unwrap_err();
    }
    assert_eq!(database.state(), State::Closed, "nothing else opens it");
    let asked: Vec<_> = asked.lock().unwrap().iter().cloned().collect();
    assert_eq!(asked, ["database", "payments", "payments/refunds"]);
}

#[tokio::test]
async fn of_several_any_opens_and_one_that_panics_does_not() {
    let infuse = infuse(&[], |builder| {
        builder
            .trip_rule(|_, _| panic!("as it is meant to"))
            .trip_rule(|_, evidence| evidence.counts.failures == 2)
    })
    .await;
    let payments = infuse.client().service("payments").unwrap();
    payments.get("x").send().await.unwrap();
    assert_eq!(infuse.circuit("payments").unwrap().state(), State::Closed);
    payments.get("x").send().await.unwrap();
    assert_eq!(infuse.circuit("payments").unwrap().state(), State::Open);
}

#[tokio::test]
async fn without_a_rule_nothing_else_is_too_little() {
    let error = Infuse::builder().start(&config(&[ALONE])).await.unwrap_err();
    assert!(matches!(&error, InitError::Settings(_)), "{error}");
    assert!(Policy::builder().no_max_failure().build().is_err());
}

#[tokio::test]
async fn a_rule_outlives_a_reload() {
    let infuse =
        infuse(&[], |builder| builder.trip_rule(|_, evidence| evidence.counts.failures == 6)).await;
    infuse.reload(&config(&[ALONE])).unwrap();
    let payments = infuse.client().service("payments").unwrap();
    let circuit = infuse.circuit("payments").unwrap();
    for failures in 0..6 {
        assert_eq!(circuit.state(), State::Closed, "after {failures}");
        payments.get("x").send().await.unwrap();
    }
    assert_eq!(circuit.state(), State::Open);
}
