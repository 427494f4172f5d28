//! Handing over all that was counted.

use std::sync::Arc;

use infuse_storage::{Circuit, Circuits};

use super::{
    CALLS, DROPPED, LAG, Meters, PUSHED, STORAGE_COMMANDS, STORAGE_LOSSES, STORAGE_UP, TRIALS,
    VIEW_AGE, describe::describe, hand,
};
use crate::{durations, listeners};

/// Hands over everything as it is now.
pub(crate) fn collect(circuits: &Circuits, meters: &Meters) {
    general(circuits, meters);
    for circuit in chosen(circuits, meters) {
        one(&circuit, meters);
    }
}

/// What is of no single circuit.
pub(super) fn general(circuits: &Circuits, meters: &Meters) {
    describe();
    let health = circuits.health();
    hand::show(STORAGE_UP, if health.lost_for.is_none() { 1.0 } else { 0.0 });
    hand::show(PUSHED, if health.pushed { 1.0 } else { 0.0 });
    hand::show(LAG, health.lag.as_secs_f64());
    hand::count(STORAGE_LOSSES, &[], health.losses);
    for (result, count) in [
        ("ok", health.commands.saturating_sub(health.failed_commands)),
        ("failed", health.failed_commands),
    ] {
        hand::count(STORAGE_COMMANDS, &[("result", result.into())], count);
    }
    for (listener, dropped) in listeners::dropped() {
        hand::count(DROPPED, &[("listener", listener)], dropped);
    }
    meters.seen().hand_over();
}

/// The circuits that are counted.
pub(super) fn chosen(circuits: &Circuits, meters: &Meters) -> Vec<Circuit> {
    let mut all = circuits.all();
    let seen = meters.seen();
    all.retain(|circuit| seen.circuits.contains(circuit.name()));
    drop(seen);
    all
}

/// What is of one circuit.
pub(super) fn one(circuit: &Circuit, meters: &Meters) {
    let service: Arc<str> = circuit.name().into();
    meters.show_circuit(circuit);
    let totals = circuit.totals().unwrap_or_default();
    for (outcome, count) in [
        ("success", totals.success),
        ("failure", totals.failure),
        ("ignored", totals.ignored),
        ("rejected", totals.rejected),
        ("would_reject", totals.would_have_rejected),
    ] {
        let labels = [("service", Arc::clone(&service)), ("outcome", outcome.into())];
        hand::count(CALLS, &labels, count);
    }
    hand::count(TRIALS, &[("service", Arc::clone(&service))], totals.trials);
    if let Some(age) = circuit.snapshot().view_age {
        metrics::gauge!(VIEW_AGE, "service" => Arc::clone(&service)).set(age.as_secs_f64());
    }
    if let Some(durations) = durations::of(&service) {
        hand::durations(&service, &durations);
    }
}
