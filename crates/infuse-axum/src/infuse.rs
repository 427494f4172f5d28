use std::{fmt, sync::Arc};

use axum::Router;
use config::Config;
use infuse_storage::{Circuit, CircuitSnapshot, Rejected};
use tower_http::add_extension::AddExtensionLayer;

use crate::{
    InfuseBuilder, InitError, Reload, ReloadError, ServiceClient, ServiceError,
    error::Cause,
    rejection::Rejection,
    reload::Live,
    settings::{ParseServiceNameError, ServiceName, Settings},
};

/// Infuse, installed: the handle that [`Infuse::init_app`] returns.
///
/// Cloning is cheap. The handle may be dropped: circuits are shared as long as there is a handle,
/// a [`ServiceClient`] or a [`Circuit`].
#[derive(Clone)]
pub struct Infuse(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) live: Arc<Live>,
    pub(crate) client: ServiceClient,
    #[cfg(feature = "admin")]
    pub(crate) operated: Operated,
}

/// What is there for those who look at the application and control it.
#[cfg(feature = "admin")]
pub(crate) struct Operated {
    pub(crate) started_at: std::time::SystemTime,
    pub(crate) feed: Arc<crate::events::Feed>,
    pub(crate) names: crate::instances::Names,
}

impl Infuse {
    /// Reads the settings, seeds the application's own circuit, and gives a [`ServiceClient`] to
    /// every route that the router has.
    ///
    /// It must stand after the last route, nest, merge and fallback, because axum applies a layer
    /// only to routes that are there already.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use axum::{Router, routing::get};
    /// use infuse_axum::{Infuse, ServiceClient, ServiceError};
    ///
    /// async fn balance(client: ServiceClient) -> Result<String, ServiceError> {
    ///     client.service("payments")?.get("balance").send().await?.text().await
    /// }
    ///
    /// # let config = infuse_axum::config::Config::builder()
    /// #     .set_override("infuse_service_connections", "payments")?.build()?;
    /// # #[cfg(any())]
    /// let config = infuse_axum::load_config()?;
    /// let mut app = Router::new().route("/balance", get(balance));
    /// let infuse = Infuse::init_app(&mut app, &config).await?;
    /// assert_eq!(infuse.circuits()[0].service, "payments");
    /// # let _: Router = app;
    /// # Ok(()) }
    /// ```
    ///
    /// # Timeouts outside of it
    ///
    /// A call to a service waits no longer than `INFUSE_SERVICE_TIMEOUT` (5 s), and then fails,
    /// which counts. Whoever waits for this application has a timeout too: tower-http's
    /// `TimeoutLayer`, a load balancer, another service that uses Infuse. The inner one is to be the
    /// shorter: if the outer one ends first, the handler is dropped with the call in it, and a call
    /// that its caller drops counts as nothing. A service that hangs is then never found out.
    ///
    /// - Set `INFUSE_SERVICE_TIMEOUT`, times the calls that a handler makes one after another, to
    ///   less than what is outside.
    /// - Where that cannot be, set `INFUSE_BREAKER_ABANDONED_AFTER` to less than what is outside:
    ///   a call that has waited so long for the service when it is dropped is a failure.
    ///
    /// # Errors
    ///
    /// [`InitError`] when the settings are wrong; all that is wrong is said at once. Never because
    /// the storage or a service cannot be reached: it waits for the storage no longer than
    /// `INFUSE_REDIS_TIMEOUT`. The router is untouched then.
    pub async fn init_app<S>(app: &mut Router<S>, config: &Config) -> Result<Self, InitError>
    where
        S: Clone + Send + Sync + 'static,
    {
        Self::builder().init_app(app, config).await
    }

    /// A builder, for what settings cannot say.
    pub fn builder() -> InfuseBuilder {
        InfuseBuilder::new()
    }

    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.0.live
    }

    #[cfg(feature = "admin")]
    pub(crate) fn operated(&self) -> &Operated {
        &self.0.operated
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// All circuits as they are now, in the order of their names: the application's own, those of
    /// the services that are configured and those below them, and those that
    /// [`breaker`](Self::breaker) made.
    pub fn circuits(&self) -> Vec<CircuitSnapshot> {
        self.0.live.circuits.all().iter().map(Circuit::snapshot).collect()
    }

    /// The circuit of this name, to guard any function or future with. It is made at its first
    /// use, with the settings that there are for the name. A service of that name shares it.
    ///
    /// To control a circuit that is there already, [`circuit`](Self::circuit) is safer: it makes
    /// none for a name that is misspelt.
    ///
    /// # Errors
    ///
    /// [`ParseServiceNameError`] for a name that no service can have.
    pub fn breaker(&self, name: &str) -> Result<Circuit, ParseServiceNameError> {
        let name = self.0.live.settings().canonical(name)?;
        Ok(self.0.live.circuit(&name))
    }

    /// The circuit of this name if there is one, to look at it and to control it: one of
    /// [`circuits`](Self::circuits). `payments/refunds` is the circuit `refunds` below the service
    /// `payments`. In the names of services case does not matter, nor `-` or `_`.
    ///
    /// At 3 a.m. nobody is to be called who is moving a database, and in an hour that is to be
    /// over, whether anybody thinks of it or not:
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use infuse_axum::{Mode, Override, Reach};
    ///
    /// # let config = infuse_axum::config::Config::builder()
    /// #     .set_override("infuse_service_connections", "payments")?.build()?;
    /// # let infuse = infuse_axum::Infuse::builder().start(&config).await?;
    /// let payments = infuse.circuit("payments").ok_or("no such circuit")?;
    /// let night = Override::new(Mode::Isolated)
    ///     .lasting(Duration::from_secs(3600))
    ///     .by("ada")
    ///     .because("their database is being moved");
    /// match payments.set_override(Some(night)).await {
    ///     Reach::Fleet => println!("payments is isolated everywhere"),
    ///     Reach::Local => println!("the storage is away: payments is isolated here alone"),
    /// }
    /// assert_eq!(payments.mode(), Mode::Isolated);
    ///
    /// // Over sooner than thought.
    /// let _ = payments.set_override(None).await;
    /// assert_eq!(payments.mode(), Mode::Enabled);
    /// # Ok(()) }
    /// ```
    ///
    /// [`Mode::Observe`](crate::Mode::Observe) and [`Mode::Disabled`](crate::Mode::Disabled) let
    /// every call through. What holds without an override is `INFUSE_BREAKER_MODE`.
    pub fn circuit(&self, name: &str) -> Option<Circuit> {
        let live = &self.0.live;
        if let Some(circuit) = live.circuits.get(name) {
            return Some(circuit);
        }
        let (service, below) = match name.split_once('/') {
            Some((service, below)) => (service, Some(below)),
            None => (name, None),
        };
        let service = live.settings().canonical(service).ok()?;
        match below {
            Some(below) => live.circuits.get(&format!("{service}/{below}")),
            None => live.circuits.get(service.as_str()),
        }
    }

    /// The error of a call that this circuit rejected, to be answered like those of a
    /// [`ServiceClient`]: a 503 with a `Retry-After`, which is later at random by what
    /// `INFUSE_RETRY_AFTER_JITTER` says, and the circuit's reset timeout where it is isolated without
    /// an end. For calls that [`breaker`](Self::breaker) guards, or the [layer](crate::layer).
    ///
    /// ```
    /// use infuse_axum::{CallError, Circuit, Infuse};
    ///
    /// # async fn insert(row: u64) -> std::io::Result<()> { Ok(()) }
    /// async fn save(infuse: &Infuse, database: &Circuit, row: u64) -> anyhow::Result<()> {
    ///     database.call(|| insert(row)).await.map_err(|error| match error {
    ///         CallError::Rejected(rejected) => infuse.rejection(database, rejected).into(),
    ///         error => anyhow::Error::from(error),
    ///     })
    /// }
    /// ```
    pub fn rejection(&self, circuit: &Circuit, rejected: Rejected) -> ServiceError {
        let (service, below) = match circuit.name().split_once('/') {
            Some((service, _)) => (service, true),
            None => (circuit.name(), false),
        };
        let settings = self.0.live.settings();
        // What is set for the service holds below it too.
        let jitter = match ServiceName::parse(service) {
            Ok(name) => settings.breaker_for(&name).retry_after_jitter,
            Err(_) => settings.breaker.retry_after_jitter,
        };
        let rejection = Rejection::new(circuit, rejected, jitter);
        let rejection = if below { rejection.below(circuit) } else { rejection };
        ServiceError::new(&service.into(), Cause::Rejected(rejection))
    }

    /// Reads the settings anew and changes what differs, while calls go on: every threshold, mode,
    /// exclusion, timeout and limit, of all circuits and services that there are. No circuit loses
    /// its state, its counts or the time that it is still open. It changes all or nothing, waits for
    /// nothing, and says in the log, at `info`, what has changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use infuse_axum::{Infuse, config::Config};
    /// # fn load_config() -> Result<Config, infuse_axum::config::ConfigError> {
    /// #     Config::builder().set_override("infuse_breaker_max_failure", 3)?.build()
    /// # }
    /// # let infuse = Infuse::builder().start(&Config::default()).await?;
    /// # #[cfg(any())]
    /// use infuse_axum::load_config;
    ///
    /// // On SIGHUP, say.
    /// match infuse.reload(&load_config()?) {
    ///     Ok(reload) => println!("{reload}"),
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// assert_eq!(infuse.settings().breaker.max_failure, Some(3));
    /// # Ok(()) }
    /// ```
    ///
    /// - A call that has begun goes on by what it began with. A circuit that is open stays so for
    ///   the time that was set when it opened. A window keeps its calls unless its own size has
    ///   changed.
    /// - What the builder said stays: listeners, exclusions, `classify` and so on. A policy or mode
    ///   that code put on a circuit ([`Circuit::set_policy`], [`Circuit::set_mode`]) stays until a
    ///   setting of that circuit changes it. An override
    ///   ([`Circuit::set_override`]) stays above the mode of the settings.
    /// - Where services are, which there are, listeners, and everything about the storage hold until
    ///   the process starts anew.
    /// - The other processes of a fleet reload by themselves. Meanwhile each goes by its own
    ///   thresholds.
    ///
    /// Two reloads at once come one after the other, each whole.
    ///
    /// # Errors
    ///
    /// [`ReloadError`] when settings are wrong, with all that is; and when some have changed that
    /// cannot change while the process runs, with all of those. Nothing has changed then.
    pub fn reload(&self, config: &Config) -> Result<Reload, ReloadError> {
        self.0.live.reload(config)
    }

    /// The client, for code outside handlers.
    pub fn client(&self) -> ServiceClient {
        self.0.client.clone()
    }

    /// What [`init_app`](Self::init_app) applies to the router, for routers that are built in
    /// parts. It must be applied after the last route.
    pub fn layer(&self) -> AddExtensionLayer<ServiceClient> {
        AddExtensionLayer::new(self.client())
    }

    /// The settings that hold. A [`reload`](Self::reload) replaces them, and leaves alone what was
    /// returned before.
    pub fn settings(&self) -> Arc<Settings> {
        self.0.live.settings()
    }

    /// Hands all that was counted to whatever records [metrics](crate::metrics) in this process, so
    /// that they are as of now: to be called before they are shown. Without it they are as of at
    /// most 5 s ago.
    #[cfg(feature = "metrics")]
    pub fn collect_metrics(&self) {
        let live = &self.0.live;
        if let Some(meters) = live.meters() {
            crate::metrics::collect(&live.circuits, meters);
        }
    }

    /// Ends the streams of events of the [admin routes](Self::admin_router), for good. They have no
    /// end of their own, so a server that waits for its connections before it stops is to call this
    /// first. Without the feature `admin` there are none.
    ///
    /// ```no_run
    /// # async fn run(infuse: infuse_axum::Infuse, app: axum::Router) -> std::io::Result<()> {
    /// # async fn told_to_stop() {}
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    /// let stopping = infuse.clone();
    /// axum::serve(listener, app)
    ///     .with_graceful_shutdown(async move {
    ///         told_to_stop().await;
    ///         stopping.close_events();
    ///     })
    ///     .await?;
    /// infuse.shutdown().await;
    /// # Ok(()) }
    /// ```
    pub fn close_events(&self) {
        #[cfg(feature = "admin")]
        self.0.operated.feed.close();
    }

    /// Stops sharing: leases are given back, what is pending is told to the storage, and every
    /// task ends. Calls are still guarded afterwards, in this process alone. It takes at most 2 s,
    /// and may be repeated.
    pub async fn shutdown(&self) {
        self.close_events();
        #[cfg(feature = "metrics")]
        if let Some(meters) = self.0.live.meters() {
            meters.stop();
        }
        self.0.live.circuits.shutdown().await;
    }
}

impl fmt::Debug for Infuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Infuse")
            .field("settings", &self.0.live.settings())
            .field("client", &self.0.client)
            .finish_non_exhaustive()
    }
}
