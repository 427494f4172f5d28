//! Copies of a circuit to look at.

mod fleet_window;
#[cfg(feature = "serde")]
pub(crate) mod serial;

pub use fleet_window::FleetWindow;

use std::time::{Duration, SystemTime};

use infuse_core::{Counts, Mode, Override, Policy, Ramp, Snapshot, State, WindowSnapshot};

use crate::Provenance;

/// A copy of a circuit to look at. It serializes to an object whose times are in seconds.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct CircuitSnapshot {
    /// The circuit's name.
    pub service: String,
    /// The state. A circuit that is open past its time is `open` until a call comes to try.
    pub state: State,
    /// This process's failures, one after another.
    pub fail_counter: u32,
    /// How many of them open the circuit; unset if none do.
    pub max_failure: Option<u32>,
    /// Successful trial calls, one after another.
    pub success_counter: u32,
    /// The fleet generation: how often the storage has changed the circuit.
    pub generation: u64,
    /// When the circuit opened, as seconds of Unix time; unset while it is closed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::unix_seconds"))]
    pub opened_at: Option<SystemTime>,
    /// How long until a call may be let through, in seconds: zero if one may be now, or as soon
    /// as a trial under way is over; unset while closed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::seconds"))]
    pub retry_after: Option<Duration>,
    /// Trial calls of this process that are in flight.
    pub trials: u32,
    /// Whether the circuit is shared at the moment, with whomever its storage reaches: not while
    /// that is lost, nor after shutdown.
    pub shared: bool,
    /// How long ago the storage last said anything about the circuit, in seconds; unset if it
    /// never did.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::seconds"))]
    pub view_age: Option<Duration>,
    /// Whether the failures of several processes add up to a trip that may still be refuted.
    pub suspect: bool,
    /// The failures of all processes since the last change, or the last success that refuted
    /// them, as far as this process has heard.
    pub fleet_failures: u32,
    /// Trial calls that failed since the circuit was last closed, in all processes: what the open
    /// time grows by.
    pub failed_trials: u32,
    /// The mode that holds.
    pub mode: Mode,
    /// What someone put above the mode of the settings, with what is left of it; unset if nobody
    /// did, or it has ended. Serialized as `override`, an object with `mode`, `by`, `reason` and
    /// `left`, in seconds or null.
    #[cfg_attr(feature = "serde", serde(rename = "override"))]
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::overridden"))]
    pub overridden: Option<Override>,
    /// Calls of this process that would have been rejected, but for [`Mode::Observe`].
    pub would_have_rejected: u64,
    /// How far the circuit has recovered, while it lets only a share of the calls through; unset
    /// otherwise. Serialized as an object with `time` and `left`, in seconds.
    #[cfg_attr(feature = "serde", serde(serialize_with = "serial::ramp"))]
    pub ramp: Option<Ramp>,
    /// The window of this process, and how far its rates are from opening the circuit; unset if
    /// the policy has no rate.
    pub window: Option<WindowSnapshot>,
    /// The same of all processes, as of the last look at the storage; unset if the policy has no
    /// rate, or the storage has not been told of calls.
    pub fleet_window: Option<FleetWindow>,
    /// What opened the circuit, until it is closed.
    pub tripped: Option<Provenance>,
}

/// What a snapshot says of the storage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) generation: u64,
    pub(crate) view_age: Option<Duration>,
    pub(crate) suspect: bool,
    pub(crate) failures: u32,
    pub(crate) counts: Counts,
}

impl CircuitSnapshot {
    pub(crate) fn new(
        name: &str,
        snapshot: Snapshot,
        tripped: Option<Provenance>,
        seen: Seen,
        policy: &Policy,
        shared: bool,
    ) -> Self {
        Self {
            service: name.to_owned(),
            state: snapshot.state,
            fail_counter: snapshot.fail_counter,
            max_failure: snapshot.max_failure,
            success_counter: snapshot.success_counter,
            generation: seen.generation,
            opened_at: snapshot.opened_at,
            retry_after: snapshot.retry_after,
            trials: snapshot.trials,
            shared,
            view_age: seen.view_age,
            suspect: seen.suspect,
            fleet_failures: seen.failures,
            failed_trials: snapshot.failed_trials,
            mode: snapshot.mode,
            overridden: snapshot.overridden,
            would_have_rejected: snapshot.would_have_rejected,
            ramp: snapshot.ramp,
            window: snapshot.window,
            fleet_window: FleetWindow::of(seen.counts, policy),
            tripped,
        }
    }
}
