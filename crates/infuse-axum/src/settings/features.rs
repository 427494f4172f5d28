/// Which features of this crate a build has, as far as settings ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Features {
    pub(super) redis: bool,
    pub(super) tls: bool,
}

impl Features {
    /// Those of this build.
    pub(super) const HERE: Self =
        Self { redis: cfg!(feature = "redis"), tls: cfg!(feature = "tls") };
}
