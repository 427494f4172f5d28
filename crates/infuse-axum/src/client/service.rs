use std::{fmt, sync::Arc, time::Duration};

use http::Method;
use infuse_storage::Circuit;

use super::{
    below::{CircuitsBelow, is_name},
    drops::Drops,
    parts::OnRequest,
    path::{BaseUrl, IntoPath},
    request::ServiceRequest,
    transport::Transport,
};
use crate::{
    ServiceError, durations::Durations, error::Cause, propagate::Carried, reload::LiveRules,
};

/// A service that is configured, from [`ServiceClient::service`](super::ServiceClient::service).
///
/// Its methods begin a request; [`send`](ServiceRequest::send) sends it. Cloning is cheap.
#[derive(Clone)]
pub struct Service {
    target: Arc<Target>,
    below: Option<Circuit>,
    carried: Option<Carried>,
}

/// Where the requests to a service go, what guards it, and how the answers are judged.
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) circuit: Circuit,
    pub(crate) base: BaseUrl,
    pub(crate) rules: Arc<LiveRules>,
    pub(crate) below: CircuitsBelow,
    pub(crate) drops: Drops,
    /// How long it keeps calls waiting, if that is written down.
    pub(crate) durations: Option<Arc<Durations>>,
    pub(crate) on_request: Arc<[OnRequest]>,
    pub(crate) transport: Transport,
    /// Writes multipart forms.
    pub(crate) writer: reqwest::Client,
}

impl Service {
    pub(crate) fn new(target: Target) -> Self {
        Self { target: Arc::new(target), below: None, carried: None }
    }

    /// The service, its calls with these headers.
    pub(crate) fn with(&self, carried: Option<Carried>) -> Self {
        Self { carried, ..self.clone() }
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.target.name.clone()
    }

    /// The service's canonical name.
    pub fn name(&self) -> &str {
        &self.target.name
    }

    /// The service, its calls guarded by a circuit of their own too, below that of the service: for
    /// a route, or a tenant. See the [module's docs](crate::client#parts-of-a-service) for what counts where.
    ///
    /// `name` has 1 to 64 letters, digits, `-`, `_` and `.`, all ASCII, with a letter or digit among
    /// them; case does distinguish. The circuit is made at the first use of its name and shared like
    /// any other, as `payments/refunds`, with the policy, the mode and the listeners of the service.
    ///
    /// There are at most `INFUSE_SERVICE_MAX_CIRCUITS` of them (default 100) for a service, and none
    /// is ever forgotten. Beyond that, calls go by the service's circuit alone.
    ///
    /// Asked of a service that has one, it is another below the same service.
    ///
    /// # Errors
    ///
    /// [`CircuitName`](crate::ServiceErrorKind::CircuitName) for a name that is none.
    pub fn circuit(&self, name: &str) -> Result<Self, ServiceError> {
        let target = &self.target;
        if !is_name(name) {
            // It may come from a request: no more of it is kept than a name can have.
            let name = name.chars().take(64).collect();
            return Err(ServiceError::new(&target.name, Cause::CircuitName(name)));
        }
        let most = target.rules.get().max_circuits;
        let below = target.below.get(&target.name, name, most);
        Ok(Self { target: target.clone(), below, carried: self.carried.clone() })
    }

    /// The circuit below the service's that guards these calls too, from
    /// [`circuit`](Self::circuit).
    pub fn below(&self) -> Option<&Circuit> {
        self.below.as_ref()
    }

    /// Begins a GET request.
    pub fn get(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::GET, path)
    }

    /// Begins a POST request.
    pub fn post(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::POST, path)
    }

    /// Begins a PUT request.
    pub fn put(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::PUT, path)
    }

    /// Begins a PATCH request.
    pub fn patch(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::PATCH, path)
    }

    /// Begins a DELETE request.
    pub fn delete(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::DELETE, path)
    }

    /// Begins a HEAD request.
    pub fn head(&self, path: impl IntoPath) -> ServiceRequest {
        self.request(Method::HEAD, path)
    }

    /// Begins a request. `path` is appended to the path of the service's base URL; see
    /// [`IntoPath`] for what is refused. [`send`](ServiceRequest::send) reports it.
    pub fn request(&self, method: Method, path: impl IntoPath) -> ServiceRequest {
        let (target, below) = (self.target.clone(), self.below.clone());
        let mut request = ServiceRequest::new(target, below, method, &path);
        request.carry(self.carried.as_ref());
        request
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name())
            .field("below", &self.below)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Target {
    /// `timeout` is that of the call that was dropped last.
    pub(crate) fn warn_of_drops(&self, timeout: Option<Duration>) {
        let service = &*self.name;
        let timeout = match timeout {
            Some(timeout) => format!("{timeout:?}"),
            None => "none".to_owned(),
        };
        tracing::warn!(
            target: "infuse",
            service,
            "callers of the service {service} give up again and again before its timeout \
             ({timeout}), so that its circuit never hears that it hangs: a timeout outside, of a \
             layer or a load balancer, may be the shorter one. Set INFUSE_SERVICE_TIMEOUT to less \
             than that, or INFUSE_BREAKER_ABANDONED_AFTER to the time from which on a call that is \
             dropped counts as a failure",
        );
    }
}

#[cfg(test)]
impl Target {
    /// A service that `transport` stands in for.
    pub(crate) fn test(transport: Transport) -> Self {
        Self {
            name: Arc::from("payments"),
            circuit: super::testing::circuit().0,
            base: BaseUrl::new(&"http://payments:8000/api".parse().unwrap()),
            rules: Arc::default(),
            below: CircuitsBelow::new(Arc::new(|_| super::testing::circuit().0)),
            drops: Drops::default(),
            durations: None,
            on_request: Arc::new([]),
            transport,
            writer: super::network::Network::default().client(0, false).unwrap(),
        }
    }

    /// With other rules.
    pub(crate) fn with(self, change: impl FnOnce(&mut crate::reload::Rules)) -> Self {
        let mut rules = (*self.rules.get()).clone();
        change(&mut rules);
        self.rules.set(rules);
        self
    }
}
