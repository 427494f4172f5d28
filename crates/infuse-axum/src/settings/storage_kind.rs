use std::fmt;

/// Which storage keeps the circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StorageKind {
    /// This process's memory: the circuits are shared with nobody.
    #[default]
    Memory,
    /// Redis: the circuits are shared with every process that uses the same one.
    Redis,
}

impl StorageKind {
    /// The kind's name: `memory` or `redis`.
    pub const fn as_str(self) -> &'static str {
        match self {
            StorageKind::Memory => "memory",
            StorageKind::Redis => "redis",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "memory" => Ok(StorageKind::Memory),
            "redis" => Ok(StorageKind::Redis),
            _ => Err("not a storage; use `memory` or `redis`".to_owned()),
        }
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
