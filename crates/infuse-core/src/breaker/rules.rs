use std::{error::Error, sync::Arc};

use super::Breaker;
use crate::{ExclusionId, Listener, ListenerId, Outcome};

/// Listeners and exclusions, which may change on a live breaker.
impl Breaker {
    /// Adds a listener.
    pub fn add_listener(&self, listener: impl Listener) -> ListenerId {
        self.add_shared_listener(Arc::new(listener))
    }

    /// Adds a listener that several breakers share.
    pub fn add_shared_listener(&self, listener: Arc<dyn Listener>) -> ListenerId {
        let interest = listener.interest();
        // The lock orders this against a removal that empties the list.
        let mut cold = self.lock();
        let id = self.listeners.add(listener, interest);
        self.mark_now(&mut cold);
        id
    }

    /// Removes a listener; whether it was there.
    pub fn remove_listener(&self, id: ListenerId) -> bool {
        let mut cold = self.lock();
        let removed = self.listeners.remove(id);
        self.mark_now(&mut cold);
        removed
    }

    /// Whether anybody listens.
    pub fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// From now on errors of type `E`, also anywhere along [`source`](Error::source), are
    /// successes: the dependency did answer.
    pub fn add_excluded<E: Error + 'static>(&self) -> ExclusionId {
        self.exclusions.add_type::<E>()
    }

    /// Takes back [`add_excluded`](Self::add_excluded); whether there was something to take back.
    pub fn remove_excluded<E: Error + 'static>(&self) -> bool {
        self.exclusions.remove_type::<E>()
    }

    /// From now on errors that the predicate picks are successes.
    pub fn exclude_if(
        &self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> ExclusionId {
        self.exclusions.add_predicate(Arc::new(predicate), Outcome::Success)
    }

    /// From now on errors that the predicate picks are ignored.
    pub fn ignore_if(
        &self,
        predicate: impl Fn(&(dyn Error + 'static)) -> bool + Send + Sync + 'static,
    ) -> ExclusionId {
        self.exclusions.add_predicate(Arc::new(predicate), Outcome::Ignored)
    }

    /// Removes an exclusion by what adding it returned; whether it was there.
    pub fn remove_exclusion(&self, id: ExclusionId) -> bool {
        self.exclusions.remove(id)
    }

    /// What an error says about the service, by the exclusions.
    #[inline]
    pub fn judge(&self, error: &(dyn Error + 'static)) -> Outcome {
        self.exclusions.judge(error)
    }
}
