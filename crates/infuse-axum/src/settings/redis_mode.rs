use std::fmt;

/// What there is at the addresses of Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RedisMode {
    /// `standalone`: one server, or what looks like one from outside.
    #[default]
    Standalone,
    /// `sentinel`: sentinels, which know where the master is.
    Sentinel,
    /// `cluster`: nodes of a cluster, which know the others.
    Cluster,
}

impl RedisMode {
    /// The mode's name: `standalone`, `sentinel` or `cluster`.
    pub const fn as_str(self) -> &'static str {
        match self {
            RedisMode::Standalone => "standalone",
            RedisMode::Sentinel => "sentinel",
            RedisMode::Cluster => "cluster",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        [RedisMode::Standalone, RedisMode::Sentinel, RedisMode::Cluster]
            .into_iter()
            .find(|mode| text.eq_ignore_ascii_case(mode.as_str()))
            .ok_or_else(|| {
                "not a mode of Redis; use `standalone`, `sentinel` or `cluster`".to_owned()
            })
    }
}

impl fmt::Display for RedisMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "redis")]
impl From<RedisMode> for infuse_storage::RedisMode {
    fn from(mode: RedisMode) -> Self {
        match mode {
            RedisMode::Standalone => Self::Standalone,
            RedisMode::Sentinel => Self::Sentinel,
            RedisMode::Cluster => Self::Cluster,
        }
    }
}
