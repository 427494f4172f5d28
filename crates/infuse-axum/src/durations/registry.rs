use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use super::Durations;

/// One for each name of a circuit, in the whole process: so has it what records metrics, and a tower
/// layer knows of its circuit nothing but the name.
static BY_CIRCUIT: RwLock<BTreeMap<Arc<str>, Arc<Durations>>> = RwLock::new(BTreeMap::new());

/// Those of a circuit, if they are kept.
pub(crate) fn of(circuit: &str) -> Option<Arc<Durations>> {
    BY_CIRCUIT.read().unwrap_or_else(PoisonError::into_inner).get(circuit).cloned()
}

/// Keeps those of a circuit from now on.
#[cfg(feature = "metrics")]
pub(crate) fn keep(circuit: &str) {
    let mut all = BY_CIRCUIT.write().unwrap_or_else(PoisonError::into_inner);
    if !all.contains_key(circuit) {
        all.insert(circuit.into(), Arc::default());
    }
}
