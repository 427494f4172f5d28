use std::time::Duration;

use infuse_core::{Cause, State};

use super::{kept::Record, overriding::Overridden, standing::Effect};
use crate::{Command, Control, Seed, Token};

/// How many commands are remembered, to tell their repeats: of several processes that command at
/// once, each may repeat its own after those of the others.
const COMMANDS: usize = 8;

impl Record {
    pub(crate) fn control(&mut self, now: Duration, command: &Control) -> Effect {
        // Its standing does not matter: it applies in any case.
        let (_, effect) = self.compare(now, command.presented, command.overridden.as_deref());
        if !self.is_new(command.token) {
            return effect;
        }
        match &command.command {
            Command::Put { state, open_time } => {
                self.put(now, command.token, *state, *open_time, Cause::Manual);
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
        let (_, effect) = self.compare(now, seed.presented, seed.overridden.as_deref());
        if late || !self.is_new(seed.token) {
            return effect;
        }
        self.put(now, seed.token, seed.state, seed.open_time, Cause::Seed);
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
    fn put(&mut self, now: Duration, token: Token, state: State, open_time: Duration, why: Cause) {
        self.change(now, state, why, Some(token.process));
        self.failed_trials = 0;
        self.held_until = Duration::ZERO;
        if state == State::Open {
            self.open_until = now.saturating_add(open_time);
        }
    }
}
