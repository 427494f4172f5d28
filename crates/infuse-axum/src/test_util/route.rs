use http::{Method, Uri};

/// Which calls a script is for: `GET /payments/7`, `/payments/*`, `POST *`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    method: Option<Method>,
    path: String,
    /// Whether there may be more than the path.
    more: bool,
}

impl Route {
    #[track_caller]
    pub(super) fn new(route: &str) -> Self {
        let (method, path) = match route.split_once(' ') {
            Some((method, path)) => (Some(method), path.trim()),
            None => (None, route),
        };
        let method = method.map(|method| Method::from_bytes(method.as_bytes()));
        let (path, more) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        let is_path = path.starts_with('/') || (path.is_empty() && more);
        match method.transpose() {
            Ok(method) if is_path && !path.contains([' ', '*', '?']) => {
                Self { method, path: path.to_owned(), more }
            }
            _ => panic!(
                "{route:?} is no route: use a path, with a method before it or not, and with a `*` \
                 at its end or not, as in `GET /payments/*`",
            ),
        }
    }

    pub(super) fn is_of(&self, method: &Method, uri: &Uri) -> bool {
        let path = uri.path();
        let here = if self.more { path.starts_with(&self.path) } else { path == self.path };
        here && self.method.as_ref().is_none_or(|wanted| wanted == method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_a_method_and_a_path_that_may_go_on() {
        let is_of = |route: &str, method: Method, uri: &'static str| {
            Route::new(route).is_of(&method, &Uri::from_static(uri))
        };
        for (route, method, uri, expected) in [
            ("/a", Method::GET, "http://payments:8000/a?b=c", true),
            ("/a", Method::POST, "/a", true),
            ("/a", Method::GET, "/a/b", false),
            ("/a/*", Method::GET, "/a/b/c", true),
            ("/a/*", Method::GET, "/a", false),
            ("POST /a*", Method::POST, "/ab", true),
            ("POST /a*", Method::GET, "/ab", false),
            ("DELETE *", Method::DELETE, "/", true),
            ("*", Method::PUT, "/x", true),
        ] {
            assert_eq!(is_of(route, method.clone(), uri), expected, "{route} {method} {uri}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        for route in ["", "a", "GET", "GET a", "/a*/b", "G@T /a", "/a?b=c", "GET  "] {
            assert!(std::panic::catch_unwind(|| Route::new(route)).is_err(), "{route}");
        }
    }
}
