use std::{fmt, str::FromStr};

/// The state of a circuit. *Closed* passes calls, *open* rejects them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum State {
    /// Calls pass and failures are counted.
    #[default]
    Closed,
    /// Calls are rejected at once, until the reset timeout is over.
    Open,
    /// A few trial calls find out whether the service has recovered; all others are rejected.
    HalfOpen,
}

impl State {
    /// The state's name: `closed`, `open` or `half-open`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open => "open",
            State::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a state of a circuit: use `closed`, `open` or `half-open`")]
pub struct ParseStateError;

impl FromStr for State {
    type Err = ParseStateError;

    /// Reads a state's name in any case; `half_open` is accepted for `half-open`.
    fn from_str(text: &str) -> Result<Self, ParseStateError> {
        match text.to_ascii_lowercase().as_str() {
            "closed" => Ok(State::Closed),
            "open" => Ok(State::Open),
            "half-open" | "half_open" => Ok(State::HalfOpen),
            _ => Err(ParseStateError),
        }
    }
}
