use std::net::IpAddr;

use http::{HeaderMap, Uri};

use super::{local, site, token};
use crate::{admin::problem::Problem, settings::Settings};

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// A file of the page, in which nothing is to be seen yet.
    Page,
    /// To look.
    Read,
    /// To change something.
    Write,
}

/// What is to be known of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Access<'a> {
    pub(crate) wants: Wants,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) uri: &'a Uri,
    /// Who sent it, if the server says so.
    pub(crate) peer: Option<IpAddr>,
}

/// The tokens that are set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tokens<'a> {
    pub(crate) admin: Option<&'a str>,
    pub(crate) read: Option<&'a str>,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// Whether this caller may change things, in this request or in another.
    pub(crate) writable: bool,
}

impl<'a> Tokens<'a> {
    pub(crate) fn of(settings: &'a Settings) -> Self {
        Self {
            admin: settings.admin_token.as_ref().map(|token| token.expose()),
            read: settings.admin_read_token.as_ref().map(|token| token.expose()),
        }
    }
}

/// Whether a request may be answered.
pub(crate) fn decide(access: Access<'_>, tokens: Tokens<'_>) -> Result<Granted, Problem> {
    let Access { wants, headers, uri, .. } = access;
    site::check(wants, headers, uri)?;
    if tokens.admin.is_none() && tokens.read.is_none() {
        local::check(access)?;
        return match wants {
            Wants::Write => Err(Problem::forbidden(
                "Nothing can be changed here, because no token is set that would allow it: set \
                 INFUSE_ADMIN_TOKEN.",
            )),
            Wants::Page | Wants::Read => Ok(Granted { writable: false }),
        };
    }
    // Both are compared, whichever it is, so that the time says nothing about either.
    let given = token::given(headers);
    let (admin, read) = (token::is(given, tokens.admin), token::is(given, tokens.read));
    match wants {
        Wants::Page => Ok(Granted { writable: admin }),
        _ if !admin && !read => Err(Problem::unauthorized()),
        Wants::Read => Ok(Granted { writable: admin }),
        Wants::Write if admin => Ok(Granted { writable: true }),
        Wants::Write if tokens.admin.is_none() => Err(Problem::forbidden(
            "Nothing can be changed here, because only INFUSE_ADMIN_READ_TOKEN is set: set \
             INFUSE_ADMIN_TOKEN too.",
        )),
        Wants::Write => Err(Problem::forbidden(
            "This token is for looking only. To change something, use the one that \
             INFUSE_ADMIN_TOKEN is set to.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue, StatusCode};

    use super::*;

    const ADMIN: &str = "an-admin-token-0123";
    const READ: &str = "a-read-token-0123456";
    const BOTH: Tokens<'_> = Tokens { admin: Some(ADMIN), read: Some(READ) };
    const ONLY_ADMIN: Tokens<'_> = Tokens { admin: Some(ADMIN), read: None };
    const ONLY_READ: Tokens<'_> = Tokens { admin: None, read: Some(READ) };
    const NONE: Tokens<'_> = Tokens { admin: None, read: None };

    fn ask(
        wants: Wants,
        tokens: Tokens<'_>,
        peer: Option<&str>,
        headers: &[(&'static str, &str)],
    ) -> Result<bool, (StatusCode, String)> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let peer = peer.map(|peer| peer.parse().unwrap());
        let access = Access { wants, headers: &map, uri: &Uri::from_static("/"), peer };
        let granted = decide(access, tokens).map(|granted| granted.writable);
        granted.map_err(|problem| (problem.status(), problem.detail().to_owned()))
    }

    /// Whether reading and writing are allowed to who has this token, and whether it is told that
    /// it may write.
    #[track_caller]
    fn with(tokens: Tokens<'_>, token: Option<&str>) -> (u16, u16, bool) {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![("host", "ops.example")];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let peer = Some("10.0.0.9");
        let status = |result: &Result<bool, (StatusCode, String)>| match result {
            Ok(_) => 200,
            Err((status, _)) => status.as_u16(),
        };
        let read = ask(Wants::Read, tokens, peer, &headers);
        let write = ask(Wants::Write, tokens, peer, &headers);
        (status(&read), status(&write), read == Ok(true))
    }

    #[test]
    fn each_token_allows_what_it_is_for() {
        for (tokens, token, expected) in [
            (BOTH, Some(ADMIN), (200, 200, true)),
            (BOTH, Some(READ), (200, 403, false)),
            (BOTH, Some("a-read-token-012345"), (401, 401, false)),
            (BOTH, None, (401, 401, false)),
            (ONLY_ADMIN, Some(ADMIN), (200, 200, true)),
            (ONLY_ADMIN, Some(READ), (401, 401, false)),
            (ONLY_ADMIN, None, (401, 401, false)),
            (ONLY_READ, Some(READ), (200, 403, false)),
            (ONLY_READ, Some(ADMIN), (401, 401, false)),
            (ONLY_READ, Some(""), (401, 401, false)),
        ] {
            assert_eq!(with(tokens, token), expected, "{tokens:?} {token:?}");
        }
    }

    #[test]
    fn the_page_needs_no_token_where_one_is_set() {
        let page = |tokens| ask(Wants::Page, tokens, Some("10.0.0.9"), &[("host", "ops.example")]);
        assert_eq!(page(ONLY_ADMIN), Ok(false));
        assert_eq!(page(ONLY_READ), Ok(false));
        assert_eq!(page(NONE).unwrap_err().0, 403);
    }

    #[test]
    fn without_a_token_this_machine_may_look() {
        let here = Some("127.0.0.1");
        let host = ("host", "localhost:8080");
        assert_eq!(ask(Wants::Read, NONE, here, &[host]), Ok(false));
        assert_eq!(ask(Wants::Page, NONE, here, &[host]), Ok(false));
        let (status, detail) = ask(Wants::Write, NONE, here, &[host]).unwrap_err();
        assert!(status == 403 && detail.contains("INFUSE_ADMIN_TOKEN"), "{detail}");
        // A token that somebody presents makes no difference.
        let token = ("authorization", "Bearer an-admin-token-0123");
        assert_eq!(ask(Wants::Write, NONE, here, &[host, token]).unwrap_err().0, 403);
        assert_eq!(ask(Wants::Read, NONE, Some("10.0.0.9"), &[host, token]).unwrap_err().0, 403);
    }

    #[test]
    fn a_token_does_not_help_another_site() {
        let headers = [
            ("host", "ops.example"),
            ("authorization", "Bearer an-admin-token-0123"),
            ("sec-fetch-site", "cross-site"),
        ];
        for wants in [Wants::Page, Wants::Read, Wants::Write] {
            assert_eq!(ask(wants, BOTH, None, &headers).unwrap_err().0, 403);
        }
    }
}
