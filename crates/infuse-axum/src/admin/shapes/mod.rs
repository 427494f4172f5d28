//! All JSON that leaves here, apart from [`Health`](crate::Health). Times are in seconds.
//! `openapi.json` describes it, which `openapi` checks.

mod circuit;
mod event;
mod instance;
#[cfg(test)]
mod openapi;
mod policy;

pub(super) use circuit::{Change, Circuit, Circuits, Done, OneCircuit};
pub(super) use event::Event;
pub(super) use instance::{Instance, Instances, SharedCircuit};
pub(super) use policy::Policy;

use infuse_storage::{Override, core::Mode};
use serde::Serialize;

use crate::seconds;

/// What someone put above the mode of the settings.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Overridden {
    mode: Mode,
    by: String,
    reason: String,
    left: Option<f64>,
}

impl Overridden {
    fn new(over: &Override) -> Self {
        Self {
            mode: over.mode,
            by: over.by.as_ref().to_owned(),
            reason: over.reason.as_ref().to_owned(),
            left: over.left.map(seconds::rounded),
        }
    }
}
