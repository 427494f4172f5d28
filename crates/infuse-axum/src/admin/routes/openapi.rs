use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

/// `GET /openapi.json`.
pub(super) async fn description() -> Response {
    ([(CONTENT_TYPE, "application/json")], include_str!("../openapi.json")).into_response()
}
