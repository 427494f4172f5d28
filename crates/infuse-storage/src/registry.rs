use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap, HashSet},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex},
};

use infuse_core::Breaker;

use crate::{CircuitKey, ProcessId, hub::lock, node::Node};

/// A circuit, as the registry keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) breaker: Arc<Breaker>,
    pub(crate) node: Arc<Node>,
}

/// The circuits of one participant, by what it calls them and by what the storage does.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<Maps>);

#[derive(Debug, Default)]
struct Maps {
    /// In an order, so that what is done to all circuits is done in the same one each time.
    by_name: BTreeMap<Arc<str>, Entry>,
    by_key: HashSet<ByKey>,
    /// Those whose key another had before, because their names are spelt alike in the storage.
    namesakes: HashMap<CircuitKey, Vec<Arc<Node>>>,
}

/// A node, found by its key, which stands in it: there are many.
#[derive(Debug)]
struct ByKey(Arc<Node>);

impl Borrow<CircuitKey> for ByKey {
    fn borrow(&self) -> &CircuitKey {
        &self.0.key
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for ByKey {}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.key.hash(state);
    }
}

impl Registry {
    pub(crate) fn get(&self, name: &str) -> Option<Entry> {
        lock(&self.0).by_name.get(name).cloned()
    }

    /// The circuit of this name; made, if there is none, which is told too.
    pub(crate) fn get_or(&self, name: &Arc<str>, make: impl FnOnce() -> Entry) -> (Entry, bool) {
        if let Some(entry) = self.get(name) {
            return (entry, false);
        }
        // Outside the lock, because it runs the user's naming function. Two threads may both make
        // one: the first keeps its own, and nobody has seen the other.
        let made = make();
        let mut maps = lock(&self.0);
        if let Some(entry) = maps.by_name.get(name) {
            return (entry.clone(), false);
        }
        maps.by_name.insert(Arc::clone(name), made.clone());
        let node = Arc::clone(&made.node);
        if maps.by_key.contains(&node.key) {
            // Else the shares of the two would replace each other.
            node.go_by(ProcessId::random());
            maps.namesakes.entry(node.key.clone()).or_default().push(node);
        } else {
            maps.by_key.insert(ByKey(node));
        }
        (made, true)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        lock(&self.0).by_name.values().cloned().collect()
    }

    pub(crate) fn nodes(&self) -> Vec<Arc<Node>> {
        lock(&self.0).by_name.values().map(|entry| Arc::clone(&entry.node)).collect()
    }

    pub(crate) fn nodes_of(&self, key: &CircuitKey) -> Vec<Arc<Node>> {
        let maps = lock(&self.0);
        let namesakes = maps.namesakes.get(key).into_iter().flatten();
        let first = maps.by_key.get(key).map(|first| &first.0);
        first.into_iter().chain(namesakes).cloned().collect()
    }
}
