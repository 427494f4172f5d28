use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use crate::classify::Classifier;

/// What the calls to a service go by, apart from its circuit.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The longest that one call waits for the service in all.
    pub(crate) timeout: Option<Duration>,
    /// The most bytes of a body that are read.
    pub(crate) body_limit: Option<u64>,
    /// What an answer says of the service.
    pub(crate) classifier: Classifier,
    /// The share of the time left that is added at random, at most, to the `Retry-After` of a
    /// rejection.
    pub(crate) retry_after_jitter: f64,
    /// Circuits below the service at most. Those that are there stay when it is lowered.
    pub(crate) max_circuits: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(5)),
            body_limit: None,
            classifier: Classifier::default(),
            retry_after_jitter: 0.0,
            max_circuits: 100,
        }
    }
}

/// The [`Rules`] that hold. A call takes them once, and is judged by one set of them.
#[derive(Debug, Default)]
pub(crate) struct LiveRules(ArcSwap<Rules>);

impl LiveRules {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(ArcSwap::from_pointee(rules))
    }

    /// No lock: each call comes by here.
    pub(crate) fn get(&self) -> Arc<Rules> {
        self.0.load_full()
    }

    pub(crate) fn set(&self, rules: Rules) {
        self.0.store(Arc::new(rules));
    }
}
