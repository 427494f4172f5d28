use http::HeaderName;

/// What is about a connection, or about the one message.
const REFUSED: [&str; 12] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header that is taken along from a request to others.
pub(super) fn parse(text: &str) -> Result<HeaderName, String> {
    let name: HeaderName = text
        .parse()
        .map_err(|_| "not the name of a header; use names such as `x-request-id`".to_owned())?;
    if REFUSED.contains(&name.as_str()) {
        return Err("it is about a connection or about one message; it cannot be taken along to \
                    another"
            .to_owned());
    }
    Ok(name)
}
