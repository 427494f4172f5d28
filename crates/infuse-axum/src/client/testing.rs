//! What the client's tests need of circuits.

use infuse_storage::{Circuit, Circuits, ManualClock, Policy};

/// The circuit of `payments` in a process of its own, and its clock.
pub(crate) fn circuit() -> (Circuit, ManualClock) {
    let clock = ManualClock::new();
    let circuits = Circuits::builder().clock(clock.clone()).start().unwrap();
    (circuits.circuit("payments", Policy::default()), clock)
}
