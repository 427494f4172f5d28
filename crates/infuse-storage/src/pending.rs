use infuse_core::{Cause, Fault, Outcome};

use crate::{Presented, when::When};

/// What is still to be told to the storage. One entry a kind, so it cannot grow but by the trials
/// in flight.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Whether the node stands in the hub's queue.
    pub(crate) queued: bool,
    pub(crate) look: bool,
    /// Whether there may be something to report: failures, or that the service asked to be left
    /// alone. How much there is is asked when it is told.
    pub(crate) reports: bool,
    /// Boxed, because it is seldom there.
    changes: Option<Box<Changes>>,
}

/// Changes of a circuit that the storage is to be told of.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) trip: Option<Tripped>,
    pub(crate) settles: Vec<Settled>,
}

/// How this process opened the circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tripped {
    /// What it knew then.
    pub(crate) presented: Presented,
    pub(crate) cause: Cause,
    pub(crate) fault: Option<Fault>,
    /// Until when the circuit is open, by this process's clock.
    pub(crate) until: When,
}

/// What came of a trial under a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The lease.
    pub(crate) token: u64,
    pub(crate) outcome: Outcome,
    /// Of a failure.
    pub(crate) fault: Option<Fault>,
    /// Until when it opened the circuit, if it failed, by this process's clock.
    pub(crate) until: When,
}

impl Pending {
    pub(crate) fn is_due(&self) -> bool {
        self.changes.as_ref().is_some_and(|due| due.trip.is_some() || !due.settles.is_empty())
    }

    pub(crate) fn changes(&mut self) -> &mut Changes {
        self.changes.get_or_insert_default()
    }

    pub(crate) fn take_changes(&mut self) -> Changes {
        self.changes.take().map(|changes| *changes).unwrap_or_default()
    }
}
