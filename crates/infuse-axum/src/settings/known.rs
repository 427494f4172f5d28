use std::collections::BTreeSet;

/// What the application registered in its builder: names that settings may then use.
///
/// Empty by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames {
    listeners: BTreeSet<String>,
    exclusions: BTreeSet<String>,
    trip_rule: bool,
    storage: bool,
    any: bool,
}

impl KnownNames {
    /// Takes any name for one that was registered: for a program beside the applications, which
    /// reads their settings and knows none of their code.
    pub fn any() -> Self {
        Self { any: true, ..Self::default() }
    }

    /// Adds a listener that `INFUSE_BREAKER_LISTENERS` may name.
    #[must_use]
    pub fn with_listener(mut self, name: impl Into<String>) -> Self {
        self.listeners.insert(name.into());
        self
    }

    /// Adds an exclusion that `INFUSE_BREAKER_EXCLUDE_EXCEPTIONS` may name.
    #[must_use]
    pub fn with_exclusion(mut self, name: impl Into<String>) -> Self {
        self.exclusions.insert(name.into());
        self
    }

    /// The application has a rule of its own for what opens circuits, so that
    /// `INFUSE_BREAKER_MAX_FAILURE` may be `none` without a rate.
    #[must_use]
    pub fn with_trip_rule(mut self) -> Self {
        self.trip_rule = true;
        self
    }

    /// The application brings a storage of its own, which is used whatever the settings say.
    #[must_use]
    pub fn with_storage(mut self) -> Self {
        self.storage = true;
        self
    }

    pub(super) fn has_trip_rule(&self) -> bool {
        self.trip_rule
    }

    pub(super) fn has_storage(&self) -> bool {
        self.storage
    }

    pub(super) fn has_listener(&self, name: &str) -> bool {
        self.any || self.listeners.contains(name)
    }

    pub(super) fn has_exclusion(&self, name: &str) -> bool {
        self.any || self.exclusions.contains(name)
    }

    /// The names of listeners, as an error lists them.
    pub(super) fn listeners(&self) -> String {
        list(&self.listeners)
    }

    /// The names of exclusions, as an error lists them.
    pub(super) fn exclusions(&self) -> String {
        list(&self.exclusions)
    }
}

fn list(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        return "none is registered".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("registered: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use config::Config;

    use super::*;
    use crate::settings::Settings;

    #[test]
    fn a_program_that_knows_no_code_takes_any_name() {
        let config = Config::builder()
            .set_override("infuse_breaker_listeners", "pager")
            .and_then(|config| config.set_override("infuse_breaker_exclude_exceptions", "legacy"))
            .and_then(|config| config.build())
            .unwrap();
        assert!(Settings::from_config(&config, &KnownNames::default()).is_err());
        let (settings, _) = Settings::from_config(&config, &KnownNames::any()).unwrap();
        assert_eq!(settings.breaker.listeners, ["pager"]);
    }
}
