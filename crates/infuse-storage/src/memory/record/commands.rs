use std::{sync::Arc, time::Duration};

use infuse_core::{Cause, State};

use super::{kept::Record, overriding::Overridden, provenance::Why, standing::Effect};
use crate::{Command, Control, Seed, Token, presents::Presents};

/// How many commands are remembered, to tell their repeats: of several processes that command at
/// once, each may repeat its own after those of the others.
const COMMANDS: usize = 8;

impl Record {
    pub(crate) fn control(&mut self, now: Duration, command: &Control) -> Effect {
        // Its standing does not matter: it applies in any case.
        let (_, effect) = self.compare(now, &Presents::from(command));
        if !self.is_new(command.token) {
            return effect;
        }
        match &command.command {
            Command::Put { state, open_time, note } => {
                let note = (!note.is_empty()).then(|| Arc::new(note.bounded()));
                let why = Why { note, ..Why::new(Cause::Manual, command.token.process) };
                self.put(now, *state, *open_time, why);
            }
            Command::Override(overridden) => {
                // The circuit stays in its state since when it was, why and by whom.
                self.begin_generation(now);
                self.overridden = Overridden::new(now, overridden.as_deref());
            }
        }
        Effect::Pushed
    }

    pub(crate) fn seed(&mut self, now: Duration, seed: &Seed) -> Effect {
        let unchanged_for = now.saturating_sub(self.changed_at);
        let late = self.generation > 0 && seed.late_by.is_some_and(|age| unchanged_for <= age);
        let (_, effect) = self.compare(now, &Presents::from(seed));
        if late || !self.is_new(seed.token) {
            return effect;
        }
        let why = Why::new(Cause::Seed, seed.token.process);
        self.put(now, seed.state, seed.open_time, why);
        Effect::Pushed
    }

    /// Whether a command is no repeat. It is remembered.
    fn is_new(&mut self, token: Token) -> bool {
        if self.commands.contains(&token) {
            return false;
        }
        if self.commands.len() == COMMANDS {
            self.commands.remove(0);
        }
        self.commands.push(token);
        true
    }

    /// What was before is of no interest any more.
    fn put(&mut self, now: Duration, state: State, open_time: Duration, why: Why) {
        self.change(now, state, why);
        self.failed_trials = 0;
        self.held_until = Duration::ZERO;
        if state == State::Open {
            self.open_until = now.saturating_add(open_time);
        }
    }
}
