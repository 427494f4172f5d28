//! Whether the application lives and is ready.

use std::time::Duration;

use axum::Router;
use infuse_axum::{Infuse, ManualClock, Mode, Override};
use serde_json::json;

use crate::{config, get, start_with};

const READY: [(&str, &str); 1] = [("infuse_ready_services", "Payments")];

async fn asked(infuse: &Infuse, path: &str) -> (u16, serde_json::Value) {
    let answer = get(path).from("10.0.0.9").at(Router::new().merge(infuse.health_router())).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["content-type"], "application/json");
    (answer.status.as_u16(), serde_json::from_slice(&answer.bytes().await).unwrap())
}

#[tokio::test]
async fn no_circuit_is_a_reason_to_be_started_anew_or_by_default_to_be_left_alone() {
    let infuse = start_with(&[], |builder| builder).await;
    for name in ["payments", "users"] {
        let _ = infuse.circuit(name).unwrap().open().await;
    }
    assert_eq!(asked(&infuse, "/livez").await, (200, json!({"live": true})));
    assert_eq!(asked(&infuse, "/readyz").await, (200, json!({"ready": true, "not_available": []})));
    let health = infuse.health();
    assert!(health.live && health.ready);
    assert!(health.services.iter().all(|service| !service.required && !service.available));
    infuse.shutdown().await;
    assert_eq!(asked(&infuse, "/livez").await.0, 200);
}

#[tokio::test]
async fn it_is_not_ready_while_nobody_gets_to_a_service_that_it_needs() {
    let clock = ManualClock::new();
    let infuse = start_with(&READY, |builder| builder.clock(clock.clone())).await;
    let (payments, users) = (infuse.circuit("payments").unwrap(), infuse.circuit("users").unwrap());
    let _ = users.open().await;
    assert!(infuse.health().ready);
    let _ = payments.open().await;
    let not = json!({"ready": false, "not_available": ["payments"]});
    assert_eq!(asked(&infuse, "/readyz").await, (503, not));
    assert_eq!(asked(&infuse, "/livez").await.0, 200);

    // Modes in which every call passes, and one in which none does.
    for (mode, ready) in [(Mode::Observe, true), (Mode::Disabled, true), (Mode::Isolated, false)] {
        let _ = payments.set_override(Some(Override::new(mode))).await;
        assert_eq!(infuse.health().ready, ready, "{mode}");
    }
    let _ = payments.close().await;
    assert!(!infuse.health().ready, "isolated");
    let _ = payments.set_override(None).await;
    assert!(infuse.health().ready);

    // Whoever is never sent a call never finds out that the service is back.
    let _ = payments.open().await;
    clock.advance(Duration::from_secs(14));
    assert!(!infuse.health().ready);
    clock.advance(Duration::from_secs(2));
    assert!(infuse.health().ready);
    let _ = payments.half_open().await;
    assert!(infuse.health().ready);
}

#[tokio::test]
async fn what_it_needs_can_be_reloaded() {
    let infuse = start_with(&READY, |builder| builder).await;
    let _ = infuse.circuit("payments").unwrap().open().await;
    assert!(!infuse.health().ready);
    let changed = infuse.reload(&config(&[("infuse_ready_services", "users")])).unwrap();
    assert_eq!(changed.to_string(), "INFUSE_READY_SERVICES: payments -> users");
    assert!(infuse.health().ready);
}

#[tokio::test]
async fn a_service_that_was_never_called_is_closed() {
    let infuse = start_with(&[("infuse_ready_services", "database")], |builder| builder).await;
    let health = infuse.health();
    let database = health.services.iter().find(|service| service.name == "database").unwrap();
    assert!(health.ready && database.required && database.available);
    let _ = infuse.breaker("database").unwrap().open().await;
    assert!(!infuse.health().ready);
}
