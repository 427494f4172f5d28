use std::{process::ExitCode, slice};

use infuse_storage::CircuitSnapshot;
use serde_json::{Value, json};

use crate::{
    Failure, Fleet,
    announced::Announced,
    args::Cli,
    clean::clean,
    details::details,
    json, list,
    mode::FleetMode,
    out,
    paint::{Paint, Tone},
    table::{Cell, table},
    time, words,
};

/// Shows one circuit.
pub(crate) async fn run(
    cli: &Cli,
    fleet: &Fleet,
    name: &str,
    exit_code: bool,
) -> Result<ExitCode, Failure> {
    let instances = fleet.instances_if_any().await;
    let known = fleet.names(&instances);
    let found = fleet.find(name, &known).await?;
    if !found.known {
        return Err(fleet.unknown(name, known));
    }
    let snapshot = found.circuit.snapshot();
    let policy = found.circuit.policy();
    if cli.json {
        let about: Vec<Value> =
            instances.iter().map(|it| json::instance(it, &snapshot.service)).collect();
        out::json(&json!({
            "now": time::now(),
            "environment": fleet.settings.environment,
            "circuit": json::circuit(&snapshot, FleetMode::of(&snapshot, &instances), &instances),
            "policy": json::policy(&policy, fleet.settings.circuit_mode(&snapshot.service)),
            "instances": about,
        }))?;
    } else {
        let paint = Paint::of_output();
        let environment = format!(" in {}", clean(&fleet.settings.environment));
        let mut text = paint.text(Tone::Head, &clean(&snapshot.service));
        text += &paint.text(Tone::Dim, &environment);
        for (about, cell) in details(&snapshot, &policy, &instances) {
            let about = paint.text(Tone::Dim, &format!("{about:<11}"));
            text += &format!("\n  {about} {}", paint.text(cell.tone, &cell.text));
        }
        text += &format!("\n\n{}", of_instances(&snapshot, &instances, paint));
        out::line(&text)?;
    }
    Ok(list::status(exit_code, slice::from_ref(&snapshot), &instances))
}

/// What each instance thinks of the circuit, beside what the storage says.
fn of_instances(snapshot: &CircuitSnapshot, instances: &[Announced], paint: Paint) -> String {
    let mode = FleetMode::of(snapshot, instances);
    let rows: Vec<_> =
        instances.iter().filter_map(|instance| row(snapshot, mode, instance)).collect();
    if rows.is_empty() {
        return paint.text(Tone::Dim, "no running instance announces this circuit");
    }
    table(["INSTANCE", "STATE", "RETRY IN", "MODE", "GENERATION", "HEARD"], &rows, paint)
}

fn row(snapshot: &CircuitSnapshot, mode: FleetMode, instance: &Announced) -> Option<[Cell; 6]> {
    let circuit = instance.circuit(&snapshot.service)?;
    let text = |member: &str| match &circuit[member] {
        Value::String(text) => clean(text),
        Value::Number(number) => number.to_string(),
        _ => words::NONE.to_owned(),
    };
    let same = |member, shared: &str| {
        let text = text(member);
        let tone = if text == shared { Tone::Plain } else { Tone::Warn };
        Cell::new(text, tone)
    };
    let retry = circuit["retry_after"]
        .as_f64()
        .and_then(|left| std::time::Duration::try_from_secs_f64(left).map(time::left).ok());
    Some([
        Cell::new(clean(&instance.name()), Tone::Plain),
        same("state", snapshot.state.as_str()),
        Cell::new(retry.unwrap_or_else(|| words::NONE.to_owned()), Tone::Dim),
        same("mode", mode.as_str()),
        same("generation", &snapshot.generation.to_string()),
        Cell::new(format!("{} ago", time::ago(instance.heard_ago)), Tone::Dim),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::ProcessId;

    use super::*;
    use crate::testing::snapshot;

    fn instance(number: u64, text: &str) -> Announced {
        Announced::new(ProcessId::from_u64(number), Duration::from_secs(number), text)
    }

    #[tokio::test]
    async fn it_shows_what_each_instance_thinks() {
        let snapshot = snapshot().await;
        let instances = [
            instance(
                1,
                r#"{"name": "orders-1", "circuits": [{"service": "payments", "state": "open",
                    "mode": "enabled", "retry_after": 3.5, "generation": 0}]}"#,
            ),
            instance(2, r#"{"name": "other", "circuits": [{"service": "users"}]}"#),
            instance(
                3,
                "{\"name\": \"x\\u001b[2J\", \"circuits\": [{\"service\": \"payments\", \"state\": 1e999,
                    \"mode\": {}, \"retry_after\": -1, \"generation\": \"\\n\"}]}",
            ),
            instance(4, r#"{"name": "x", "circuits": [{"service": "payments", "retry_after": 1e300}]}"#),
        ];
        let shown = of_instances(&snapshot, &instances, Paint::off());
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "INSTANCE  STATE  RETRY IN  MODE     GENERATION  HEARD");
        assert_eq!(lines[1], "orders-1  open   4s        enabled  0           1s ago");
        assert!(lines[2..].iter().all(|line| crate::clean::is_clean(line)), "{shown:?}");
        assert!(!shown.contains("other"), "{shown}");
        assert_eq!(
            of_instances(&snapshot, &[], Paint::off()),
            "no running instance announces this circuit"
        );
    }
}
