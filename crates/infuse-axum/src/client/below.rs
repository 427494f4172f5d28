use std::{
    collections::HashMap,
    fmt,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use infuse_storage::Circuit;

use crate::reload::Below;

/// The longest name, in bytes.
const MAX_LEN: usize = 64;

/// The circuits below a service, of which there are only so many.
pub(crate) struct CircuitsBelow {
    make: Below,
    known: RwLock<HashMap<Box<str>, Circuit>>,
    told: AtomicBool,
}

/// Whether a circuit below a service can have this name.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= MAX_LEN
        && text.bytes().all(allowed)
        // Above all not `.` and `..`, which mean something else in a path.
        && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

impl CircuitsBelow {
    pub(crate) fn new(make: Below) -> Self {
        Self { make, known: RwLock::default(), told: AtomicBool::new(false) }
    }

    /// The circuit of this name, made at its first use; `None` if there are `most` others already.
    pub(crate) fn get(&self, service: &str, name: &str, most: usize) -> Option<Circuit> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(circuit) = known.get(name) {
            return Some(circuit.clone());
        }
        let full = known.len() >= most;
        drop(known);
        // Not by the other lock, which would have all calls wait for one another from then on.
        if full {
            self.tell(service, name, most);
            return None;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(circuit) = known.get(name) {
            return Some(circuit.clone());
        }
        if known.len() >= most {
            drop(known);
            self.tell(service, name, most);
            return None;
        }
        let circuit = (self.make)(name);
        known.insert(name.into(), circuit.clone());
        Some(circuit)
    }

    fn tell(&self, service: &str, name: &str, most: usize) {
        // Relaxed: a flag that orders nothing. Who wants none needs no warning.
        if most > 0 && !self.told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: "infuse",
                service,
                "there are {most} circuits below the service {service} (INFUSE_SERVICE_MAX_CIRCUITS \
                 allows no more): calls to {name:?}, and to any other that is new, are guarded by \
                 the service's own circuit alone",
            );
        }
    }
}

impl fmt::Debug for CircuitsBelow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(known.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn over_the_limit_nobody_waits_for_who_reads() {
        let circuit = crate::client::testing::circuit().0;
        let below = CircuitsBelow::new(std::sync::Arc::new(move |_| circuit.clone()));
        assert!(below.get("payments", "a", 1).is_some());
        let reading = below.known.read().unwrap();
        std::thread::scope(|scope| {
            let (done, wait) = std::sync::mpsc::channel();
            let below = &below;
            scope.spawn(move || done.send(below.get("payments", "b", 1).is_none()));
            let none = wait.recv_timeout(std::time::Duration::from_secs(20));
            // Before it is looked at, so that a test that fails ends.
            drop(reading);
            assert_eq!(none, Ok(true));
        });
    }

    #[test]
    fn names_are_short_and_plain() {
        for name in ["refunds", "A", "7", "eu-west_1.v2", &"a".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "-_", "a/b", "a b", "a:b", "ä", "a\n", &"a".repeat(65)] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
