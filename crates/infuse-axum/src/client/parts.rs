use std::{fmt, sync::Arc};

use http::{HeaderName, request};
use infuse_storage::Circuit;
use url::Url;

use super::{
    below::CircuitsBelow, drops::Drops, network::Network, path::BaseUrl, service::Target,
    transport::Transport,
};
use crate::{
    durations,
    reload::{Below, LiveRules},
    settings::ServiceName,
};

/// Changes a request before it is sent.
pub(crate) type OnRequest = Arc<dyn Fn(&str, &mut request::Parts) + Send + Sync>;

/// What a [`ServiceClient`](super::ServiceClient) is made of.
#[derive(Default)]
pub(crate) struct ClientParts {
    pub(crate) services: Vec<ServiceConfig>,
    /// Called in this order.
    pub(crate) on_request: Vec<OnRequest>,
    /// Headers of the request that is answered which calls take along.
    pub(crate) propagate: Vec<HeaderName>,
}

/// One service, as the client needs it.
pub(crate) struct ServiceConfig {
    pub(crate) name: ServiceName,
    pub(crate) circuit: Circuit,
    /// Settings refuse one with credentials.
    pub(crate) base_url: Url,
    /// What may change while calls are made.
    pub(crate) rules: Arc<LiveRules>,
    /// Makes the circuits below it.
    pub(crate) below: Below,
    /// How many redirects are followed; of no effect with a transport of its own.
    pub(crate) redirects: u32,
    /// `None`: the client that services share.
    pub(crate) transport: Option<Transport>,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(
        "service {service}: the base URL has the scheme {scheme:?}; use `http`{}",
        if cfg!(feature = "tls") { " or `https`" } else { ", or `https` with the feature `tls`" }
    )]
    Scheme { service: String, scheme: String },
    #[error(
        "service {service}: the HTTP client could not be built; https needs the system's \
         certificates, or a `reqwest::Client` of your own"
    )]
    Network { service: String, source: reqwest::Error },
}

impl ClientParts {
    /// # Errors
    ///
    /// The first service that cannot be called as it is configured.
    pub(crate) fn build(self) -> Result<Vec<(ServiceName, Target)>, ClientError> {
        let on_request: Arc<[OnRequest]> = self.on_request.into();
        let mut network = Network::default();
        let mut services = Vec::with_capacity(self.services.len());
        for config in self.services {
            let name: Arc<str> = config.name.as_str().into();
            let failed = |source| ClientError::Network { service: name.to_string(), source };
            let https = config.base_url.scheme() == "https";
            if !(https || config.base_url.scheme() == "http") {
                return Err(ClientError::Scheme {
                    service: name.to_string(),
                    scheme: config.base_url.scheme().to_owned(),
                });
            }
            // One that carries nothing still writes forms.
            let writer = match &config.transport {
                Some(Transport::Network(client)) => client.clone(),
                Some(Transport::Service(_)) => network.client(0, false).map_err(failed)?,
                None if https && !cfg!(feature = "tls") => {
                    return Err(ClientError::Scheme {
                        service: name.to_string(),
                        scheme: "https".to_owned(),
                    });
                }
                None => network.client(config.redirects, https).map_err(failed)?,
            };
            let target = Target {
                name,
                durations: durations::of(config.circuit.name()),
                circuit: config.circuit,
                base: BaseUrl::new(&config.base_url),
                rules: config.rules,
                below: CircuitsBelow::new(config.below),
                drops: Drops::default(),
                on_request: on_request.clone(),
                transport: config.transport.unwrap_or_else(|| Transport::Network(writer.clone())),
                writer,
            };
            services.push((config.name, target));
        }
        Ok(services)
    }
}

impl fmt::Debug for ClientParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.services.iter().map(|service| &service.name).collect();
        f.debug_struct("ClientParts").field("services", &services).finish_non_exhaustive()
    }
}
