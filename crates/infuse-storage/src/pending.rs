use infuse_core::Outcome;

use crate::Presented;

/// What is still to be told to the storage. One entry a kind, so it cannot grow but by the trials
/// in flight.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Whether the node stands in the hub's queue.
    pub(crate) queued: bool,
    pub(crate) look: bool,
    /// Whether failures were counted. How many there are is asked when they are told.
    pub(crate) failures: bool,
    /// What the process knew when it tripped. Boxed, because it is seldom there.
    pub(crate) trip: Option<Box<Presented>>,
    pub(crate) settles: Vec<(u64, Outcome)>,
}

impl Pending {
    pub(crate) fn is_due(&self) -> bool {
        self.trip.is_some() || !self.settles.is_empty()
    }
}
