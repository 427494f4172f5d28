use std::{fmt, str::FromStr, sync::Arc, time::Duration};

/// What a circuit does with what it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Mode {
    /// It counts, and rejects calls while it is open or half-open.
    #[default]
    Enabled,
    /// It counts and changes its state as ever, makes trial calls too, and tells what it would have
    /// rejected, but rejects nothing: to find out what a policy would do. What passes although it
    /// would have been rejected counts as nothing.
    Observe,
    /// Every call passes, nothing is counted and nobody is told. The state stays.
    Disabled,
    /// Every call is rejected, whatever the state, which stays, with what was counted.
    Isolated,
}

impl Mode {
    /// The mode's name: `enabled`, `observe`, `disabled` or `isolated`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Enabled => "enabled",
            Mode::Observe => "observe",
            Mode::Disabled => "disabled",
            Mode::Isolated => "isolated",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a mode of a circuit: use `enabled`, `observe`, `disabled` or `isolated`")]
pub struct ParseModeError;

impl FromStr for Mode {
    type Err = ParseModeError;

    /// Reads a mode's name in any case.
    fn from_str(text: &str) -> Result<Self, ParseModeError> {
        [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated]
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
            .ok_or(ParseModeError)
    }
}

/// A mode that someone put on a live circuit, above the one that its settings say.
///
/// ```
/// use std::time::Duration;
/// use infuse_core::{Breaker, Mode, Override};
///
/// let breaker = Breaker::new("payments");
/// let night = Override::new(Mode::Isolated)
///     .lasting(Duration::from_secs(3600))
///     .by("ada")
///     .because("their database is being moved");
/// breaker.set_override(Some(night));
/// assert!(breaker.try_permit().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Override {
    /// The mode.
    pub mode: Mode,
    /// How long it still lasts; without end if unset.
    pub left: Option<Duration>,
    /// Who put it on; empty if nobody said. At most [`MOST_TEXT`](Self::MOST_TEXT) bytes.
    pub by: Arc<str>,
    /// Why; empty if nobody said. At most [`MOST_TEXT`](Self::MOST_TEXT) bytes.
    pub reason: Arc<str>,
}

impl Override {
    /// Most bytes of [`by`](Self::by) and of [`reason`](Self::reason). What is longer is cut at the
    /// end.
    pub const MOST_TEXT: usize = 256;

    /// A mode without end, reason or name.
    pub fn new(mode: Mode) -> Self {
        Self { mode, left: None, by: "".into(), reason: "".into() }
    }

    /// Ends by itself after so long.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.left = Some(time);
        self
    }

    /// Who puts it on.
    pub fn by(mut self, who: &str) -> Self {
        self.by = cut(who).into();
        self
    }

    /// The same, with texts no longer than they may be.
    pub(crate) fn bounded(self) -> Self {
        let bound =
            |text: Arc<str>| if text.len() > Self::MOST_TEXT { cut(&text).into() } else { text };
        Self { by: bound(self.by), reason: bound(self.reason), ..self }
    }

    /// Why it is put on.
    pub fn because(mut self, reason: &str) -> Self {
        self.reason = cut(reason).into();
        self
    }
}

fn cut(text: &str) -> &str {
    let most = text.len().min(Override::MOST_TEXT);
    let end = (0..=most).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read_in_any_case() {
        for mode in [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated] {
            assert_eq!(mode.as_str().to_uppercase().parse(), Ok(mode));
        }
        assert_eq!("off".parse::<Mode>(), Err(ParseModeError));
    }

    #[test]
    fn what_is_too_long_is_cut_between_letters() {
        let long = "ä".repeat(200);
        let cut = Override::new(Mode::Observe).because(&long);
        assert_eq!(cut.reason.len(), 256);
        let odd = Override::new(Mode::Observe).by(&format!("x{long}"));
        assert_eq!(odd.by.len(), 255);
        let mut by_hand = Override::new(Mode::Observe);
        by_hand.reason = long.into();
        assert_eq!(by_hand.bounded().reason.len(), 256);
    }
}
