//! Circuits below a service, as an application sets them up.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::sync::{
    Arc,
    atomic::{AtomicU16, Ordering},
};

use axum::{Router, extract::State as AppState};
use http::StatusCode;
use infuse_axum::{
    Breaker, Infuse, Listener, State, StateChange,
    config::{Config, File, FileFormat},
};

/// Notes which circuits changed.
#[derive(Clone, Default)]
struct Changes(Arc<std::sync::Mutex<Vec<String>>>);

impl Listener for Changes {
    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        self.0.lock().unwrap().push(format!("{} {}", breaker.name(), change.to));
    }
}

async fn start(settings: &str, status: &Arc<AtomicU16>) -> (Infuse, Changes) {
    async fn answer(AppState(status): AppState<Arc<AtomicU16>>) -> StatusCode {
        StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap()
    }
    let config = Config::builder().add_source(File::from_str(settings, FileFormat::Toml));
    let service = Router::new().fallback(answer).with_state(status.clone());
    let changes = Changes::default();
    let infuse = Infuse::builder()
        .register_listener("changes", changes.clone())
        .transport("payments", service)
        .start(&config.build().unwrap())
        .await
        .unwrap();
    (infuse, changes)
}

#[tokio::test]
async fn they_are_as_the_service_is() {
    let status = Arc::new(AtomicU16::new(500));
    let settings = r#"
        [infuse]
        service_connections = ["payments", "users"]

        [infuse.services.payments]
        breaker_max_failure = 2
        breaker_listeners = "changes"
        breaker_exclude_exceptions = "503"
        max_circuits = 2
    "#;
    let (infuse, changes) = start(settings, &status).await;
    let payments = infuse.client().service("payments").unwrap();
    let refunds = payments.circuit("refunds").unwrap();

    status.store(503, Ordering::SeqCst);
    for _ in 0..3 {
        refunds.get("a").send().await.unwrap().bytes().await.unwrap();
    }
    assert_eq!(refunds.below().unwrap().state(), State::Closed);
    status.store(500, Ordering::SeqCst);
    for _ in 0..2 {
        refunds.get("a").send().await.unwrap();
    }
    let error = refunds.get("a").send().await.unwrap_err();
    assert_eq!(error.circuit(), Some("payments/refunds"));
    assert_eq!(*changes.0.lock().unwrap(), ["payments/refunds open"]);

    assert!(payments.circuit("charges").unwrap().below().is_some());
    assert!(payments.circuit("disputes").unwrap().below().is_none());
    let circuits = infuse.circuits();
    let names: Vec<_> = circuits.iter().map(|it| (it.service.as_str(), it.state)).collect();
    assert_eq!(
        names,
        [
            ("payments", State::Closed),
            ("payments/charges", State::Closed),
            ("payments/refunds", State::Open),
            ("users", State::Closed),
        ]
    );
    // It is reached through its service alone.
    assert!(infuse.breaker("payments/refunds").is_err());
}

#[tokio::test]
async fn a_name_of_a_service_below_another_is_another_circuit() {
    let status = Arc::new(AtomicU16::new(200));
    let settings = "infuse_service_connections = \"payments, users\"";
    let (infuse, _) = start(settings, &status).await;
    let users = infuse.client().service("payments").unwrap().circuit("users").unwrap();
    let _ = users.below().unwrap().open().await;
    let states = infuse.circuits().into_iter().map(|it| (it.service, it.state));
    let open: Vec<_> = states.filter(|(_, state)| *state == State::Open).collect();
    assert_eq!(open, [("payments/users".to_owned(), State::Open)]);
}
