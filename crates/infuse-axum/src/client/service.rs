use std::{fmt, sync::Arc, time::Duration};

use http::Method;
use infuse_storage::Circuit;

use super::{
    parts::OnRequest,
    path::{BaseUrl, IntoPath},
    request::ServiceRequest,
    transport::Transport,
};
use crate::classify::Classifier;

/// A service that is configured, from [`ServiceClient::service`](super::ServiceClient::service).
///
/// Its methods begin a request; [`send`](ServiceRequest::send) sends it. Cloning is cheap.
#[derive(Clone)]
pub struct Service(Arc<Target>);

/// Where the requests to a service go, what guards it, and how the answers are judged.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: Arc<str>,
    pub(crate) circuit: Circuit,
    pub(crate) base: BaseUrl,
    pub(crate) timeout: Option<Duration>,
    pub(crate) body_limit: Option<u64>,
    pub(crate) classifier: Classifier,
    pub(crate) on_request: Arc<[OnRequest]>,
    pub(crate) transport: Transport,
    /// Writes multipart forms.
    pub(crate) writer: reqwest::Client,
}

impl Service {
    pub(crate) fn new(target: Target) -> Self {
        Self(Arc::new(target))
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        self.0.name.clone()
    }

    /// The service's canonical name.
    pub fn name(&self) -> &str {
        &self.0.name
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
        ServiceRequest::new(self.0.clone(), method, &path)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
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
            timeout: Some(Duration::from_secs(5)),
            body_limit: None,
            classifier: Classifier::default(),
            on_request: Arc::new([]),
            transport,
            writer: super::network::Network::default().client(0, false).unwrap(),
        }
    }
}
