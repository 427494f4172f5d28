use std::{collections::BTreeMap, fmt, sync::Arc};

use infuse_storage::Listener;

use crate::settings::BreakerSettings;

/// The listeners that the application registered, of which settings choose by name.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    by_name: BTreeMap<String, Arc<dyn Listener>>,
    always: Vec<Arc<dyn Listener>>,
}

impl Listeners {
    pub(crate) fn register(&mut self, name: String, listener: Arc<dyn Listener>) {
        self.by_name.insert(name, listener);
    }

    pub(crate) fn add(&mut self, listener: Arc<dyn Listener>) {
        self.always.push(listener);
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The listeners of a circuit: those of the builder, then those that its settings name, in
    /// that order.
    pub(crate) fn of(&self, breaker: &BreakerSettings) -> impl Iterator<Item = Arc<dyn Listener>> {
        // The settings were checked against the names.
        let named = breaker.listeners.iter().filter_map(|name| self.by_name.get(name));
        self.always.iter().chain(named).cloned().collect::<Vec<_>>().into_iter()
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
