use std::{sync::Arc, time::Duration};

use infuse_core::{Mode, Override};

/// An override, as the storage keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Overridden {
    pub(crate) mode: Mode,
    /// When it ends, if it does.
    pub(crate) until: Option<Duration>,
    pub(crate) by: Arc<str>,
    pub(crate) reason: Arc<str>,
}

impl Overridden {
    /// One that holds from now on. Its texts are kept as far as they are not too long.
    pub(super) fn new(now: Duration, overridden: Option<&Override>) -> Option<Self> {
        let it = overridden?;
        let whole = |text: &Arc<str>| text.len() <= Override::MOST_TEXT;
        let (by, reason) = if whole(&it.by) && whole(&it.reason) {
            (Arc::clone(&it.by), Arc::clone(&it.reason))
        } else {
            let cut = Override::new(it.mode).by(&it.by).because(&it.reason);
            (cut.by, cut.reason)
        };
        Some(Self {
            mode: it.mode,
            until: it.left.map(|left| now.saturating_add(left)),
            by,
            reason,
        })
    }

    /// What is left of it, unless it has ended.
    pub(crate) fn left(&self, now: Duration) -> Option<Arc<Override>> {
        let left = self.until.map(|until| until.saturating_sub(now));
        if left == Some(Duration::ZERO) {
            return None;
        }
        let mut shown = Override::new(self.mode);
        shown.left = left;
        shown.by = Arc::clone(&self.by);
        shown.reason = Arc::clone(&self.reason);
        Some(Arc::new(shown))
    }
}
