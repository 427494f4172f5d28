use std::{collections::BTreeSet, sync::Arc, time::Duration};

use infuse_axum::settings::{ServiceName, Settings};
use infuse_storage::{
    Circuit, CircuitKey, CircuitSnapshot, Circuits, Look, Presented, Storage, StorageError,
};
use tokio::time::{Instant, sleep};

use crate::{Failure, announced::Announced, clean::clean, failure::causes};

/// How long until it is seen whether circuits have been looked at.
const GLANCE: Duration = Duration::from_millis(2);
/// How many circuits are looked at in a second, at least: see [`Circuits`].
const LOOKS: f64 = 250.0;

/// The circuits that applications share, as one participant that makes no calls has them.
pub(crate) struct Fleet {
    pub(crate) settings: Settings,
    pub(crate) circuits: Circuits,
    storage: Arc<dyn Storage>,
    /// Where it is, for messages.
    at: String,
}

/// A circuit that somebody means by a name.
pub(crate) struct Found {
    pub(crate) circuit: Circuit,
    /// Whether anybody knows of it.
    pub(crate) known: bool,
}

impl Fleet {
    /// Opens the storage and reaches it.
    pub(crate) async fn open(settings: Settings) -> Result<Self, Failure> {
        let addresses: Vec<_> = settings.redis.urls.iter().map(ToString::to_string).collect();
        let wrong = |error: &dyn std::error::Error| Failure::Usage(causes(error));
        let storage = settings.open_storage().map_err(|error| wrong(&error))?;
        let namespaces = settings.clone();
        // No fallback: what is shown is what the storage says, or said last.
        let circuits = Circuits::builder()
            .storage(Arc::clone(&storage))
            .sync_interval(settings.sync_interval)
            .timeout(settings.redis.timeout)
            .trip_grace(settings.trip_grace)
            .trip_rest(settings.trip_rest)
            .namespace(move |circuit| namespaces.circuit_namespace(circuit))
            .start()
            .map_err(|error| wrong(&error))?;
        let fleet = Self { settings, circuits, storage, at: addresses.join(", ") };
        fleet.reach().await.map_err(|error| fleet.failure(&error))?;
        Ok(fleet)
    }

    /// Asks the storage something, whatever is known of it.
    pub(crate) async fn reach(&self) -> Result<(), StorageError> {
        // No service can be called so, and a look makes no circuit.
        let nobody = CircuitKey::new(self.settings.circuit_namespace("infusectl?"));
        self.storage.look(&[Look::new(nobody, Presented::NOTHING)]).await.map(drop)
    }

    pub(crate) fn failure(&self, error: &StorageError) -> Failure {
        Failure::storage(&self.at, error)
    }

    /// What running instances of the environment say of themselves.
    pub(crate) async fn instances(&self) -> Result<Vec<Announced>, StorageError> {
        let instances = self.circuits.instances(&self.settings.environment).await?;
        let mut announced: Vec<_> = instances.iter().map(Announced::of).collect();
        announced.sort_by_cached_key(Announced::name);
        Ok(announced)
    }

    /// [`instances`](Self::instances) for a command that can do without: why they cannot be heard is
    /// a warning, to a user of Redis who may not ask for them say.
    pub(crate) async fn instances_if_any(&self) -> Vec<Announced> {
        self.instances().await.unwrap_or_else(|error| {
            let why = clean(&causes(&error));
            eprintln!("infusectl: warning: which instances run cannot be told: {why}");
            Vec::new()
        })
    }

    /// The names of the circuits that are configured.
    fn configured(&self) -> BTreeSet<String> {
        let Settings { services, circuits, service_name, .. } = &self.settings;
        let names = services.keys().chain(circuits.keys()).chain(service_name);
        names.map(ToString::to_string).collect()
    }

    /// The names of the circuits that are configured, and of those that are announced, as these
    /// spell them, because so they stand in the storage.
    pub(crate) fn names(&self, instances: &[Announced]) -> BTreeSet<String> {
        let announced = instances.iter().flat_map(Announced::circuits);
        let announced = announced.filter(|name| self.settings.circuit_name(name).is_ok());
        self.configured().into_iter().chain(announced.map(str::to_owned)).collect()
    }

    /// The circuit of this name, made if there is none.
    pub(crate) fn circuit(&self, name: &str) -> Circuit {
        let settings = &self.settings;
        self.circuits.circuit_with(name, |circuit| {
            circuit.policy(settings.circuit_policy(name)).mode(settings.circuit_mode(name))
        })
    }

    /// The circuit that somebody means by this name, looked at.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] for a text that is no name, [`Failure::Storage`].
    pub(crate) async fn find(
        &self,
        name: &str,
        known: &BTreeSet<String>,
    ) -> Result<Found, Failure> {
        let canonical = self.settings.circuit_name(name).map_err(|error| {
            Failure::Usage(format!("no circuit can be called {name:?}: {error}"))
        })?;
        let spelt = spelling(name, &canonical, known);
        let circuit = self.circuit(spelt.unwrap_or(&canonical));
        self.look().await?;
        let known = spelt.is_some() || is_stored(&circuit.snapshot());
        Ok(Found { circuit, known })
    }

    /// That nobody knows this name.
    pub(crate) fn unknown(&self, name: &str, known: BTreeSet<String>) -> Failure {
        let environment = self.settings.environment.clone();
        Failure::Unknown { name: name.to_owned(), environment, known: known.into_iter().collect() }
    }

    /// Asks the storage what it says of every circuit that there is here.
    pub(crate) async fn look(&self) -> Result<(), Failure> {
        self.circuits.look().await.map_err(|error| self.failure(&error))?;
        let all = self.circuits.all();
        let patience = self.settings.redis.timeout * 2;
        let most = patience + Duration::from_secs_f64(all.len() as f64 / LOOKS);
        let began = Instant::now();
        while let Some(unseen) = unseen(&all) {
            if !unseen.shared || began.elapsed() > most {
                // Whoever is asked now says why.
                self.reach().await.map_err(|error| self.failure(&error))?;
                return Err(self.failure(&StorageError::TimedOut(most)));
            }
            sleep(GLANCE).await;
        }
        Ok(())
    }

    /// Copies of all circuits, in the order of their names.
    pub(crate) fn snapshots(&self) -> Vec<CircuitSnapshot> {
        self.circuits.all().iter().map(Circuit::snapshot).collect()
    }
}

/// A circuit of which the storage has not said anything yet.
fn unseen(circuits: &[Circuit]) -> Option<CircuitSnapshot> {
    circuits.iter().map(Circuit::snapshot).find(|snapshot| snapshot.view_age.is_none())
}

/// Whether there is anything of the circuit in the storage.
fn is_stored(snapshot: &CircuitSnapshot) -> bool {
    snapshot.generation > 0 || snapshot.fleet_failures > 0 || snapshot.fleet_window.is_some()
}

/// How one of the circuits that are known is spelt: as it was said, else as applications have it,
/// else in any way that is no other name.
fn spelling<'a>(said: &str, canonical: &str, known: &'a BTreeSet<String>) -> Option<&'a str> {
    let same = |name: &&String| ServiceName::normalize(name) == ServiceName::normalize(canonical);
    let known =
        known.get(said).or_else(|| known.get(canonical)).or_else(|| known.iter().find(same));
    known.map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circuit_is_meant_by_any_spelling_and_by_its_own_before_others() {
        let known = ["User_Service", "user-service", "Mail_Out", "a/Refunds"];
        let known: BTreeSet<String> = known.map(str::to_owned).into();
        for (said, canonical, spelt) in [
            ("User_Service", "user-service", Some("User_Service")),
            ("USER-SERVICE", "user-service", Some("user-service")),
            ("mail-out", "mail-out", Some("Mail_Out")),
            ("a/Refunds", "a/Refunds", Some("a/Refunds")),
            ("nobody", "nobody", None),
        ] {
            assert_eq!(spelling(said, canonical, &known), spelt, "{said}");
        }
    }
}
