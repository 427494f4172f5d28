//! Tokens, compared in a time that does not depend on how much of one is right.

use http::{HeaderMap, header::AUTHORIZATION};
use subtle::ConstantTimeEq;

/// The token in `Authorization: Bearer <token>`, if there is one such header.
pub(super) fn given(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let value = value.as_bytes();
    let scheme = value.get(..7)?;
    let token = value[7..].trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty()).then_some(token)
}

/// Whether the token that was given is this one.
pub(super) fn is(given: Option<&[u8]>, token: Option<&str>) -> bool {
    // What it is compared with where there is none is no token: too short for one.
    let expected = token.unwrap_or_default().as_bytes();
    let given_bytes = given.unwrap_or_default();
    // All of it, so that not even the length shows.
    let same = padded(given_bytes).ct_eq(&padded(expected))
        & (given_bytes.len() as u64).ct_eq(&(expected.len() as u64));
    bool::from(same) && token.is_some() && given.is_some()
}

/// As long as a token can be.
fn padded(token: &[u8]) -> [u8; 512] {
    let mut padded = [0; 512];
    let length = token.len().min(padded.len());
    padded[..length].copy_from_slice(&token[..length]);
    padded
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(values: &[&'static str]) -> Option<Vec<u8>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_static(value));
        }
        given(&headers).map(<[u8]>::to_vec)
    }

    #[test]
    fn one_token_is_given_or_none() {
        assert_eq!(of(&["Bearer abc"]), Some(b"abc".to_vec()));
        assert_eq!(of(&["bEARER  abc "]), Some(b"abc".to_vec()));
        for none in [
            &["Basic abc"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearerabc"],
            &["abc"],
            &[""],
            &["Bearer abc", "Bearer abc"],
            &[],
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
    }

    #[test]
    fn only_the_same_is_the_same() {
        assert!(is(Some(b"abcd"), Some("abcd")));
        for (given, token) in [
            (Some(&b"abc"[..]), Some("abcd")),
            (Some(b"abcde"), Some("abcd")),
            (Some(b"Abcd"), Some("abcd")),
            (None, Some("")),
            (None, None),
            (Some(b""), None),
        ] {
            assert!(!is(given, token), "{given:?} {token:?}");
        }
    }
}
