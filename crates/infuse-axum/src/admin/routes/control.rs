use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State, rejection::PathRejection},
};
use http::HeaderMap;
use serde::Deserialize;

use super::{Admin, circuits::shown};
use crate::admin::{
    control::{self, Action, Order},
    front::Caller,
    problem::Problem,
    shapes::Done,
};

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
    part: String,
}

/// `POST /circuits/{name}/{part}`: `part` is what is to be done.
pub(super) async fn of(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<Named>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let Path(Named { name, part }) = path.map_err(|_| Problem::no_circuit())?;
    carry_out(&admin, caller, &name, &part, &headers, body).await
}

#[derive(Deserialize)]
pub(super) struct NamedBelow {
    name: String,
    below: String,
    action: String,
}

/// `POST /circuits/{name}/{below}/{action}`.
pub(super) async fn below(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<NamedBelow>, PathRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let Path(NamedBelow { name, below, action }) = path.map_err(|_| Problem::no_circuit())?;
    let name = format!("{name}/{below}");
    carry_out(&admin, caller, &name, &action, &headers, body).await
}

async fn carry_out(
    admin: &Admin,
    caller: Caller,
    name: &str,
    action: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let circuit = admin.circuit(name)?;
    let action = Action::parse(action)?;
    let order = Order::read(action, headers, body).await?;
    let reach = control::carry_out(&circuit, order, caller.peer).await?;
    Ok(Json(Done { reach, circuit: shown(admin, &circuit).await? }))
}
