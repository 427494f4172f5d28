use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
};

/// How much was dropped, by the listener's name, in the whole process: so has it what records
/// metrics.
static BY_LISTENER: Mutex<BTreeMap<Arc<str>, Arc<AtomicU64>>> = Mutex::new(BTreeMap::new());

pub(super) fn of(listener: &str) -> Arc<AtomicU64> {
    let mut all = BY_LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(dropped) = all.get(listener) {
        return Arc::clone(dropped);
    }
    Arc::clone(all.entry(listener.into()).or_default())
}

#[cfg(feature = "metrics")]
pub(crate) fn all() -> Vec<(Arc<str>, u64)> {
    let all = BY_LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    let count = |dropped: &AtomicU64| dropped.load(std::sync::atomic::Ordering::Relaxed);
    all.iter().map(|(name, dropped)| (Arc::clone(name), count(dropped))).collect()
}
