//! What running instances say of themselves.

use std::{collections::HashMap, time::Duration};

use infuse_storage::{Instance, Mode, ProcessId};
use serde_json::Value;

/// A running instance. What it says is not to be relied on: others write it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Announced {
    pub(crate) process: ProcessId,
    pub(crate) heard_ago: Duration,
    said: Value,
    /// Where each circuit stands, by its name: there may be thousands, and they are asked for often.
    places: HashMap<String, usize>,
}

impl Announced {
    /// What an instance said; nothing, if it is not what instances say.
    pub(crate) fn of(instance: &Instance) -> Self {
        Self::new(instance.process, instance.heard_ago, &instance.text)
    }

    pub(crate) fn new(process: ProcessId, heard_ago: Duration, text: &str) -> Self {
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        let mut places = HashMap::new();
        for (place, circuit) in said["circuits"].as_array().into_iter().flatten().enumerate() {
            if let Some(name) = circuit["service"].as_str() {
                // Of two of one name the first counts.
                places.entry(name.to_owned()).or_insert(place);
            }
        }
        Self { process, heard_ago, said, places }
    }

    /// What people call it; its id, if it does not say.
    pub(crate) fn name(&self) -> String {
        let name = self.said["name"].as_str().filter(|name| !name.trim().is_empty());
        name.map_or_else(|| self.process.to_string(), str::to_owned)
    }

    /// What it says of itself, by the name of a member.
    pub(crate) fn member(&self, name: &str) -> &Value {
        &self.said[name]
    }

    /// The names of the circuits that it has.
    pub(crate) fn circuits(&self) -> impl Iterator<Item = &str> {
        let circuits = self.said["circuits"].as_array().map(Vec::as_slice).unwrap_or_default();
        circuits.iter().filter_map(|circuit| circuit["service"].as_str())
    }

    /// What it says of one of its circuits.
    pub(crate) fn circuit(&self, name: &str) -> Option<&Value> {
        self.said["circuits"].get(*self.places.get(name)?)
    }

    /// The mode of one of its circuits, if it says one that there is.
    pub(crate) fn mode(&self, name: &str) -> Option<Mode> {
        let said = self.circuit(name)?["mode"].as_str()?;
        let modes = [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated];
        modes.into_iter().find(|mode| mode.as_str() == said)
    }
}

/// What people call a process, where it is known.
pub(crate) fn name_of(process: ProcessId, instances: &[Announced]) -> Option<String> {
    instances.iter().find(|instance| instance.process == process).map(Announced::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Announced {
        Announced::new(ProcessId::from_u64(7), Duration::ZERO, text)
    }

    #[test]
    fn an_instance_says_its_name_and_its_circuits() {
        let one = said(
            r#"{"name": "orders-1", "circuits": [
                {"service": "payments", "state": "open", "retry_after": 3.5},
                {"service": "payments/refunds", "state": "closed", "mode": "observe"},
                {"service": "payments", "state": "closed", "mode": "disabled"}
            ]}"#,
        );
        assert_eq!(one.name(), "orders-1");
        assert_eq!(
            one.circuits().collect::<Vec<_>>(),
            ["payments", "payments/refunds", "payments"]
        );
        assert_eq!(one.circuit("payments").unwrap()["retry_after"], 3.5);
        assert_eq!(one.circuit("users"), None);
        assert_eq!(one.mode("payments"), None);
        assert_eq!(one.mode("payments/refunds"), Some(Mode::Observe));
        assert_eq!(
            name_of(ProcessId::from_u64(7), std::slice::from_ref(&one)).as_deref(),
            Some("orders-1")
        );
        assert_eq!(name_of(ProcessId::from_u64(8), &[one]), None);
    }

    #[test]
    fn what_makes_no_sense_says_nothing() {
        for text in [
            "",
            "{",
            "[1]",
            "null",
            r#"{"name": 3, "circuits": {"service": "x"}}"#,
            r#"{"name": " ", "circuits": [1, null, {"service": 2}]}"#,
        ] {
            let one = said(text);
            assert_eq!(one.name(), "0000000000000007", "{text}");
            assert_eq!(one.circuits().count(), 0, "{text}");
            assert_eq!(one.circuit("x"), None, "{text}");
        }
    }
}
