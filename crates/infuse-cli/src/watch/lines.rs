//! Changes as lines of JSON, for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{TICK, ear::Heard};
use crate::{Failure, Fleet, json, mode::FleetMode, out, time};

/// What changes with time alone, or only says how it is counted here.
const PASSING: [&str; 8] = [
    "fleet_window",
    "opened_at",
    "ramp",
    "retry_after",
    "trials",
    "view_age",
    "window",
    "would_have_rejected",
];

/// Writes each circuit, and then each that changes: `{"now", "circuit"}`, and `{"now", "storage"}`
/// when Redis cannot be reached, or can again.
pub(super) async fn write(fleet: &Fleet, mut heard: watch::Receiver<Heard>) -> Result<(), Failure> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut written = BTreeMap::new();
    let mut was_lost = false;
    loop {
        ticks.tick().await;
        let Heard { instances, lost } = heard.borrow_and_update().clone();
        if lost.is_some() != was_lost {
            was_lost = lost.is_some();
            let why = lost.as_ref().map(|(_, why)| &**why);
            let to = if was_lost { "lost" } else { "back" };
            out::json_line(&json!({"now": time::now(), "storage": to, "detail": why}))?;
        }
        for circuit in fleet.circuits.all() {
            let snapshot = circuit.snapshot();
            let mode = FleetMode::of(&snapshot, &instances);
            let shown = json::circuit(&snapshot, mode, &instances);
            let lasting = lasting(&shown);
            if written.get(circuit.name()) != Some(&lasting) {
                written.insert(circuit.name().to_owned(), lasting);
                out::json_line(&json!({"now": time::now(), "circuit": shown}))?;
            }
        }
    }
}

/// A circuit without what changes by itself.
fn lasting(circuit: &Value) -> Value {
    let mut lasting = circuit.clone();
    if let Some(members) = lasting.as_object_mut() {
        members.retain(|member, _| !PASSING.contains(&&**member));
        if let Some(over) = members.get_mut("override").and_then(Value::as_object_mut) {
            over.remove("left");
        }
        if let Some(trip) = members.get_mut("tripped").and_then(Value::as_object_mut) {
            // By the clock of this process, which is told how long ago it was.
            trip.remove("at");
        }
    }
    lasting
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::{Mode, Override, State};

    use super::*;
    use crate::testing::snapshot;

    #[tokio::test]
    async fn time_alone_is_no_change() {
        let mut it = snapshot().await;
        it.overridden = Some(Override::new(Mode::Isolated).lasting(Duration::from_secs(9)));
        let lasting = |it: &_| lasting(&json::circuit(it, FleetMode::of(it, &[]), &[]));
        let before = lasting(&it);
        it.overridden = Some(Override::new(Mode::Isolated).lasting(Duration::from_secs(8)));
        it.retry_after = Some(Duration::from_secs(1));
        it.view_age = Some(Duration::from_secs(1));
        assert_eq!(lasting(&it), before);
        it.overridden = Some(Override::new(Mode::Isolated));
        assert_eq!(lasting(&it), before);
        it.state = State::Open;
        assert_ne!(lasting(&it), before);
        assert_eq!(before["service"], "payments");
    }
}
