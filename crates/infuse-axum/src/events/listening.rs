use std::{collections::VecDeque, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Event, Feed, feed::News, ring::After};

/// Follows the [`Feed`]. It has one of the places for those who listen, until it is dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    feed: Arc<Feed>,
    news: watch::Receiver<News>,
    /// The number of the last event that was told, or is ready.
    seen: u64,
    ready: VecDeque<Arc<Event>>,
    _place: OwnedSemaphorePermit,
}

/// What is told to those who listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The next event.
    Event(Arc<Event>),
    /// There were events that are forgotten. Next are those that come now.
    Missed {
        /// The last event there was.
        last: u64,
    },
}

impl Listening {
    pub(super) fn new(
        feed: Arc<Feed>,
        news: watch::Receiver<News>,
        seen: u64,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { feed, news, seen, ready: VecDeque::new(), _place: place }
    }

    /// The number of the event after which it goes on.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// Waits for what comes next; `None` when nobody is to listen any more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where it is dropped before its end.
    pub(crate) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(Told::Event(event));
            }
            let News { last, closed } = *self.news.borrow_and_update();
            if closed {
                return None;
            }
            if last != self.seen {
                match self.feed.after(self.seen) {
                    After::These(events) => {
                        // More may have come than was told of.
                        self.seen = events.last().map_or(self.seen, |event| event.number);
                        self.ready.extend(events);
                        if !self.ready.is_empty() {
                            continue;
                        }
                    }
                    After::Forgotten => {
                        self.seen = self.feed.last();
                        return Some(Told::Missed { last: self.seen });
                    }
                }
            }
            self.news.changed().await.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use infuse_storage::StorageEvent;

    use super::*;

    async fn number(listening: &mut Listening) -> u64 {
        match listening.next().await {
            Some(Told::Event(event)) => event.number,
            other => panic!("{other:?}"),
        }
    }

    fn happen(feed: &Feed, times: usize) {
        for _ in 0..times {
            feed.storage(&StorageEvent::Back);
        }
    }

    #[tokio::test]
    async fn events_come_in_order_from_now_on_or_from_one_that_was_heard() {
        let feed = Feed::new();
        happen(&feed, 3);
        let mut new = feed.listen(None).unwrap();
        let mut again = feed.listen(Some(1)).unwrap();
        let mut all = feed.listen(Some(0)).unwrap();
        happen(&feed, 2);
        for n in 1..=5 {
            assert_eq!(number(&mut all).await, n);
            if n > 1 {
                assert_eq!(number(&mut again).await, n);
            }
            if n > 3 {
                assert_eq!(number(&mut new).await, n);
            }
        }
        let waits = tokio::spawn(async move { number(&mut new).await });
        tokio::task::yield_now().await;
        happen(&feed, 1);
        assert_eq!(waits.await.unwrap(), 6);
    }

    #[tokio::test]
    async fn who_is_too_slow_or_knows_what_never_was_is_told_so() {
        let feed = Feed::new();
        happen(&feed, 1);
        let mut slow = feed.listen(None).unwrap();
        let mut ahead = feed.listen(Some(7)).unwrap();
        assert_eq!(ahead.next().await, Some(Told::Missed { last: 1 }));
        happen(&feed, 1_001);
        assert_eq!(slow.next().await, Some(Told::Missed { last: 1_002 }));
        happen(&feed, 1);
        assert_eq!(number(&mut slow).await, 1_003);
        // One who has 1,000 to hear has missed none.
        let mut just = feed.listen(Some(3)).unwrap();
        assert_eq!(number(&mut just).await, 4);
    }

    #[tokio::test]
    async fn there_are_so_many_places() {
        let feed = Feed::new();
        let mut all: Vec<_> = (0..64).map(|_| feed.listen(None).unwrap()).collect();
        assert!(feed.listen(None).is_none());
        all.pop();
        assert!(feed.listen(None).is_some());
    }

    #[tokio::test]
    async fn closing_ends_it_for_all_and_for_good() {
        let feed = Feed::new();
        let mut listening = feed.listen(None).unwrap();
        let waits = tokio::spawn(async move { listening.next().await });
        tokio::task::yield_now().await;
        feed.close();
        assert_eq!(waits.await.unwrap(), None);
        assert!(feed.listen(None).is_none());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_or_told_twice_while_events_come() {
        let feed = Feed::new();
        let mut listening = feed.listen(None).unwrap();
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let feed = Arc::clone(&feed);
                std::thread::spawn(move || happen(&feed, 400))
            })
            .collect();
        for n in 1..=800 {
            assert_eq!(number(&mut listening).await, n);
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }
}
