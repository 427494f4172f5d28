use std::time::Duration;

use infuse_storage::{ProcessId, State, View};
use serde::Serialize;

use super::Overridden;
use crate::{
    instances::{Announcement, Here},
    seconds,
};

/// The answer to `GET /instances`.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Instances {
    pub(in crate::admin) now: f64,
    /// This process first, then the others in the order of their names.
    pub(in crate::admin) instances: Vec<Instance>,
    /// What the storage says; `None` if it cannot be asked.
    pub(in crate::admin) shared: Option<Vec<SharedCircuit>>,
    /// Why not.
    pub(in crate::admin) error: Option<String>,
}

/// A process, by what it said of itself.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Instance {
    pub(in crate::admin) process: String,
    pub(in crate::admin) name: String,
    service: Option<String>,
    version: String,
    started_at: f64,
    heard_ago: f64,
    /// Whether it is the one that answers.
    #[serde(rename = "self")]
    is_self: bool,
    circuits: Vec<Here>,
    /// Circuits besides, for which it had no room.
    omitted: usize,
}

/// What the storage says of a circuit.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct SharedCircuit {
    service: String,
    state: State,
    generation: u64,
    retry_after: Option<f64>,
    failures: u32,
    r#override: Option<Overridden>,
}

impl Instance {
    pub(in crate::admin) fn new(
        process: ProcessId,
        heard_ago: Duration,
        is_self: bool,
        said: Announcement,
    ) -> Self {
        let heard_ago = seconds::rounded(heard_ago);
        // What was left when it said so.
        let now = |here: Here| Here {
            retry_after: here
                .retry_after
                .map(|left| ((left - heard_ago).max(0.0) * 1e3).round() / 1e3),
            ..here
        };
        Self {
            process: process.to_string(),
            name: said.name,
            service: said.service,
            version: said.version,
            started_at: said.started_at,
            heard_ago,
            is_self,
            circuits: said.circuits.into_iter().map(now).collect(),
            omitted: said.omitted,
        }
    }
}

impl SharedCircuit {
    pub(in crate::admin) fn new(service: &str, view: &View) -> Self {
        let left = (view.state != State::Closed).then_some(view.time_left);
        Self {
            service: service.to_owned(),
            state: view.state,
            generation: view.generation,
            retry_after: left.map(seconds::rounded),
            failures: view.failures,
            r#override: view.overridden.as_deref().map(Overridden::new),
        }
    }
}
