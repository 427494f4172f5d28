use std::process::ExitCode;

use infuse_storage::{CircuitSnapshot, Mode, State};
use serde_json::{Value, json};

use crate::{
    Failure, Fleet,
    announced::Announced,
    args::Cli,
    json,
    mode::FleetMode,
    out,
    paint::{Paint, Tone},
    row::{self, HEADS},
    table::table,
    time,
};

/// What a circuit that is not closed, or isolated, makes of the exit status, where it is asked for.
pub(crate) const NOT_CLOSED: u8 = 4;

/// Lists all circuits.
pub(crate) async fn run(cli: &Cli, fleet: &Fleet, exit_code: bool) -> Result<ExitCode, Failure> {
    let instances = fleet.instances().await.map_err(|error| fleet.failure(&error))?;
    for name in fleet.names(&instances) {
        fleet.circuit(&name);
    }
    fleet.look().await?;
    let snapshots = fleet.snapshots();
    if cli.json {
        let circuit = |it| json::circuit(it, FleetMode::of(it, &instances), &instances);
        let circuits: Vec<Value> = snapshots.iter().map(circuit).collect();
        out::json(&json!({
            "now": time::now(),
            "service": fleet.settings.service_name.as_ref().map(ToString::to_string),
            "environment": fleet.settings.environment,
            "circuits": circuits,
        }))?;
    } else {
        let paint = Paint::of_output();
        let policy = |it: &CircuitSnapshot| fleet.settings.circuit_policy(&it.service);
        let rows: Vec<_> =
            snapshots.iter().map(|it| row::row(it, &policy(it), &instances)).collect();
        if rows.is_empty() {
            out::line(&paint.text(Tone::Dim, &nothing(&fleet.settings.environment)))?;
        } else {
            out::line(&table(HEADS, &rows, paint))?;
        }
    }
    Ok(status(exit_code, &snapshots, &instances))
}

/// What to say where there is no circuit.
pub(crate) fn nothing(environment: &str) -> String {
    format!(
        "no circuits in the environment {environment}: none is configured \
         (INFUSE_SERVICE_CONNECTIONS), and no running instance announces any"
    )
}

/// The exit status by what the circuits are, if it is asked for.
pub(crate) fn status(
    asked: bool,
    snapshots: &[CircuitSnapshot],
    instances: &[Announced],
) -> ExitCode {
    let passes = |it: &CircuitSnapshot| {
        it.state == State::Closed && FleetMode::of(it, instances).mode() != Some(Mode::Isolated)
    };
    let all = snapshots.iter().all(passes);
    if asked && !all { ExitCode::from(NOT_CLOSED) } else { ExitCode::SUCCESS }
}
