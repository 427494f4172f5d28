//! A process: its breaker, what it knows, what it has to tell, and what is on its way.

use std::rc::Rc;

use infuse_core::{Cause, Outcome};

use super::{
    breaker::Breaker,
    property::Broken,
    setting::Setting,
    verb::{Answer, Flight},
};
use crate::{Presented, ProcessId, SuspicionId, Token, alone::Alone, known::Known, run::Run};

#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    /// Which master it is connected to.
    pub(super) side: usize,
    pub(super) breaker: Breaker,
    pub(super) known: Known,
    /// `Node::alone`.
    pub(super) alone: Alone,
    /// `Standing::is_lost`.
    pub(super) lost: bool,
    /// `Hub::ignored_event`.
    pub(super) ignored_event: bool,
    pub(super) pending: Pending,
    pub(super) runs: u32,
    /// When a call failed last.
    pub(super) failed_at: u32,
    pub(super) stamp: u32,
    /// How many tokens it has made.
    pub(super) numbers: u64,
    /// In each lane the first is on its way, and the others wait for it.
    pub(super) lanes: [Vec<Flight>; LANES],
    /// Whether a caller waits for a lease that is asked for when its lane is done.
    pub(super) wants_lease: bool,
    /// What was pushed and has not arrived.
    pub(super) pushes: Vec<Rc<Answer>>,
    pub(super) subscribed: u32,
    pub(super) started: u32,
    pub(super) late_seed: Option<Token>,
    /// Until when the circuit is open that it knows to be open, by the storage's clock.
    pub(super) runs_until: u32,
    /// How many calls have failed since the storage was last found.
    pub(super) fresh: u32,
    /// When a call succeeded last.
    pub(super) succeeded_at: u32,
    /// The suspicion that it last heard of.
    pub(super) heard_of: Option<HeardOf>,
    pub(super) broken: Option<Broken>,
}

/// A suspicion, and what the process has to say of it: kept apart from `Suspected`, to check it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeardOf {
    pub(super) id: SuspicionId,
    pub(super) first_failure: u32,
    /// Since when it has known what refutes it.
    pub(super) refuted: Option<u32>,
}

/// `pending::Pending`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pending {
    pub(super) look: bool,
    pub(super) failures: bool,
    pub(super) trip: Option<Tripped>,
    pub(super) settles: Vec<(u64, Outcome)>,
}

/// `pending::Tripped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tripped {
    pub(super) presented: Presented,
    pub(super) cause: Cause,
}

/// More failures than there are, for a process that never lost the storage.
pub(super) const ALWAYS: u32 = u32::MAX;

pub(super) const LANES: usize = 5;

/// What tells the storage something, one thing after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// The replicator.
    Tell,
    /// The caller of a trial.
    Ask,
    /// What sees to suspicions.
    Verdict,
    /// Whoever gives commands.
    Command,
    /// Leases that nobody uses.
    GiveBack,
}

impl Lane {
    pub(super) const ALL: [Lane; LANES] =
        [Lane::Tell, Lane::Ask, Lane::Verdict, Lane::Command, Lane::GiveBack];
}

/// The present tick, and what the search goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) now: u32,
    pub(super) setting: &'a Setting,
}

impl Process {
    pub(super) fn new(id: u64, side: usize, started: u32) -> Self {
        Self {
            id: ProcessId::from_u64(id),
            side,
            breaker: Breaker::NEW,
            known: Known::nothing(),
            alone: Alone::No,
            lost: false,
            ignored_event: false,
            pending: Pending::default(),
            runs: 0,
            failed_at: 0,
            stamp: 0,
            numbers: 0,
            lanes: Default::default(),
            wants_lease: false,
            pushes: Vec::new(),
            subscribed: started,
            started,
            late_seed: None,
            runs_until: 0,
            fresh: ALWAYS,
            succeeded_at: 0,
            heard_of: None,
            broken: None,
        }
    }

    pub(super) fn lane(&mut self, lane: Lane) -> &mut Vec<Flight> {
        &mut self.lanes[lane as usize]
    }

    pub(super) fn next_token(&mut self) -> Token {
        self.numbers += 1;
        Token { process: self.id, number: self.numbers }
    }

    pub(super) fn run(&self) -> Run {
        Run { number: self.runs, failures: self.breaker.failures }
    }
}
