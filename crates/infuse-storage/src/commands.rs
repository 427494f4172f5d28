use std::{slice, sync::Arc, time::Duration};

use infuse_core::{Cause, Mode, Override, State};

use crate::{
    Circuit, Command, Control, Note, Thresholds, circuit::Parts, hub::lock, known::Heard, modes,
    said,
};

/// How far a command reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a command may have been carried out in this process alone"]
pub enum Reach {
    /// The storage has it: it holds for all.
    Fleet,
    /// The storage could not be told: it holds in this process alone, and will not be repeated.
    Local,
}

/// Manual control, for the whole fleet. Each returns when the storage has it, or says that it
/// holds in this process alone.
impl Circuit {
    /// Opens the circuit, now and for the reset timeout. It ends by a trial, like any opening.
    pub async fn open(&self) -> Reach {
        self.put(State::Open, None, Note::new()).await
    }

    /// Opens the circuit half: the next call is a trial.
    pub async fn half_open(&self) -> Reach {
        self.put(State::HalfOpen, None, Note::new()).await
    }

    /// Closes the circuit and counts anew.
    pub async fn close(&self) -> Reach {
        self.put(State::Closed, None, Note::new()).await
    }

    /// Closes the circuit and forgets everything that was counted.
    pub async fn reset(&self) -> Reach {
        self.put(State::Closed, None, Note::new()).await
    }

    /// [`open`](Self::open), by someone for a reason: it is logged in each process, also if the
    /// circuit was open already, and stands in [`provenance`](Self::provenance).
    pub async fn open_with(&self, note: Note) -> Reach {
        self.put(State::Open, None, note).await
    }

    /// [`open_with`](Self::open_with), for this time instead of the reset timeout, in each process.
    pub async fn open_for(&self, open_time: Duration, note: Note) -> Reach {
        self.put(State::Open, Some(open_time), note).await
    }

    /// [`half_open`](Self::half_open), by someone for a reason, which is logged in each process.
    pub async fn half_open_with(&self, note: Note) -> Reach {
        self.put(State::HalfOpen, None, note).await
    }

    /// [`close`](Self::close), by someone for a reason, which is logged in each process.
    pub async fn close_with(&self, note: Note) -> Reach {
        self.put(State::Closed, None, note).await
    }

    /// [`reset`](Self::reset), by someone for a reason, which is logged in each process.
    pub async fn reset_with(&self, note: Note) -> Reach {
        self.put(State::Closed, None, note).await
    }

    async fn put(&self, state: State, open_time: Option<Duration>, note: Note) -> Reach {
        let Parts { breaker, node, hub } = self.parts();
        let open_time = open_time.unwrap_or_else(|| breaker.policy().reset_timeout());
        if self.tell(Command::Put { state, open_time, note: note.clone() }).await {
            return Reach::Fleet;
        }
        let before = breaker.state();
        let told = node.tell_here(hub, (before, state), Cause::Manual, &note);
        match state {
            State::Open => {
                breaker.open_for(open_time);
                if before == State::Open {
                    said::say_kept_open(breaker, &told, false, open_time);
                }
            }
            State::HalfOpen | State::Closed => breaker.put(state, Cause::Manual),
        }
        Reach::Local
    }

    /// Tells the storage of a command; whether it has it.
    async fn tell(&self, command: Command) -> bool {
        let Parts { breaker, node, hub } = self.parts();
        if hub.standing.is_alone() {
            return false;
        }
        let asked = node.ask_storage(hub.now());
        let mut command = Control::new(node.key.clone(), hub.next_token(), command);
        command.thresholds = Thresholds::from(&breaker.policy());
        command.presented = asked.presented;
        command.overridden = asked.overridden.clone();
        command.provenance = asked.provenance.clone();
        let command = [command];
        let about = slice::from_ref(node);
        match hub.twice_for(about, || hub.storage.control(&command)).await {
            Ok(views) => {
                let view = views.first();
                view.inspect(|view| node.learn(hub, view, Heard::Answered(&asked))).is_some()
            }
            Err(error) => {
                hub.lose(&error);
                false
            }
        }
    }
}

/// Modes. None changes the state.
impl Circuit {
    /// The mode that holds: an override's, until it ends, else that of this process's settings.
    pub fn mode(&self) -> Mode {
        self.breaker().mode()
    }

    /// Changes the mode of this process's settings. It holds where there is no
    /// [override](Self::set_override).
    pub fn set_mode(&self, mode: Mode) {
        let before = self.mode();
        self.breaker().set_mode(mode);
        if self.mode() != before {
            modes::say_set(self.breaker());
        }
    }

    /// What someone put above the modes of the settings, with what is left of it; `None` if nobody
    /// did, or it has ended.
    pub fn overridden(&self) -> Option<Override> {
        self.breaker().overridden()
    }

    /// Puts a mode above those of the settings, in every process, or takes it away. It ends by
    /// itself if it [is to](Override::lasting), whoever put it on. Its being changed is logged in
    /// each process, with who did it and why.
    ///
    /// The state stays, with its times; what was counted goes, and so do the trials under way.
    ///
    /// While the storage is lost it holds in this process alone. It ends when the storage is back,
    /// whose word holds then: an override that there was before, or none.
    pub async fn set_override(&self, over: Option<Override>) -> Reach {
        if self.tell(Command::Override(over.clone().map(Arc::new))).await {
            return Reach::Fleet;
        }
        let Parts { breaker, node, .. } = self.parts();
        let before = breaker.overridden();
        // Until the lock is released: a listener may want it.
        let kept = breaker.keep_mode_changes();
        {
            // Under the lock, so that what the storage says from now on ends it.
            let mut known = lock(&node.known);
            known.override_here();
            breaker.set_override(over.clone());
        }
        drop(kept);
        modes::say(breaker, before.as_ref(), over.as_ref());
        Reach::Local
    }
}
