use std::{
    env,
    io::{self, IsTerminal as _},
};

use infuse_storage::{Mode, State};

/// Colours of texts, where there are any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

/// What a text says of a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// On its way.
    Warn,
    /// Calls are rejected.
    Bad,
    /// Of less weight than the rest.
    Dim,
    /// The head of something.
    Head,
    Plain,
}

impl Paint {
    /// Colours if the standard output is a terminal that may have them.
    pub(crate) fn of_output() -> Self {
        Self { on: io::stdout().is_terminal() && are_wanted() }
    }

    /// None, whatever there is.
    #[cfg(test)]
    pub(crate) const fn off() -> Self {
        Self { on: false }
    }

    pub(crate) fn text(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "1;31",
            Tone::Dim => "2",
            Tone::Head => "1",
            Tone::Plain => "",
        };
        if !self.on || code.is_empty() {
            return text.to_owned();
        }
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// Whether whoever looks wants colours, by the customs of terminals.
pub(crate) fn are_wanted() -> bool {
    let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

pub(crate) const fn of_state(state: State) -> Tone {
    match state {
        State::Closed => Tone::Good,
        State::HalfOpen => Tone::Warn,
        State::Open => Tone::Bad,
    }
}

pub(crate) const fn of_mode(mode: Mode) -> Tone {
    match mode {
        Mode::Enabled => Tone::Dim,
        Mode::Observe | Mode::Disabled => Tone::Warn,
        Mode::Isolated => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_off_or_on() {
        assert_eq!(Paint { on: false }.text(Tone::Bad, "open"), "open");
        assert_eq!(Paint { on: true }.text(Tone::Bad, "open"), "\u{1b}[1;31mopen\u{1b}[0m");
        assert_eq!(Paint { on: true }.text(Tone::Plain, "open"), "open");
    }
}
