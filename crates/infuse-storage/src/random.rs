use std::hash::{BuildHasher, Hasher, RandomState};

/// From 0 to less than 1. Not for secrets: it is to keep processes from doing things at once.
pub(crate) fn fraction() -> f64 {
    // The keys of a `RandomState` differ with each instance. A float holds 53 bits.
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}
