//! The base URL of a service.

use url::{Host, Url};

use super::{ServiceName, Template, redact};

/// Reads a base URL. The error says what is wrong and what to use instead.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .map_err(|error| format!("not a URL ({error}); use `http://host:port/path`"))?;
    match url.scheme() {
        "http" => {}
        "https" if cfg!(feature = "tls") => {}
        "https" => {
            return Err(
                "https needs the feature `tls` of infuse-axum; add it or use http".to_owned()
            );
        }
        _ => return Err("neither http nor https; use `http://host:port/path`".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a base URL cannot have a user or password; set the header `authorization` \
                    with `on_request` of the builder"
            .to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a base URL cannot have `?` or `#`; leave them out".to_owned());
    }
    if url.port() == Some(0) {
        return Err("the port cannot be 0; use 1 to 65535".to_owned());
    }
    Ok(url)
}

/// Fills in the template of base URLs for one service.
pub(super) fn from_template(
    template: &Template,
    env: &str,
    service: &ServiceName,
) -> Result<Url, String> {
    let text = template.render(env, service);
    let url = parse(&text)
        .map_err(|what| format!("{what} (for `{service}` it is {:?})", redact::mask(&text)))?;
    // A host such as `7` or `1.2` is the address 0.0.0.7 or 1.0.0.2 to a URL.
    if let Some(Host::Ipv4(address)) = url.host()
        && !text.contains(&address.to_string())
    {
        return Err(format!(
            "the name `{service}` becomes the address {address}; set the URL of this service"
        ));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good() {
        for text in ["http://payments:8000", "http://127.0.0.1:9/base/", "HTTP://h", "http://[::1]"]
        {
            assert!(parse(text).is_ok(), "{text}");
        }
        assert_eq!(parse("https://h").is_ok(), cfg!(feature = "tls"));
    }

    #[test]
    fn bad() {
        let port = "not a URL (invalid port number); use `http://host:port/path`";
        let extra = "a base URL cannot have `?` or `#`; leave them out";
        let user = "a base URL cannot have a user or password; set the header `authorization` \
                    with `on_request` of the builder";
        for (text, message) in [
            ("payments", "not a URL (relative URL without a base); use `http://host:port/path`"),
            ("http://", "not a URL (empty host); use `http://host:port/path`"),
            ("http://h:99999", port),
            ("payments:8000", "neither http nor https; use `http://host:port/path`"),
            ("ftp://h", "neither http nor https; use `http://host:port/path`"),
            ("http://h/?a", extra),
            ("http://h/#a", extra),
            ("http://user@h", user),
            ("http://:pw@h", user),
            ("http://h:0", "the port cannot be 0; use 1 to 65535"),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_name_that_is_taken_for_an_address_is_an_error() {
        let fill = |name: &str| {
            let name = ServiceName::parse(name).unwrap();
            from_template(&Template::default_service_url(), "prod", &name)
        };
        assert_eq!(fill("payments").unwrap().as_str(), "http://payments:8000/");
        assert_eq!(fill("user_service").unwrap().as_str(), "http://user-service:8000/");
        assert_eq!(
            fill("7"),
            Err("the name `7` becomes the address 0.0.0.7; set the URL of this service".to_owned())
        );
        let fixed = Template::parse("http://127.0.0.1:81/{service_name}").unwrap();
        assert!(from_template(&fixed, "prod", &ServiceName::parse("7").unwrap()).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*|(https?|ftp)://[a-z@:/?#\\[\\]0-9]*") {
            let _ = parse(&text);
        }
    }
}
