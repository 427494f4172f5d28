use std::{fmt, sync::Arc, time::Duration};

use http::request;
use infuse_storage::Circuit;
use url::Url;

use super::{network::Network, path::BaseUrl, service::Target, transport::Transport};
use crate::{
    classify::{Classifier, ClassifyFn, ExcludeFn, UnknownExclusion},
    settings::{Exclusion, ServiceName},
};

/// Changes a request before it is sent.
pub(crate) type OnRequest = Arc<dyn Fn(&str, &mut request::Parts) + Send + Sync>;

/// What a [`ServiceClient`](super::ServiceClient) is made of.
#[derive(Default)]
pub(crate) struct ClientParts {
    pub(crate) services: Vec<ServiceConfig>,
    /// Asked before the rules of the service.
    pub(crate) classify: Option<ClassifyFn>,
    /// Called in this order.
    pub(crate) on_request: Vec<OnRequest>,
    /// What `Exclusion::Named` refers to.
    pub(crate) exclusions: Vec<(String, ExcludeFn)>,
}

/// One service, as the client needs it.
pub(crate) struct ServiceConfig {
    pub(crate) name: ServiceName,
    pub(crate) circuit: Circuit,
    /// Settings refuse one with credentials.
    pub(crate) base_url: Url,
    /// The longest that one call waits for the service in all.
    pub(crate) timeout: Option<Duration>,
    /// In bytes.
    pub(crate) body_limit: Option<u64>,
    /// How many redirects are followed; of no effect with a transport of its own.
    pub(crate) redirects: u32,
    pub(crate) exclude: Vec<Exclusion>,
    /// `None`: the client that services share.
    pub(crate) transport: Option<Transport>,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{}", unknown_exclusions(.service, .unknown, .known))]
    Exclusions { service: String, unknown: Vec<UnknownExclusion>, known: Vec<String> },
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

fn unknown_exclusions(service: &str, unknown: &[UnknownExclusion], known: &[String]) -> String {
    let unknown: Vec<_> = unknown.iter().map(|name| format!("{:?}", name.0)).collect();
    let mut text = format!(
        "service {service}: {} in INFUSE_BREAKER_EXCLUDE_EXCEPTIONS is neither a built-in name \
         (`http_status`, `server_error`, a status or a range of them, `timeout`, `connect`, \
         `body`) nor registered in the builder",
        unknown.join(", "),
    );
    if !known.is_empty() {
        text.push_str(", where there is ");
        text.push_str(&known.join(", "));
    }
    text
}

impl ClientParts {
    /// # Errors
    ///
    /// The first service that cannot be called as it is configured.
    pub(crate) fn build(self) -> Result<Vec<(ServiceName, Target)>, ClientError> {
        let on_request: Arc<[OnRequest]> = self.on_request.into();
        let named = |name: &str| {
            self.exclusions
                .iter()
                .find(|(registered, _)| registered == name)
                .map(|(_, exclude)| exclude.clone())
        };
        let mut network = Network::default();
        let mut services = Vec::with_capacity(self.services.len());
        for config in self.services {
            let name: Arc<str> = config.name.as_str().into();
            let classifier = Classifier::new(&config.exclude, named, self.classify.clone())
                .map_err(|unknown| ClientError::Exclusions {
                    service: name.to_string(),
                    unknown,
                    known: self.exclusions.iter().map(|(name, _)| name.clone()).collect(),
                })?;
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
                circuit: config.circuit,
                base: BaseUrl::new(&config.base_url),
                timeout: config.timeout,
                body_limit: config.body_limit,
                classifier,
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
