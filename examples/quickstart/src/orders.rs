//! The app that calls `payments`, guarded by Infuse.

use std::error::Error;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use infuse_axum::{CircuitSnapshot, Infuse, ServiceClient, ServiceError, config::Config};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::payments::{Mode, Payments};

/// The app, and the handle of its circuits. A circuit that has opened is tried again after
/// `reset_timeout` seconds. What `settings` says beats what is set here: try
/// `INFUSE_BREAKER_MAX_FAILURE=3`.
pub(crate) async fn app(
    payments: Payments,
    reset_timeout: u32,
    settings: Config,
) -> Result<(Router, Infuse), Box<dyn Error>> {
    let config = Config::builder()
        .set_default("infuse_service_name", "orders")?
        .set_default("infuse_services.payments.url", payments.url())?
        .set_default("infuse_services.payments.timeout", 1)?
        .set_default("infuse_breaker_reset_timeout", reset_timeout)?
        .add_source(settings)
        .build()?;

    let mut app = Router::new().route("/orders/{id}", get(order));
    let infuse = Infuse::init_app(&mut app, &config).await?;

    // What follows is to watch it, and needs no ServiceClient.
    let app = app
        .route("/circuits", get(circuits).with_state(infuse.clone()))
        .route("/payments", get(look).with_state(payments.clone()))
        .route("/payments/{mode}", post(switch).with_state(payments));
    Ok((app, infuse))
}

#[derive(Deserialize)]
struct Options {
    #[serde(default)]
    skip_breaker: bool,
}

/// An order and its payment: the handler that everything here is about.
async fn order(
    client: ServiceClient,
    Path(id): Path<String>,
    Query(options): Query<Options>,
) -> Result<Json<Value>, ServiceError> {
    let mut request = client.service("payments")?.get(["payments", &id]);
    if options.skip_breaker {
        request = request.skip_breaker();
    }
    let payment: Value = request.send().await?.error_for_status()?.json().await?;
    Ok(Json(json!({ "order": id, "payment": payment })))
}

async fn circuits(State(infuse): State<Infuse>) -> Json<Vec<CircuitSnapshot>> {
    Json(infuse.circuits())
}

async fn look(State(payments): State<Payments>) -> Json<Value> {
    Json(json!({ "mode": payments.mode(), "requests": payments.requests() }))
}

async fn switch(
    State(payments): State<Payments>,
    Path(mode): Path<Mode>,
) -> Result<Json<Value>, String> {
    payments.switch(mode).await?;
    Ok(look(State(payments)).await)
}
