use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use infuse_core::{Cause, Fault, Mode, Override};

use crate::ProcessId;

/// What brought a circuit into a state: why, which process did it, and what it saw.
///
/// What first opened a circuit since it was last closed stands in
/// [`Circuit::provenance`](crate::Circuit::provenance), until it is closed; what was the last change
/// in [`Circuit::last_change`](crate::Circuit::last_change).
///
/// It serializes to an object whose `at` is in seconds of Unix time, and whose `by` is the
/// process's id in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Provenance {
    /// Why the circuit changed.
    pub cause: Cause,
    /// The process that changed it; unset if nobody knows, or another program did.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::snapshot::serial::process"))]
    pub by: Option<ProcessId>,
    /// When that was, by the clock of this process.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::snapshot::serial::unix_time"))]
    pub at: SystemTime,
    /// What went wrong last: with the call that opened it, or with the last trial that failed. Unset
    /// if nobody knows, or nothing did.
    pub fault: Option<Fault>,
    /// Who did it by hand, and why.
    pub note: Note,
}

/// What opened a circuit, as a storage tells it: see [`View::provenance`](crate::View::provenance).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opening {
    /// Why it first opened since it was last closed, or was opened by hand.
    pub cause: Cause,
    /// The process that opened it; unset if nobody knows, or another program did.
    pub by: Option<ProcessId>,
    /// How long ago that was.
    pub ago: Duration,
    /// What went wrong last: with the call that opened it, or with the last trial that failed. Unset
    /// if nobody said.
    pub fault: Option<Fault>,
    /// Who opened it by hand, and why.
    pub note: Note,
}

impl Opening {
    /// Opened just now, for a cause, by a process if that is known.
    pub fn new(cause: Cause, by: impl Into<Option<ProcessId>>) -> Self {
        Self { cause, by: by.into(), ago: Duration::ZERO, fault: None, note: Note::new() }
    }
}

/// Who gives a command, and why. Both may be empty, and are cut at
/// [`Override::MOST_TEXT`](crate::Override::MOST_TEXT) bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Note {
    /// Who.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::snapshot::serial::text"))]
    pub by: Arc<str>,
    /// Why.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::snapshot::serial::text"))]
    pub reason: Arc<str>,
}

impl Note {
    /// Nobody, for no reason.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who gives the command.
    pub fn by(mut self, who: &str) -> Self {
        self.by = Override::new(Mode::Enabled).by(who).by;
        self
    }

    /// Why.
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = Override::new(Mode::Enabled).because(reason).reason;
        self
    }

    /// Whether nobody said anything.
    pub fn is_empty(&self) -> bool {
        self.by.is_empty() && self.reason.is_empty()
    }

    /// The same, with texts no longer than they may be.
    pub(crate) fn bounded(&self) -> Self {
        let is_whole = |text: &str| text.len() <= Override::MOST_TEXT;
        if is_whole(&self.by) && is_whole(&self.reason) {
            return self.clone();
        }
        Self::new().by(&self.by).because(&self.reason)
    }
}
