//! However often the layer is applied, its circuit is one, and a request is counted once.

use axum::{Router, body::Body, error_handling::HandleErrorLayer, routing::get};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http_body_util::BodyExt;
use infuse_axum::{CallError, ServiceError};
use tower::{Layer, ServiceBuilder, ServiceExt};

use super::*;

/// What a user writes to guard a part of an application.
macro_rules! guard {
    ($circuit:expr) => {
        ServiceBuilder::new()
            .layer(HandleErrorLayer::new(async |error: CallError<Infallible>| {
                ServiceError::rejection("target", error.rejected().unwrap())
            }))
            .layer(layer($circuit))
    };
}

async fn get_from(app: &Router, path: &str) -> Response<Body> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap()
}

async fn status(app: &Router, path: &str) -> u16 {
    let answer = get_from(app, path).await;
    let status = answer.status().as_u16();
    answer.into_body().collect().await.unwrap();
    status
}

#[tokio::test]
async fn a_part_of_an_application_is_guarded_under_handle_error() {
    let (circuit, _clock) = circuit().await;
    let app = Router::new()
        .route("/reports", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(guard!(&circuit))
        .route("/health", get(async || "fine"));
    for _ in 0..5 {
        assert_eq!(status(&app, "/reports").await, 500);
    }
    assert_eq!(circuit.state(), State::Open);
    let answer = get_from(&app, "/reports").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers()[RETRY_AFTER], "15");
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["code"], 998603);
    assert_eq!((&problem["service"], &problem["state"]), (&"target".into(), &"open".into()));
    assert_eq!(status(&app, "/health").await, 200);
}

/// The trap of those whose every `layer()` makes a circuit of its own: none ever opens.
#[tokio::test]
async fn routes_clones_and_layers_share_it() {
    let (infuse, _clock) = infuse().await;
    let failing = || get(async || StatusCode::BAD_GATEWAY);
    let once = guard!(&infuse.breaker("target").unwrap());
    let app = Router::new()
        .route("/a", failing().layer(once.clone()))
        .route("/b", failing().layer(once))
        // Made anew, under another spelling of the name.
        .route("/c", failing().layer(guard!(&infuse.breaker("Target").unwrap())))
        .route("/d", failing())
        .route("/e", failing())
        .route_layer(guard!(&infuse.breaker("target").unwrap()));
    let circuit = infuse.breaker("target").unwrap();
    for (failures, path) in (1..).zip(["/a", "/b", "/c", "/d"]) {
        assert_eq!(status(&app.clone(), path).await, 502);
        assert_eq!(circuit.fail_counter(), failures, "{path}");
    }
    assert_eq!(status(&app, "/e").await, 502);
    for path in ["/a", "/b", "/c", "/d", "/e"] {
        assert_eq!(status(&app, path).await, 503, "{path}");
    }
}

/// Inside of itself a circuit would wait for the place of its own trial, and never close.
#[tokio::test]
async fn around_itself_it_is_asked_once() {
    let (circuit, clock) = circuit().await;
    let service = layer(&circuit).layer(layer(&circuit).layer(layer(&circuit).layer(echo())));
    for _ in 0..5 {
        let answer = service.clone().oneshot(Request::new(500)).await.unwrap();
        assert_eq!(answer.status(), 500);
    }
    assert_eq!(circuit.state(), State::Open);
    let error = service.clone().oneshot(Request::new(200)).await.unwrap_err();
    assert!(matches!(error, CallError::Rejected(_)));
    clock.advance(RESET);
    let answer = service.clone().oneshot(Request::new(200)).await.unwrap();
    answer.into_body().collect().await.unwrap();
    until(&circuit, State::Closed).await;
    service.oneshot(Request::new(500)).await.unwrap();
    assert_eq!(circuit.fail_counter(), 1);
}

#[tokio::test]
async fn of_two_circuits_each_is_asked() {
    let (infuse, clock) = infuse().await;
    let (outer, inner) = (infuse.breaker("outer").unwrap(), infuse.breaker("inner").unwrap());
    let service = layer(&outer).layer(layer(&inner).layer(echo()));
    service.clone().oneshot(Request::new(500)).await.unwrap();
    assert_eq!((outer.fail_counter(), inner.fail_counter()), (1, 1));
    assert_eq!((outer.open().await, inner.open().await), (Reach::Fleet, Reach::Fleet));
    clock.advance(RESET);
    let answer = service.oneshot(Request::new(200)).await.unwrap();
    answer.into_body().collect().await.unwrap();
    until(&outer, State::Closed).await;
    until(&inner, State::Closed).await;
}

/// A request that is sent anew is asked anew: what is noted about it is on its way in alone.
#[tokio::test]
async fn a_request_that_is_kept_is_a_new_one() {
    let (circuit, _clock) = circuit().await;
    let service = layer(&circuit).layer(echo());
    let request = Request::new(500);
    for failures in 1..=3 {
        service.clone().oneshot(request.clone()).await.unwrap();
        assert_eq!(circuit.fail_counter(), failures);
    }
}
