use std::{ops::Deref, sync::Arc};

use super::{Link, TestClock};
use crate::{CircuitSnapshot, Circuits, CircuitsBuilder};

/// What runs in each process of a [`Fleet`](super::Fleet), and has circuits.
///
/// [`Circuits`] is one, and so is `infuse_axum::Infuse`; for something of one's own that holds one
/// of these it is one line.
pub trait Application: 'static {
    /// The circuits as they are now.
    fn circuits(&self) -> Vec<CircuitSnapshot>;
}

impl Application for Circuits {
    fn circuits(&self) -> Vec<CircuitSnapshot> {
        self.all().iter().map(crate::Circuit::snapshot).collect()
    }
}

/// What a process is started with.
#[derive(Debug, Clone)]
pub struct Seat {
    number: usize,
    link: Link,
    clock: TestClock,
}

impl Seat {
    pub(super) fn new(number: usize, link: Link, clock: TestClock) -> Self {
        Self { number, link, clock }
    }

    /// The process's number, from 0.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The storage that the process is to use: its link to the fleet's.
    pub fn storage(&self) -> Link {
        self.link.clone()
    }

    /// The clock that it is to use.
    pub fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    /// A builder of circuits with both.
    pub fn circuits(&self) -> CircuitsBuilder {
        Circuits::builder().storage(Arc::new(self.storage())).clock(self.clock())
    }
}

/// A process of a [`Fleet`](super::Fleet) that runs. It is what runs in it, and has a link and a
/// clock beside.
#[derive(Debug)]
pub struct Process<A> {
    seat: Seat,
    application: A,
}

impl<A> Process<A> {
    pub(super) fn new(seat: Seat, application: A) -> Self {
        Self { seat, application }
    }

    /// Its number, from 0.
    pub fn number(&self) -> usize {
        self.seat.number
    }

    /// Its way to the storage.
    pub fn link(&self) -> &Link {
        &self.seat.link
    }

    /// Its clock, which goes with the fleet's unless it is set forward.
    pub fn clock(&self) -> &TestClock {
        &self.seat.clock
    }
}

impl<A> Deref for Process<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.application
    }
}
