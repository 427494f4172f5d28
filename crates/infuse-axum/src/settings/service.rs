use std::time::Duration;

use url::Url;

use super::{BreakerSettings, ServiceName};

/// One service that can be called, with everything that was set for it or for all services.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ServiceSettings {
    /// Its name, in its canonical spelling.
    pub name: ServiceName,
    /// `INFUSE_SERVICES__<NAME>__URL`, else `INFUSE_SERVICE_URL_TEMPLATE` filled in: the base URL,
    /// http or https, without user, query and fragment.
    pub url: Url,
    /// `TIMEOUT`, else `INFUSE_SERVICE_TIMEOUT`: how long one call may wait for the service.
    /// Default 5 s.
    pub timeout: Duration,
    /// `BODY_LIMIT`, else `INFUSE_SERVICE_BODY_LIMIT`: bytes of a body that are read at most.
    /// Default no limit.
    pub body_limit: Option<u64>,
    /// `REDIRECTS`: redirects that are followed at most, 0 to 20. Default 0.
    pub redirects: u32,
    /// `MAX_CIRCUITS`, else `INFUSE_SERVICE_MAX_CIRCUITS`: circuits below this one at most, 0 to
    /// 10000. Default 100.
    pub max_circuits: u32,
    /// How its circuit behaves, and those below it.
    pub breaker: BreakerSettings,
}
