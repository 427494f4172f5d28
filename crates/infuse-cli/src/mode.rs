use infuse_storage::{CircuitSnapshot, Mode};

use crate::{
    announced::Announced,
    paint::{self, Tone},
};

/// The mode of a circuit in the fleet, as far as one who calls nobody can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FleetMode {
    /// Of an override, which holds in every process.
    Overridden(Mode),
    /// Of every instance that has the circuit, as of what it said last.
    Announced(Mode),
    /// Instances have different modes, by their settings.
    Mixed,
    /// Of the settings read here, since no instance says any.
    Settings(Mode),
}

impl FleetMode {
    /// The mode by what the storage says, then by what instances say, then by the settings.
    pub(crate) fn of(snapshot: &CircuitSnapshot, instances: &[Announced]) -> Self {
        if snapshot.overridden.is_some() {
            return Self::Overridden(snapshot.mode);
        }
        let mut said = instances.iter().filter_map(|instance| instance.mode(&snapshot.service));
        match said.next() {
            None => Self::Settings(snapshot.mode),
            Some(first) if said.all(|mode| mode == first) => Self::Announced(first),
            Some(_) => Self::Mixed,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Overridden(mode) | Self::Announced(mode) | Self::Settings(mode) => mode.as_str(),
            Self::Mixed => "mixed",
        }
    }

    /// The mode, if it is one.
    pub(crate) const fn mode(self) -> Option<Mode> {
        match self {
            Self::Overridden(mode) | Self::Announced(mode) | Self::Settings(mode) => Some(mode),
            Self::Mixed => None,
        }
    }

    pub(crate) const fn tone(self) -> Tone {
        match self.mode() {
            Some(mode) => paint::of_mode(mode),
            None => Tone::Warn,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use infuse_storage::{Override, ProcessId};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::snapshot;

    fn says(mode: Value) -> Announced {
        let text = json!({"circuits": [{"service": "payments", "mode": mode}]}).to_string();
        Announced::new(ProcessId::from_u64(7), Duration::ZERO, &text)
    }

    #[tokio::test]
    async fn an_override_beats_instances_and_they_beat_the_settings_read_here() {
        let mut it = snapshot().await;
        let [enabled, observe] = ["enabled", "observe"].map(|mode| says(json!(mode)));
        let others = Announced::new(
            ProcessId::from_u64(8),
            Duration::ZERO,
            r#"{"circuits": [{"service": "users", "mode": "isolated"}]}"#,
        );
        let nonsense = [says(json!("Observe")), says(json!(3)), says(Value::Null), others];
        assert_eq!(FleetMode::of(&it, &[]), FleetMode::Settings(Mode::Enabled));
        assert_eq!(FleetMode::of(&it, &nonsense), FleetMode::Settings(Mode::Enabled));
        let mut instances = nonsense.to_vec();
        instances.extend([observe.clone(), observe]);
        assert_eq!(FleetMode::of(&it, &instances), FleetMode::Announced(Mode::Observe));
        instances.push(enabled);
        assert_eq!(FleetMode::of(&it, &instances), FleetMode::Mixed);
        it.mode = Mode::Isolated;
        it.overridden = Some(Override::new(Mode::Isolated));
        assert_eq!(FleetMode::of(&it, &instances), FleetMode::Overridden(Mode::Isolated));
    }
}
