use std::{collections::BTreeMap, fmt, sync::Arc};

use infuse_storage::{BreakerBuilder, Listener};

#[cfg(feature = "metrics")]
use super::METRICS;
use super::{TRACING, tracing::TracingListener};
#[cfg(feature = "metrics")]
use crate::metrics::Meters;
use crate::settings::BreakerSettings;

/// The listeners that are built in or that the application registered, of which settings choose by
/// name, and those that it added for all circuits.
#[derive(Clone)]
pub(crate) struct Listeners {
    by_name: BTreeMap<String, Arc<dyn Listener>>,
    always: Vec<Arc<dyn Listener>>,
    /// The built-in one, unless another has its name.
    #[cfg(feature = "metrics")]
    meters: Option<Arc<Meters>>,
}

impl Default for Listeners {
    fn default() -> Self {
        let tracing: Arc<dyn Listener> = Arc::new(TracingListener);
        Self {
            by_name: BTreeMap::from([(TRACING.to_owned(), tracing)]),
            always: Vec::new(),
            #[cfg(feature = "metrics")]
            meters: Some(Arc::default()),
        }
    }
}

impl Listeners {
    pub(crate) fn register(&mut self, name: String, listener: Arc<dyn Listener>) {
        #[cfg(feature = "metrics")]
        if name == METRICS {
            self.meters = None;
        }
        self.by_name.insert(name, listener);
    }

    pub(crate) fn add(&mut self, listener: Arc<dyn Listener>) {
        self.always.push(listener);
    }

    /// All that settings may name, apart from `metrics`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn meters(&self) -> Option<&Arc<Meters>> {
        self.meters.as_ref()
    }

    /// Adds to a circuit of this name the listeners of the builder, then those that its settings
    /// name, in that order.
    pub(crate) fn install(
        &self,
        circuit: &str,
        breaker: &BreakerSettings,
        mut builder: BreakerBuilder,
    ) -> BreakerBuilder {
        for listener in &self.always {
            builder = builder.shared_listener(Arc::clone(listener));
        }
        for name in &breaker.listeners {
            #[cfg(feature = "metrics")]
            if name == METRICS
                && let Some(meters) = &self.meters
            {
                builder = meters.install(circuit, builder);
                continue;
            }
            // The settings were checked against the names.
            if let Some(listener) = self.by_name.get(name) {
                builder = builder.shared_listener(Arc::clone(listener));
            }
        }
        #[cfg(not(feature = "metrics"))]
        let _ = circuit;
        builder
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}
