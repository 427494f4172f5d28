use std::time::Duration;

use infuse_core::State;
use tokio::time::Instant;

use crate::{Presented, View};

/// The last view from the storage. Its times are those of this process's clock.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) generation: u64,
    pub(crate) state: State,
    open_until: Duration,
    /// Whether the storage was lost, and has not said anything since.
    pub(crate) returning: bool,
    /// Whether the breaker stood apart at the last look, with nothing left to tell.
    pub(crate) apart: bool,
    /// By the runtime's clock, which paces the looks. Unset if a look is wanted in any case.
    pub(crate) looked_at: Option<Instant>,
    /// The stamp of the last success when the storage was looked at.
    pub(crate) seen_success: u32,
}

impl Known {
    pub(crate) const NOTHING: Known = Known {
        generation: 0,
        state: State::Closed,
        open_until: Duration::ZERO,
        returning: false,
        apart: false,
        looked_at: None,
        seen_success: 0,
    };

    /// What a verb presents.
    pub(crate) fn presented(&self, now: Duration) -> Presented {
        let time_left = match self.state {
            State::Open => self.open_until.saturating_sub(now),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
        Presented { generation: self.generation, state: self.state, time_left }
    }

    /// Whether a view says the same, but for its times.
    pub(crate) fn agrees(&self, view: &View) -> bool {
        view.generation == self.generation && view.state == self.state
    }

    pub(crate) fn take(&mut self, view: &View, now: Duration) {
        self.generation = view.generation;
        self.state = view.state;
        self.open_until = match view.state {
            State::Open => now.saturating_add(view.time_left),
            State::Closed | State::HalfOpen => Duration::ZERO,
        };
    }
}
