use std::collections::BTreeMap;

use config::Config;

use super::{key::Key, problem::Report, values::Values};

/// Where settings were read from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origins(BTreeMap<Key, String>);

impl Origins {
    /// Of the settings in this `Config`. What is wrong with them is not said here.
    pub(crate) fn of(config: &Config) -> Self {
        let values = Values::collect(config, &mut Report::default());
        let entry = |key: &Key| Some((key.clone(), values.get(key)?.origin.clone()));
        Self(values.keys().filter_map(entry).collect())
    }

    /// `the environment`, the name of a file, or `the application's Config`; `None` if the setting
    /// is at its default.
    #[cfg(feature = "admin")]
    pub(super) fn get(&self, key: &Key) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }
}
