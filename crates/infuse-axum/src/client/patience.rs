use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::request_body::Upload;

/// How often at most a wait that is the caller's fault is looked at again.
const RECHECK: Duration = Duration::from_millis(10);

/// How far a deadline can lie ahead: beyond the life of any process, within what a clock can add.
const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);

/// How long a call still waits for its service.
///
/// It runs only from a poll that found nothing to the next one that does, so neither a caller
/// that pauses between two reads nor one that is slow with the body it sends uses it up. The
/// timer is made when there is something to wait for, and lives as long as the call: it never
/// fires too late, because pauses only move the deadline away, and when it fires too early it is
/// set again.
#[derive(Debug)]
pub(crate) struct Patience {
    /// `None` waits for ever.
    total: Option<Duration>,
    used: Duration,
    /// How long it waited before that was forgotten.
    before: Duration,
    /// Since when the call has been waiting, and how long it had been waiting for its own upload
    /// until then.
    since: Option<(Instant, Duration)>,
    /// Whether waits no longer count, because nobody may say that they are too long.
    endless: bool,
    timer: Option<Pin<Box<Sleep>>>,
    upload: Option<Arc<Upload>>,
}

impl Patience {
    pub(crate) fn new(total: Option<Duration>, upload: Option<Arc<Upload>>) -> Self {
        let (used, before, endless) = (Duration::ZERO, Duration::ZERO, false);
        Self { total, used, before, since: None, endless, timer: None, upload }
    }

    /// Before it has waited: how long it may, and which body of the caller's it sends meanwhile.
    pub(crate) fn begin(&mut self, total: Option<Duration>, upload: Option<Arc<Upload>>) {
        self.total = total;
        self.upload = upload;
    }

    /// The most that the call waits for its service in all.
    pub(crate) fn total(&self) -> Option<Duration> {
        self.total
    }

    pub(crate) fn upload(&self) -> Option<&Upload> {
        self.upload.as_deref()
    }

    fn uploading(&self, now: Instant) -> Duration {
        self.upload.as_ref().map_or(Duration::ZERO, |upload| upload.waited(now))
    }

    /// The service had nothing: ready when it has kept the call waiting for too long.
    pub(crate) fn poll_exhausted(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(total) = self.total else {
            if self.since.is_none() && !self.endless {
                self.waited(Instant::now());
            }
            return Poll::Pending;
        };
        // A timer that runs is not told the time: it is asked whether it is over.
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_pending()
        {
            if self.since.is_none() {
                self.waited(Instant::now());
            }
            return Poll::Pending;
        }
        let mut now = Instant::now();
        loop {
            let left = total.saturating_sub(self.used + self.waited(now));
            if left.is_zero() {
                return Poll::Ready(());
            }
            let timer = match &mut self.timer {
                Some(timer) => timer,
                None => self.timer.insert(Box::pin(sleep_until(now + left.min(FAR)))),
            };
            if timer.is_elapsed() {
                timer.as_mut().reset(now + left.max(RECHECK).min(FAR));
            }
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            now = Instant::now();
        }
    }

    /// How long this wait has lasted, which begins now if there is none.
    fn waited(&mut self, now: Instant) -> Duration {
        let uploading = self.uploading(now);
        let (since, before) = *self.since.get_or_insert((now, uploading));
        now.saturating_duration_since(since).saturating_sub(uploading.saturating_sub(before))
    }

    /// How long the call has waited for its service in all, until now.
    pub(crate) fn spent(&mut self) -> Duration {
        self.pause();
        self.used
    }

    /// The same, to be written down: of a call without a timeout until the headers were there.
    pub(crate) fn took(&mut self) -> Duration {
        self.before + self.spent()
    }

    /// The headers of the answer are there. A call without a timeout may wait for ever for what
    /// follows, as for events that come when there are some: that it did is no matter.
    pub(crate) fn answered(&mut self) {
        if self.total.is_none() {
            self.before = self.used;
            (self.used, self.since, self.endless) = (Duration::ZERO, None, true);
        }
    }

    /// The service had something: the wait is over.
    pub(crate) fn pause(&mut self) {
        if self.since.is_some() {
            let waited = self.waited(Instant::now());
            self.used += waited;
            self.since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[tokio::test(start_paused = true)]
    async fn only_waiting_counts() {
        let start = Instant::now();
        let mut patience = Patience::new(Some(secs(5)), None);
        for _ in 0..3 {
            let wait = poll_fn(|cx| patience.poll_exhausted(cx));
            assert!(tokio::time::timeout(secs(1), wait).await.is_err());
            patience.pause();
            tokio::time::sleep(secs(100)).await;
        }
        let before = Instant::now();
        poll_fn(|cx| patience.poll_exhausted(cx)).await;
        let last = before.elapsed();
        assert!(last >= secs(2) && last < secs(2) + Duration::from_millis(10), "{last:?}");
        assert!(start.elapsed() >= secs(305));
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_timeout_it_never_ends_and_makes_no_timer() {
        let mut patience = Patience::new(None, None);
        let wait = poll_fn(|cx| patience.poll_exhausted(cx));
        assert!(tokio::time::timeout(secs(1_000_000), wait).await.is_err());
        assert!(patience.timer.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_spent_is_known_with_and_without_a_timeout() {
        for total in [Some(secs(50)), None] {
            let mut patience = Patience::new(total, None);
            assert_eq!(patience.spent(), Duration::ZERO);
            for _ in 0..2 {
                let wait = poll_fn(|cx| patience.poll_exhausted(cx));
                assert!(tokio::time::timeout(secs(3), wait).await.is_err());
                patience.pause();
                tokio::time::sleep(secs(100)).await;
            }
            assert_eq!(patience.spent().as_secs(), 6);
            assert_eq!(patience.took().as_secs(), 6);
            patience.answered();
            let wait = poll_fn(|cx| patience.poll_exhausted(cx));
            assert!(tokio::time::timeout(secs(3), wait).await.is_err());
            assert_eq!(patience.spent().as_secs(), if total.is_some() { 9 } else { 0 });
            assert_eq!(patience.took().as_secs(), if total.is_some() { 9 } else { 6 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn extremes_do_not_panic() {
        let mut patience = Patience::new(Some(Duration::MAX), None);
        let wait = poll_fn(|cx| patience.poll_exhausted(cx));
        assert!(tokio::time::timeout(secs(10), wait).await.is_err());
        patience.pause();
        let mut patience = Patience::new(Some(Duration::ZERO), None);
        poll_fn(|cx| patience.poll_exhausted(cx)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_callers_own_upload_does_not_count() {
        let upload = Arc::new(Upload::default());
        let mut patience = Patience::new(Some(secs(5)), Some(upload.clone()));
        let start = Instant::now();
        upload.pending(Instant::now());
        tokio::spawn(async move {
            tokio::time::sleep(secs(60)).await;
            upload.arrived(Instant::now());
        });
        poll_fn(|cx| patience.poll_exhausted(cx)).await;
        let waited = start.elapsed();
        assert!(waited >= secs(65) && waited < secs(66), "{waited:?}");
    }
}
