//! A whole stack of tower's around a client of hyper: retries, a buffer, a balancer, timeouts.

use axum::{Router, body::Body, routing::get as route};
use http::{Request, Response};
use infuse_axum::{CircuitBreakerLayer, Rejected, State, layer::boxed};
use tower::{
    BoxError, ServiceBuilder, ServiceExt, balance::p2c::Balance, discover::ServiceList,
    load::Constant, retry::Policy,
};

use super::{Duration, RESET, get, hyper, infuse, read, server::Server, until};

/// Tries once more, unless a circuit rejected it.
#[derive(Clone)]
struct OnceMore(bool);

impl<B> Policy<Request<Body>, Response<B>, BoxError> for OnceMore {
    type Future = std::future::Ready<()>;

    fn retry(
        &mut self,
        _: &mut Request<Body>,
        result: &mut Result<Response<B>, BoxError>,
    ) -> Option<Self::Future> {
        let failed = match result {
            Ok(answer) => answer.status().is_server_error(),
            Err(error) => !error.is::<Rejected>(),
        };
        (std::mem::take(&mut self.0) && failed).then(|| std::future::ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(get(&request.uri().to_string()))
    }
}

#[tokio::test]
async fn around_a_balancer_of_two_addresses() {
    let (infuse, clock) = infuse().await;
    let circuit = infuse.breaker("target").unwrap();
    let app = || Router::new().route("/", route(async || "fine"));
    let mut servers = [Server::start(app()).await, Server::start(app()).await];
    let endpoints: Vec<_> = servers
        .iter()
        .map(|server| {
            let base = server.url("");
            let client = hyper().map_request(move |request: Request<Body>| {
                get(&format!("{base}{}", request.uri().path()))
            });
            Constant::new(client, 1)
        })
        .collect();
    let client = ServiceBuilder::new()
        .buffer(16)
        .retry(OnceMore(true))
        .map_err(boxed)
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .timeout(Duration::from_secs(20))
        .buffer(16)
        .service(Balance::new(ServiceList::new::<Request<Body>>(endpoints)));
    for _ in 0..10 {
        assert_eq!(read(&client, "http://any/").await.unwrap(), (200, "fine".into()));
    }
    // Both are gone: three calls, each tried twice, but the last attempt is rejected.
    for server in &mut servers {
        server.down().await;
    }
    while circuit.state() == State::Closed {
        client.clone().oneshot(get("http://any/")).await.unwrap_err();
    }
    let error = client.clone().oneshot(get("http://any/")).await.unwrap_err();
    assert!(error.is::<Rejected>(), "{error:?}");
    for server in &mut servers {
        server.up().await;
    }
    clock.advance(RESET);
    infuse_tests::eventually("it is back", async || read(&client, "http://any/").await.is_ok())
        .await;
    until(&circuit, State::Closed).await;
}
