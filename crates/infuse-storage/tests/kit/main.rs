//! The kit itself: what it breaks is broken, and what it repeats is the same.

#![allow(clippy::unwrap_used, reason = "a test that finds no value has failed")]

mod agreement;
mod deterministic;
mod fleets;
mod links;

use std::time::Duration;

use infuse_storage::{Circuit, Circuits, Policy, test_util::Fleet};

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// The default reset timeout.
const RESET: Duration = Duration::from_secs(15);

/// The circuit `payments` of each process, on a fleet at rest.
async fn fleet(processes: usize) -> (Fleet<Circuits>, Vec<Circuit>) {
    let fleet = Fleet::of_circuits(processes, |builder| builder).await;
    let circuits = fleet.iter().map(|process| payments(process)).collect();
    fleet.settle().await;
    (fleet, circuits)
}

fn payments(circuits: &Circuits) -> Circuit {
    circuits.circuit("payments", Policy::default())
}

fn fail_times(circuit: &Circuit, times: u32) {
    for _ in 0..times {
        circuit.try_permit().unwrap().failure();
    }
}
