use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use config::Config;
use infuse_storage::{Circuit, CircuitSnapshot, Circuits, Policy};
use tower_http::add_extension::AddExtensionLayer;

use crate::{
    InfuseBuilder, InitError, ServiceClient,
    listeners::Listeners,
    settings::{BreakerSettings, ParseServiceNameError, ServiceName, Settings},
};

/// Infuse, installed: the handle that [`Infuse::init_app`] returns.
///
/// Cloning is cheap. The handle may be dropped: circuits are shared as long as there is a handle,
/// a [`ServiceClient`] or a [`Circuit`].
#[derive(Clone)]
pub struct Infuse(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) circuits: Circuits,
    pub(crate) client: ServiceClient,
    pub(crate) listeners: Listeners,
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

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// All circuits as they are now, in the order of their names: the application's own, those of
    /// the services that are configured, and those that [`breaker`](Self::breaker) made.
    pub fn circuits(&self) -> Vec<CircuitSnapshot> {
        self.0.circuits.all().iter().map(Circuit::snapshot).collect()
    }

    /// The circuit of this name, to guard any function or future with. It is made at its first
    /// use, with the settings that there are for the name. A service of that name shares it.
    ///
    /// # Errors
    ///
    /// [`ParseServiceNameError`] for a name that no service can have.
    pub fn breaker(&self, name: &str) -> Result<Circuit, ParseServiceNameError> {
        let name = self.0.settings.canonical(name)?;
        Ok(self.0.circuit(&name))
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

    /// The settings that hold.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Stops sharing: leases are given back, what is pending is told to the storage, and every
    /// task ends. Calls are still guarded afterwards, in this process alone. It takes at most 2 s,
    /// and may be repeated.
    pub async fn shutdown(&self) {
        self.0.circuits.shutdown().await;
    }
}

impl Inner {
    /// The circuit of this name, made if there is none.
    pub(crate) fn circuit(&self, name: &ServiceName) -> Circuit {
        circuit(&self.settings, &self.circuits, &self.listeners, name)
    }
}

pub(crate) fn circuit(
    settings: &Settings,
    circuits: &Circuits,
    listeners: &Listeners,
    name: &ServiceName,
) -> Circuit {
    let breaker = settings.breaker_for(name);
    let timeout = settings.service(name.key()).map(|service| service.timeout);
    circuits.circuit_with(name.as_str(), |circuit| {
        let circuit = circuit.policy(policy(breaker, timeout));
        listeners.of(breaker).fold(circuit, |circuit, listener| circuit.shared_listener(listener))
    })
}

fn policy(breaker: &BreakerSettings, timeout: Option<Duration>) -> Policy {
    Policy::builder()
        .max_failure(breaker.max_failure)
        .reset_timeout(breaker.reset_timeout)
        .success_threshold(breaker.success_threshold)
        .half_open_max_calls(breaker.half_open_max_calls)
        .call_timeout(timeout)
        .build()
        // Settings are checked by the same limits when they are read.
        .unwrap_or_default()
}

impl fmt::Debug for Infuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Infuse")
            .field("settings", &self.0.settings)
            .field("client", &self.0.client)
            .finish_non_exhaustive()
    }
}
