use std::{collections::BTreeMap, env, fmt, sync::Arc, time::SystemTime};

use axum::{BoxError, Router, body::Body};
use bytes::Bytes;
use config::Config;
use http::{Request, Response, request};
use infuse_storage::{Circuits, CircuitsBuilder, Evidence, Listener, Outcome, Storage, TimeSource};
use tower::Service;

use crate::{
    Attempt, Infuse, InitError, ServiceClient,
    classify::{ClassifyFn, ExcludeFn},
    client::{ClientParts, OnRequest, ServiceConfig, Transport},
    infuse::Inner,
    instances,
    listeners::Listeners,
    place,
    reload::{self, Live, TripRuleFn},
    settings::{
        KnownNames, Origins, ServiceName, Settings, SettingsWarning, unseen_variables,
        warning_of_own_name,
    },
    start,
};
#[cfg(feature = "admin")]
use crate::{events::Feed, infuse::Operated, instances::Names};

/// Installs Infuse with what settings cannot say.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use axum::{Router, routing::get};
/// use infuse_axum::{Infuse, Outcome};
///
/// // In a test of handlers, a router stands in for the service.
/// let payments = Router::new().route("/balance", get(|| async { "7" }));
///
/// # let config = infuse_axum::config::Config::builder()
/// #     .set_override("infuse_service_connections", "payments")?.build()?;
/// # let mut app = Router::<()>::new().route("/", get(|| async {}));
/// let infuse = Infuse::builder()
///     .transport("payments", payments)
///     .on_request(|_service, request| {
///         request.headers.insert("x-caller", "orders".parse().expect("a valid header"));
///     })
///     .classify(|service, attempt| {
///         // This one says 404 when its database is gone.
///         let gone = service == "legacy" && attempt.status().is_some_and(|s| s == 404);
///         gone.then_some(Outcome::Failure)
///     })
///     .init_app(&mut app, &config)
///     .await?;
/// let balance = infuse.client().service("payments")?.get("balance").send().await?;
/// assert_eq!(balance.text().await?, "7");
/// # Ok(()) }
/// ```
#[must_use]
pub struct InfuseBuilder {
    service_name: Option<String>,
    listeners: Listeners,
    exclusions: Vec<(String, ExcludeFn)>,
    classify: Option<ClassifyFn>,
    trip_rules: Vec<TripRuleFn>,
    on_request: Vec<OnRequest>,
    http_client: Option<reqwest::Client>,
    transports: BTreeMap<String, Transport>,
    storage: Option<Arc<dyn Storage>>,
    clock: TimeSource,
}

impl InfuseBuilder {
    pub(crate) fn new() -> Self {
        // So early, because a client for `http_client` panics if it is built before; and whoever
        // makes the first connection, that client, ours or one to Redis, finds it.
        #[cfg(feature = "tls")]
        crate::crypto::install_provider();
        Self {
            service_name: None,
            listeners: Listeners::default(),
            exclusions: Vec::new(),
            classify: None,
            trip_rules: Vec::new(),
            on_request: Vec::new(),
            http_client: None,
            transports: BTreeMap::new(),
            storage: None,
            clock: TimeSource::system(),
        }
    }

    /// This application's name, whose circuit is seeded at start. `INFUSE_SERVICE_NAME`, if set,
    /// is taken instead.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service_name = Some(name.into());
        self
    }

    /// Adds a listener to every circuit. It is told in the thread of the call; for one that takes its
    /// time there is a [channel](crate::listeners).
    pub fn listener(mut self, listener: impl Listener) -> Self {
        self.listeners.add(Arc::new(listener));
        self
    }

    /// Registers a listener that `INFUSE_BREAKER_LISTENERS` may name, for all circuits or for
    /// one. It is used only where it is named. Under the name of a [built-in](crate::listeners) one
    /// it is taken in place of that.
    pub fn register_listener(mut self, name: impl Into<String>, listener: impl Listener) -> Self {
        self.listeners.register(name.into(), Arc::new(listener));
        self
    }

    /// Registers an exclusion that `INFUSE_BREAKER_EXCLUDE_EXCEPTIONS` may name: failures that it
    /// picks do not count.
    pub fn register_exclusion(
        mut self,
        name: impl Into<String>,
        picks: impl Fn(&Attempt<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.exclusions.push((name.into(), Arc::new(picks)));
        self
    }

    /// Judges attempts before the usual rules and exclusions do, which are asked when it returns
    /// `None`.
    pub fn classify(
        mut self,
        judge: impl Fn(&str, &Attempt<'_>) -> Option<Outcome> + Send + Sync + 'static,
    ) -> Self {
        self.classify = Some(Arc::new(judge));
        self
    }

    /// Adds a rule of one's own for what opens circuits, beside what settings say. It is put on every
    /// circuit, and told its name: `payments`, or `payments/refunds` for one below. Of several, any
    /// opens.
    ///
    /// It is asked after each call that counted and that nothing else opened the circuit for, in the
    /// task of the call; it should be quick, and go by what it is given alone. A panic in it goes no
    /// further and stands for "no". What it opens is open for the whole fleet, but the
    /// [`Evidence`] is this process's own. Every circuit keeps a window for it, by
    /// `INFUSE_BREAKER_WINDOW`, so that each call reads a clock and is counted.
    ///
    /// With one, `INFUSE_BREAKER_MAX_FAILURE` may be `none` without a rate. A policy set by
    /// code is then made with [`by_rules_alone`](crate::PolicyBuilder::by_rules_alone).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use infuse_axum::{Infuse, State};
    ///
    /// # let config = infuse_axum::config::Config::builder()
    /// #     .set_override("infuse_breaker_max_failure", "none")?.build()?;
    /// let infuse = Infuse::builder()
    ///     // Any three failures in the last ten seconds, however many calls there are beside them;
    ///     // of the archive, thirty.
    ///     .trip_rule(|circuit, evidence| {
    ///         evidence.counts.failures >= if circuit == "archive" { 30 } else { 3 }
    ///     })
    ///     .start(&config)
    ///     .await?;
    /// let (users, archive) = (infuse.breaker("users")?, infuse.breaker("archive")?);
    /// for _ in 0..3 {
    ///     let _ = users.call_sync(|| Err::<(), _>(std::io::Error::other("down")));
    ///     let _ = users.call_sync(|| Ok::<_, std::io::Error>(()));
    ///     let _ = archive.call_sync(|| Err::<(), _>(std::io::Error::other("down")));
    /// }
    /// assert_eq!((users.state(), archive.state()), (State::Open, State::Closed));
    /// # Ok(()) }
    /// ```
    pub fn trip_rule(
        mut self,
        rule: impl Fn(&str, &Evidence) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.trip_rules.push(Arc::new(rule));
        self
    }

    /// Changes every request before it is sent: adds authorization or a request id, say. It is
    /// given the service's name. Several are called in the order in which they were added.
    pub fn on_request(
        mut self,
        change: impl Fn(&str, &mut request::Parts) + Send + Sync + 'static,
    ) -> Self {
        self.on_request.push(Arc::new(change));
        self
    }

    /// Sends requests by this client, for proxies, private certificates, cookies or HTTP/2
    /// without TLS. Its own timeouts and redirects hold beside those of Infuse.
    ///
    /// Where it waits for a resolver that does not answer, that is taken for a service that does not
    /// answer: Infuse's own client gives up on names first, after 900 ms, and so tells the two apart
    /// for `INFUSE_BREAKER_SPLIT_LOCAL_ORIGIN`.
    ///
    /// Build it after [`Infuse::builder`] was called, which gives the process a crypto provider
    /// for rustls if it has none; without one reqwest panics.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Lets a tower service stand in for the network for one service, a [`Router`] above all. The
    /// service must be configured; its base URL is what the requests carry.
    pub fn transport<T, B>(mut self, service: impl Into<String>, transport: T) -> Self
    where
        T: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        T::Future: Send,
        T::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.transports.insert(service.into(), Transport::service(transport));
        self
    }

    /// Shares circuits through this storage, whatever `INFUSE_STORAGE` says. Applications that
    /// are given clones of one [`MemoryStorage`](crate::MemoryStorage) share their circuits.
    pub fn storage(mut self, storage: impl Storage) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// Takes the time for the circuits from this clock, in tests above all. Timeouts of calls are
    /// tokio's. A [`storage`](Self::storage) has a clock of its own.
    pub fn clock(mut self, clock: impl Into<TimeSource>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Installs Infuse: see [`Infuse::init_app`].
    ///
    /// # Errors
    ///
    /// As for [`Infuse::init_app`].
    pub async fn init_app<S>(
        self,
        app: &mut Router<S>,
        config: &Config,
    ) -> Result<Infuse, InitError>
    where
        S: Clone + Send + Sync + 'static,
    {
        let infuse = self.start(config).await?;
        // Nothing is awaited from here on: a caller that is dropped leaves the router whole.
        if !app.has_routes() {
            tracing::warn!(
                target: "infuse",
                "Infuse::init_app was given a router without routes: call it after the last \
                 route, because axum applies a layer only to routes that are there already",
            );
        }
        *app = std::mem::take(app).layer(infuse.layer());
        Ok(infuse)
    }

    /// Starts Infuse without a router: for code outside handlers, and for routers built in parts,
    /// which take [`Infuse::layer`].
    ///
    /// # Errors
    ///
    /// As for [`Infuse::init_app`].
    pub async fn start(self, config: &Config) -> Result<Infuse, InitError> {
        let (mut settings, warnings) = Settings::from_config(config, &self.known_names())?;
        warn(&warnings);
        warn(&unseen_variables(config, env::vars_os()));
        self.name_application(&mut settings)?;

        #[cfg(feature = "admin")]
        let feed = Feed::new();
        let circuits = self.circuits(&settings)?;
        #[cfg(feature = "admin")]
        let circuits = {
            let told = Arc::clone(&feed);
            circuits.listener(feed.clone()).storage_listener(move |event| told.storage(event))
        };
        let circuits = circuits.start()?;
        let started_at = SystemTime::now();
        let said = reload::Builder {
            known: self.known_names(),
            service_name: self.named(&settings)?,
            has_storage: self.storage.is_some(),
            listeners: self.listeners.clone(),
            classify: self.classify.clone(),
            exclusions: self.exclusions.clone(),
            trip_rules: self.trip_rules.clone(),
        };
        let live = Arc::new(Live::new(circuits, said, settings.clone(), Origins::of(config)));
        #[cfg(feature = "admin")]
        feed.attach(&live);
        let own = settings.service_name.as_ref().map(|name| live.circuit(name));
        let client = self.client(&settings, &live)?;
        #[cfg(feature = "metrics")]
        crate::metrics::keep_current(&live);
        start::ready(&settings, &live.circuits, own).await;
        instances::announce(&live, started_at);
        #[cfg(feature = "admin")]
        let operated = Operated { started_at, feed, names: Names::default() };
        Ok(Infuse::new(Inner {
            live,
            client,
            #[cfg(feature = "admin")]
            operated,
        }))
    }

    fn known_names(&self) -> KnownNames {
        let known = KnownNames::default();
        let known = if self.storage.is_some() { known.with_storage() } else { known };
        let known = if self.trip_rules.is_empty() { known } else { known.with_trip_rule() };
        let known = self.listeners.names().fold(known, KnownNames::with_listener);
        let exclusions = self.exclusions.iter().map(|(name, _)| name.as_str());
        exclusions.fold(known, KnownNames::with_exclusion)
    }

    fn name_application(&self, settings: &mut Settings) -> Result<(), InitError> {
        if settings.service_name.is_none()
            && let Some(name) = &self.service_name
        {
            settings.service_name = self.named(settings)?;
            if let (None, Some(warning)) = (&self.storage, warning_of_own_name(settings, name)) {
                tracing::warn!(target: "infuse", "service name {name:?} in the builder: {warning}");
            }
        }
        Ok(())
    }

    /// The application's name in this builder.
    fn named(&self, settings: &Settings) -> Result<Option<ServiceName>, InitError> {
        let Some(name) = &self.service_name else { return Ok(None) };
        let canonical = settings.canonical(name);
        canonical.map(Some).map_err(|source| InitError::ServiceName { name: name.clone(), source })
    }

    fn circuits(&self, settings: &Settings) -> Result<CircuitsBuilder, InitError> {
        let storage = match &self.storage {
            Some(storage) => Arc::clone(storage),
            None => place::storage(settings, &self.clock)?,
        };
        let template = settings.namespace_template.clone();
        let environment = settings.environment.clone();
        Ok(Circuits::builder()
            .storage(storage)
            .clock(self.clock.clone())
            .sync_interval(settings.sync_interval)
            .timeout(settings.redis.timeout)
            .trip_grace(settings.trip_grace)
            .trip_rest(settings.trip_rest)
            .fallback(settings.fallback_state)
            // Of circuits below a service too: `payments/refunds`.
            .namespace(move |name| template.render_text(&environment, name)))
    }

    fn client(&self, settings: &Settings, live: &Arc<Live>) -> Result<ServiceClient, InitError> {
        let mut transports = BTreeMap::new();
        for (service, transport) in &self.transports {
            let Some(known) = settings.service(service) else {
                return Err(InitError::UnknownTransport { service: service.clone() });
            };
            transports.insert(known.name.clone(), transport.clone());
        }
        let services = settings.services.values().map(|service| {
            let own_client = || self.http_client.clone().map(Transport::Network);
            ServiceConfig {
                name: service.name.clone(),
                circuit: live.circuit(&service.name),
                base_url: service.url.clone(),
                rules: live.rules(&service.name),
                below: live.below(&service.name),
                redirects: service.redirects,
                transport: transports.get(&service.name).cloned().or_else(own_client),
            }
        });
        let parts = ClientParts {
            services: services.collect(),
            on_request: self.on_request.clone(),
            propagate: settings.propagate_headers.clone(),
        };
        Ok(ServiceClient::new(parts)?)
    }
}

fn warn(warnings: &[SettingsWarning]) {
    for warning in warnings {
        tracing::warn!(target: "infuse", "{warning}");
    }
}

impl fmt::Debug for InfuseBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InfuseBuilder")
            .field("service_name", &self.service_name)
            .field("listeners", &self.listeners)
            .field("transports", &self.transports)
            .field("storage", &self.storage)
            .finish_non_exhaustive()
    }
}
