//! The names of keys: they are built here and nowhere else.

use super::KeyLayout;
use crate::CircuitKey;

/// What each circuit's keys end in, in the order in which scripts take them.
const ENDINGS: [&str; 5] = ["state", "fail_counter", "opened_at", "record", "shares"];
/// The tag of a namespace that cannot be made one.
const OWN_TAG: &str = "{infuse}-";

/// Builds the names of keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys {
    layout: KeyLayout,
    /// Whether all keys of a circuit must lie in one slot.
    cluster: bool,
}

impl Keys {
    pub(super) const fn new(layout: KeyLayout, cluster: bool) -> Self {
        Self { layout, cluster }
    }

    /// The keys of a circuit.
    pub(super) fn of(&self, circuit: &CircuitKey) -> [String; 5] {
        let prefix = self.prefix(circuit.as_str());
        ENDINGS.map(|ending| format!("{prefix}:{ending}"))
    }

    /// The key that is written to find out whether that is possible.
    pub(super) fn probe(&self) -> String {
        match self.layout {
            KeyLayout::Infuse => "infuse:probe".to_owned(),
            KeyLayout::Pybreaker => "infuse:pybreaker:probe".to_owned(),
        }
    }

    /// Where the participants of a group say what they are.
    pub(super) fn instances(&self, group: &str) -> String {
        match self.layout {
            KeyLayout::Infuse => format!("infuse:instances:{group}"),
            KeyLayout::Pybreaker => format!("{group}:pybreaker:instances"),
        }
    }

    /// The circuits whose keys begin like this. On a cluster there may be two: `a` and `{a}`.
    pub(super) fn circuits_of(&self, prefix: &str) -> Vec<CircuitKey> {
        let tagged = match self.layout {
            KeyLayout::Infuse => prefix.strip_prefix("infuse:"),
            KeyLayout::Pybreaker => prefix.strip_suffix(":pybreaker"),
        };
        let Some(tagged) = tagged else { return Vec::new() };
        let within = tagged.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let namespaces = [tagged.strip_prefix(OWN_TAG), within, Some(tagged)];
        let is_of = |namespace: &&str| self.prefix(namespace) == prefix;
        let mut namespaces: Vec<_> = namespaces.into_iter().flatten().filter(is_of).collect();
        namespaces.dedup();
        namespaces.into_iter().map(CircuitKey::new).collect()
    }

    fn prefix(&self, namespace: &str) -> String {
        let namespace = match self.cluster {
            true if !has_tag(namespace) => tagged(namespace),
            _ => namespace.to_owned(),
        };
        match self.layout {
            KeyLayout::Infuse => format!("infuse:{namespace}"),
            KeyLayout::Pybreaker => format!("{namespace}:pybreaker"),
        }
    }
}

/// Whether a cluster hashes a part only: what stands between the first `{` and the next `}`, if
/// anything does.
fn has_tag(namespace: &str) -> bool {
    let tag = namespace.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    tag.is_some_and(|(tag, _)| !tag.is_empty())
}

fn tagged(namespace: &str) -> String {
    if namespace.is_empty() || namespace.starts_with('}') {
        // In braces it would be an empty tag, which is none.
        format!("{OWN_TAG}{namespace}")
    } else {
        format!("{{{namespace}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMESPACES: [&str; 13] = [
        "development:payments",
        "a",
        "{a}",
        "{a}:b",
        "x{a}",
        "",
        "}",
        "}{a}",
        "{",
        "{}",
        "{}a",
        "a{b",
        "with spaces\nand :record",
    ];

    /// What the slot is made of, as the specification of clusters has it.
    fn hashed(key: &str) -> &str {
        let Some(open) = key.find('{') else { return key };
        match key[open + 1..].find('}') {
            None | Some(0) => key,
            Some(length) => &key[open + 1..open + 1 + length],
        }
    }

    fn all() -> impl Iterator<Item = Keys> {
        let layouts = [KeyLayout::Infuse, KeyLayout::Pybreaker];
        layouts.into_iter().flat_map(|it| [Keys::new(it, false), Keys::new(it, true)])
    }

    #[test]
    fn keys_are_as_python_writes_them() {
        let circuit = CircuitKey::new("development:payments");
        let infuse = Keys::new(KeyLayout::Infuse, false);
        let pybreaker = Keys::new(KeyLayout::Pybreaker, false);
        assert_eq!(
            infuse.of(&circuit),
            ["state", "fail_counter", "opened_at", "record", "shares"]
                .map(|ending| format!("infuse:development:payments:{ending}"))
        );
        assert_eq!(pybreaker.of(&circuit)[0], "development:payments:pybreaker:state");
        assert_eq!(infuse.probe(), "infuse:probe");
        assert_eq!(pybreaker.probe(), "infuse:pybreaker:probe");
        assert_eq!(infuse.instances("a"), "infuse:instances:a");
        assert_eq!(pybreaker.instances("a"), "a:pybreaker:instances");
    }

    #[test]
    fn a_cluster_s_keys_of_a_circuit_share_a_slot() {
        for keys in all().filter(|keys| keys.cluster) {
            for namespace in NAMESPACES {
                let all = keys.of(&CircuitKey::new(namespace));
                let hashed = all.each_ref().map(|key| hashed(key));
                assert!(hashed.iter().all(|part| *part == hashed[0]), "{all:?}");
            }
        }
        let keys = Keys::new(KeyLayout::Infuse, true);
        assert_eq!(keys.of(&CircuitKey::new("a:b"))[0], "infuse:{a:b}:state");
        assert_eq!(keys.of(&CircuitKey::new("{a}:b"))[0], "infuse:{a}:b:state");
    }

    #[test]
    fn a_circuit_is_told_by_what_its_keys_begin_with() {
        for keys in all() {
            for namespace in NAMESPACES {
                let circuit = CircuitKey::new(namespace);
                let record = &keys.of(&circuit)[3];
                let prefix = record.strip_suffix(":record").unwrap();
                let found = keys.circuits_of(prefix);
                assert!(found.contains(&circuit), "{found:?}");
                // On a cluster `a` and `{a}` are one circuit.
                assert!(found.iter().all(|found| keys.of(found) == keys.of(&circuit)), "{found:?}");
            }
        }
    }

    #[test]
    fn what_no_circuit_s_keys_begin_with_is_no_circuit() {
        let keys = Keys::new(KeyLayout::Infuse, false);
        assert!(keys.circuits_of("other:payments").is_empty());
        assert!(Keys::new(KeyLayout::Pybreaker, false).circuits_of("infuse:payments").is_empty());
        assert!(Keys::new(KeyLayout::Infuse, true).circuits_of("infuse:payments").is_empty());
        assert!(!keys.circuits_of("infuse:payments").is_empty());
    }
}
