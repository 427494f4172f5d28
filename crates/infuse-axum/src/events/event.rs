use std::{sync::Arc, time::SystemTime};

use infuse_storage::{ModeChange, Note, ProcessId, StateChange, StorageEvent};

/// Something that happened, as this process saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// How manieth it is of this process, from 1.
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
    /// The circuit's name, unless it is about the storage.
    pub(crate) circuit: Option<Arc<str>>,
    pub(crate) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// A circuit changed its state.
    State {
        change: StateChange,
        /// The process that changed it, if that is known.
        by: Option<ProcessId>,
        /// Who changed it by hand, and why.
        note: Note,
    },
    /// Another mode holds for a circuit.
    Mode(ModeChange),
    /// The storage was lost, or is back.
    Storage(StorageEvent),
}

impl Event {
    /// Whether it is a change of a circuit's state.
    pub(crate) fn is_state(&self) -> bool {
        matches!(self.what, What::State { .. })
    }

    /// Whether it is about this circuit; about any, if none is named.
    pub(crate) fn is_about(&self, circuit: Option<&str>) -> bool {
        circuit.is_none_or(|name| self.circuit.as_deref() == Some(name))
    }

    /// The process that did it, if that is known.
    pub(crate) fn by(&self) -> Option<ProcessId> {
        match &self.what {
            What::State { by, .. } => *by,
            What::Mode(_) | What::Storage(_) => None,
        }
    }
}
