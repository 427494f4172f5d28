use std::{mem, sync::Arc};

use tokio::time::Instant;

use crate::node::Node;

/// Circuits that have something to tell the storage or to ask of it.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: Vec<Waiting>,
    /// Since when the oldest of what is being told has been waiting.
    telling: Option<Instant>,
}

/// A circuit in the queue.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) node: Arc<Node>,
    pub(crate) since: Instant,
}

impl Queue {
    pub(crate) fn push(&mut self, node: Arc<Node>) {
        self.waiting.push(Waiting { node, since: Instant::now() });
    }

    pub(crate) fn take(&mut self) -> Vec<Waiting> {
        mem::take(&mut self.waiting)
    }

    /// Something of a circuit is put off: it goes on waiting.
    pub(crate) fn put_off(&mut self, was: &Waiting) {
        // It has just been put back.
        let found = self.waiting.iter_mut().rev().find(|it| Arc::ptr_eq(&it.node, &was.node));
        if let Some(waiting) = found {
            waiting.since = waiting.since.min(was.since);
        }
    }

    /// What has been waiting since then is being told; nothing is, if unset.
    pub(crate) fn tell(&mut self, since: Option<Instant>) {
        self.telling = since;
    }

    /// What waits, and since when the oldest of what is being told has.
    pub(crate) fn show(&self) -> (Vec<Waiting>, Option<Instant>) {
        (self.waiting.clone(), self.telling)
    }
}
