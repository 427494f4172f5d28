use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

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
pub(crate) struct LiveRules(RwLock<Arc<Rules>>);

impl LiveRules {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(RwLock::new(Arc::new(rules)))
    }

    pub(crate) fn get(&self) -> Arc<Rules> {
        // Only a pointer is copied under the lock, here and below, which cannot panic.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, rules: Rules) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }
}
