use std::{collections::HashMap, fmt, sync::Arc};

use http::HeaderMap;

use super::{
    parts::{ClientError, ClientParts},
    service::Service,
};
use crate::{
    error::{Cause, ServiceError},
    propagate::{Carried, Propagation},
    settings::ServiceName,
};

/// Calls the services that are configured, each guarded by its circuit.
///
/// It is an extractor once [`Infuse::init_app`](crate::Infuse::init_app) has installed it, also as
/// `Option<ServiceClient>`. Cloning is cheap.
///
/// As an extractor it takes headers of the request that is answered along to the calls that it
/// makes: see [`with_context`](Self::with_context).
#[derive(Clone)]
pub struct ServiceClient {
    inner: Arc<Inner>,
    carried: Option<Carried>,
}

struct Inner {
    services: HashMap<ServiceName, Service>,
    propagation: Propagation,
    /// The canonical names, sorted.
    names: Box<[Arc<str>]>,
}

impl ServiceClient {
    pub(crate) fn new(parts: ClientParts) -> Result<Self, ClientError> {
        let mut services = HashMap::with_capacity(parts.services.len());
        let propagation = Propagation::new(parts.propagate.clone());
        for (name, target) in parts.build()? {
            services.insert(name, Service::new(target));
        }
        let mut names: Box<[_]> =
            services.values().map(|service: &Service| service.shared_name()).collect();
        names.sort_unstable();
        Ok(Self { inner: Arc::new(Inner { services, propagation, names }), carried: None })
    }

    /// A client whose calls take headers of this request along, so that it is known by them
    /// wherever it leads: those of `INFUSE_PROPAGATE_HEADERS`, by default `traceparent`,
    /// `tracestate`, `baggage` and `x-request-id`. What it took along before is forgotten.
    ///
    /// The extractor has done this already. It is for clients from
    /// [`Infuse::client`](crate::Infuse::client), which take nothing along: in middleware, say.
    ///
    /// - A header that a request sets [itself](crate::ServiceRequest::header) is its own. A hook of
    ///   [`on_request`](crate::InfuseBuilder::on_request) comes last, and sees them all.
    /// - Values that are not plain ASCII are left out, and so is a `traceparent` that is none. A
    ///   `tracestate` goes with its `traceparent` or not at all.
    /// - All of them have at most 8 KiB. A header that would be over that is left out.
    ///
    /// ```
    /// use axum::{extract::Request, middleware::Next, response::Response};
    /// use infuse_axum::{ServiceClient, ServiceError, axum};
    ///
    /// async fn who(client: ServiceClient, request: Request, next: Next) -> Result<Response, ServiceError> {
    ///     let client = client.with_context(request.headers());
    ///     client.service("users")?.get("me").send().await?.error_for_status()?;
    ///     Ok(next.run(request).await)
    /// }
    /// ```
    #[must_use]
    pub fn with_context(&self, headers: &HeaderMap) -> Self {
        let carried = self.inner.propagation.of(headers);
        Self { inner: Arc::clone(&self.inner), carried }
    }

    /// The service of this name. Case does not matter, nor `-` or `_`.
    ///
    /// # Errors
    ///
    /// [`UnknownService`](crate::ServiceErrorKind::UnknownService) if none is configured; the
    /// error says how to.
    pub fn service(&self, name: &str) -> Result<Service, ServiceError> {
        match self.inner.services.get(&*ServiceName::normalize(name)) {
            Some(service) => Ok(service.with(self.carried.clone())),
            None => {
                // The name may come from a request: no more of it is kept than a name can have.
                let name: String = name.chars().take(253).collect();
                let known = self.inner.names.clone();
                Err(ServiceError::new(&name.into(), Cause::UnknownService { known }))
            }
        }
    }

    /// The canonical names of all services, sorted.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.inner.names.iter().map(|name| &**name)
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient").field("services", &self.inner.names).finish()
    }
}

#[cfg(test)]
mod tests;
