//! A part of an application, served over sockets, under axum's `HandleError`.

use std::sync::{
    Arc,
    atomic::{AtomicU16, AtomicUsize, Ordering::SeqCst},
};

use axum::{
    BoxError, Router, error_handling::HandleErrorLayer, response::IntoResponse,
    routing::get as route,
};
use http::StatusCode;
use infuse_axum::{CircuitBreakerLayer, Rejected, ServiceError, State, layer::boxed};
use infuse_tests::{client, problem, serve};
use tower::{ServiceBuilder, timeout::error::Elapsed};

use super::{Duration, RESET, infuse, until};

#[tokio::test]
async fn an_application_guards_a_part_of_its_own() {
    let (infuse, clock) = infuse().await;
    let circuit = infuse.breaker("reports").unwrap();
    let (status, calls) = (Arc::new(AtomicU16::new(500)), Arc::new(AtomicUsize::new(0)));
    let report = {
        let (status, calls) = (status.clone(), calls.clone());
        async move || {
            calls.fetch_add(1, SeqCst);
            let status = StatusCode::from_u16(status.load(SeqCst)).unwrap();
            if status == StatusCode::GATEWAY_TIMEOUT {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            (status, "a report")
        }
    };
    let guard = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |error: BoxError| {
            match error.downcast_ref::<Rejected>() {
                Some(&rejected) => ServiceError::rejection("reports", rejected).into_response(),
                None if error.is::<Elapsed>() => StatusCode::GATEWAY_TIMEOUT.into_response(),
                None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }))
        .map_err(boxed)
        .layer(CircuitBreakerLayer::new(circuit.clone()))
        .timeout(Duration::from_millis(200));
    let app = Router::new()
        .route("/reports/{id}", route(report.clone()))
        .route("/summaries", route(report))
        .route_layer(guard)
        .route("/health", route(async || "fine"));
    let app = serve(app).await;
    let client = client();
    let call = async |path: &str| client.get(app.url(path)).send().await.unwrap();

    // By any of the routes, also by hanging.
    for (answers, path) in [
        (500, "/reports/1"),
        (502, "/summaries"),
        (504, "/reports/2"),
        (503, "/summaries"),
        (500, "/reports/3"),
    ] {
        assert_eq!(circuit.state(), State::Closed);
        status.store(answers, SeqCst);
        assert_eq!(call(path).await.status().as_u16(), answers);
    }
    status.store(200, SeqCst);
    for path in ["/reports/1", "/summaries"] {
        let answer = call(path).await;
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["retry-after"], "15");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let problem = problem(answer).await;
        assert_eq!(problem["code"], 998603);
        assert_eq!(problem["service"], "reports");
        assert_eq!(problem["retry_after"], 15);
    }
    assert_eq!(calls.load(SeqCst), 5);
    assert_eq!(call("/health").await.status(), 200);
    assert_eq!(call("/nowhere").await.status(), 404);

    clock.advance(RESET);
    let answer = call("/summaries").await;
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap().as_str()),
        (200, "a report")
    );
    until(&circuit, State::Closed).await;
}
