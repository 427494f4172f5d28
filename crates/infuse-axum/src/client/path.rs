//! Paths stay home: whatever is asked for, the request goes to the service's base URL and below.

use std::borrow::Cow;

use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use url::Url;

/// What a URL parser would encode in a path anyway. Done here first, because the parser trims a
/// space at the end instead of encoding it.
const PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');

/// The same for a query.
const QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\'');

/// A segment keeps the unreserved characters of RFC 3986 and nothing else.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why a path was refused.
///
/// The reasons are fixed texts: a path may hold what a client sent, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("it holds a `.` or `..` segment")]
    DotSegment,
    #[error("it begins with `//`")]
    DoubleSlash,
    #[error("it holds a backslash")]
    Backslash,
    #[error("it holds a `#`")]
    Fragment,
    #[error("it begins with a scheme")]
    Scheme,
    #[error("it holds a control character")]
    Control,
    #[error("one of its segments is empty")]
    EmptySegment,
    #[error("it leads away from the service's base URL")]
    Elsewhere,
}

/// A path on a service, given as a text or as segments.
///
/// - A **text** (`"orders/7?full=1"`) is appended to the path of the service's base URL as it
///   stands, escapes untouched; a `?` begins the query. It is refused with
///   [`ServiceErrorKind::PathRefused`](crate::ServiceErrorKind::PathRefused) if, after one
///   percent-decoding, it has a segment `.` or `..`, begins with `//` or with a scheme, or holds a
///   `\`, a `#` or a control character.
/// - **Segments** (`["orders", &id]`) are the form for input from users: each is percent-encoded,
///   so that a `/`, `?` or `#` in it is part of the segment. A segment that is empty, holds a
///   control character or would climb (`..`, also as a part between slashes) is refused.
///
/// It is implemented for strings and for arrays, slices and vectors of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a path on a service",
    note = "use a text such as `\"orders/7?full=1\"`, or segments such as `[\"orders\", &id]`"
)]
pub trait IntoPath: sealed::Append {}

impl<T: sealed::Append> IntoPath for T {}

mod sealed {
    use super::PathError;

    /// Appends a checked path to `url`, the base URL without a slash at its end.
    pub trait Append {
        /// Nothing but whole segments, below the base URL.
        fn append(&self, url: &mut String) -> Result<(), PathError>;
    }
}

macro_rules! text {
    ($($text:ty),*) => {$(
        impl sealed::Append for $text {
            fn append(&self, url: &mut String) -> Result<(), PathError> {
                append_text(self, url)
            }
        }
    )*};
}
text!(&str, &&str, String, &String, Cow<'_, str>);

macro_rules! segments {
    ($(($($generic:tt)*) $list:ty),*) => {$(
        impl<S: AsRef<str>, $($generic)*> sealed::Append for $list {
            fn append(&self, url: &mut String) -> Result<(), PathError> {
                append_segments(&self[..], url)
            }
        }
    )*};
}
segments!(
    (const N: usize) [S; N],
    (const N: usize) &[S; N],
    () &[S],
    () Vec<S>,
    () &Vec<S>
);

fn append_text(text: &str, url: &mut String) -> Result<(), PathError> {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    check_path(path)?;
    if !path.is_empty() {
        if !path.starts_with('/') {
            url.push('/');
        }
        url.extend(utf8_percent_encode(path, PATH));
    }
    if let Some(query) = query {
        if query.contains('#') {
            return Err(PathError::Fragment);
        }
        // Escaped ones are data: a text field may well hold a line break.
        if query.contains(char::is_control) {
            return Err(PathError::Control);
        }
        url.push('?');
        url.extend(utf8_percent_encode(query, QUERY));
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), PathError> {
    let decoded: Cow<'_, [u8]> = percent_decode_str(path).into();
    if holds_control(&decoded) {
        return Err(PathError::Control);
    }
    if has_dot_segment(&decoded) {
        return Err(PathError::DotSegment);
    }
    if decoded.contains(&b'\\') {
        return Err(PathError::Backslash);
    }
    if decoded.contains(&b'#') {
        return Err(PathError::Fragment);
    }
    // A slash is put in front of a path without one, so an encoded one would be the second.
    let rooted = path.starts_with('/');
    let rest = if rooted { &decoded[1..] } else { &decoded[..] };
    if rest.starts_with(b"/") {
        return Err(PathError::DoubleSlash);
    }
    if let Some(after) = after_scheme(rest) {
        // `/items:find` is a path; `items:find` and `/http://host` may be read as a URL.
        if !rooted || after.starts_with(b"/") {
            return Err(PathError::Scheme);
        }
    }
    Ok(())
}

fn append_segments<S: AsRef<str>>(segments: &[S], url: &mut String) -> Result<(), PathError> {
    for (index, segment) in segments.iter().enumerate() {
        let segment = segment.as_ref();
        if segment.is_empty() {
            // `["users", ""]` would be the list of all users.
            return Err(PathError::EmptySegment);
        }
        if holds_control(segment.as_bytes()) {
            return Err(PathError::Control);
        }
        // Encoding does not help: `%2E%2E` is `..` to a URL parser, and many servers decode
        // `%2F` before they look for `..`.
        if has_dot_segment(segment.as_bytes()) {
            return Err(PathError::DotSegment);
        }
        if index == 0 && segment.starts_with(['/', '\\']) {
            return Err(PathError::DoubleSlash);
        }
        url.push('/');
        url.extend(utf8_percent_encode(segment, SEGMENT));
    }
    Ok(())
}

fn holds_control(decoded: &[u8]) -> bool {
    match std::str::from_utf8(decoded) {
        Ok(text) => text.contains(char::is_control),
        Err(_) => decoded.iter().any(u8::is_ascii_control),
    }
}

fn has_dot_segment(decoded: &[u8]) -> bool {
    decoded
        .split(|&byte| byte == b'/' || byte == b'\\')
        // Servlet containers drop `;…` from a segment before they resolve `..`.
        .map(|segment| segment.split(|&byte| byte == b';').next().unwrap_or(segment))
        .any(|segment| segment == b"." || segment == b"..")
}

/// What follows `scheme:` if `path` begins with one.
fn after_scheme(path: &[u8]) -> Option<&[u8]> {
    let colon = path.iter().position(|&byte| byte == b':')?;
    let scheme = &path[..colon];
    let valid = scheme.first()?.is_ascii_alphabetic()
        && scheme
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then(|| &path[colon + 1..])
}

/// A service's base URL, in the form that paths are appended to.
#[derive(Debug, Clone)]
pub(crate) struct BaseUrl {
    /// Scheme and authority, parsed: a request's URL is made of a copy, because parsing a host
    /// anew is most of what a URL costs.
    origin: Url,
    /// How long scheme and authority are.
    origin_len: usize,
    /// Scheme, authority and path, without a slash at the end.
    stem: String,
    /// The base URL's path ended with a slash: `get("")` asks for exactly that URL.
    slash: bool,
}

impl BaseUrl {
    /// Takes scheme, host, port and path of `url`; credentials, query and fragment are no part
    /// of where a service lives.
    pub(crate) fn new(url: &Url) -> Self {
        let path = url.path();
        let scheme = &url[url::Position::BeforeScheme..url::Position::AfterScheme];
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let origin = format!("{scheme}://{authority}");
        let mut parsed = url.clone();
        // These refuse only URLs that have no authority, which a base URL does.
        let _ = parsed.set_username("");
        let _ = parsed.set_password(None);
        parsed.set_fragment(None);
        Self {
            origin: parsed,
            origin_len: origin.len(),
            stem: format!("{origin}{}", path.trim_end_matches('/')),
            slash: path.ends_with('/'),
        }
    }

    /// The host that is called.
    pub(crate) fn address(&self) -> Option<&str> {
        self.origin.host_str()
    }

    /// The port that is called.
    pub(crate) fn port(&self) -> Option<u16> {
        self.origin.port_or_known_default()
    }

    /// The base URL with `path` appended, as a text that a query can still be appended to.
    pub(crate) fn append(&self, path: &impl IntoPath) -> Result<String, PathError> {
        let mut url = String::with_capacity(self.stem.len() + 64);
        url.push_str(&self.stem);
        path.append(&mut url)?;
        if self.slash && matches!(url.as_bytes().get(self.stem.len()), None | Some(b'?')) {
            url.insert(self.stem.len(), '/');
        }
        Ok(url)
    }

    /// The base URL itself.
    pub(crate) fn home(&self) -> &str {
        &self.stem
    }

    /// The URL of what [`append`](Self::append) made, checked on the form that is sent that it is
    /// still at home.
    pub(crate) fn parse(&self, url: &str) -> Result<Url, PathError> {
        let rest = url.get(self.origin_len..).ok_or(PathError::Elsewhere)?;
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let mut url = self.origin.clone();
        url.set_path(path);
        url.set_query(query);
        let home = url.as_str().strip_prefix(self.stem.as_str());
        match home.map(|rest| rest.as_bytes().first()) {
            Some(None | Some(b'/' | b'?')) => Ok(url),
            _ => Err(PathError::Elsewhere),
        }
    }
}

#[cfg(test)]
mod tests;
