use std::{sync::Arc, time::SystemTime};

use infuse_storage::{ModeChange, Rejected, StateChange};

/// What a [`channel`](super::channel()) was told.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Event {
    /// The circuit's name.
    pub circuit: Arc<str>,
    /// When it happened, by the system's clock.
    pub at: SystemTime,
    /// What happened.
    pub what: What,
}

/// What happened at a circuit: as in [`Listener`](crate::Listener).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum What {
    /// A call was let through.
    BeforeCall,
    /// A call counted as a success.
    Success,
    /// A call counted as a failure, with the text of its error if it returned one.
    Failure(Option<Arc<str>>),
    /// A call counted as nothing.
    Ignored,
    /// A call was rejected.
    Rejected(Rejected),
    /// A call was let through that would have been rejected, but for
    /// [`Mode::Observe`](crate::Mode::Observe).
    WouldReject(Rejected),
    /// The circuit changed its state.
    StateChange(StateChange),
    /// The mode that holds has changed.
    ModeChange(ModeChange),
}
