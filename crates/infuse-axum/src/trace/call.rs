use http::Method;

use crate::{client::BaseUrl, propagate};

use super::span::CallSpan;

/// What is known of a call before its circuit is asked.
pub(crate) struct About<'a> {
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a http::HeaderMap,
    pub(crate) server: &'a BaseUrl,
    pub(crate) template: Option<&'static str>,
    /// The circuit below the service's, or that.
    pub(crate) circuit: &'a str,
}

impl About<'_> {
    /// Begins the span of this call, if anybody wants it.
    pub(crate) fn span(&self) -> CallSpan {
        use tracing::field::Empty;
        // Nothing of this is evaluated unless the span is wanted.
        let span = tracing::debug_span!(
            target: "infuse::call",
            "call",
            otel.name = self.name(),
            otel.kind = "client",
            otel.status_code = Empty,
            http.request.method = method(self.method),
            http.response.status_code = Empty,
            server.address = self.server.address(),
            server.port = self.server.port(),
            url.template = self.template,
            error.type = Empty,
            infuse.circuit = self.circuit,
            infuse.state = Empty,
            infuse.outcome = Empty,
            request_id = propagate::request_id(self.headers),
        );
        CallSpan::new(span, propagate::request_id(self.headers))
    }

    fn name(&self) -> String {
        // As the conventions have it.
        let method = match method(self.method) {
            "_OTHER" => "HTTP",
            method => method,
        };
        match self.template {
            Some(template) => format!("{method} {template}"),
            None => method.to_owned(),
        }
    }
}

/// The method, if it is one of a few: a method may be anything that a client has sent.
fn method(method: &Method) -> &str {
    match *method {
        Method::GET
        | Method::HEAD
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::CONNECT
        | Method::OPTIONS
        | Method::TRACE
        | Method::PATCH => method.as_str(),
        _ => "_OTHER",
    }
}
