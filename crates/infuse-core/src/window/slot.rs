use super::{
    Call, Counts,
    age::{Age, age},
};
use crate::sync::{AtomicU32, Ordering};

/// From the lowest bit: slow calls, failures, calls, the era.
///
/// A call may be taken off before it was added, by another thread. So that no field runs into the
/// next, each begins at [`EVEN`], and has room for more than a hundred threads at it, and for a
/// ring of 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sums(u64);

const FAILURES_AT: u32 = 14;
const CALLS_AT: u32 = 28;
const ERA_AT: u32 = 42;
const ERA_BITS: u32 = 22;
const EVEN: u64 = 2000;
const FIELD: u64 = 0x3fff;

impl Sums {
    pub(super) fn empty(era: u64) -> Self {
        Sums(era << ERA_AT | EVEN << CALLS_AT | EVEN << FAILURES_AT | EVEN)
    }

    /// What stands in them when the ring is full of calls and none was troubled.
    #[inline]
    pub(super) fn all_well(era: u64, size: u32) -> Self {
        Sums(Self::empty(era).0 + (u64::from(size) << CALLS_AT))
    }

    #[inline]
    pub(super) fn age(self, era: u64) -> Age {
        age(self.0 >> ERA_AT, era, ERA_BITS)
    }

    #[inline]
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) fn from_bits(bits: u64) -> Self {
        Sums(bits)
    }

    /// Whether they are of this era, and of a full ring.
    #[inline]
    pub(super) fn is_full(self, era: u64, size: u32) -> bool {
        (self.0 ^ Self::all_well(era, size).0) >> CALLS_AT == 0
    }

    pub(super) fn changed(self, by: Change) -> Self {
        Sums(self.0.wrapping_add(by.0))
    }

    pub(super) fn counts(self, size: u32) -> Counts {
        let field = |at: u32| (self.0 >> at & FIELD).saturating_sub(EVEN);
        let calls = field(CALLS_AT).min(size.into());
        // What is not yet taken off shall not make a rate above 1.
        Counts { calls, failures: field(FAILURES_AT).min(calls), slow: field(0).min(calls) }
    }
}

/// By how much the sums change when calls come into the ring and others leave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change(u64);

impl Change {
    pub(super) const NONE: Change = Change(0);

    /// And one call more, and another less if that was counted.
    pub(super) fn and(self, new: Slot, evicted: Option<Slot>) -> Self {
        Change(self.0.wrapping_add(new.sums()).wrapping_sub(evicted.map_or(0, Slot::sums)))
    }
}

/// One call in its slot. From the lowest bit: slow, failed, not to be handed out, the era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u32);

const SLOW: u32 = 1;
const FAILED: u32 = 2;
const LOCAL: u32 = 4;
const SLOT_ERA_AT: u32 = 3;
const SLOT_ERA_BITS: u32 = 29;

impl Slot {
    #[inline]
    pub(super) fn new(era: u64, call: Call) -> Self {
        let flag = |is: bool, flag| if is { flag } else { 0 };
        let bits = flag(call.slow, SLOW) | flag(call.failed, FAILED) | flag(call.local, LOCAL);
        Slot((era << SLOT_ERA_AT) as u32 | bits)
    }

    fn age(self, era: u64) -> Age {
        age((self.0 >> SLOT_ERA_AT).into(), era, SLOT_ERA_BITS)
    }

    /// What is in a slot, if it is of this era.
    pub(super) fn load(word: &AtomicU32, era: u64) -> Option<Self> {
        // Relaxed: a look at what may change at any moment.
        let found = Slot(word.load(Ordering::Relaxed));
        (found.age(era) == Age::Same).then_some(found)
    }

    pub(super) fn counts(self) -> Counts {
        let (failed, slow) = (self.0 & FAILED != 0, self.0 & SLOW != 0);
        Counts { calls: 1, failures: failed.into(), slow: slow.into() }
    }

    pub(super) fn is_local(self) -> bool {
        self.0 & LOCAL != 0
    }

    /// What it adds to the sums.
    fn sums(self) -> u64 {
        let Counts { calls, failures, slow } = self.counts();
        calls << CALLS_AT | failures << FAILURES_AT | slow
    }

    /// Puts it into a slot; what it replaces of the same era. `Err` if that is of a newer one.
    #[inline]
    pub(super) fn put(self, word: &AtomicU32, era: u64) -> Result<Option<Slot>, ()> {
        // Relaxed: only the swap hands anything on.
        let mut found = Slot(word.load(Ordering::Relaxed));
        loop {
            if found == self {
                return Ok(Some(found));
            }
            let evicted = match found.age(era) {
                Age::Newer => return Err(()),
                Age::Older => None,
                Age::Same => Some(found),
            };
            // AcqRel: whoever comes to the sums after this call finds it here.
            let swap = word.compare_exchange(found.0, self.0, Ordering::AcqRel, Ordering::Relaxed);
            match swap {
                Ok(_) => return Ok(evicted),
                Err(other) => found = Slot(other),
            }
        }
    }
}
