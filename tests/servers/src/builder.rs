use crate::{RedisServer, folder::Folder};

/// What a server is to be like. From [`RedisServer::builder`].
#[derive(Debug, Default)]
#[must_use = "a server is started by `start`"]
pub struct RedisServerBuilder {
    pub(crate) port: Option<u16>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<(String, String)>,
    /// What a sentinel is to watch, as it stands in its file.
    pub(crate) sentinel: Option<String>,
    pub(crate) args: Vec<String>,
}

impl RedisServerBuilder {
    /// A setting of Redis and its value: `("--maxmemory", "1mb")`. A value of several words is
    /// several words to Redis.
    pub fn arg(mut self, name: &str, value: &str) -> Self {
        self.args.push(name.to_owned());
        self.args.extend(value.split_whitespace().map(str::to_owned));
        // An empty value is one too: `--save ""`.
        if value.trim().is_empty() {
            self.args.push(String::new());
        }
        self
    }

    /// The password of the default user.
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Another user, by name and rules: `"app on >secret ~infuse:* &* +@read"`. May be called
    /// for several. The default user stays what it is.
    pub fn user_acl(self, user: &str) -> Self {
        self.arg("--user", user)
    }

    /// Listens on this port and no other. Default: one that is free.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Speaks TLS with this certificate and this key, the text of PEM files. Clients need none.
    pub fn tls(mut self, certificate: &str, key: &str) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is no `redis-server` on this machine, or it does not start: the message says why.
    pub async fn start(self) -> RedisServer {
        RedisServer::start_as(self, Folder::new()).await
    }
}
