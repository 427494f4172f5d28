use std::hash::{BuildHasher, Hasher, RandomState};

/// From 0 to less than 1. Not for secrets: it is to keep things from happening at once.
pub(crate) fn fraction() -> f64 {
    // The keys of a `RandomState` differ with each instance. A float holds 53 bits.
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_thrown_anew_each_time() {
        let mut tenths = [0; 10];
        for _ in 0..1_000 {
            let fraction = fraction();
            assert!((0.0..1.0).contains(&fraction), "{fraction}");
            tenths[(fraction * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&hits| hits > 30), "{tenths:?}");
    }
}
