//! What can be set, and how.
//!
//! Settings are read from the [`config::Config`] that `Infuse::init_app` is given.
//! [`load_config`] builds one from `infuse.toml` and the environment; an application with a
//! `Config` of its own can pass that, with Infuse's settings among its own. Only keys that begin
//! with `infuse` are looked at.
//!
//! # Where a setting can stand
//!
//! | | for all services | for the service `payments` |
//! |---|---|---|
//! | environment | `INFUSE_BREAKER_MAX_FAILURE` | `INFUSE_SERVICES__PAYMENTS__BREAKER_MAX_FAILURE` |
//! | file | `breaker_max_failure` under `[infuse]` | `breaker_max_failure` under `[infuse.services.payments]` |
//!
//! Case does not matter, and the environment's spelling works at the top level of a file too. The environment beats
//! everything else. Setting the same twice in one place, in two spellings and to different values,
//! is an error; so is a key in a file that is no setting. In the environment that is a warning.
//!
//! All that is wrong is reported at once, each with its key, where it stands, its value and what
//! to use instead. Passwords are not shown.
//!
//! ```
//! use infuse_axum::settings::{KnownNames, Settings};
//!
//! let file = r#"
//!     [infuse]
//!     service_connections = ["payments", "users"]
//!     breaker_max_failure = "many"
//!
//!     [infuse.services.payments]
//!     url = "http://10.0.0.7:8000"
//!     timeout = "1500ms"
//! "#;
//! let config = config::Config::builder()
//!     .add_source(config::File::from_str(file, config::FileFormat::Toml))
//!     .build()?;
//! let errors = Settings::from_config(&config, &KnownNames::default()).unwrap_err();
//! assert_eq!(
//!     errors.to_string(),
//!     "infuse.breaker_max_failure = \"many\" (from the application's Config): \
//!      not a whole number; use 1 to 65535"
//! );
//! # Ok::<(), config::ConfigError>(())
//! ```
//!
//! # Values
//!
//! - **Durations** are seconds (`15`, `0.5`) or have a unit (`1500ms`, `15s`, `2m`, `1h`). They are
//!   at least 1 ms and at most what the table says.
//! - **Shares** are numbers (`0.5`) or per cent (`50%`).
//! - **Lists** are parted by commas (`payments, users`) or are lists in a file. `none` is the empty
//!   list, and switches off what the table says it does.
//! - **An empty variable** is unset.
//! - **Names of services** are described at [`ServiceName`].
//!
//! # Circuits
//!
//! Each of these can be set for one service, or for one circuit that is none, in its own table:
//! `INFUSE_SERVICES__<NAME>__BREAKER_MAX_FAILURE`. What is set there replaces what is set for all,
//! a list too. [Circuits below a service](crate::Service::circuit) go by what is set for the
//! service.
//!
//! What opens a circuit, any of these:
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_BREAKER_MAX_FAILURE` | 5 | failures, one after another; 1 to 65535. `none` switches it off where a rate is set, or the application has a [rule](crate::InfuseBuilder::trip_rule) of its own |
//! | `INFUSE_BREAKER_FAILURE_RATE` | none | the share of failures among the calls in the window; more than 0, at most 1 |
//! | `INFUSE_BREAKER_SLOW_CALL_RATE` | none | the share of slow calls among them; more than 0, at most 1 |
//! | `INFUSE_BREAKER_SLOW_CALL_DURATION` | none | how long a slow call takes at least; up to 24h, less than the timeout of the calls. Set both or neither |
//! | `INFUSE_BREAKER_WINDOW` | 10 | the window of both rates: the calls of the last so long; up to 1h. Where circuits are shared, two of `INFUSE_SYNC_INTERVAL` at least |
//! | `INFUSE_BREAKER_WINDOW_CALLS` | none | the last so many calls instead; 1 to 10000. Set one of the two; for one service it replaces either |
//! | `INFUSE_BREAKER_MINIMUM_CALLS` | 20, or the window if it is smaller | calls in the window before a rate is judged; 1 to 1000000, at most the window |
//! | `INFUSE_BREAKER_SPLIT_LOCAL_ORIGIN` | `false` | whether failures of our own side of the wire (names that are not found, or not in time; no socket left) open the circuit of this process alone: `true`, `false` |
//! | `INFUSE_BREAKER_ABANDONED_AFTER` | none | a call that its caller drops after so long of waiting is a failure; up to 24h. See [timeouts](#timeouts) |
//! | `INFUSE_BREAKER_EXCLUDE_EXCEPTIONS` | none | failures that shall not count: see [`Exclusion`] |
//! | `INFUSE_TRIP_MIN_REPORTERS` | 1 | processes that must have seen failures before the circuit opens for all; 1 to 1000. For one service `TRIP_MIN_REPORTERS` in its table |
//!
//! How long it is open, and how it closes:
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_BREAKER_RESET_TIMEOUT` | 15 | how long it is open before a trial call; up to 24h |
//! | `INFUSE_BREAKER_RESET_BACKOFF` | 1 | factor by which that grows with each trial that fails; 1 to 1000 |
//! | `INFUSE_BREAKER_MAX_RESET_TIMEOUT` | 5m, or the reset timeout if it is longer | what it grows to at most; the reset timeout up to 24h |
//! | `INFUSE_BREAKER_RESET_JITTER` | 0 | the share that is taken off at random at most; 0 to 1 |
//! | `INFUSE_BREAKER_MAX_RETRY_AFTER` | 5m | how long the service's own `Retry-After`, on 429 and 503, keeps the circuit open at most; up to 24h. `none`: it is not heard |
//! | `INFUSE_BREAKER_SUCCESS_THRESHOLD` | 1 | successful trial calls, one after another, that close it; 1 to 1023 |
//! | `INFUSE_BREAKER_HALF_OPEN_MAX_CALLS` | 1 | trial calls in flight at most; 1 to 1023 |
//! | `INFUSE_BREAKER_RAMP` | none | time after closing in which only a growing share of the calls passes, from a tenth to all; up to 24h |
//!
//! What it does, and whom it tells:
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_BREAKER_MODE` | `enabled` | `observe`: counts, and rejects nothing; `disabled`: lets every call through uncounted; `isolated`: rejects every call. See [`Mode`](crate::Mode), and [`Infuse::circuit`](crate::Infuse::circuit) for changing it at run time |
//! | `INFUSE_BREAKER_LISTENERS` | `metrics` with that feature, else none | listeners, [built-in](crate::listeners) ones and by the names that the application registered |
//! | `INFUSE_RETRY_AFTER_JITTER` | 0 | the share of the time left that is added at random, at most, to the `Retry-After` of a rejection, so that callers come back spread out; 0 to 1. For one service `RETRY_AFTER_JITTER` in its table |
//!
//! And of the application as a whole:
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_INITIAL_CIRCUIT_STATE` | `closed` | what this application's own circuit is set to at start: `closed`, `open`, `half-open` (for one that may crash in a loop) or `unchanged` |
//! | `INFUSE_FALLBACK_CIRCUIT_STATE` | none | state to take when the storage is lost: `closed`, `open`, `half-open`; none: the last one known |
//!
//! # Operating
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_INSTANCE_NAME` | `<host>:<process number>` | what people call this process; up to 128 characters |
//! | `INFUSE_ADMIN_TOKEN` | none | who has it may look at circuits and control them by the [admin routes](crate::Infuse::admin_router). 16 to 512 letters, digits and `-._~+/=` |
//! | `INFUSE_ADMIN_READ_TOKEN` | none | who has it may look at them. With neither, callers on this machine may look, and nobody may control them |
//! | `INFUSE_READY_SERVICES` | none | services without which this application is [not ready](crate::Infuse::health) |
//!
//! # Services
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_SERVICE_NAME` | unset | this application, whose circuit is set at start |
//! | `INFUSE_ENVIRONMENT` | `development` | `{env}` in templates |
//! | `INFUSE_SERVICE_CONNECTIONS` | none | services that can be called |
//! | `INFUSE_SERVICE_URL_TEMPLATE` | `http://{service_name}:8000` | base URL of services without one of their own |
//! | `INFUSE_SERVICE_TIMEOUT` | 5 | how long one call may wait for the service; up to 24h |
//! | `INFUSE_SERVICE_BODY_LIMIT` | none | most bytes of a body that are read: `2000000`, `2MB`, `512KiB` |
//! | `INFUSE_PROPAGATE_HEADERS` | `traceparent`, `tracestate`, `baggage`, `x-request-id` | headers of the request that is answered which calls [take along](crate::ServiceClient::with_context); `none` for none |
//! | `INFUSE_SERVICE_MAX_CIRCUITS` | 100 | [circuits below](crate::Service::circuit) one service at most; 0 to 10000 |
//! | `INFUSE_SERVICES__<NAME>__URL` | – | base URL; makes the service callable without being listed |
//! | `INFUSE_SERVICES__<NAME>__TIMEOUT` | as for all | |
//! | `INFUSE_SERVICES__<NAME>__BODY_LIMIT` | as for all | |
//! | `INFUSE_SERVICES__<NAME>__MAX_CIRCUITS` | as for all | |
//! | `INFUSE_SERVICES__<NAME>__REDIRECTS` | 0 | redirects to follow, to the same origin only; up to 20 |
//! | `INFUSE_SERVICES__<NAME>__BREAKER_…` | as for all | each of the settings of circuits that begin so; a list replaces the general one |
//! | `INFUSE_SERVICES__<NAME>__TRIP_MIN_REPORTERS` | as for all | |
//! | `INFUSE_SERVICES__<NAME>__RETRY_AFTER_JITTER` | as for all | |
//!
//! ## Timeouts
//!
//! Whoever calls this application waits for so long and no longer: a `TimeoutLayer` of tower-http
//! around its routes, a load balancer before it, another service. That timeout is to be *longer*
//! than `INFUSE_SERVICE_TIMEOUT`, times the calls that one request makes one after another. If it
//! ends first, the call to the service is dropped before it has failed. A dropped call says nothing
//! about the service, so one that hangs is never found out, and every caller waits in full.
//!
//! Where the outer timeout cannot be the longer one, set `INFUSE_BREAKER_ABANDONED_AFTER` to less
//! than it: then a call that has waited so long for the service when it is dropped is a failure. It
//! has no effect from `INFUSE_SERVICE_TIMEOUT` on, which is a warning.
//!
//! # Changing settings
//!
//! [`Infuse::reload`](crate::Infuse::reload) reads them anew while the process runs. All of those of
//! circuits can change then, but for the listeners and for the initial and the fallback state; of the
//! others `INFUSE_SERVICE_TIMEOUT`, `INFUSE_SERVICE_BODY_LIMIT` and `INFUSE_SERVICE_MAX_CIRCUITS`, for
//! all and for one service, and those of [operating](#operating). The rest holds until the process
//! starts anew.
//!
//! # Storage
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_STORAGE` | `redis` if there is an address, else `memory` | where circuits are kept |
//! | `INFUSE_SYNC_INTERVAL` | 1 | time between two polls of the storage; up to 1h |
//! | `INFUSE_TRIP_GRACE` | 50ms | how long other processes may object to a trip by failures that were added up over all of them; up to 1m |
//! | `INFUSE_TRIP_REST` | 250ms | how long nothing is added up after an objection; up to 1m |
//!
//! # Redis
//!
//! | setting | default | meaning |
//! |---|---|---|
//! | `INFUSE_REDIS_URL` | – | `redis://user:password@host:6379/0` or `rediss://…`; several for Sentinel or Cluster, all with the same user, password and database, which are those of the nodes that keep the data |
//! | `INFUSE_CACHES` | – | the address as Infuse for Python has it: JSON such as `{"infuse": {"HOST": "localhost", "PORT": 6379, "DATABASE": 0}}`, a table in a file, or `INFUSE_CACHES__INFUSE__HOST` and so on. The port is 6379 and the database 0 unless set |
//! | `INFUSE_REDIS_MODE` | `standalone` | what there is at the addresses: `standalone`, `sentinel` or `cluster` |
//! | `INFUSE_REDIS_SENTINEL_MASTER` | – | the name that the sentinels have for the master; needed with `sentinel` |
//! | `INFUSE_REDIS_SENTINEL_USERNAME` | none | the user at the sentinels |
//! | `INFUSE_REDIS_SENTINEL_PASSWORD` | none | the password at the sentinels |
//! | `INFUSE_REDIS_POOL_SIZE` | 4 | most connections for background work; 1 to 1000. One more is for leases, one for listening |
//! | `INFUSE_REDIS_TIMEOUT` | 100ms | the longest that a request may wait for the lease of a trial call, and `init_app` for Redis; up to 1m |
//! | `INFUSE_REDIS_KEY_NAMESPACE_TEMPLATE` | `{env}:{service_name}` | the namespace of a circuit's keys; a brace is written twice |
//! | `INFUSE_REDIS_KEY_LAYOUT` | `infuse` | the names of keys: `infuse:<namespace>:<key>`, or with `pybreaker` `<namespace>:pybreaker:<key>` |
//!
//! Settings are refused where they contradict each other. Redis needs the feature `redis` of this
//! crate, `rediss://` also `tls`. Certificates are always checked, by those of the system.
//!
//! # A `Config` of one's own
//!
//! The crate config drops variables in silence when its `Environment` is built in certain ways.
//! `Environment::default()` is safe, and so is
//! `Environment::with_prefix("INFUSE").prefix_separator("_").keep_prefix(true)`. Without
//! `keep_prefix(true)` the settings lose the prefix by which they are known, which is a warning;
//! with `separator("__")` and no `prefix_separator`, a prefix hides them altogether, which
//! [`unseen_variables`] finds. `try_parsing(true)` turns a name such as `0012` into `12`.

mod addresses;
mod breaker;
mod breaker_check;
mod breaker_reader;
mod changes;
mod circuits;
mod contradictions;
mod duration;
#[cfg(feature = "admin")]
mod effective;
mod entry;
mod exclusion;
mod features;
mod flag;
mod hidden;
mod initial_state;
mod key;
mod key_layout;
mod known;
mod load;
mod name;
mod nearest;
mod no_effect;
mod operating;
mod origins;
mod own_name;
mod problem;
mod propagated;
mod reader;
mod redact;
mod redis;
mod redis_mode;
mod redis_url;
mod resolve;
mod resolved;
mod secret;
mod service;
mod service_url;
mod share;
mod size;
mod storage;
mod storage_kind;
mod template;
mod values;

pub use breaker::BreakerSettings;
pub use changes::SettingChange;
pub use exclusion::{Exclusion, ParseExclusionError};
pub use hidden::unseen_variables;
pub use initial_state::InitialState;
pub use key_layout::KeyLayout;
pub use known::KnownNames;
pub use load::{ConfigFileError, load_config, load_config_from};
pub use name::{ParseServiceNameError, ServiceName};
pub use problem::{SettingsErrors, SettingsProblem, SettingsWarning};
pub use redis::RedisSettings;
pub use redis_mode::RedisMode;
pub use redis_url::RedisUrl;
pub use resolved::Settings;
pub use secret::Secret;
pub use service::ServiceSettings;
pub use storage_kind::StorageKind;
pub use template::Template;

pub(crate) use changes::between;
#[cfg(feature = "admin")]
pub(crate) use duration::up_to_a_month;
#[cfg(feature = "admin")]
pub(crate) use effective::{EffectiveSetting, effective};
pub(crate) use origins::Origins;
pub(crate) use own_name::warning as warning_of_own_name;
