use std::fmt;

/// What went wrong with a call, as far as a person who looks at its circuit needs to know: the kind
/// of failure, and the status if the service answered with one. No text of an error, no address.
///
/// ```
/// use infuse_core::{Fault, FaultKind};
///
/// assert_eq!(Fault::status(503).to_string(), "status 503");
/// assert_eq!(Fault::new(FaultKind::Timeout).to_string(), "timeout");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// The status that the service answered with.
    pub status: Option<u16>,
}

/// The kinds of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum FaultKind {
    /// The service answered with a status that is a failure.
    Status,
    /// It did not answer in time.
    Timeout,
    /// No connection came about.
    Connect,
    /// The connection was lost before there was an answer.
    Disconnect,
    /// The answer's body broke off.
    Body,
    /// The call returned an error of any other kind.
    Error,
    /// The call panicked.
    Panic,
    /// Its caller dropped it after too long a time.
    Abandoned,
    /// It succeeded, but too slowly.
    Slow,
}

impl FaultKind {
    const ALL: [Self; 9] = [
        Self::Status,
        Self::Timeout,
        Self::Connect,
        Self::Disconnect,
        Self::Body,
        Self::Error,
        Self::Panic,
        Self::Abandoned,
        Self::Slow,
    ];

    /// A short name: `status`, `timeout`, `connect`, `disconnect`, `body`, `error`, `panic`,
    /// `abandoned` or `slow`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Disconnect => "disconnect",
            Self::Body => "body",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Abandoned => "abandoned",
            Self::Slow => "slow",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Fault {
    /// A fault of this kind.
    pub const fn new(kind: FaultKind) -> Self {
        Self { kind, status: None }
    }

    /// The service answered with this status.
    pub const fn status(status: u16) -> Self {
        Self { kind: FaultKind::Status, status: Some(status) }
    }

    /// As a number, to be kept in a word or in a storage; never 0.
    pub fn to_code(self) -> u32 {
        let kind = FaultKind::ALL.iter().position(|&kind| kind == self.kind).unwrap_or_default();
        (kind as u32 + 1) << 16 | u32::from(self.status.unwrap_or(0))
    }

    /// The fault of this number, if it is one of [`to_code`](Self::to_code).
    pub fn from_code(code: u32) -> Option<Self> {
        let kind = *FaultKind::ALL.get((code >> 16).checked_sub(1)? as usize)?;
        let status = (code & 0xffff) as u16;
        Some(Self { kind, status: (status != 0).then_some(status) })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "{} {status}", self.kind),
            None => self.kind.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_back_from_its_number() {
        for kind in FaultKind::ALL {
            for status in [None, Some(1), Some(503), Some(u16::MAX)] {
                let fault = Fault { kind, status };
                assert_ne!(fault.to_code(), 0);
                assert_eq!(Fault::from_code(fault.to_code()), Some(fault));
            }
        }
        for code in [0, 503, 10 << 16, u32::MAX] {
            assert_eq!(Fault::from_code(code), None);
        }
    }
}
