use std::time::Duration;

/// When the next trial call is due, in a word of its own.
///
/// The upper 16 bits are the low bits of the epoch that the time belongs to, the lower 48 the
/// time in microseconds of the breaker's clock (nearly nine years). A reader that finds another
/// epoch than its word's has caught a change half-way and reads "not yet".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deadline(u64);

const TIME: u64 = (1 << 48) - 1;

/// A time of the breaker's clock in whole microseconds.
#[inline]
pub(crate) fn micros(time: Duration) -> u64 {
    // Not `as_micros`, which takes 128 bits: this is half of what rejecting adds to the clock.
    let whole = time.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(u64::from(time.subsec_micros())).min(TIME)
}

impl Deadline {
    pub(crate) fn new(epoch: u64, at: u64) -> Self {
        Deadline(epoch << 48 | at.min(TIME))
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Deadline(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) const fn at(self) -> u64 {
        self.0 & TIME
    }

    /// Whether the time belongs to this epoch.
    #[inline]
    pub(crate) const fn is_of(self, epoch: u64) -> bool {
        self.0 >> 48 == epoch & 0xffff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_belongs_to_its_epoch_alone() {
        let deadline = Deadline::new(0x1_ffff, 42);
        assert_eq!(deadline.at(), 42);
        assert!(deadline.is_of(0x1_ffff));
        assert!(!deadline.is_of(0x2_0000));
        assert_eq!(Deadline::from_bits(deadline.bits()), deadline);
    }

    #[test]
    fn times_saturate() {
        assert_eq!(Deadline::new(1, u64::MAX).at(), TIME);
        assert!(Deadline::new(1, u64::MAX).is_of(1));
        assert_eq!(micros(Duration::MAX), TIME);
    }
}
