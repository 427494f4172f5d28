use std::{fmt, sync::Arc, time::Duration};

use axum::BoxError;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use infuse_storage::Circuit;
use serde::Serialize;

use super::{path::IntoPath, request_body::RequestBody, service::Target};
use crate::{
    error::{Cause, ServiceError},
    propagate::Carried,
    reload::Rules,
};

/// A request to a service that is being put together.
///
/// What goes wrong meanwhile, a refused path or a header that is none, comes out of
/// [`send`](Self::send).
#[must_use = "a request does nothing until it is sent"]
pub struct ServiceRequest {
    pub(super) target: Arc<Target>,
    pub(super) rules: Arc<Rules>,
    /// The circuit below the service's.
    pub(super) below: Option<Circuit>,
    /// Headers of the request that is answered.
    pub(super) carried: Option<Carried>,
    pub(super) template: Option<&'static str>,
    /// Without what `query` adds it is as `BaseUrl::append` made it.
    pub(super) url: String,
    pub(super) outgoing: Outgoing,
    pub(super) skip_breaker: bool,
    /// The first thing that went wrong.
    pub(super) error: Option<ServiceError>,
}

/// What of a request goes to the service, and how long that may take.
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) timeout: Option<Duration>,
}

impl ServiceRequest {
    pub(crate) fn new(
        target: Arc<Target>,
        below: Option<Circuit>,
        method: Method,
        path: &impl IntoPath,
    ) -> Self {
        let rules = target.rules.get();
        let (url, error) = match target.base.append(path) {
            Ok(url) => (url, None),
            Err(why) => (String::new(), Some(ServiceError::new(&target.name, Cause::Path(why)))),
        };
        let outgoing = Outgoing {
            method,
            headers: HeaderMap::new(),
            body: RequestBody::default(),
            timeout: rules.timeout,
        };
        Self {
            url,
            outgoing,
            rules,
            below,
            carried: None,
            template: None,
            skip_breaker: false,
            error,
            target,
        }
    }

    /// Takes along headers of the request that is answered.
    pub(crate) fn carry(&mut self, carried: Option<&Carried>) {
        self.carried = carried.cloned();
    }

    fn fail(&mut self, what: &'static str, source: impl Into<BoxError>) {
        if self.error.is_none() {
            let error = ServiceError::new(&self.target.name, Cause::Request(what));
            self.error = Some(error.caused_by(Some(source.into())));
        }
    }

    /// Adds a header; one of the same name stays, except that there is one `Content-Type` only.
    pub fn header<K, V>(mut self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        let name = HeaderName::try_from(name).map_err(Into::into);
        let value = HeaderValue::try_from(value).map_err(Into::into);
        match (name, value) {
            // `json` and the like may have set one already, and two are one too many.
            (Ok(CONTENT_TYPE), Ok(value)) => {
                self.outgoing.headers.insert(CONTENT_TYPE, value);
            }
            (Ok(name), Ok(value)) => {
                self.outgoing.headers.append(name, value);
            }
            (Err(error), _) => self.fail("the name of a header is invalid", error),
            (_, Err(error)) => self.fail("the value of a header is invalid", error),
        }
        self
    }

    /// Sets headers: those of the same names are replaced.
    ///
    /// What is about a connection (`Connection`, `Transfer-Encoding` and their like) is not sent,
    /// so the headers of a request that came in can be passed on, with thought for `Host`.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        let mut last = None;
        for (name, value) in headers {
            // A name comes with its first value only.
            match (name, &last) {
                (Some(name), _) => {
                    self.outgoing.headers.insert(name.clone(), value);
                    last = Some(name);
                }
                (None, Some(name)) => {
                    self.outgoing.headers.append(name.clone(), value);
                }
                (None, None) => {}
            }
        }
        self
    }

    /// Appends to the query what `query` is as `application/x-www-form-urlencoded`: a struct, a
    /// map, or a list of pairs.
    pub fn query<T: Serialize + ?Sized>(mut self, query: &T) -> Self {
        match serde_urlencoded::to_string(query) {
            Ok(pairs) if pairs.is_empty() => {}
            Ok(pairs) => {
                self.url.push(if self.url.contains('?') { '&' } else { '?' });
                self.url.push_str(&pairs);
            }
            Err(error) => self.fail("the query cannot be serialized", error),
        }
        self
    }

    /// Sends `json` as JSON.
    pub fn json<T: Serialize + ?Sized>(mut self, json: &T) -> Self {
        match serde_json::to_vec(json) {
            Ok(body) => self.typed(body, "application/json"),
            Err(error) => {
                self.fail("the body cannot be serialized as JSON", error);
                self
            }
        }
    }

    /// Sends `form` as `application/x-www-form-urlencoded`: a struct, a map, or a list of pairs.
    pub fn form<T: Serialize + ?Sized>(mut self, form: &T) -> Self {
        match serde_urlencoded::to_string(form) {
            Ok(body) => self.typed(body, "application/x-www-form-urlencoded"),
            Err(error) => {
                self.fail("the body cannot be serialized as a form", error);
                self
            }
        }
    }

    fn typed(mut self, body: impl Into<RequestBody>, content_type: &'static str) -> Self {
        self.outgoing.body = body.into();
        self.outgoing.headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(content_type));
        self
    }

    /// Sends `form` as `multipart/form-data`. Files and streams in it are streamed.
    pub fn multipart(mut self, form: reqwest::multipart::Form) -> Self {
        // Only reqwest can tell the length of its form.
        let url = self.target.base.home();
        match self.target.writer.post(url).multipart(form).build() {
            Ok(mut request) => {
                for name in [CONTENT_TYPE, CONTENT_LENGTH] {
                    if let Some(value) = request.headers_mut().remove(&name) {
                        self.outgoing.headers.insert(name, value);
                    }
                }
                self.outgoing.body = request.body_mut().take().map(Into::into).unwrap_or_default();
            }
            Err(error) => self.fail("the body cannot be written as a form", error.without_url()),
        }
        self
    }

    /// Sends `body`: text, bytes, or a stream as an [`axum::body::Body`].
    ///
    /// If a stream fails the call is [`RequestBody`](crate::ServiceErrorKind::RequestBody), and
    /// time in which it has nothing to send does not count for the timeout: neither is the
    /// service's fault.
    pub fn body(mut self, body: impl Into<RequestBody>) -> Self {
        self.outgoing.body = body.into();
        self
    }

    /// The longest that this call waits for the service, in place of
    /// `INFUSE_SERVICE_TIMEOUT`; `None` for a stream without an end.
    ///
    /// Only waiting counts, for the headers and in reads of the body.
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.outgoing.timeout = timeout.into();
        self
    }

    /// What the path is made of, as `/payments/{id}`, for those who look at traces: the `url.template`
    /// of the call's span, and its name. It changes nothing else. A path itself is never in a span.
    pub fn url_template(mut self, template: &'static str) -> Self {
        self.template = Some(template);
        self
    }

    /// Sends the request whatever the state of the circuit, and counts nothing.
    pub fn skip_breaker(mut self) -> Self {
        self.skip_breaker = true;
        self
    }
}

impl fmt::Debug for ServiceRequest {
    /// Without path and headers, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRequest")
            .field("service", &self.target.name)
            .field("below", &self.below)
            .field("method", &self.outgoing.method)
            .field("body", &self.outgoing.body)
            .field("timeout", &self.outgoing.timeout)
            .field("skip_breaker", &self.skip_breaker)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
