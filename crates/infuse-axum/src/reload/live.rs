use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use infuse_storage::{Circuit, Circuits, Evidence, Policy};

use super::{LiveRules, Rules};
use crate::{
    classify::{Classifier, ClassifyFn, ExcludeFn},
    listeners::Listeners,
    settings::{BreakerSettings, KnownNames, Origins, ServiceName, ServiceSettings, Settings},
};

/// Gets or makes a circuit below a service, by its name there.
pub(crate) type Below = Arc<dyn Fn(&str) -> Circuit + Send + Sync>;

/// A rule for what opens circuits, which is told the name of one.
pub(crate) type TripRuleFn = Arc<dyn Fn(&str, &Evidence) -> bool + Send + Sync>;

/// What the application said in its builder, as far as it is needed when settings are read.
pub(crate) struct Builder {
    pub(crate) known: KnownNames,
    pub(crate) service_name: Option<ServiceName>,
    pub(crate) has_storage: bool,
    pub(crate) listeners: Listeners,
    pub(crate) classify: Option<ClassifyFn>,
    pub(crate) exclusions: Vec<(String, ExcludeFn)>,
    pub(crate) trip_rules: Vec<TripRuleFn>,
}

/// The settings that hold, and all that goes by them.
pub(crate) struct Live {
    pub(crate) circuits: Circuits,
    pub(super) builder: Builder,
    settings: RwLock<Arc<Settings>>,
    origins: RwLock<Arc<Origins>>,
    rules: BTreeMap<ServiceName, Arc<LiveRules>>,
    /// Held by a reload, so that there is one at a time.
    pub(super) reloading: Mutex<()>,
}

impl Live {
    pub(crate) fn new(
        circuits: Circuits,
        builder: Builder,
        settings: Settings,
        origins: Origins,
    ) -> Self {
        let rules = |service: &ServiceSettings| {
            let rules = builder.rules(service);
            (service.name.clone(), Arc::new(LiveRules::new(rules)))
        };
        let rules = settings.services.values().map(rules).collect();
        let settings = RwLock::new(Arc::new(settings));
        let origins = RwLock::new(Arc::new(origins));
        Self { circuits, builder, settings, origins, rules, reloading: Mutex::default() }
    }

    /// The settings that hold.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        // Only a pointer is copied under the lock, here and below, which cannot panic.
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Where they were read from.
    #[cfg(feature = "admin")]
    pub(crate) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.origins.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the application brought the storage.
    pub(crate) fn has_own_storage(&self) -> bool {
        self.builder.has_storage
    }

    /// What counts for those who look at metrics.
    #[cfg(feature = "metrics")]
    pub(crate) fn meters(&self) -> Option<&Arc<crate::metrics::Meters>> {
        self.builder.listeners.meters()
    }

    pub(super) fn replace(&self, settings: Arc<Settings>, origins: Origins) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        *self.origins.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(origins);
    }

    /// What the calls to a service go by. Services neither come nor go.
    pub(crate) fn rules(&self, service: &ServiceName) -> Arc<LiveRules> {
        self.rules.get(service).cloned().unwrap_or_default()
    }

    /// The circuit of this name, made if there is none.
    pub(crate) fn circuit(&self, name: &ServiceName) -> Circuit {
        self.circuit_named(name.as_str(), name)
    }

    /// What makes the circuits below a service.
    pub(crate) fn below(self: &Arc<Self>, service: &ServiceName) -> Below {
        let (live, service) = (Arc::clone(self), service.clone());
        Arc::new(move |name| live.circuit_named(&format!("{service}/{name}"), &service))
    }

    /// The circuit of this name, which behaves as is set for `like`.
    fn circuit_named(&self, name: &str, like: &ServiceName) -> Circuit {
        self.circuit_by(self.settings(), name, like)
    }

    /// [`circuit_named`](Self::circuit_named) by settings that held a moment ago.
    fn circuit_by(&self, mut settings: Arc<Settings>, name: &str, like: &ServiceName) -> Circuit {
        let mut made = false;
        let circuit = self.circuits.circuit_with(name, |circuit| {
            made = true;
            let breaker = settings.breaker_for(like);
            let policy = self.builder.policy(&settings, like);
            let circuit = circuit.policy(policy).mode(breaker.mode);
            let circuit = self.builder.listeners.install(name, breaker, circuit);
            self.builder.trip_rules.iter().fold(circuit, |circuit, rule| {
                let (name, rule) = (Arc::<str>::from(name), Arc::clone(rule));
                circuit.trip_rule(move |evidence: &Evidence| rule(&name, evidence))
            })
        });
        // A reload that came meanwhile may have looked for circuits before there was this one.
        let mut now = self.settings();
        while made && !Arc::ptr_eq(&now, &settings) {
            self.builder.change(&circuit, like, &settings, &now);
            settings = std::mem::replace(&mut now, self.settings());
        }
        circuit
    }
}

impl Builder {
    /// What the calls to a service go by.
    pub(super) fn rules(&self, service: &ServiceSettings) -> Rules {
        Rules {
            timeout: Some(service.timeout),
            body_limit: service.body_limit,
            classifier: self.classifier(&service.breaker),
            retry_after_jitter: service.breaker.retry_after_jitter,
            max_circuits: usize::try_from(service.max_circuits).unwrap_or(usize::MAX),
        }
    }

    fn classifier(&self, breaker: &BreakerSettings) -> Classifier {
        let named = |name: &str| {
            let known = self.exclusions.iter().find(|(registered, _)| registered == name);
            known.map(|(_, exclude)| Arc::clone(exclude))
        };
        // Settings were checked against the same names.
        Classifier::new(&breaker.exclude, named, self.classify.clone()).unwrap_or_default()
    }

    /// The policy of the circuits that behave as is set for this name.
    fn policy(&self, settings: &Settings, like: &ServiceName) -> Policy {
        settings.policy_like(like, !self.trip_rules.is_empty())
    }

    /// Changes what differs by the settings. What code has put on the circuit stays where they have
    /// not changed, and an override stays above its mode in any case.
    pub(super) fn change(
        &self,
        circuit: &Circuit,
        like: &ServiceName,
        old: &Settings,
        new: &Settings,
    ) {
        let (before, after) = (self.policy(old, like), self.policy(new, like));
        if before != after {
            circuit.set_policy(after);
        }
        let (before, after) = (old.breaker_for(like).mode, new.breaker_for(like).mode);
        if before != after {
            circuit.set_mode(after);
        }
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("settings", &self.settings()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use config::Config;
    use infuse_storage::core::Mode;

    use super::*;
    use crate::Infuse;

    fn config(failures: u32, mode: &str) -> Config {
        let config = Config::builder().set_override("infuse_breaker_max_failure", failures);
        let config = config.unwrap().set_override("infuse_breaker_mode", mode).unwrap();
        config.build().unwrap()
    }

    #[tokio::test]
    async fn a_circuit_that_is_made_during_a_reload_goes_by_the_new_settings() {
        let infuse = Infuse::builder().start(&config(1, "observe")).await.unwrap();
        let live = infuse.live();
        let name = ServiceName::parse("database").unwrap();
        let before = live.settings();
        live.reload(&config(2, "disabled")).unwrap();
        live.reload(&config(3, "isolated")).unwrap();
        let circuit = live.circuit_by(before, "database", &name);
        assert_eq!((circuit.policy().max_failure(), circuit.mode()), (3, Mode::Isolated));
        // And below a service.
        let below = live.below(&name)("reads");
        assert_eq!((below.name(), below.policy().max_failure()), ("database/reads", 3));
    }
}
