use std::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Names one circuit in a storage: its namespace, `development:payments` say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CircuitKey(Arc<str>);

impl CircuitKey {
    /// The key of this namespace.
    pub fn new(namespace: impl Into<Arc<str>>) -> Self {
        Self(namespace.into())
    }

    /// The namespace.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for CircuitKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CircuitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names one participant: a process, or one of several applications in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(u64);

impl ProcessId {
    /// An id that no other participant has.
    pub fn random() -> Self {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // The keys of a `RandomState` are random for each process and differ with each instance.
        Self(RandomState::new().hash_one((std::process::id(), time)))
    }

    /// The id as a number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The id that was written as this number.
    pub const fn from_u64(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names one lease or one command, made by whoever asks, so that asking twice is asking once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    /// Who asks.
    pub process: ProcessId,
    /// A number that this participant uses once.
    pub number: u64,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.process, self.number)
    }
}
