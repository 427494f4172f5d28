use std::sync::atomic::{AtomicU8, Ordering};

const SHARED: u8 = 0;
const LOST: u8 = 1;
const CLOSED: u8 = 2;

/// Whether a participant shares its circuits at the moment.
///
/// All its orderings are Relaxed: one more call by the old standing does no harm, and whatever
/// has to be told with a change goes through the locks of what it concerns.
#[derive(Debug, Default)]
pub(crate) struct Standing(AtomicU8);

impl Standing {
    /// Whether this process decides alone: the storage is lost, or sharing has ended.
    pub(crate) fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) != SHARED
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed) == LOST
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CLOSED
    }

    /// The storage is lost; whether that is news.
    pub(super) fn lose(&self) -> bool {
        self.go(SHARED, LOST)
    }

    /// The storage is back; whether that is news.
    pub(super) fn find(&self) -> bool {
        self.go(LOST, SHARED)
    }

    /// Sharing has ended, for good; whether it had not before.
    pub(super) fn close(&self) -> bool {
        self.0.swap(CLOSED, Ordering::Relaxed) != CLOSED
    }

    fn go(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_and_return_is_news_once_and_the_end_is_final() {
        let standing = Standing::default();
        assert!(!standing.is_alone());
        assert!(standing.lose() && !standing.lose());
        assert!(standing.is_lost() && standing.is_alone());
        assert!(standing.find() && !standing.find());
        assert!(!standing.is_alone());
        assert!(standing.close() && !standing.close());
        assert!(!standing.lose() && !standing.find());
        assert!(standing.is_closed() && standing.is_alone() && !standing.is_lost());
    }
}
