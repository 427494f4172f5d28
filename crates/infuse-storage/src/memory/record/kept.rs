use std::{collections::BTreeMap, sync::Arc, time::Duration};

use infuse_core::{Cause, State};

use super::{
    opening::Ramping, overriding::Overridden, provenance::Opened, rates::Metered,
    suspicion::Suspected, trials::Lease,
};
use crate::{Note, ProcessId, Thresholds, Token};

/// How long a record is kept after it was last touched.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A circuit, as the storage keeps it. Times are those of the storage's clock.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) generation: u64,
    pub(crate) state: State,
    pub(crate) cause: Cause,
    pub(crate) by: Option<ProcessId>,
    /// Of whoever commanded it into its state.
    pub(crate) note: Option<Arc<Note>>,
    /// What opened it; there as long as it is not closed.
    pub(crate) opened: Option<Arc<Opened>>,
    pub(crate) opened_at: Duration,
    pub(crate) open_until: Duration,
    pub(crate) changed_at: Duration,
    pub(crate) touched_at: Duration,
    pub(crate) successes: u32,
    pub(crate) leases: Vec<Lease>,
    /// How many leases may run, by the last who asked for one.
    pub(crate) max_calls: usize,
    pub(crate) shares: BTreeMap<ProcessId, u32>,
    pub(crate) first_failure: Option<Duration>,
    /// How often the shares were dropped in this generation because a call succeeded.
    pub(crate) clears: u64,
    pub(crate) rest_until: Duration,
    pub(crate) suspected: Option<Suspected>,
    /// The last suspicion's id, so that the next one has another.
    pub(crate) last_raised: u64,
    pub(crate) thresholds: Option<Thresholds>,
    /// The last commands, oldest first.
    pub(crate) commands: Vec<Token>,
    /// Trials that failed since the circuit was last closed for good: of a closed circuit, it is
    /// what goes on if it opens before its ramp is over.
    pub(crate) failed_trials: u32,
    pub(crate) ramp: Ramping,
    /// Until when the service asked to be left alone; zero if it did not.
    pub(crate) held_until: Duration,
    pub(crate) overridden: Option<Overridden>,
    /// The calls that processes told of. Most circuits go by no rate.
    pub(crate) metered: Option<Box<Metered>>,
}

impl Record {
    /// The record of a circuit that was never changed.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            generation: 0,
            state: State::Closed,
            cause: Cause::Adopted,
            by: None,
            note: None,
            opened: None,
            opened_at: now,
            open_until: now,
            changed_at: now,
            touched_at: now,
            successes: 0,
            leases: Vec::new(),
            max_calls: 1,
            shares: BTreeMap::new(),
            first_failure: None,
            clears: 0,
            rest_until: now,
            suspected: None,
            last_raised: 0,
            thresholds: None,
            commands: Vec::new(),
            failed_trials: 0,
            ramp: Ramping::NONE,
            held_until: Duration::ZERO,
            overridden: None,
            metered: None,
        }
    }

    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        now.saturating_sub(self.touched_at) >= KEPT
    }

    /// Whether it says no more than no record would.
    pub(crate) fn is_blank(&self) -> bool {
        self.generation == 0
            && self.shares.is_empty()
            && self.clears == 0
            && self.held_until.is_zero()
            && self.metered.is_none()
    }
}
