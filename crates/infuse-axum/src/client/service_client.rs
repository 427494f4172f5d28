use std::{collections::HashMap, fmt, sync::Arc};

use super::{
    parts::{ClientError, ClientParts},
    service::Service,
};
use crate::{
    error::{Cause, ServiceError},
    settings::ServiceName,
};

/// Calls the services that are configured, each guarded by its circuit.
///
/// It is an extractor once [`Infuse::init_app`](crate::Infuse::init_app) has installed it, also as
/// `Option<ServiceClient>`. Cloning is cheap.
#[derive(Clone)]
pub struct ServiceClient(Arc<Inner>);

struct Inner {
    services: HashMap<ServiceName, Service>,
    /// The canonical names, sorted.
    names: Box<[Arc<str>]>,
}

impl ServiceClient {
    pub(crate) fn new(parts: ClientParts) -> Result<Self, ClientError> {
        let mut services = HashMap::with_capacity(parts.services.len());
        for (name, target) in parts.build()? {
            services.insert(name, Service::new(target));
        }
        let mut names: Box<[_]> =
            services.values().map(|service: &Service| service.shared_name()).collect();
        names.sort_unstable();
        Ok(Self(Arc::new(Inner { services, names })))
    }

    /// The service of this name. Case does not matter, nor `-` or `_`.
    ///
    /// # Errors
    ///
    /// [`UnknownService`](crate::ServiceErrorKind::UnknownService) if none is configured; the
    /// error says how to.
    pub fn service(&self, name: &str) -> Result<Service, ServiceError> {
        match self.0.services.get(&*ServiceName::normalize(name)) {
            Some(service) => Ok(service.clone()),
            None => {
                // The name may come from a request: no more of it is kept than a name can have.
                let name: String = name.chars().take(253).collect();
                let known = self.0.names.clone();
                Err(ServiceError::new(&name.into(), Cause::UnknownService { known }))
            }
        }
    }

    /// The canonical names of all services, sorted.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.0.names.iter().map(|name| &**name)
    }
}

impl fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceClient").field("services", &self.0.names).finish()
    }
}

#[cfg(test)]
mod tests;
