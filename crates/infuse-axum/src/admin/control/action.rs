use infuse_storage::{State, core::Mode};

use crate::admin::problem::Problem;

/// What can be done to a circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) enum Action {
    /// To put it into a state.
    Put(State),
    /// To close it, and forget what was counted.
    Reset,
    /// To put a mode above that of the settings.
    Override(Mode),
    /// To take that away.
    ClearOverride,
}

impl Action {
    pub(in crate::admin) const ALL: [(&'static str, Self); 9] = [
        ("open", Self::Put(State::Open)),
        ("half-open", Self::Put(State::HalfOpen)),
        ("close", Self::Put(State::Closed)),
        ("reset", Self::Reset),
        ("isolate", Self::Override(Mode::Isolated)),
        ("disable", Self::Override(Mode::Disabled)),
        ("observe", Self::Override(Mode::Observe)),
        ("enable", Self::Override(Mode::Enabled)),
        ("clear-override", Self::ClearOverride),
    ];

    /// The action of this name.
    pub(in crate::admin) fn parse(name: &str) -> Result<Self, Problem> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, action)| *action).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|(name, _)| format!("`{name}`")).collect();
            Problem::not_found(format!("There is no such action. There are: {}.", names.join(", ")))
        })
    }

    pub(super) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, action)| *action == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether it lasts for a time: one that was said, or its own.
    pub(super) fn lasts(self) -> bool {
        matches!(self, Self::Override(_) | Self::Put(State::Open))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own() {
        for (name, action) in Action::ALL {
            assert_eq!(Action::parse(name), Ok(action));
            assert_eq!(action.name(), name);
        }
        for other in ["", "Open", "half_open", "delete", "open "] {
            let problem = Action::parse(other).unwrap_err();
            assert_eq!(problem.status(), 404);
            assert!(problem.detail().contains("`clear-override`"), "{}", problem.detail());
        }
    }
}
