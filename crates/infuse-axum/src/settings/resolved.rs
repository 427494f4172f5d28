use std::{collections::BTreeMap, time::Duration};

use config::Config;
use infuse_storage::State;

use super::{
    BreakerSettings, InitialState, KnownNames, ParseServiceNameError, RedisSettings, Secret,
    ServiceName, ServiceSettings, SettingsErrors, SettingsWarning, StorageKind, Template,
    features::Features, hidden, problem::Report, reader::Reader, resolve, values::Values,
};

/// Everything that can be set, checked and with defaults filled in.
///
/// `Settings::default()` is what an empty `Config` gives. `Debug` shows no secret. See the
/// [module docs](crate::settings) for the settings by name.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// `INFUSE_SERVICE_NAME`: this application, whose circuit is set at start. Default none.
    pub service_name: Option<ServiceName>,
    /// `INFUSE_ENVIRONMENT`: `{env}` in templates. Default `development`.
    pub environment: String,
    /// `INFUSE_INITIAL_CIRCUIT_STATE`: what the application's own circuit is set to at start.
    /// Default closed.
    pub initial_state: InitialState,
    /// Whether [`initial_state`](Self::initial_state) was set, and not left at its default.
    pub initial_state_set: bool,
    /// `INFUSE_FALLBACK_CIRCUIT_STATE`: the state to take when the storage is lost. Default none:
    /// a circuit keeps the last state that it knew.
    pub fallback_state: Option<State>,
    /// `INFUSE_STORAGE`: where circuits are kept. Default Redis if an address is set, else memory.
    pub storage: StorageKind,
    /// How Redis is reached, and how circuits are kept there.
    pub redis: RedisSettings,
    /// `INFUSE_REDIS_KEY_NAMESPACE_TEMPLATE`: the namespace of a circuit's keys. Default
    /// `{env}:{service_name}`.
    pub namespace_template: Template,
    /// `INFUSE_SYNC_INTERVAL`: time between two polls of the storage. Default 1 s.
    pub sync_interval: Duration,
    /// `INFUSE_TRIP_GRACE`: how long other processes may object before failures that were added up
    /// over all of them open a circuit. Default 50 ms.
    pub trip_grace: Duration,
    /// `INFUSE_TRIP_REST`: how long nothing is added up after an objection. Default 250 ms.
    pub trip_rest: Duration,
    /// `INFUSE_SERVICE_URL_TEMPLATE`: the base URL of services without one of their own. Default
    /// `http://{service_name}:8000`.
    pub service_url_template: Template,
    /// `INFUSE_SERVICE_TIMEOUT`: how long one call may wait for a service that has no timeout of its
    /// own. Default 5 s.
    pub service_timeout: Duration,
    /// `INFUSE_SERVICE_BODY_LIMIT`: bytes of a body that are read at most, of a service that has no
    /// limit of its own. Default no limit.
    pub service_body_limit: Option<u64>,
    /// `INFUSE_SERVICE_MAX_CIRCUITS`: circuits below one service at most, where it has no number of
    /// its own; 0 to 10000. Default 100.
    pub service_max_circuits: u32,
    /// `INFUSE_INSTANCE_NAME`: what people call this process. Default the host's name and the
    /// process's number, `web-7:4711`.
    pub instance_name: String,
    /// `INFUSE_ADMIN_TOKEN`: who has it may look at circuits and control them by the admin routes.
    /// Default none: nobody may control them.
    pub admin_token: Option<Secret>,
    /// `INFUSE_ADMIN_READ_TOKEN`: who has it may look at circuits by the admin routes. Default none:
    /// whoever has the admin token may, or without that whoever calls from this machine.
    pub admin_read_token: Option<Secret>,
    /// `INFUSE_READY_SERVICES`: the services without which this application is not ready. Default
    /// none.
    pub ready_services: Vec<ServiceName>,
    /// `INFUSE_PROPAGATE_HEADERS`: headers of the request that is answered which calls to services
    /// take along. Default `traceparent`, `tracestate`, `baggage`, `x-request-id`.
    pub propagate_headers: Vec<http::HeaderName>,
    /// How circuits behave for which nothing else was set.
    pub breaker: BreakerSettings,
    /// The services that can be called, by name.
    pub services: BTreeMap<ServiceName, ServiceSettings>,
    /// Circuits for which something was set, and which are no service that can be called.
    pub circuits: BTreeMap<ServiceName, BreakerSettings>,
    /// `INFUSE_SERVICE_CONNECTIONS`: the services whose names have a spelling.
    pub(super) connections: Vec<ServiceName>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service_name: None,
            environment: "development".to_owned(),
            initial_state: InitialState::Closed,
            initial_state_set: false,
            fallback_state: None,
            storage: StorageKind::Memory,
            redis: RedisSettings::default(),
            namespace_template: Template::default_namespace(),
            sync_interval: Duration::from_secs(1),
            trip_grace: Duration::from_millis(50),
            trip_rest: Duration::from_millis(250),
            service_url_template: Template::default_service_url(),
            service_timeout: Duration::from_secs(5),
            service_body_limit: None,
            service_max_circuits: 100,
            instance_name: default_instance_name(),
            admin_token: None,
            admin_read_token: None,
            ready_services: Vec::new(),
            propagate_headers: default_propagated(),
            breaker: BreakerSettings::default(),
            services: BTreeMap::new(),
            circuits: BTreeMap::new(),
            connections: Vec::new(),
        }
    }
}

fn default_instance_name() -> String {
    let host = gethostname::gethostname();
    format!("{}:{}", host.to_string_lossy(), std::process::id())
}

fn default_propagated() -> Vec<http::HeaderName> {
    let names = ["traceparent", "tracestate", "baggage", "x-request-id"];
    names.map(http::HeaderName::from_static).to_vec()
}

impl Settings {
    /// Reads Infuse's settings out of a `Config`, whatever else is in it.
    ///
    /// `known` has the names that the application registered in its builder. The warnings are
    /// about what is most likely a mistake; they are not logged here.
    ///
    /// # Errors
    ///
    /// All that is wrong, at once.
    pub fn from_config(
        config: &Config,
        known: &KnownNames,
    ) -> Result<(Self, Vec<SettingsWarning>), SettingsErrors> {
        Self::read(config, known, Features::HERE)
    }

    pub(super) fn read(
        config: &Config,
        known: &KnownNames,
        features: Features,
    ) -> Result<(Self, Vec<SettingsWarning>), SettingsErrors> {
        let mut report = Report::default();
        let values = Values::collect(config, &mut report);
        hidden::warn_of_lost_prefix(config, &values, &mut report);
        let mut reader = Reader { values: &values, report: &mut report };
        let settings = resolve::settings(&mut reader, known, features);
        Ok((settings, report.finish()?))
    }

    /// The service that can be called by this name, in any of its spellings.
    pub fn service(&self, name: &str) -> Option<&ServiceSettings> {
        self.services.get(&*ServiceName::normalize(name))
    }

    /// The name in its canonical spelling: as a service or a circuit is configured, else in lower
    /// case with `-`.
    ///
    /// # Errors
    ///
    /// For a text that is no [`ServiceName`].
    pub fn canonical(&self, name: &str) -> Result<ServiceName, ParseServiceNameError> {
        let name = ServiceName::parse(name)?;
        let known = self.services.get_key_value(&name).map(|(known, _)| known);
        let known = known.or_else(|| self.circuits.get_key_value(&name).map(|(known, _)| known));
        let known = known.or_else(|| self.service_name.as_ref().filter(|own| **own == name));
        Ok(known.cloned().unwrap_or(name))
    }

    /// How the circuit of this name behaves, whether anything was set for it or not.
    pub fn breaker_for(&self, name: &ServiceName) -> &BreakerSettings {
        match self.services.get(name) {
            Some(service) => &service.breaker,
            None => self.circuits.get(name).unwrap_or(&self.breaker),
        }
    }

    /// The namespace of a circuit's keys in Redis.
    pub fn namespace(&self, name: &ServiceName) -> String {
        self.namespace_template.render(&self.environment, name)
    }
}
