use std::time::SystemTime;

use infuse_storage::{CircuitSnapshot, Reach, State, Totals};
use serde::{Serialize, Serializer};

use super::{Event, Policy};
use crate::{StorageHealth, seconds};

/// The answer to `GET /circuits`.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Circuits {
    pub(in crate::admin) now: f64,
    /// The application.
    pub(in crate::admin) service: Option<String>,
    pub(in crate::admin) environment: String,
    /// What people call this process.
    pub(in crate::admin) instance: String,
    pub(in crate::admin) process: String,
    /// Whether whoever asks may change things.
    pub(in crate::admin) writable: bool,
    pub(in crate::admin) storage: StorageHealth,
    pub(in crate::admin) circuits: Vec<Circuit>,
}

/// The answer to `GET /circuits/{name}`.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct OneCircuit {
    pub(in crate::admin) now: f64,
    pub(in crate::admin) circuit: Circuit,
    pub(in crate::admin) policy: Policy,
    /// The newest first.
    pub(in crate::admin) events: Vec<Event>,
}

/// The answer to what changes a circuit.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Done {
    #[serde(serialize_with = "reach")]
    pub(in crate::admin) reach: Reach,
    pub(in crate::admin) circuit: Circuit,
}

fn reach<S: Serializer>(reach: &Reach, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match reach {
        Reach::Fleet => "fleet",
        Reach::Local => "local",
    })
}

/// A circuit as this process sees it.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Circuit {
    #[serde(flatten)]
    snapshot: CircuitSnapshot,
    /// What people call the process that opened it.
    by_name: Option<String>,
    /// How often what happened in this process, if that is counted.
    totals: Option<Totals>,
    /// Its last changes of state in this process, the oldest first.
    history: Vec<Change>,
}

/// A change of state.
#[derive(Debug, Clone, Copy, Serialize)]
pub(in crate::admin) struct Change {
    at: f64,
    to: State,
}

impl Change {
    pub(in crate::admin) fn new(at: SystemTime, to: State) -> Self {
        Self { at: seconds::unix(at), to }
    }
}

impl Circuit {
    pub(in crate::admin) fn new(
        circuit: &infuse_storage::Circuit,
        snapshot: CircuitSnapshot,
        by_name: Option<String>,
        history: Vec<Change>,
    ) -> Self {
        Self { snapshot, by_name, totals: circuit.totals(), history }
    }
}
