use std::fmt;

use infuse_storage::State;

/// What the application's own circuit is set to at start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum InitialState {
    /// `closed`: everyone calls this application again.
    #[default]
    Closed,
    /// `open`: nobody does, until the reset timeout is over.
    Open,
    /// `half-open`: a trial call finds out; for applications that may crash in a loop.
    HalfOpen,
    /// `unchanged`: the circuit stays as it is.
    Unchanged,
}

impl InitialState {
    /// The state to set, `None` to leave the circuit as it is.
    pub const fn state(self) -> Option<State> {
        match self {
            InitialState::Closed => Some(State::Closed),
            InitialState::Open => Some(State::Open),
            InitialState::HalfOpen => Some(State::HalfOpen),
            InitialState::Unchanged => None,
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(State::Closed) => Ok(InitialState::Closed),
            Ok(State::Open) => Ok(InitialState::Open),
            Ok(State::HalfOpen) => Ok(InitialState::HalfOpen),
            Err(_) if text.eq_ignore_ascii_case("unchanged") => Ok(InitialState::Unchanged),
            Err(_) => {
                Err("not a state to start in; use `closed`, `open`, `half-open` or `unchanged`"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for InitialState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.state().map_or("unchanged", State::as_str))
    }
}
