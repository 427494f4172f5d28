use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, request};

/// A call that a [`TestService`](super::TestService) has seen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The URI: with scheme and authority in process, and without over a socket.
    pub uri: Uri,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it has come. Of a call that is refused or reset it is not read.
    pub body: Bytes,
    /// When it came, by the clock of the service.
    pub at: Duration,
}

impl Call {
    pub(super) fn new(parts: &request::Parts, at: Duration) -> Self {
        let request::Parts { method, uri, headers, .. } = parts;
        let (method, uri, headers) = (method.clone(), uri.clone(), headers.clone());
        Self { method, uri, headers, body: Bytes::new(), at }
    }

    /// The path.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The body as text; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
