use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
};
use infuse_storage::Circuit;
use serde::Deserialize;

use super::Admin;
use crate::{
    admin::{
        front::Caller,
        problem::Problem,
        shapes::{Circuits, OneCircuit, Policy},
    },
    health::StorageHealth,
    settings::ServiceName,
};

/// Events that go with one circuit.
const EVENTS: usize = 100;

/// `GET /circuits`.
pub(super) async fn all(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
) -> Json<Circuits> {
    let live = admin.live();
    let settings = live.settings();
    let circuits = admin.circuits(&live.circuits.all()).await;
    Json(Circuits {
        now: crate::seconds::now(),
        service: settings.service_name.as_ref().map(ToString::to_string),
        environment: settings.environment.clone(),
        instance: settings.instance_name.clone(),
        process: live.circuits.process().to_string(),
        writable: caller.writable,
        storage: StorageHealth::of(live),
        circuits,
    })
}

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

/// `GET /circuits/{name}`.
pub(super) async fn one(
    State(admin): State<Admin>,
    path: Result<Path<Named>, PathRejection>,
) -> Result<Json<OneCircuit>, Problem> {
    let Path(Named { name }) = path.map_err(|_| Problem::no_circuit())?;
    show(&admin, &name).await
}

#[derive(Deserialize)]
pub(super) struct NamedBelow {
    name: String,
    part: String,
}

/// `GET /circuits/{name}/{part}`: the circuit `part` below the service `name`.
pub(super) async fn below(
    State(admin): State<Admin>,
    path: Result<Path<NamedBelow>, PathRejection>,
) -> Result<Json<OneCircuit>, Problem> {
    let Path(NamedBelow { name, part }) = path.map_err(|_| Problem::no_circuit())?;
    show(&admin, &format!("{name}/{part}")).await
}

async fn show(admin: &Admin, name: &str) -> Result<Json<OneCircuit>, Problem> {
    let circuit = admin.circuit(name)?;
    let events = admin.feed().newest(EVENTS, |event| event.is_about(Some(circuit.name())));
    let events = admin.show(&events).await;
    Ok(Json(OneCircuit {
        now: crate::seconds::now(),
        policy: policy(admin, &circuit),
        circuit: shown(admin, &circuit).await?,
        events,
    }))
}

/// One circuit as it is shown.
pub(super) async fn shown(
    admin: &Admin,
    circuit: &Circuit,
) -> Result<crate::admin::shapes::Circuit, Problem> {
    let mut shown = admin.circuits(std::slice::from_ref(circuit)).await;
    shown.pop().ok_or_else(Problem::failed)
}

fn policy(admin: &Admin, circuit: &Circuit) -> Policy {
    // Below a service everything is as at the service.
    let like = circuit.name().split('/').next().unwrap_or_default();
    let mode = match (circuit.overridden(), ServiceName::parse(like)) {
        (Some(_), Ok(like)) => admin.live().settings().breaker_for(&like).mode,
        _ => circuit.mode(),
    };
    Policy::new(&circuit.policy(), mode)
}
