//! [`ServiceClient`] as an extractor.

use std::{convert::Infallible, sync::Once};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::request::Parts;

use crate::{ServiceClient, problem::Problem};

/// A handler asked for a [`ServiceClient`] on a route that has none.
///
/// axum applies a layer only to routes that the router has already, so `Infuse::init_app`, or
/// `.layer(infuse.layer())`, must stand after the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no ServiceClient on this route: call Infuse::init_app(&mut app, ..), or .layer(infuse.layer()), \
     after the last .route(), .nest(), .merge() and .fallback(), because axum applies a layer only \
     to the routes that are there already"
)]
#[non_exhaustive]
pub struct MissingServiceClient;

impl<S: Sync> FromRequestParts<S> for ServiceClient {
    type Rejection = MissingServiceClient;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingServiceClient> {
        match parts.extensions.get::<ServiceClient>() {
            Some(client) => Ok(client.with_context(&parts.headers)),
            None => {
                static LOGGED: Once = Once::new();
                LOGGED.call_once(|| tracing::error!("{MissingServiceClient}"));
                Err(MissingServiceClient)
            }
        }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for ServiceClient {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let client = parts.extensions.get::<ServiceClient>();
        Ok(client.map(|client| client.with_context(&parts.headers)))
    }
}

impl IntoResponse for MissingServiceClient {
    fn into_response(self) -> Response {
        Problem {
            r#type: "urn:infuse:missing-service-client",
            title: "Infuse is not installed on this route",
            status: 500,
            detail: self.to_string(),
            code: 998624,
            service: None,
            upstream_status: None,
            state: None,
            reason: None,
            circuit: None,
            tripped: None,
            retry_after: None,
        }
        .into_response()
    }
}

#[cfg(test)]
mod tests {
    use axum::{Extension, Router, body::Body, routing::get};
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::client::ClientParts;

    async fn must(client: ServiceClient) -> String {
        client.services().count().to_string()
    }

    async fn may(client: Option<ServiceClient>) -> String {
        client.is_some().to_string()
    }

    async fn ask<S: Clone + Send + Sync + 'static>(
        app: Router<S>,
        state: S,
        path: &str,
    ) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = app.with_state(state).oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[derive(Clone)]
    struct OwnState;

    #[tokio::test]
    async fn it_is_there_on_the_routes_before_the_layer_only() {
        let client = ServiceClient::new(ClientParts::default()).unwrap();
        let app = Router::<OwnState>::new()
            .route("/must", get(must))
            .route("/may", get(may))
            .layer(Extension(client))
            .route("/late", get(must))
            .route("/late-may", get(may));
        assert_eq!(ask(app.clone(), OwnState, "/must").await, (StatusCode::OK, "0".into()));
        assert_eq!(ask(app.clone(), OwnState, "/may").await, (StatusCode::OK, "true".into()));
        assert_eq!(ask(app.clone(), OwnState, "/late-may").await, (StatusCode::OK, "false".into()));

        let (status, body) = ask(app, OwnState, "/late").await;
        assert_eq!(status, 500);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let detail = body["detail"].as_str().unwrap();
        assert!(detail.contains("Infuse::init_app(&mut app, ..)"), "{detail}");
        assert!(detail.contains("after the last .route()"), "{detail}");
        assert_eq!(body["code"], 998624);
    }
}
