use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::admin::{problem::Problem, shapes};

/// Events in one answer, unless a number is asked for, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// What can be asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    circuit: Option<String>,
    limit: Option<usize>,
}

/// The answer to `GET /history`.
#[derive(Debug, Serialize)]
pub(super) struct History {
    events: Vec<shapes::Event>,
}

/// `GET /history`.
pub(super) async fn newest(
    State(admin): State<Admin>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<History>, Problem> {
    let wrong = "What can be asked for is `circuit`, a name, and `limit`, 1 to 1000.";
    let Query(asked) = asked.map_err(|_| Problem::bad_request(wrong))?;
    let limit = asked.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(wrong));
    }
    let circuit = admin.canonical(asked.circuit.as_deref())?;
    let events = admin.feed().newest(limit, |event| event.is_about(circuit.as_deref()));
    Ok(Json(History { events: admin.show(&events).await }))
}
