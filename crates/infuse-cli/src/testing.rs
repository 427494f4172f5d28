//! What the tests of this program have in common.

use infuse_storage::{CircuitSnapshot, Circuits, Policy};

/// A copy of a circuit that nobody has used.
pub(crate) async fn snapshot() -> CircuitSnapshot {
    let circuits = Circuits::builder().start().unwrap();
    circuits.circuit("payments", Policy::default()).snapshot()
}
