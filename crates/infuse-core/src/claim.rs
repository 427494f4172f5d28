/// What a permit holds beside its ticket, in one word, so that permits stay in registers: nothing,
/// the number of a trial, when the call was let through, or that its outcome does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim(u64);

const STARTED: u64 = 1 << 63;
/// More trials than there will ever be.
const UNCOUNTED: u64 = 1 << 62;

impl Claim {
    /// An ordinary call that nobody times.
    pub(crate) const NONE: Claim = Claim(0);

    /// A call that was let through whatever the state, and whose outcome counts as nothing.
    pub(crate) const UNCOUNTED: Claim = Claim(UNCOUNTED);

    /// Trial number `id`, from 1.
    pub(crate) const fn trial(id: u64) -> Self {
        Claim(id & !(STARTED | UNCOUNTED))
    }

    /// An ordinary call that was let through at this time, in microseconds of the breaker's clock.
    pub(crate) const fn started(at: u64) -> Self {
        Claim(at | STARTED)
    }

    /// The trial's number, if it is one.
    #[inline]
    pub(crate) const fn as_trial(self) -> Option<u64> {
        if self.0 == 0 || self.0 & (STARTED | UNCOUNTED) != 0 { None } else { Some(self.0) }
    }

    /// Whether its outcome counts as nothing.
    #[inline]
    pub(crate) const fn is_uncounted(self) -> bool {
        self.0 == UNCOUNTED
    }

    /// When the call was let through, if it is timed.
    #[inline]
    pub(crate) const fn as_started(self) -> Option<u64> {
        if self.0 & STARTED == 0 { None } else { Some(self.0 & !STARTED) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_one_thing_at_a_time() {
        let all = |claim: Claim| (claim.as_trial(), claim.as_started(), claim.is_uncounted());
        assert_eq!(all(Claim::NONE), (None, None, false));
        assert_eq!(all(Claim::trial(7)), (Some(7), None, false));
        assert_eq!(all(Claim::started(0)), (None, Some(0), false));
        assert_eq!(all(Claim::started(42)), (None, Some(42), false));
        assert_eq!(all(Claim::UNCOUNTED), (None, None, true));
    }
}
