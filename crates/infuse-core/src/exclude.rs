use std::{any::TypeId, error::Error, io, sync::Arc};

use crate::{
    Outcome,
    sync::{AtomicBool, Mutex, Ordering, lock},
};

/// Names one exclusion at one breaker, for its removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExclusionId(u64);

type Predicate = Arc<dyn Fn(&(dyn Error + 'static)) -> bool + Send + Sync>;

#[derive(Clone)]
struct Rule {
    id: ExclusionId,
    /// The type that it excludes, for removal by type.
    of: Option<TypeId>,
    matches: Predicate,
    outcome: Outcome,
}

/// Which errors do not count as failures.
pub(crate) struct Exclusions {
    /// Whether there is a rule at all, so that a breaker without any asks nobody.
    any: AtomicBool,
    /// `None` if there never was one, as with most breakers.
    rules: Mutex<Option<Box<Rules>>>,
}

#[derive(Default)]
struct Rules {
    /// The number of the next one.
    next: u64,
    list: Arc<[Rule]>,
}

impl Exclusions {
    pub(crate) fn new() -> Self {
        Self { any: AtomicBool::new(false), rules: Mutex::new(None) }
    }

    /// What an error says about the service.
    #[inline]
    pub(crate) fn judge(&self, error: &(dyn Error + 'static)) -> Outcome {
        // Relaxed: the rules themselves are read under their lock.
        if self.any.load(Ordering::Relaxed) { self.judge_by_rules(error) } else { Outcome::Failure }
    }

    #[cold]
    fn judge_by_rules(&self, error: &(dyn Error + 'static)) -> Outcome {
        let rules = lock(&self.rules).as_ref().map(|rules| Arc::clone(&rules.list));
        let rule = rules.iter().flat_map(|rules| rules.iter()).find(|rule| (rule.matches)(error));
        rule.map_or(Outcome::Failure, |rule| rule.outcome)
    }

    pub(crate) fn add_type<E: Error + 'static>(&self) -> ExclusionId {
        self.add(Some(TypeId::of::<E>()), Arc::new(is_in_chain::<E>), Outcome::Success)
    }

    pub(crate) fn add_predicate(&self, matches: Predicate, outcome: Outcome) -> ExclusionId {
        self.add(None, matches, outcome)
    }

    fn add(&self, of: Option<TypeId>, matches: Predicate, outcome: Outcome) -> ExclusionId {
        let mut rules = lock(&self.rules);
        let rules = rules.get_or_insert_default();
        let id = ExclusionId(rules.next);
        rules.next += 1;
        let rule = Rule { id, of, matches, outcome };
        rules.list = rules.list.iter().cloned().chain([rule]).collect();
        self.any.store(true, Ordering::Relaxed);
        id
    }

    pub(crate) fn remove_type<E: Error + 'static>(&self) -> bool {
        self.retain(|rule| rule.of != Some(TypeId::of::<E>()))
    }

    pub(crate) fn remove(&self, id: ExclusionId) -> bool {
        self.retain(|rule| rule.id != id)
    }

    fn retain(&self, keep: impl Fn(&Rule) -> bool) -> bool {
        let mut rules = lock(&self.rules);
        let Some(rules) = rules.as_mut() else { return false };
        let left: Arc<[Rule]> = rules.list.iter().filter(|rule| keep(rule)).cloned().collect();
        let removed = left.len() < rules.list.len();
        self.any.store(!left.is_empty(), Ordering::Relaxed);
        rules.list = left;
        removed
    }
}

/// Whether an error of type `E` stands anywhere along `source()`.
fn is_in_chain<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<E>() {
            return true;
        }
        // An `io::Error` made from another error hides that one: its `source()` is the source of
        // the hidden one.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(hidden) => Some(hidden),
            None => error.source(),
        };
    }
    false
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("not found")]
    struct NotFound;

    #[derive(Debug, thiserror::Error)]
    #[error("query")]
    struct Query(#[source] NotFound);

    #[test]
    fn a_type_is_found_along_the_chain_and_inside_io_errors() {
        assert!(is_in_chain::<NotFound>(&NotFound));
        assert!(is_in_chain::<NotFound>(&Query(NotFound)));
        assert!(is_in_chain::<Query>(&io::Error::other(Query(NotFound))));
        assert!(is_in_chain::<NotFound>(&io::Error::other(Query(NotFound))));
        assert!(is_in_chain::<Query>(&io::Error::other(io::Error::other(Query(NotFound)))));
        assert!(!is_in_chain::<Query>(&NotFound));
    }

    #[test]
    fn what_was_added_can_be_removed() {
        let rules = Exclusions::new();
        assert_eq!(rules.judge(&NotFound), Outcome::Failure);
        rules.add_type::<NotFound>();
        assert_eq!(rules.judge(&Query(NotFound)), Outcome::Success);
        assert!(rules.remove_type::<NotFound>());
        assert!(!rules.remove_type::<NotFound>());
        assert_eq!(rules.judge(&NotFound), Outcome::Failure);

        let id = rules.add_predicate(Arc::new(|error| error.is::<Query>()), Outcome::Ignored);
        assert_eq!(rules.judge(&Query(NotFound)), Outcome::Ignored);
        assert_eq!(rules.judge(&NotFound), Outcome::Failure);
        assert!(rules.remove(id));
        assert_eq!(rules.judge(&Query(NotFound)), Outcome::Failure);
    }
}
