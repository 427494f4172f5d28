use std::{fmt, str::FromStr};

/// A kind of failure that shall not count, as written in `INFUSE_BREAKER_EXCLUDE_EXCEPTIONS`.
///
/// Excluding only takes failures out. An excluded status is a success, because the service did
/// answer; an excluded timeout, refused connection or broken body is ignored, because it did not.
///
/// `Display` writes what `FromStr` reads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exclusion {
    /// `http_status`: every status. Infuse for Python spells it
    /// `insanic.services.adapters.HTTPStatusError`, which is read too.
    HttpStatus,
    /// `server_error`: the statuses from 500 to 599.
    ServerError,
    /// `503`: one status, from 100 to 599.
    Status(u16),
    /// `500-502`: the statuses from the first to the second, both included.
    StatusRange(u16, u16),
    /// `timeout`: the service took too long.
    Timeout,
    /// `connect`: no connection to the service could be made.
    Connect,
    /// `body`: the service's answer broke off.
    Body,
    /// A name that the application registered in its builder.
    Named(String),
}

/// What can stand in a list of exclusions besides registered names.
pub(super) const BUILT_IN: &str = "`http_status`, `server_error`, a status (`503`) or a range of \
                                   them (`500-502`), `timeout`, `connect`, `body`";

const PYTHON_HTTP_STATUS: &str = "insanic.services.adapters.httpstatuserror";

/// Why a text is not an [`Exclusion`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseExclusionError {
    /// The text is empty.
    #[error("an exclusion cannot be empty")]
    Empty,
    /// The text begins like a status and is none.
    #[error("not a status; use 100 to 599, or a range such as `500-502`")]
    Status,
    /// The first status of a range is above the second.
    #[error("the range runs backwards; write the lower status first")]
    Backwards,
    /// The text has a character that names of exclusions cannot have.
    #[error(
        "the name of an exclusion cannot have {0:?}; use letters, digits, `_`, `-`, `.` and `:`"
    )]
    Character(char),
}

impl FromStr for Exclusion {
    type Err = ParseExclusionError;

    /// Reads an exclusion. Case does not matter in the built-in words, but does in the name of a
    /// registered one.
    fn from_str(text: &str) -> Result<Self, ParseExclusionError> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "" => return Err(ParseExclusionError::Empty),
            "http_status" | PYTHON_HTTP_STATUS => return Ok(Exclusion::HttpStatus),
            "server_error" => return Ok(Exclusion::ServerError),
            "timeout" => return Ok(Exclusion::Timeout),
            "connect" => return Ok(Exclusion::Connect),
            "body" => return Ok(Exclusion::Body),
            _ => {}
        }
        if text.starts_with(|c: char| c.is_ascii_digit()) {
            return statuses(text);
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        match text.chars().find(|&c| !allowed(c)) {
            Some(c) => Err(ParseExclusionError::Character(c)),
            None => Ok(Exclusion::Named(text.to_owned())),
        }
    }
}

fn statuses(text: &str) -> Result<Exclusion, ParseExclusionError> {
    let status = |text: &str| match text.trim().parse() {
        Ok(status @ 100..=599) => Ok(status),
        _ => Err(ParseExclusionError::Status),
    };
    let Some((first, last)) = text.split_once('-') else {
        return status(text).map(Exclusion::Status);
    };
    let (first, last) = (status(first)?, status(last)?);
    if first > last {
        return Err(ParseExclusionError::Backwards);
    }
    Ok(Exclusion::StatusRange(first, last))
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exclusion::HttpStatus => f.pad("http_status"),
            Exclusion::ServerError => f.pad("server_error"),
            Exclusion::Status(status) => write!(f, "{status}"),
            Exclusion::StatusRange(first, last) => write!(f, "{first}-{last}"),
            Exclusion::Timeout => f.pad("timeout"),
            Exclusion::Connect => f.pad("connect"),
            Exclusion::Body => f.pad("body"),
            Exclusion::Named(name) => f.pad(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good() {
        for (text, exclusion) in [
            ("http_status", Exclusion::HttpStatus),
            ("insanic.services.adapters.HTTPStatusError", Exclusion::HttpStatus),
            (" Server_Error ", Exclusion::ServerError),
            ("503", Exclusion::Status(503)),
            ("500-502", Exclusion::StatusRange(500, 502)),
            ("500 - 500", Exclusion::StatusRange(500, 500)),
            ("TIMEOUT", Exclusion::Timeout),
            ("connect", Exclusion::Connect),
            ("body", Exclusion::Body),
            ("my_app::NotFound", Exclusion::Named("my_app::NotFound".to_owned())),
        ] {
            assert_eq!(text.parse(), Ok(exclusion), "{text}");
        }
    }

    #[test]
    fn bad() {
        use ParseExclusionError::*;
        for (text, error) in [
            ("", Empty),
            ("99", Status),
            ("600", Status),
            ("5xx", Status),
            ("500-", Status),
            ("500..502", Status),
            ("500-502-503", Status),
            ("502-500", Backwards),
            ("99999999999999999999", Status),
            ("not found", Character(' ')),
        ] {
            assert_eq!(text.parse::<Exclusion>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn parse_of_display_is_stable(text in "\\PC{0,12}|[0-9]{3}(-[0-9]{3})?|[a-z_]{1,12}") {
            if let Ok(exclusion) = text.parse::<Exclusion>() {
                prop_assert_eq!(exclusion.to_string().parse(), Ok(exclusion));
            }
        }
    }
}
