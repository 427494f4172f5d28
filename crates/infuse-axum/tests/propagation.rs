//! Headers of the request that is answered, taken along to the calls that answering it makes.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

use axum::{Json, Router, body::Body, routing::get};
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use infuse_axum::{Infuse, InfuseBuilder, ServiceClient, config::Config};
use serde_json::{Value, json};
use tower::ServiceExt;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A service that answers with the headers that it was sent, apart from `Host`.
fn echo() -> Router {
    async fn headers(headers: HeaderMap) -> Json<Value> {
        let pairs = headers.iter().filter(|(name, _)| *name != "host");
        let pairs = pairs.map(|(name, value)| json!([name.as_str(), value.to_str().unwrap()]));
        Json(pairs.collect())
    }
    Router::new().fallback(headers)
}

/// An application whose every route answers with what its call was sent with.
async fn app(
    settings: &[(&str, &str)],
    build: impl FnOnce(InfuseBuilder) -> InfuseBuilder,
) -> (Router, Infuse) {
    async fn plain(client: ServiceClient) -> Body {
        client.service("echo").unwrap().get("x").send().await.unwrap().into_body()
    }
    async fn own(client: Option<ServiceClient>) -> Body {
        let echo = client.unwrap().service("echo").unwrap().circuit("part").unwrap();
        echo.get("x").header("x-request-id", "own").send().await.unwrap().into_body()
    }
    let mut config = Config::builder().set_override("infuse_service_connections", "echo").unwrap();
    for (key, value) in settings {
        config = config.set_override(key, *value).unwrap();
    }
    let mut app = Router::new().route("/plain", get(plain)).route("/own", get(own));
    let builder = build(Infuse::builder().transport("echo", echo()));
    let infuse = builder.init_app(&mut app, &config.build().unwrap()).await.unwrap();
    (app, infuse)
}

async fn ask(app: &Router, path: &str, headers: &[(&str, &str)]) -> Value {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

const INBOUND: [(&str, &str); 4] = [
    ("x-request-id", "r-1"),
    ("traceparent", TRACE),
    ("authorization", "secret"),
    ("x-tenant", "t"),
];

#[tokio::test]
async fn the_extractor_takes_them_along() {
    let (app, _infuse) = app(&[], |builder| builder).await;
    let sent = ask(&app, "/plain", &INBOUND).await;
    assert_eq!(sent, json!([["traceparent", TRACE], ["x-request-id", "r-1"]]));
    assert_eq!(ask(&app, "/plain", &[]).await, json!([]));
}

#[tokio::test]
async fn what_the_request_sets_itself_is_its_own() {
    let (app, _infuse) = app(&[], |builder| builder).await;
    let sent = ask(&app, "/own", &INBOUND).await;
    assert_eq!(sent, json!([["x-request-id", "own"], ["traceparent", TRACE]]));
}

#[tokio::test]
async fn settings_say_which() {
    let (app, _infuse) =
        self::app(&[("infuse_propagate_headers", "X-Tenant")], |builder| builder).await;
    assert_eq!(ask(&app, "/plain", &INBOUND).await, json!([["x-tenant", "t"]]));
    let (app, _infuse) =
        self::app(&[("infuse_propagate_headers", "none")], |builder| builder).await;
    assert_eq!(ask(&app, "/plain", &INBOUND).await, json!([]));
}

#[tokio::test]
async fn a_hook_sees_them_and_has_the_last_word() {
    let (app, _infuse) = app(&[], |builder| {
        builder.on_request(|_, parts| {
            let id = parts.headers["x-request-id"].to_str().unwrap().to_owned();
            parts.headers.insert("x-request-id", format!("{id}-hooked").parse().unwrap());
        })
    })
    .await;
    let sent = ask(&app, "/plain", &[("x-request-id", "r-1")]).await;
    assert_eq!(sent, json!([["x-request-id", "r-1-hooked"]]));
}

#[tokio::test]
async fn a_client_from_elsewhere_has_those_that_it_is_given() {
    let (_, infuse) = app(&[], |builder| builder).await;
    let sent = async |client: &ServiceClient| {
        let echo = client.service("echo").unwrap();
        echo.get("x").send().await.unwrap().json::<Value>().await.unwrap()
    };
    let client = infuse.client();
    assert_eq!(sent(&client).await, json!([]));
    let mut headers = HeaderMap::new();
    headers.insert("x-request-id", "r-2".parse().unwrap());
    let client = client.with_context(&headers);
    assert_eq!(sent(&client).await, json!([["x-request-id", "r-2"]]));
    // Of the last request alone.
    assert_eq!(sent(&client.with_context(&HeaderMap::new())).await, json!([]));
}
