//! The window that rates are taken over: lock-free, at constant cost a call.
//!
//! Each thread counts most of its calls by itself, and writes nothing that another thread writes to:
//! see [`seats`](crate::seats). Nobody empties a window: what is counted says which *era* it is of, from the
//! circuit's epoch and how often the window has changed its shape, and what is of another era is not
//! found.

mod age;
mod bucket;
mod calls;
mod counts;
mod slot;
mod slots;
mod stamp;
mod tally;
mod time;

pub use counts::Counts;

use std::sync::OnceLock;

use calls::CallRing;
use stamp::Stretch;
use time::{BUCKETS, TimeRing};

use crate::{
    Window,
    deadline::micros,
    sync::{AtomicU64, Ordering},
};

/// A window whose shape may change while calls are counted.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    /// The shape, with the number of changes of it above.
    shape: AtomicU64,
    // Each is made when it is needed first, and kept.
    calls: OnceLock<Box<CallRing>>,
    time: OnceLock<Box<TimeRing>>,
}

/// A circuit's epoch, and the time in microseconds of its clock (which only windows over time
/// ask for).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) epoch: u64,
    pub(crate) now: u64,
}

/// What a call said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
    /// It is not to be handed out.
    pub(crate) local: bool,
}

impl Call {
    const WELL: Call = Call { failed: false, slow: false, local: false };

    #[inline]
    fn is_troubled(self) -> bool {
        self.failed || self.slow
    }
}

/// What somebody says to counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement<T> {
    /// It is so far.
    Opens(T),
    /// It is not, nor would it be with so many more failures or slow calls, and any number of
    /// others.
    Room(u64),
}

/// From the lowest bit: the size of a window by calls or the microseconds of a bucket, whether it
/// is over time, how often the shape changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape(u64);

const OVER_TIME: u64 = 1 << 31;
const CHANGES_AT: u32 = 32;

impl Shape {
    fn of(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Shape(calls.into()),
            // At most 360,000,000: an hour's tenth.
            Window::Time(time) => Shape((micros(time) / BUCKETS).max(1) | OVER_TIME),
        }
    }

    /// Whether the window asks for the time.
    #[inline]
    pub(crate) fn over_time(self) -> bool {
        self.0 & OVER_TIME != 0
    }

    /// Calls, or microseconds.
    fn size(self) -> u32 {
        (self.0 & (OVER_TIME - 1)) as u32
    }

    fn era(self, epoch: u64) -> u64 {
        // From 1, because words that were never written to have 0 there.
        epoch.wrapping_add(self.0 >> CHANGES_AT).wrapping_add(1)
    }
}

impl SlidingWindow {
    pub(crate) fn new(window: Window) -> Self {
        let this = Self {
            shape: AtomicU64::new(Shape::of(window).0),
            calls: OnceLock::new(),
            time: OnceLock::new(),
        };
        this.make_room(Shape::of(window));
        this
    }

    /// Gives the window another shape, which empties it. One of the same shape stays as it is. For
    /// whoever holds the breaker's lock.
    pub(crate) fn reshape(&self, window: Window) {
        // Relaxed: only the lock's holder writes.
        let before = self.shape.load(Ordering::Relaxed);
        let Shape(to) = Shape::of(window);
        if before & ((1 << CHANGES_AT) - 1) != to {
            self.make_room(Shape(to));
            let changes = (before >> CHANGES_AT).wrapping_add(1);
            // Release: pairs with the Acquire in `shape`, for the room that was made.
            self.shape.store(changes << CHANGES_AT | to, Ordering::Release);
        }
    }

    /// Empties the window. For whoever holds the breaker's lock.
    pub(crate) fn clear(&self) {
        self.shape.fetch_add(1 << CHANGES_AT, Ordering::AcqRel);
    }

    fn make_room(&self, shape: Shape) {
        if shape.over_time() {
            self.time.get_or_init(|| Box::new(TimeRing::new()));
        } else {
            self.calls.get_or_init(|| Box::new(CallRing::new())).reserve(shape.size());
        }
    }

    /// The shape that holds now.
    #[inline]
    pub(crate) fn shape(&self) -> Shape {
        // Acquire: pairs with the Release in `reshape`.
        Shape(self.shape.load(Ordering::Acquire))
    }

    /// Counts a success that was not slow, if it needs no time and can make no difference to a rate;
    /// whether it did.
    #[inline]
    pub(crate) fn add_quietly(&self, shape: Shape, epoch: u64) -> bool {
        !shape.over_time()
            && self.calls.get().is_some_and(|ring| ring.add_quietly(shape.era(epoch), shape.size()))
    }

    /// Counts a call, and has it judged by what is counted then, if that can have made a
    /// difference. Nothing, if the call's epoch is over. `minimum` is how many calls make a rate,
    /// where only rates are judged; without it, every call is.
    #[inline]
    pub(crate) fn add<T>(
        &self,
        shape: Shape,
        at: Moment,
        call: Call,
        minimum: Option<u32>,
        judge: impl FnOnce(Counts) -> Judgement<T>,
    ) -> Option<T> {
        let era = shape.era(at.epoch);
        if shape.over_time() {
            let ring = self.time.get()?;
            ring.add(ring.stretch(era, at.now, shape.size()), call, minimum, judge)
        } else {
            self.calls.get()?.add(era, shape.size(), call, judge)
        }
    }

    /// Has the next call judged, whatever it is: who judges goes by other numbers now.
    pub(crate) fn look_again(&self) {
        if let Some(ring) = self.time.get() {
            ring.look_again();
        }
        if let Some(ring) = self.calls.get() {
            ring.look_again();
        }
    }

    /// What is counted, at a glance.
    pub(crate) fn counts(&self, at: Moment) -> Counts {
        self.ask(at, TimeRing::counts, CallRing::counts)
    }

    /// What was counted here since this was asked last: of more than the window holds, what it
    /// holds.
    pub(crate) fn take(&self, at: Moment) -> Counts {
        self.ask(at, TimeRing::take, CallRing::take)
    }

    /// Whether [`take`](Self::take) would hand out anything.
    pub(crate) fn has_more(&self, at: Moment) -> bool {
        self.ask(at, TimeRing::has_more, |ring, era, _| ring.has_more(era))
    }

    /// [`counts`](Self::counts), but for what is not handed out.
    pub(crate) fn shared_counts(&self, at: Moment) -> Counts {
        self.ask(at, TimeRing::shared_counts, CallRing::told_of_ring)
    }

    /// Whether a failure that is not handed out is in the window.
    pub(crate) fn has_local(&self, at: Moment) -> bool {
        self.ask(at, TimeRing::has_local, CallRing::has_local)
    }

    fn ask<T: Default>(
        &self,
        at: Moment,
        over_time: impl FnOnce(&TimeRing, Stretch) -> T,
        over_calls: impl FnOnce(&CallRing, u64, u32) -> T,
    ) -> T {
        let shape = self.shape();
        let era = shape.era(at.epoch);
        let answer = if shape.over_time() {
            let ring = self.time.get();
            ring.map(|ring| over_time(ring, ring.stretch(era, at.now, shape.size())))
        } else {
            self.calls.get().map(|ring| over_calls(ring, era, shape.size()))
        };
        answer.unwrap_or_default()
    }
}
