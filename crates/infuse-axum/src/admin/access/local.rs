//! Who may come in where no token is set: callers on this machine, as far as that can be told.
//!
//! A proxy on this machine brings others. One that says so is found out by its headers; one that
//! says nothing cannot be, which is why a token is to be set behind a proxy.

use http::{HeaderMap, Uri};

use super::{Access, site};
use crate::admin::problem::Problem;

/// Headers of a proxy.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

pub(super) fn check(access: Access<'_>) -> Result<(), Problem> {
    let Access { headers, uri, peer, .. } = access;
    let Some(peer) = peer else {
        return Err(Problem::forbidden(
            "No token is set, so only callers on this machine may look, and the server does not \
             say who calls: set INFUSE_ADMIN_TOKEN or INFUSE_ADMIN_READ_TOKEN, or serve the router \
             by `into_make_service_with_connect_info::<SocketAddr>()`.",
        ));
    };
    if !peer.to_canonical().is_loopback() {
        return Err(Problem::forbidden(
            "No token is set, so only callers on this machine may look: set INFUSE_ADMIN_TOKEN or \
             INFUSE_ADMIN_READ_TOKEN.",
        ));
    }
    if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
        return Err(Problem::forbidden(
            "No token is set, so only callers on this machine may look, and this request comes \
             through a proxy: set INFUSE_ADMIN_TOKEN or INFUSE_ADMIN_READ_TOKEN.",
        ));
    }
    if !is_host_local(headers, uri) {
        // A name that somebody else's server has for this machine would make a browser here carry
        // that somebody's questions, and our answers.
        return Err(Problem::forbidden(
            "No token is set, so this is served under the names of this machine only: ask for \
             `localhost` or `127.0.0.1`, or set INFUSE_ADMIN_TOKEN or INFUSE_ADMIN_READ_TOKEN.",
        ));
    }
    Ok(())
}

fn is_host_local(headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(host) = site::host(headers, uri) else { return false };
    let Ok(host) = host.parse::<http::uri::Authority>() else { return false };
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::admin::access::Wants;

    fn allowed(peer: Option<&str>, headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let peer = peer.map(|peer| peer.parse().unwrap());
        let uri = Uri::from_static("/");
        check(Access { wants: Wants::Read, headers: &map, uri: &uri, peer }).is_ok()
    }

    #[test]
    fn callers_on_this_machine_by_any_of_its_addresses() {
        for peer in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(allowed(Some(peer), &[("host", "localhost")]), "{peer}");
        }
        for peer in ["10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "8.8.8.8"] {
            assert!(!allowed(Some(peer), &[("host", "localhost")]), "{peer}");
        }
        assert!(!allowed(None, &[("host", "localhost")]));
    }

    #[test]
    fn nobody_through_a_proxy() {
        for header in FORWARDED {
            let headers = [("host", "localhost"), (header, "")];
            assert!(!allowed(Some("127.0.0.1"), &headers), "{header}");
        }
    }

    #[test]
    fn under_the_names_of_this_machine_only() {
        for host in ["localhost", "LocalHost:80", "127.0.0.1:8080", "[::1]:8080", "[::1]"] {
            assert!(allowed(Some("127.0.0.1"), &[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "evil.example@localhost",
            "localhost@evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost/",
            "local host",
            "",
            ":80",
        ] {
            assert!(!allowed(Some("127.0.0.1"), &[("host", host)]), "{host}");
        }
        assert!(!allowed(Some("127.0.0.1"), &[]));
        let two = [("host", "localhost"), ("host", "evil.example")];
        assert!(!allowed(Some("127.0.0.1"), &two));
    }
}
