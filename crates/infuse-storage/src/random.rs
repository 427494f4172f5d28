use std::hash::{BuildHasher, Hasher, RandomState};

/// A number between 0 and 1. Not for secrets: it is to keep processes from doing things at once.
pub(crate) fn fraction() -> f64 {
    // The keys of a `RandomState` differ with each instance.
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}
