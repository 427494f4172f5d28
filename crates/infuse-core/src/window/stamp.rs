use super::{
    Call,
    age::{Age, age},
};

/// One bucket's worth of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stretch {
    era: u64,
    number: u64,
}

impl Stretch {
    /// The stretch of an era with this number.
    pub(super) fn new(era: u64, number: u64) -> Self {
        Self { era, number }
    }

    /// Its place in a ring of so many.
    #[inline]
    pub(super) fn index(self, ring: usize) -> usize {
        self.number as usize % ring
    }

    /// This one and those before it, so many in all.
    pub(super) fn back(self, many: u64) -> impl Iterator<Item = Stretch> {
        (0..many).map(move |back| Self { number: self.number.wrapping_sub(back), ..self })
    }

    /// Whether it is a later one, or of a newer era.
    pub(super) fn is_after(self, other: Self) -> bool {
        // Numbers before that of the clock's beginning come after all others otherwise.
        let after = |one: u64, other: u64| one.wrapping_sub(other).cast_signed() > 0;
        let same_era = self.era == other.era;
        after(self.era, other.era) || (same_era && after(self.number, other.number))
    }

    /// Above the count of what belongs to it.
    #[inline]
    fn stamp(self) -> u64 {
        self.era << ERA_AT | (self.number & NUMBER) << NUMBER_AT
    }
}

/// A count and what it belongs to. From the lowest bit: the count (up to 67 million, where it
/// stops), the stretch's number, the era.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamped(u64);

/// Most that is counted in one word.
pub(super) const MOST: u64 = (1 << 26) - 1;
const NUMBER_AT: u32 = 26;
const NUMBER_BITS: u32 = 22;
const NUMBER: u64 = (1 << NUMBER_BITS) - 1;
const ERA_AT: u32 = 48;
const ERA_BITS: u32 = 16;

impl Stamped {
    #[inline]
    pub(super) fn new(stretch: Stretch, count: u64) -> Self {
        Stamped(stretch.stamp() | count.min(MOST))
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        Stamped(bits)
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn age(self, stretch: Stretch) -> Age {
        match age(self.0 >> ERA_AT, stretch.era, ERA_BITS) {
            Age::Same => age(self.0 >> NUMBER_AT, stretch.number, NUMBER_BITS),
            other => other,
        }
    }

    /// The count, if it belongs to this stretch.
    #[inline]
    pub(super) fn of(self, stretch: Stretch) -> Option<u64> {
        // What is left above the stamp is the count, or too large for one.
        let left = self.0 ^ stretch.stamp();
        (left <= MOST).then_some(left)
    }
}

/// How many calls failed and how many were slow. From the lowest bit: slow calls, failures (up to
/// 16 million of either, where they stop), and of the stretch as much as tells apart those that may
/// follow each other here: the rest stands above the count of the calls, beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Troubles(u64);

const FAILURES_AT: u32 = 24;
const TROUBLES: u64 = (1 << FAILURES_AT) - 1;
const MARK_AT: u32 = 48;

impl Troubles {
    #[inline]
    pub(super) fn none(stretch: Stretch) -> Self {
        Troubles(((stretch.era & 0xff) << 8 | stretch.number & 0xff) << MARK_AT)
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        Troubles(bits)
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn is_of(self, stretch: Stretch) -> bool {
        (self.0 ^ Self::none(stretch).0) >> MARK_AT == 0
    }

    #[inline]
    pub(super) fn failures(self) -> u64 {
        self.0 >> FAILURES_AT & TROUBLES
    }

    #[inline]
    pub(super) fn slow(self) -> u64 {
        self.0 & TROUBLES
    }

    /// With those of one more call.
    #[inline]
    pub(super) fn with(self, call: Call) -> Self {
        let failure = u64::from(call.failed && self.failures() < TROUBLES);
        let slow = u64::from(call.slow && self.slow() < TROUBLES);
        Troubles(self.0 + (failure << FAILURES_AT) + slow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_found_by_its_stretch_alone() {
        let stretch = Stretch::new(3, 100);
        let word = Stamped::new(stretch, 7);
        assert_eq!(Stamped::from_bits(word.bits()).of(stretch), Some(7));
        for other in [Stretch::new(3, 101), Stretch::new(4, 100), Stretch::new(2, 100)] {
            assert_eq!(word.of(other), None);
        }
        assert_eq!(Stamped::new(stretch, u64::MAX).of(stretch), Some(MOST), "it stops");
        assert_eq!(word.age(Stretch::new(3, 101)), Age::Older);
        assert_eq!(word.age(Stretch::new(3, 99)), Age::Newer);
        // A new era begins with smaller numbers, and is newer all the same.
        assert_eq!(word.age(Stretch::new(4, 1)), Age::Older);
        assert_eq!(word.age(Stretch::new(2, 999)), Age::Newer);
    }

    #[test]
    fn troubles_do_not_run_into_each_other() {
        let stretch = Stretch::new(u64::MAX, u64::MAX);
        let both = Call { failed: true, slow: true, local: false };
        let mut troubles = Troubles::none(stretch).with(both).with(Call { slow: false, ..both });
        assert_eq!((troubles.failures(), troubles.slow()), (2, 1));
        assert!(troubles.is_of(stretch));
        assert!(!troubles.is_of(Stretch::new(u64::MAX, 0)));
        troubles = Troubles(troubles.0 | TROUBLES << FAILURES_AT | TROUBLES).with(both);
        assert_eq!((troubles.failures(), troubles.slow()), (TROUBLES, TROUBLES));
        assert!(troubles.is_of(stretch));
    }
}
