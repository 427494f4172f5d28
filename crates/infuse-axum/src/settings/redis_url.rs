use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

/// What to do about a password that breaks a URL.
const ENCODE: &str =
    "in a password write `%40` for `@`, `%2F` for `/`, `%3F` for `?` and `%23` for `#`";

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
        check_login(&url)?;
        check_rest(&url)?;
        check_host(&url)?;
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
        check_host(&url)?;
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
        let port = self.0.port().unwrap_or(6379);
        (self.0.scheme(), self.0.host_str(), port, self.database())
    }

    /// User, password and database, which must be the same for all URLs that lead to one set of
    /// nodes.
    pub(super) fn login(&self) -> (&str, Option<&str>, u32) {
        (self.0.username(), self.0.password(), self.database())
    }

    pub(super) fn database(&self) -> u32 {
        self.0.path().trim_start_matches('/').parse().unwrap_or(0)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme() == "rediss"
    }
}

/// Refuses a user or password that Redis would not be told as it was meant.
fn check_login(url: &Url) -> Result<(), String> {
    let password = url.password().unwrap_or_default();
    if !url.username().is_empty() && password.is_empty() {
        // Redis is not told of a user without one; and a password here would be taken for a user.
        return Err("no password in it, but a user; use `redis://user:password@host` or \
                    `redis://:password@host`"
            .to_owned());
    }
    let text = |part: &str| percent_decode_str(part).decode_utf8().is_ok();
    match text(url.username()) && text(password) {
        true => Ok(()),
        false => Err("a `%` in the user or password is not followed by the code of a character; \
                      write `%25` for `%`"
            .to_owned()),
    }
}

/// Refuses what may follow the database and is not understood, or not wanted.
fn check_rest(url: &Url) -> Result<(), String> {
    match url.fragment() {
        None => {}
        Some("insecure") => {
            return Err("certificates are always checked; remove `#insecure`, and add the \
                        authority of this one to the system's, or name its file in SSL_CERT_FILE"
                .to_owned());
        }
        Some(_) => return Err("nothing can follow a `#`; remove it".to_owned()),
    }
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("protocol", "2" | "resp2") => {}
            ("protocol", _) => {
                return Err("Infuse speaks RESP2 alone; remove `?protocol=…`".to_owned());
            }
            _ => return Err("nothing can be set after a `?`; remove it".to_owned()),
        }
    }
    Ok(())
}

/// Refuses what no connection can be made to.
fn check_host(url: &Url) -> Result<(), String> {
    match (url.host_str(), url.port()) {
        (Some("0.0.0.0" | "[::]"), _) => Err("an address to listen on; use the one that others \
                                              reach it by, such as `127.0.0.1`"
            .to_owned()),
        (_, Some(0)) => Err("no server has the port 0; use 1 to 65535".to_owned()),
        _ => Ok(()),
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
    fn what_redis_would_not_be_told_is_refused() {
        for (text, part) in [
            ("redis://user@host", "use `redis://user:password@host` or `redis://:password@host`"),
            ("redis://user:@host", "use `redis://user:password@host`"),
            ("redis://:%ff@host", "write `%25` for `%`"),
            ("redis://%ff:pw@host", "write `%25` for `%`"),
            ("redis://host?protocol=resp3", "RESP2 alone; remove `?protocol=…`"),
            ("redis://host/1?protocol=3", "RESP2 alone"),
            ("redis://host/?protocol=2&timeout=1s", "nothing can be set after a `?`"),
            ("redis://host?db=3", "nothing can be set after a `?`"),
            ("rediss://host#insecure", "always checked; remove `#insecure`"),
            ("rediss://host/0#x", "nothing can follow a `#`"),
            ("redis://host#", "nothing can follow a `#`"),
            ("redis://0.0.0.0", "an address to listen on"),
            ("redis://[::]:6379", "an address to listen on"),
            ("redis://host:0", "no server has the port 0"),
        ] {
            let message = RedisUrl::parse(text).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
        for text in [
            "redis://host",
            "redis://host?",
            "redis://host?protocol=2",
            "rediss://host/1?protocol=resp2",
            "redis://:p%40%25%C3%A9@host",
            "redis://user:100%@host",
        ] {
            assert!(RedisUrl::parse(text).is_ok(), "{text}: {:?}", RedisUrl::parse(text));
        }
    }

    #[test]
    fn what_urls_have_in_common() {
        let url = |text| RedisUrl::parse(text).unwrap();
        assert_eq!(url("redis://u:pw@one/3").login(), ("u", Some("pw"), 3));
        assert_eq!(url("redis://one").login(), url("rediss://two:1/0").login());
        assert_ne!(url("redis://:a@one").login(), url("redis://one").login());
        assert!(url("rediss://one").is_tls() && !url("redis://one").is_tls());
        assert_eq!(url("redis://one").server(), url("redis://one:6379/0").server());
    }

    #[test]
    fn parts_make_a_url() {
        let parts = |host| RedisUrl::from_parts(host, 6379, 15).map(|url| url.expose().to_owned());
        assert_eq!(parts("cache"), Ok("redis://cache:6379/15".to_owned()));
        assert_eq!(parts("::1"), Ok("redis://[::1]:6379/15".to_owned()));
        for host in ["", "a b", "user:pw@host", "a/b", "a@b", "host:6379", "0.0.0.0", "::"] {
            assert!(parts(host).is_err(), "{host}: {:?}", parts(host));
        }
    }
}
