use axum::{Json, extract::State};

use super::Admin;
use crate::Health;

/// `GET /health`.
pub(super) async fn now(State(admin): State<Admin>) -> Json<Health> {
    Json(admin.infuse().health())
}
