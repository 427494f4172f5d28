//! What opened a circuit, as those are told who listen for it.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{BoxError, body::Body};
use http::{Request, Response};
use infuse_axum::{
    Breaker, CircuitBreakerLayer, Fault, FaultKind, Infuse, Interest, Listener, Service, State,
    StateChange, config::Config,
};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// What went wrong with the calls that opened circuits.
#[derive(Clone, Default)]
struct Openings(Arc<Mutex<Vec<Option<Fault>>>>);

impl Listener for Openings {
    fn state_change(&self, _: &Breaker, change: &StateChange) {
        if change.to == State::Open {
            self.0.lock().unwrap().push(change.fault);
        }
    }

    fn interest(&self) -> Interest {
        Interest::Changes
    }
}

impl Openings {
    fn only(&self) -> Fault {
        let openings = std::mem::take(&mut *self.0.lock().unwrap());
        assert_eq!(openings.len(), 1, "{openings:?}");
        openings[0].unwrap()
    }
}

/// A service that answers with the status in the path, or fails as it says; and circuits that one
/// failure opens.
async fn start() -> (Infuse, Service, Openings) {
    async fn answer(request: Request<Body>) -> Result<Response<Body>, io::Error> {
        let broken = || futures_util::stream::iter([Ok("a"), Err(io::Error::other("gone"))]);
        let mut answer = Response::new(Body::from("x"));
        match request.uri().path().trim_start_matches('/') {
            "hangs" => pending().await,
            "panics" => panic!("as it is meant to"),
            "refuses" => return Err(io::ErrorKind::ConnectionRefused.into()),
            "resets" => return Err(io::ErrorKind::ConnectionReset.into()),
            "breaks" => return Ok(Response::new(Body::from_stream(broken()))),
            status => *answer.status_mut() = status.parse().unwrap(),
        }
        Ok(answer)
    }
    let openings = Openings::default();
    let config = Config::builder()
        .set_override("infuse_service_connections", "payments")
        .and_then(|config| config.set_override("infuse_breaker_max_failure", 1))
        .and_then(|config| config.set_override("infuse_breaker_abandoned_after", "2"))
        .unwrap();
    let infuse = Infuse::builder()
        .listener(openings.clone())
        .transport("payments", service_fn(answer))
        .start(&config.build().unwrap())
        .await
        .unwrap();
    let payments = infuse.client().service("payments").unwrap();
    (infuse, payments, openings)
}

#[tokio::test(start_paused = true)]
async fn of_calls_to_a_service() {
    let (infuse, payments, openings) = start().await;
    let circuit = infuse.circuit("payments").unwrap();
    let mut in_body = Fault::new(FaultKind::Body);
    in_body.status = Some(200);
    for (path, fault) in [
        ("503", Fault::status(503)),
        ("hangs", Fault::new(FaultKind::Timeout)),
        ("refuses", Fault::new(FaultKind::Connect)),
        ("resets", Fault::new(FaultKind::Disconnect)),
        ("breaks", in_body),
        ("panics", Fault::new(FaultKind::Panic)),
    ] {
        let payments = payments.clone();
        let call = tokio::spawn(async move {
            if let Ok(answer) = payments.get(path).send().await {
                // It may break off.
                let _ = answer.bytes().await;
            }
        });
        assert_eq!(call.await.is_err(), path == "panics");
        assert_eq!(openings.only(), fault, "{path}");
        let _ = circuit.reset().await;
    }
    let call = payments.get("hangs").send();
    assert!(tokio::time::timeout(Duration::from_secs(3), call).await.is_err());
    assert_eq!(openings.only(), Fault::new(FaultKind::Abandoned));
}

#[tokio::test(start_paused = true)]
async fn of_calls_through_the_layer() {
    let (infuse, _, openings) = start().await;
    let circuit = infuse.breaker("layered").unwrap();
    let inner = ServiceBuilder::new().timeout(Duration::from_secs(5)).service(service_fn(
        async |request: Request<Body>| match request.uri().path().trim_start_matches('/') {
            "hangs" => pending().await,
            "panics" => panic!("as it is meant to"),
            "refuses" => Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionRefused))),
            "fails" => Err("no idea".into()),
            status => {
                let mut answer = Response::new(Body::empty());
                *answer.status_mut() = status.parse().unwrap();
                Ok(answer)
            }
        },
    ));
    let guarded =
        ServiceBuilder::new().layer(CircuitBreakerLayer::new(circuit.clone())).service(inner);
    let ask = |path: &str| {
        guarded.clone().oneshot(Request::get(format!("/{path}")).body(Body::empty()).unwrap())
    };
    for (path, fault) in [
        ("503", Fault::status(503)),
        ("hangs", Fault::new(FaultKind::Timeout)),
        ("refuses", Fault::new(FaultKind::Connect)),
        ("fails", Fault::new(FaultKind::Error)),
        ("panics", Fault::new(FaultKind::Panic)),
    ] {
        // The answer says less than the circuit was told.
        let _ = tokio::spawn(ask(path)).await;
        assert_eq!(openings.only(), fault, "{path}");
        let _ = circuit.reset().await;
    }
    assert!(tokio::time::timeout(Duration::from_secs(3), ask("hangs")).await.is_err());
    assert_eq!(openings.only(), Fault::new(FaultKind::Abandoned));
}
