use std::{fmt, time::Duration};

use url::Url;

/// Which storage keeps the circuits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum StorageKind {
    /// This process's memory: the circuits are shared with nobody.
    #[default]
    Memory,
    /// Redis: the circuits are shared with every process that uses the same one.
    Redis,
}

impl StorageKind {
    /// The kind's name: `memory` or `redis`.
    pub const fn as_str(self) -> &'static str {
        match self {
            StorageKind::Memory => "memory",
            StorageKind::Redis => "redis",
        }
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "memory" => Ok(StorageKind::Memory),
            "redis" => Ok(StorageKind::Redis),
            _ => Err("not a storage; use `memory` or `redis`".to_owned()),
        }
    }
}

impl fmt::Display for StorageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What to do about a password that breaks a URL.
const ENCODE: &str =
    "in a password write `%40` for `@`, `%2F` for `/`, `%3F` for `?` and `%23` for `#`";

/// Why the Redis storage cannot be had. The release that brings it deletes this function and the
/// one place that asks it.
pub(super) fn not_there_yet(remedy: &str) -> Option<String> {
    Some(format!("the Redis storage is not there yet; {remedy}"))
}

/// How Redis is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisSettings {
    /// `INFUSE_REDIS_URL`, or the address in `INFUSE_CACHES`: where Redis is. Several for Cluster
    /// or Sentinel, none without Redis, which is the default.
    pub urls: Vec<RedisUrl>,
    /// `INFUSE_REDIS_TIMEOUT`: the longest that a request may wait for the lease of a trial call.
    /// Default 100 ms.
    pub timeout: Duration,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self { urls: Vec::new(), timeout: Duration::from_millis(100) }
    }
}

/// The address of a Redis server, which may hold a password.
///
/// `Display` and `Debug` leave the password out; [`expose`](RedisUrl::expose) has it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(Url);

impl RedisUrl {
    /// The whole URL, with the password in it. Do not log it.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| match text.contains('@') {
            true => format!("not a URL ({error}); {ENCODE}"),
            false => format!("not a URL ({error}); use `redis://host:6379/0` or `rediss://…`"),
        })?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err("not a URL of Redis; use `redis://host:6379/0` or `rediss://…`".to_owned());
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err("no host in it; use `redis://host:6379/0` or `rediss://…`".to_owned());
        }
        if stray_at(&url) {
            return Err(format!("not a URL (`@` in the wrong place); {ENCODE}"));
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return Err("the path is the number of a database; use `/0` or leave it out".to_owned());
        }
        Ok(Self(url))
    }

    /// The URL of the server in `INFUSE_CACHES`.
    pub(super) fn from_parts(host: &str, port: u16, database: u32) -> Result<Self, String> {
        let host = match host.contains(':') && !host.starts_with('[') {
            true => format!("[{host}]"),
            false => host.to_owned(),
        };
        let mut url = Url::parse("redis://localhost").map_err(|error| error.to_string())?;
        let set = !host.is_empty() && url.set_host(Some(&host)).is_ok();
        if !set || url.host_str().is_none_or(str::is_empty) {
            return Err(
                "not a host; use a name or an address, and INFUSE_REDIS_URL for a password"
                    .to_owned(),
            );
        }
        url.set_port(Some(port)).map_err(|()| "cannot have a port".to_owned())?;
        url.set_path(&database.to_string());
        Ok(Self(url))
    }

    /// The URLs in one text. A comma parts them only where a URL begins after it, since a password
    /// may have commas.
    pub(super) fn split(text: &str) -> Vec<&str> {
        let mut urls = Vec::new();
        let (mut start, mut from) = (0, 0);
        while let Some(comma) = text[from..].find(',').map(|at| from + at) {
            from = comma + 1;
            let next = text[from..].trim_start();
            if next.is_empty() || next.starts_with("redis://") || next.starts_with("rediss://") {
                urls.push(text[start..comma].trim());
                start = from;
            }
        }
        urls.push(text[start..].trim());
        urls.retain(|url| !url.is_empty());
        urls
    }

    /// What of a text that should be a URL of Redis can be shown. When in doubt, nothing.
    pub(super) fn show(text: &str) -> String {
        match Url::parse(text) {
            Ok(url) if url.has_host() && !stray_at(&url) => masked(&url),
            _ => match text.split_once("://") {
                Some((scheme @ ("redis" | "rediss"), _)) => format!("{scheme}://***"),
                _ => "***".to_owned(),
            },
        }
    }

    /// Scheme, host, port and database, which tell whether two URLs are of one server.
    pub(super) fn server(&self) -> (&str, Option<&str>, u16, u32) {
        let database = self.0.path().trim_start_matches('/').parse();
        let port = self.0.port().unwrap_or(6379);
        (self.0.scheme(), self.0.host_str(), port, database.unwrap_or(0))
    }
}

/// Whether an `@` comes after the host: then what was meant to be a password has been taken for
/// something else.
fn stray_at(url: &Url) -> bool {
    [Some(url.path()), url.query(), url.fragment()]
        .into_iter()
        .flatten()
        .any(|part| part.contains('@'))
}

fn masked(url: &Url) -> String {
    let mut shown = format!("{}://", url.scheme());
    match (url.username(), url.password()) {
        ("", None) => {}
        // Without a colon, it may be a password in the wrong place.
        (_, None) => shown.push_str("***@"),
        (user, Some(_)) => shown.push_str(&format!("{user}:***@")),
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    if url.path().trim_start_matches('/').parse::<u32>().is_ok() {
        shown.push_str(url.path());
    }
    shown
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&masked(&self.0))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_shown_without_its_password() {
        let url = RedisUrl::parse("rediss://user:pw@host:6380/3").unwrap();
        assert_eq!(url.to_string(), "rediss://user:***@host:6380/3");
        assert_eq!(format!("{url:?}"), "RedisUrl(rediss://user:***@host:6380/3)");
        assert_eq!(url.expose(), "rediss://user:pw@host:6380/3");
        assert_eq!(RedisUrl::show("redis://pw@host"), "redis://***@host");
        assert_eq!(RedisUrl::show("redis://:p/w@host"), "redis://***");
        assert_eq!(RedisUrl::show("redis://:1234/w@host"), "redis://***");
        assert_eq!(RedisUrl::show("hunter2"), "***");
    }

    #[test]
    fn several_urls_and_a_password_with_a_comma() {
        let text = "redis://:a,b@one, rediss://two ,redis://three,";
        assert_eq!(RedisUrl::split(text), ["redis://:a,b@one", "rediss://two", "redis://three"]);
        assert!(RedisUrl::split(" ").is_empty());
    }

    #[test]
    fn bad() {
        let usage = "use `redis://host:6379/0` or `rediss://…`";
        for (text, message) in [
            ("host", format!("not a URL (relative URL without a base); {usage}")),
            ("redis://host:port", format!("not a URL (invalid port number); {usage}")),
            ("localhost:6379", format!("not a URL of Redis; {usage}")),
            ("http://host", format!("not a URL of Redis; {usage}")),
            ("redis:///0", format!("no host in it; {usage}")),
            (
                "redis://host/cache",
                "the path is the number of a database; use `/0` or leave it out".to_owned(),
            ),
            ("redis://u:12/34@host", format!("not a URL (`@` in the wrong place); {ENCODE}")),
            ("redis://:12/34@host", format!("not a URL (empty host); {ENCODE}")),
        ] {
            assert_eq!(RedisUrl::parse(text), Err(message), "{text}");
        }
    }

    #[test]
    fn parts_make_a_url() {
        let parts = |host| RedisUrl::from_parts(host, 6379, 15).map(|url| url.expose().to_owned());
        assert_eq!(parts("cache"), Ok("redis://cache:6379/15".to_owned()));
        assert_eq!(parts("::1"), Ok("redis://[::1]:6379/15".to_owned()));
        for host in ["", "a b", "user:pw@host", "a/b", "a@b", "host:6379"] {
            assert!(parts(host).is_err(), "{host}: {:?}", parts(host));
        }
    }
}
