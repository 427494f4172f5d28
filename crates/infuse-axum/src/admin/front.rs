use std::net::SocketAddr;

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, FromRequestParts, OriginalUri, Request},
    response::{IntoResponse, Redirect, Response},
};
use http::{
    Extensions, HeaderName, HeaderValue, Method, Uri,
    header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    request::Parts,
};
use tower::ServiceExt;

use super::access::{Access, Tokens, Wants, decide};
use crate::Infuse;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Where the page is, other than at `/`.
const PAGE: &str = "/index.html";

/// What stands before the routes: it lets in who may come in, and no one else.
#[derive(Debug, Clone)]
pub(super) struct Front {
    infuse: Infuse,
    routes: Router,
}

/// Who sends a request that was let in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) peer: Option<SocketAddr>,
    /// Whether it may change things.
    pub(super) writable: bool,
}

impl Front {
    pub(super) fn new(infuse: Infuse, routes: Router) -> Self {
        Self { infuse, routes }
    }

    pub(super) async fn answer(self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let mut response = self.let_in(parts, body).await;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        response
    }

    async fn let_in(self, mut parts: Parts, body: Body) -> Response {
        let peer = ConnectInfo::<SocketAddr>::from_request_parts(&mut parts, &()).await;
        let peer = peer.ok().map(|ConnectInfo(peer)| peer);
        let wants = wants(&parts.method, parts.uri.path());
        let settings = self.infuse.settings();
        let access = Access {
            wants,
            headers: &parts.headers,
            uri: &parts.uri,
            peer: peer.map(|peer| peer.ip()),
        };
        let granted = match decide(access, Tokens::of(&settings)) {
            Ok(granted) => granted,
            Err(problem) => return problem.into_response(),
        };
        drop(settings);
        if wants == Wants::Page {
            if let Some(page) = page_below(&parts) {
                return Redirect::temporary(&page).into_response();
            }
            if parts.uri.path() == PAGE {
                parts.uri = Uri::from_static("/");
            }
        }
        // What the application put there, the parameters of its own path above all, is not ours.
        parts.extensions = Extensions::new();
        parts.extensions.insert(Caller { peer, writable: granted.writable });
        match self.routes.oneshot(Request::from_parts(parts, body)).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// What a request is for. The files of the page stand side by side, which nothing else with a `.`
/// in its name does.
fn wants(method: &Method, path: &str) -> Wants {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Wants::Write;
    }
    let name = path.strip_prefix('/').unwrap_or(path);
    let is_file = [".html", ".js", ".css", ".svg", ".png", ".ico"]
        .iter()
        .any(|kind| name.ends_with(kind) && !name.contains('/'));
    if name.is_empty() || is_file { Wants::Page } else { Wants::Read }
}

/// Where the page is to be had instead of at a path without a `/` at its end, from which its links
/// would lead elsewhere: `/infuse`, where these routes are nested.
fn page_below(parts: &Parts) -> Option<String> {
    let OriginalUri(original) = parts.extensions.get::<OriginalUri>()?;
    let path = original.path();
    let (_, name) = path.rsplit_once('/')?;
    (parts.uri.path() == "/" && !name.is_empty()).then(|| format!("./{name}{PAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_to_look_is_to_change() {
        for path in ["/", "", "/app.js", "/style.css", "/index.html"] {
            assert_eq!(wants(&Method::GET, path), Wants::Page, "{path}");
            assert_eq!(wants(&Method::HEAD, path), Wants::Page, "{path}");
            assert_eq!(wants(&Method::POST, path), Wants::Write, "{path}");
        }
        for path in ["/circuits", "/circuits/app.js", "/circuits/a/app.js", "/openapi.json", "/js"]
        {
            assert_eq!(wants(&Method::GET, path), Wants::Read, "{path}");
        }
        for method in ["PUT", "OPTIONS", "DELETE", "get", "TRACE"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            assert_eq!(wants(&method, "/circuits"), Wants::Write, "{method}");
        }
    }
}
