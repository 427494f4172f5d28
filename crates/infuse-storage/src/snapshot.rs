use std::time::{Duration, SystemTime};

use infuse_core::{Snapshot, State};

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
    /// Successful trial calls, one after another.
    pub success_counter: u32,
    /// The fleet generation: how often the storage has changed the circuit.
    pub generation: u64,
    /// When the circuit opened, as seconds of Unix time; unset while it is closed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "unix_seconds"))]
    pub opened_at: Option<SystemTime>,
    /// How long until a call may be let through, in seconds: zero if one may be now, or as soon
    /// as a trial under way is over; unset while closed.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub retry_after: Option<Duration>,
    /// Trial calls of this process that are in flight.
    pub trials: u32,
    /// Whether the circuit is shared at the moment, with whomever its storage reaches: not while
    /// that is lost, nor after shutdown.
    pub shared: bool,
    /// How long ago the storage last said anything about the circuit, in seconds; unset if it
    /// never did.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub view_age: Option<Duration>,
    /// Whether the failures of several processes add up to a trip that may still be refuted.
    pub suspect: bool,
    /// The failures of all processes since the last change, or the last success that refuted
    /// them, as far as this process has heard.
    pub fleet_failures: u32,
}

/// What a snapshot says of the storage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) generation: u64,
    pub(crate) view_age: Option<Duration>,
    pub(crate) suspect: bool,
    pub(crate) failures: u32,
}

impl CircuitSnapshot {
    pub(crate) fn new(name: &str, snapshot: Snapshot, seen: Seen, shared: bool) -> Self {
        Self {
            service: name.to_owned(),
            state: snapshot.state,
            fail_counter: snapshot.fail_counter,
            success_counter: snapshot.success_counter,
            generation: seen.generation,
            opened_at: snapshot.opened_at,
            retry_after: snapshot.retry_after,
            trials: snapshot.trials,
            shared,
            view_age: seen.view_age,
            suspect: seen.suspect,
            fleet_failures: seen.failures,
        }
    }
}

#[cfg(feature = "serde")]
fn seconds<S: serde::Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    use serde::Serialize;
    // Rounded up, so that it is not zero before it is.
    time.map(|time| time.as_micros().div_ceil(1000) as f64 / 1000.0).serialize(to)
}

#[cfg(feature = "serde")]
fn unix_seconds<S: serde::Serializer>(time: &Option<SystemTime>, to: S) -> Result<S::Ok, S::Error> {
    let since = time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    seconds(&since, to)
}
