//! What another website made a browser send is refused, whatever it wants.

use http::{
    HeaderMap, Uri,
    header::{HOST, ORIGIN},
};

use super::Wants;
use crate::admin::problem::Problem;

pub(super) fn check(wants: Wants, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let site = one(headers, "sec-fetch-site");
    let ours = match site {
        One::None => true,
        One::Is(site) => {
            matches!(site, "same-origin" | "none") || wants == Wants::Page && is_link(headers)
        }
        One::Unclear => false,
    };
    if !ours {
        return Err(Problem::forbidden(
            "This request was made by another website. Requests from elsewhere are not answered.",
        ));
    }
    let same = match one(headers, ORIGIN.as_str()) {
        One::None => true,
        One::Is(origin) => host(headers, uri).is_some_and(|host| is_of(origin, host)),
        One::Unclear => false,
    };
    if !same {
        return Err(Problem::forbidden(
            "The origin of this request is not the host that it was sent to. Requests from other \
             websites are not answered; a proxy before this server is to leave `Host` as it is.",
        ));
    }
    Ok(())
}

/// The host that a request was sent to, if it is clear which: in its header, or in its URI with
/// HTTP/2.
pub(super) fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let authority = uri.authority().map(|authority| authority.as_str());
    match (one(headers, HOST.as_str()), authority) {
        (One::Is(host), None) => Some(host),
        (One::None, authority) => authority,
        (One::Is(host), Some(authority)) => {
            host.eq_ignore_ascii_case(authority).then_some(authority)
        }
        (One::Unclear, _) => None,
    }
}

/// A person who follows a link to the page, from a wiki say. Nothing of ours is in it, and it is
/// shown in no frame.
fn is_link(headers: &HeaderMap) -> bool {
    one(headers, "sec-fetch-mode") == One::Is("navigate")
        && one(headers, "sec-fetch-dest") == One::Is("document")
}

fn is_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| !authority.is_empty() && authority.eq_ignore_ascii_case(host))
}

#[derive(Debug, PartialEq, Eq)]
enum One<'a> {
    None,
    Is(&'a str),
    /// There are several, or it is no text.
    Unclear,
}

fn one<'a>(headers: &'a HeaderMap, name: &str) -> One<'a> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (None, _) => One::None,
        (Some(value), None) => value.to_str().map_or(One::Unclear, One::Is),
        (Some(_), Some(_)) => One::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn allowed(wants: Wants, uri: &'static str, headers: &[(&'static str, &str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        check(wants, &map, &Uri::from_static(uri)).is_ok()
    }

    #[test]
    fn what_a_browser_says_of_the_site_decides() {
        for wants in [Wants::Page, Wants::Read, Wants::Write] {
            assert!(allowed(wants, "/", &[]));
            for (site, ours) in [
                ("same-origin", true),
                ("none", true),
                ("same-site", false),
                ("cross-site", false),
                ("", false),
                ("ü", false),
            ] {
                assert_eq!(allowed(wants, "/", &[("sec-fetch-site", site)]), ours, "{site}");
            }
            let two = [("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")];
            assert!(!allowed(wants, "/", &two));
        }
    }

    #[test]
    fn a_link_leads_to_the_page_and_no_further() {
        let link = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        assert!(allowed(Wants::Page, "/", &link));
        assert!(!allowed(Wants::Read, "/", &link));
        assert!(!allowed(Wants::Write, "/", &link));
        let frame = [link[0], link[1], ("sec-fetch-dest", "iframe")];
        assert!(!allowed(Wants::Page, "/", &frame));
        assert!(!allowed(Wants::Page, "/", &link[..2]));
    }

    #[test]
    fn the_origin_is_the_host() {
        let of = |origin, host| allowed(Wants::Write, "/", &[("origin", origin), ("host", host)]);
        assert!(of("https://ops.example", "ops.example"));
        assert!(of("http://127.0.0.1:8080", "127.0.0.1:8080"));
        assert!(of("https://Ops.Example", "ops.example"));
        for (origin, host) in [
            ("https://evil.example", "ops.example"),
            ("https://ops.example:444", "ops.example"),
            ("https://ops.example.evil", "ops.example"),
            ("https://ops.example/", "ops.example"),
            ("ops.example", "ops.example"),
            ("ftp://ops.example", "ops.example"),
            ("null", "null"),
            ("null", "ops.example"),
            ("https://", ""),
            ("", ""),
        ] {
            assert!(!of(origin, host), "{origin} {host}");
        }
        assert!(!allowed(Wants::Read, "/", &[("origin", "https://ops.example")]));
        let h2 = "https://ops.example/";
        assert!(allowed(Wants::Read, h2, &[("origin", "https://ops.example")]));
        assert!(!allowed(Wants::Read, h2, &[("origin", "https://a"), ("host", "a")]));
    }
}
