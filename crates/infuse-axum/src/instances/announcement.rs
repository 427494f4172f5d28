use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use infuse_storage::{Circuit, State, core::Mode};
use serde::{Deserialize, Serialize};
#[cfg(feature = "admin")]
use serde_json::Value;

use crate::{reload::Live, seconds};

/// How often a process announces itself.
const EVERY: Duration = Duration::from_secs(5);
/// Most bytes of circuits in one announcement. With what else is in it, it stays below what a
/// storage takes.
const MOST_BYTES: usize = 192 * 1024;

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "admin", derive(Deserialize))]
pub(crate) struct Announcement {
    /// What people call it.
    pub(crate) name: String,
    /// The application.
    pub(crate) service: Option<String>,
    /// Infuse's version.
    pub(crate) version: String,
    /// In seconds of Unix time.
    pub(crate) started_at: f64,
    /// Those that are not as they should be first, then in the order of their names.
    pub(crate) circuits: Vec<Here>,
    /// How many there are besides, for which there was no room.
    #[serde(default)]
    pub(crate) omitted: usize,
}

/// What a process thinks of a circuit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Here {
    pub(crate) service: String,
    pub(crate) state: State,
    pub(crate) mode: Mode,
    /// In seconds.
    pub(crate) retry_after: Option<f64>,
    pub(crate) generation: u64,
    pub(crate) shared: bool,
    pub(crate) fail_counter: u32,
}

/// Announces this process from now on.
pub(crate) fn announce(live: &Arc<Live>, started_at: SystemTime) {
    let group = live.settings().environment.clone();
    // Weak, because it is the circuits that keep what is said here.
    let weak = Arc::downgrade(live);
    live.circuits.announce(group, EVERY, move |_| {
        let announcement = weak.upgrade().map(|live| Announcement::of(&live, started_at));
        // Nothing in it can fail to serialize.
        announcement.and_then(|it| serde_json::to_string(&it).ok()).unwrap_or_default()
    });
}

impl Announcement {
    /// What this process says of itself.
    pub(crate) fn of(live: &Live, started_at: SystemTime) -> Self {
        let settings = live.settings();
        let (circuits, omitted) = fit(live.circuits.all().iter().map(Here::of).collect());
        Self {
            name: settings.instance_name.clone(),
            service: settings.service_name.as_ref().map(ToString::to_string),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: seconds::unix(started_at),
            circuits,
            omitted,
        }
    }

    /// Reads what another process said, perhaps of another version: circuits that make no sense
    /// here are left out.
    #[cfg(feature = "admin")]
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut said: Value = serde_json::from_str(text).ok()?;
        let circuits = said.as_object_mut()?.remove("circuits");
        let read = |circuit| serde_json::from_value(circuit).ok();
        let circuits: Vec<Here> = match circuits {
            Some(Value::Array(circuits)) => circuits.into_iter().filter_map(read).collect(),
            _ => Vec::new(),
        };
        said["circuits"] = Value::Array(Vec::new());
        Some(Self { circuits, ..serde_json::from_value(said).ok()? })
    }
}

impl Here {
    fn of(circuit: &Circuit) -> Self {
        let snapshot = circuit.snapshot();
        Self {
            service: snapshot.service,
            state: snapshot.state,
            mode: snapshot.mode,
            retry_after: snapshot.retry_after.map(seconds::rounded),
            generation: snapshot.generation,
            shared: snapshot.shared,
            fail_counter: snapshot.fail_counter,
        }
    }

    fn is_usual(&self) -> bool {
        self.state == State::Closed && self.mode == Mode::Enabled
    }
}

/// The circuits for which there is room, and how many others there are.
fn fit(mut circuits: Vec<Here>) -> (Vec<Here>, usize) {
    // Stable: each part stays in the order of the names.
    circuits.sort_by_key(Here::is_usual);
    let mut bytes = 0;
    let fits = circuits
        .iter()
        .take_while(|circuit| {
            // With the comma.
            bytes += serde_json::to_string(circuit).map_or(0, |text| text.len() + 1);
            bytes <= MOST_BYTES
        })
        .count();
    let omitted = circuits.len() - fits;
    circuits.truncate(fits);
    (circuits, omitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(service: &str, state: State) -> Here {
        Here {
            service: service.to_owned(),
            state,
            mode: Mode::Enabled,
            retry_after: None,
            generation: 7,
            shared: true,
            fail_counter: 0,
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_goes_first_and_the_rest_as_far_as_there_is_room() {
        let mut all: Vec<_> =
            (0..5_000).map(|n| here(&format!("service-{n:04}"), State::Closed)).collect();
        all[4_998].mode = Mode::Isolated;
        all[4_999].state = State::Open;
        let (circuits, omitted) = fit(all);
        assert_eq!(circuits.len() + omitted, 5_000);
        let first: Vec<_> = circuits[..3].iter().map(|it| it.service.as_str()).collect();
        assert_eq!(first, ["service-4998", "service-4999", "service-0000"]);
        let bytes = serde_json::to_string(&circuits).unwrap().len();
        assert!((MOST_BYTES - 300..=MOST_BYTES + 2).contains(&bytes), "{bytes}");
        assert_eq!(fit(circuits[..3].to_vec()).1, 0);
    }

    #[cfg(feature = "admin")]
    #[test]
    fn what_another_version_says_is_read_as_far_as_it_makes_sense() {
        let known = here("payments", State::Open);
        let said = Announcement {
            name: "web-1:7".to_owned(),
            service: None,
            version: "0.1.0".to_owned(),
            started_at: 1.5,
            circuits: vec![known.clone()],
            omitted: 2,
        };
        let text = serde_json::to_string(&said).unwrap();
        assert_eq!(Announcement::read(&text), Some(said.clone()));
        let newer =
            text.replace("\"circuits\":[", "\"more\":{},\"circuits\":[{\"state\":\"x\"},4,");
        assert_eq!(Announcement::read(&newer), Some(said));
        for rubbish in ["", "[]", "7", "null", "{", "{}", "{\"name\":7}", "\"circuits\""] {
            assert_eq!(Announcement::read(rubbish), None, "{rubbish}");
        }
    }
}
