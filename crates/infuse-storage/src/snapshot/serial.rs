//! How snapshots are serialized.

use std::time::{Duration, SystemTime};

use infuse_core::{Mode, Override, Ramp};
use serde::{Serialize, Serializer};

pub(super) fn seconds<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    time.map(in_seconds).serialize(to)
}

pub(super) fn unix_seconds<S: Serializer>(
    time: &Option<SystemTime>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let since = time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    seconds(&since, to)
}

pub(crate) fn unix_time<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    unix_seconds(&Some(*time), to)
}

pub(crate) fn text<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

pub(crate) fn process<S: Serializer>(
    process: &Option<crate::ProcessId>,
    to: S,
) -> Result<S::Ok, S::Error> {
    process.map(|process| process.to_string()).serialize(to)
}

pub(super) fn overridden<S: Serializer>(over: &Option<Override>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Shown<'a> {
        mode: Mode,
        by: &'a str,
        reason: &'a str,
        left: Option<f64>,
    }
    let shown = over.as_ref().map(|it| Shown {
        mode: it.mode,
        by: &it.by,
        reason: &it.reason,
        left: it.left.map(in_seconds),
    });
    shown.serialize(to)
}

pub(super) fn ramp<S: Serializer>(ramp: &Option<Ramp>, to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Shown {
        time: f64,
        left: f64,
    }
    let shown = ramp.map(|ramp| Shown { time: in_seconds(ramp.time), left: in_seconds(ramp.left) });
    shown.serialize(to)
}

/// Rounded up, so that it is not zero before it is.
fn in_seconds(time: Duration) -> f64 {
    time.as_micros().div_ceil(1000) as f64 / 1000.0
}
