use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use infuse_storage::{Breaker, Interest, Listener, ModeChange, Rejected, StateChange};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    dropped,
    event::{Event, What},
};

/// A listener to everything, and where what it is told comes out.
///
/// It holds `capacity` events, at least 1; what comes beyond is dropped and counted, also in the
/// metric `infuse_listener_dropped_total`, under `name`. Every call becomes a few events, so where
/// changes are all that matters [`changes`] is the cheaper one, which loses no change to calls.
pub fn channel(name: impl Into<Arc<str>>, capacity: usize) -> (ChannelListener, Receiver) {
    ChannelListener::new(&name.into(), capacity, Interest::Everything)
}

/// [`channel`] for changes of state and mode alone, which makes no call slower.
pub fn changes(name: impl Into<Arc<str>>, capacity: usize) -> (ChannelListener, Receiver) {
    ChannelListener::new(&name.into(), capacity, Interest::Changes)
}

/// Puts what it is told into a channel, from [`channel`] or [`changes`]: it never waits.
#[derive(Debug)]
pub struct ChannelListener {
    sender: mpsc::Sender<Event>,
    interest: Interest,
    dropped: Arc<AtomicU64>,
    /// That of all channels of this name.
    dropped_in_all: Arc<AtomicU64>,
}

/// Where what a listener was told comes out.
#[derive(Debug)]
pub struct Receiver {
    receiver: mpsc::Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl ChannelListener {
    fn new(name: &str, capacity: usize, interest: Interest) -> (Self, Receiver) {
        // More than a channel of tokio can hold is more than there is memory.
        let capacity = capacity.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        let (sender, receiver) = mpsc::channel(capacity);
        let dropped = Arc::new(AtomicU64::new(0));
        let receiver = Receiver { receiver, dropped: Arc::clone(&dropped) };
        (Self { sender, interest, dropped, dropped_in_all: dropped::of(name) }, receiver)
    }

    fn tell(&self, breaker: &Breaker, what: impl FnOnce() -> What) {
        // Asked first, so that what is dropped costs little.
        match self.sender.try_reserve() {
            Ok(place) => place.send(Event {
                circuit: breaker.name().into(),
                at: SystemTime::now(),
                what: what(),
            }),
            Err(TrySendError::Full(())) => {
                // Relaxed: counts that order nothing else.
                self.dropped.fetch_add(1, Ordering::Relaxed);
                self.dropped_in_all.fetch_add(1, Ordering::Relaxed);
            }
            // Nobody wants to know any more.
            Err(TrySendError::Closed(())) => {}
        }
    }
}

impl Receiver {
    /// The next event. `None` when the circuits are gone, or
    /// [`close`](Self::close) was called and nothing is left.
    ///
    /// # Cancel safety
    ///
    /// No event is lost if the future is dropped.
    pub async fn recv(&mut self) -> Option<Event> {
        self.receiver.recv().await
    }

    /// The next event, if there is one already.
    pub fn try_recv(&mut self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// How many events were dropped so far, because the channel was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes no more events. What is in the channel already still comes out.
    pub fn close(&mut self) {
        self.receiver.close();
    }
}

impl Listener for ChannelListener {
    fn before_call(&self, breaker: &Breaker) {
        self.tell(breaker, || What::BeforeCall);
    }

    fn success(&self, breaker: &Breaker) {
        self.tell(breaker, || What::Success);
    }

    fn failure(&self, breaker: &Breaker, error: Option<&(dyn Error + 'static)>) {
        self.tell(breaker, || What::Failure(error.map(|error| error.to_string().into())));
    }

    fn ignored(&self, breaker: &Breaker) {
        self.tell(breaker, || What::Ignored);
    }

    fn rejected(&self, breaker: &Breaker, rejected: Rejected) {
        self.tell(breaker, || What::Rejected(rejected));
    }

    fn would_reject(&self, breaker: &Breaker, rejected: Rejected) {
        self.tell(breaker, || What::WouldReject(rejected));
    }

    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        self.tell(breaker, || What::StateChange(*change));
    }

    fn mode_change(&self, breaker: &Breaker, change: &ModeChange) {
        self.tell(breaker, || What::ModeChange(change.clone()));
    }

    fn interest(&self) -> Interest {
        self.interest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(listener: ChannelListener) -> Breaker {
        Breaker::builder("payments").listener(listener).build()
    }

    fn call(breaker: &Breaker) {
        let called: Result<(), infuse_storage::CallError<std::fmt::Error>> =
            breaker.call_sync(|| Ok(()));
        called.unwrap();
    }

    #[tokio::test]
    async fn what_it_is_told_comes_out_in_order() {
        let (listener, mut told) = channel("order", 100);
        let breaker = breaker(listener);
        call(&breaker);
        breaker.open();
        assert_eq!(&*told.recv().await.unwrap().circuit, "payments");
        assert!(matches!(told.recv().await.unwrap().what, What::Success));
        assert!(matches!(told.recv().await.unwrap().what, What::StateChange(_)));
        assert!(told.try_recv().is_none());
        drop(breaker);
        assert!(told.recv().await.is_none());
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
        let (listener, mut told) = channel("full", 3);
        let breaker = breaker(listener);
        for _ in 0..10 {
            call(&breaker);
        }
        assert_eq!(told.dropped(), 17);
        let (again, other) = changes("full", 0);
        let again = self::breaker(again);
        again.open();
        again.half_open();
        assert_eq!(other.dropped(), 1);
        assert_eq!(dropped::of("full").load(Ordering::Relaxed), 18);
        for _ in 0..3 {
            assert!(told.try_recv().is_some());
        }
        // There is room again.
        call(&breaker);
        assert_eq!(told.dropped(), 17);
        assert!(told.try_recv().is_some());
    }

    #[test]
    fn after_the_receiver_is_gone_nothing_is_counted() {
        let (listener, told) = channel("gone", 1);
        let breaker = breaker(listener);
        drop(told);
        for _ in 0..10 {
            call(&breaker);
        }
        assert_eq!(dropped::of("gone").load(Ordering::Relaxed), 0);
    }

    #[test]
    fn changes_are_all_that_some_want() {
        assert_eq!(changes("interest", 1).0.interest(), Interest::Changes);
        assert_eq!(channel("interest", 1).0.interest(), Interest::Everything);
    }
}
