use std::process::ExitCode;

use infuse_storage::{CircuitSnapshot, State};
use serde_json::{Value, json};

use crate::{
    Failure, Fleet,
    args::Cli,
    json, out,
    paint::{Paint, Tone},
    row::{self, HEADS},
    table::table,
    time,
};

/// What a circuit that is not closed makes of the exit status, where it is asked for.
pub(crate) const NOT_CLOSED: u8 = 4;

/// Lists all circuits.
pub(crate) async fn run(cli: &Cli, fleet: &Fleet, exit_code: bool) -> Result<ExitCode, Failure> {
    let instances = fleet.instances().await.map_err(|error| fleet.failure(&error))?;
    for name in fleet.names(&instances) {
        fleet.circuit(&name);
    }
    fleet.look().await?;
    let snapshots = fleet.snapshots();
    let policy = |snapshot: &CircuitSnapshot| fleet.settings.circuit_policy(&snapshot.service);
    if cli.json {
        let circuit = |it| json::circuit(it, &policy(it), &instances);
        let circuits: Vec<Value> = snapshots.iter().map(circuit).collect();
        out::json(&json!({
            "now": time::now(),
            "service": fleet.settings.service_name.as_ref().map(ToString::to_string),
            "environment": fleet.settings.environment,
            "circuits": circuits,
        }))?;
    } else {
        let paint = Paint::of_output();
        let rows: Vec<_> =
            snapshots.iter().map(|it| row::row(it, &policy(it), &instances)).collect();
        if rows.is_empty() {
            out::line(&paint.text(Tone::Dim, &nothing(&fleet.settings.environment)))?;
        } else {
            out::line(&table(HEADS, &rows, paint))?;
        }
    }
    Ok(status(exit_code, &snapshots))
}

/// What to say where there is no circuit.
pub(crate) fn nothing(environment: &str) -> String {
    format!(
        "no circuits in the environment {environment}: none is configured \
         (INFUSE_SERVICE_CONNECTIONS), and no running instance announces any"
    )
}

/// The exit status by what the circuits are, if it is asked for.
pub(crate) fn status(asked: bool, snapshots: &[CircuitSnapshot]) -> ExitCode {
    let closed = snapshots.iter().all(|snapshot| snapshot.state == State::Closed);
    if asked && !closed { ExitCode::from(NOT_CLOSED) } else { ExitCode::SUCCESS }
}
