use std::{collections::VecDeque, sync::Arc};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{Shared, State};
use crate::{BoxFuture, Event, Watch};

/// What is pushed over a link.
pub(super) struct LinkWatch {
    inner: Box<dyn Watch>,
    shared: Arc<Shared>,
    /// Which of the link's watches this is.
    number: usize,
    /// What is under way, and when it arrives.
    under_way: VecDeque<(Instant, Event)>,
}

impl LinkWatch {
    pub(super) fn new(inner: Box<dyn Watch>, shared: Arc<Shared>) -> Self {
        let number = {
            let mut state = shared.lock();
            state.watches += 1;
            state.watches
        };
        Self { inner, shared, number, under_way: VecDeque::new() }
    }

    fn is_heard(&self, state: &State) -> bool {
        !state.loses_events && self.number > state.silent
    }

    async fn next(&mut self) -> Event {
        let end: &Notify = &self.shared.end;
        loop {
            let arrives = self.under_way.front().map(|(at, _)| *at);
            let event = tokio::select! {
                biased;
                () = end.notified() => return Event::Ended,
                () = sleep_until(arrives.unwrap_or_else(Instant::now)), if arrives.is_some() => None,
                event = self.inner.next() => Some(event),
            };
            let delay = {
                let state = self.shared.lock();
                if !self.is_heard(&state) {
                    // Also what was under way when the link broke.
                    self.under_way.clear();
                    continue;
                }
                state.delays_events
            };
            match event {
                Some(event) if delay.is_zero() && self.under_way.is_empty() => return event,
                Some(event) => self.under_way.push_back((Instant::now() + delay, event)),
                None => {
                    if let Some((_, event)) = self.under_way.pop_front() {
                        return event;
                    }
                }
            }
        }
    }
}

impl Watch for LinkWatch {
    fn next(&mut self) -> BoxFuture<'_, Event> {
        Box::pin(LinkWatch::next(self))
    }
}
