/// How what stands in a word is to be taken by someone of a certain era or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// It is of the same: it is to be added to.
    Same,
    /// It is of an older one: the word is as good as empty.
    Older,
    /// It is of a newer one: whoever asks comes too late, and has nothing to say here.
    Newer,
}

/// Only what is so little ahead is newer. Beyond that it was left behind when the stamps last came
/// round: someone who is late is late by a few.
const AHEAD: u64 = 64;

/// The age of a stamp that keeps the lowest `bits` bits, for someone of `own`.
#[inline]
pub(super) fn age(stamp: u64, own: u64, bits: u32) -> Age {
    match stamp.wrapping_sub(own) & ((1 << bits) - 1) {
        0 => Age::Same,
        1..=AHEAD => Age::Newer,
        _ => Age::Older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_compared_on_a_circle() {
        assert_eq!(age(7, 7, 21), Age::Same);
        assert_eq!(age(6, 7, 21), Age::Older);
        assert_eq!(age(8, 7, 21), Age::Newer);
        assert_eq!(age(0, 1 << 21, 21), Age::Same, "only the low bits are kept");
        assert_eq!(age(0, (1 << 21) - 1, 21), Age::Newer);
        assert_eq!(age((1 << 21) - 1, 1 << 21, 21), Age::Older);
        assert_eq!(age(7 + AHEAD, 7, 21), Age::Newer);
        assert_eq!(age(8 + AHEAD, 7, 21), Age::Older, "it came round");
    }
}
