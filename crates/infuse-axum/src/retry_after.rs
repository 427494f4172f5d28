//! How long a service asks to be left alone, by `Retry-After` (RFC 9110, 10.2.3).
//!
//! | answer | heard |
//! |---|---|
//! | a status other than 429 and 503 | nothing |
//! | whole seconds | so long |
//! | a date, in any of the three forms of HTTP | the time from the answer's own `Date`, or from now by our clock if it has none that can be read |
//! | 0, or a date that has passed | nothing |
//! | more than a year | a year; circuits have a limit of their own |
//! | a sign, a fraction, a list, anything else | nothing |
//! | the header more than once | the longest that can be read |

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{DATE, RETRY_AFTER},
};

/// The longest that is heard.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How long an answer asks to be left alone; `None` if it does not.
pub(crate) fn retry_after(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            if headers.contains_key(RETRY_AFTER) =>
        {
            read(headers, SystemTime::now())
        }
        _ => None,
    }
}

fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    // The service's clock may be wrong, but the time between two of its dates is not.
    let now = || headers.get(DATE).and_then(date).unwrap_or(now);
    let longest = headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| seconds(value).or_else(|| date(value)?.duration_since(now()).ok()))
        .max()?;
    (!longest.is_zero()).then(|| longest.min(LONGEST))
}

fn seconds(value: &HeaderValue) -> Option<Duration> {
    let digits = value.as_bytes().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than a number holds is long, not wrong.
    let seconds = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(seconds))
}

fn date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(value.to_str().ok()?.trim()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: Duration = Duration::from_secs(784_111_777);

    fn asked(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        read(&map, SystemTime::UNIX_EPOCH + NOW)
    }

    fn after(value: &str) -> Option<Duration> {
        asked(&[("retry-after", value)])
    }

    fn secs(secs: u64) -> Option<Duration> {
        Some(Duration::from_secs(secs))
    }

    #[test]
    fn only_429_and_503_are_heard() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
        for status in 100..=999 {
            let heard = retry_after(StatusCode::from_u16(status).unwrap(), &headers);
            assert_eq!(heard, if matches!(status, 429 | 503) { secs(7) } else { None }, "{status}");
        }
        assert_eq!(retry_after(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()), None);
    }

    #[test]
    fn seconds_are_whole() {
        assert_eq!(after("30"), secs(30));
        assert_eq!(after("007"), secs(7));
        assert_eq!(after("1"), secs(1));
        assert_eq!(after("0"), None);
        for garbage in ["", "-1", "+1", "1.5", "1e3", "0x10", "30s", "30, 60", "30;x", "soon"] {
            assert_eq!(after(garbage), None, "{garbage:?}");
        }
        let odd = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_bytes(b"\xff7").unwrap())]);
        assert_eq!(read(&odd, SystemTime::UNIX_EPOCH), None);
    }

    #[test]
    fn what_is_huge_is_a_year() {
        for huge in ["31536001", "18446744073709551615", "18446744073709551616", &"9".repeat(999)] {
            assert_eq!(after(huge), Some(LONGEST), "{huge}");
        }
        assert_eq!(after("Fri, 31 Dec 9999 23:59:59 GMT"), Some(LONGEST));
    }

    #[test]
    fn dates_without_a_date_go_by_our_clock() {
        for date in [
            "Sun, 06 Nov 1994 08:50:07 GMT",
            "Sunday, 06-Nov-94 08:50:07 GMT",
            "Sun Nov  6 08:50:07 1994",
        ] {
            assert_eq!(after(date), secs(30), "{date}");
        }
        for past in ["Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            assert_eq!(after(past), None, "{past}");
        }
        for garbage in ["Sun, 31 Feb 1994 08:49:37 CET", "1994-11-06T08:50:07Z", "Sun, 06 Nov"] {
            assert_eq!(after(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_service_whose_clock_is_wrong_is_understood() {
        let at = |date| asked(&[("date", date), ("retry-after", "Fri, 02 Jan 2099 00:00:45 GMT")]);
        assert_eq!(at("Fri, 02 Jan 2099 00:00:00 GMT"), secs(45));
        assert_eq!(at("Fri, 02 Jan 2099 00:01:00 GMT"), None);
        // A `Date` that cannot be read is none.
        let ours = [("date", "today"), ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")];
        assert_eq!(asked(&ours), secs(30));
        // Seconds need none.
        assert_eq!(asked(&[("date", "today"), ("retry-after", "5")]), secs(5));
    }

    #[test]
    fn of_several_the_longest_holds() {
        let several = [
            ("retry-after", "5"),
            ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT"),
            ("retry-after", "soon"),
            ("retry-after", "20"),
        ];
        assert_eq!(asked(&several), secs(30));
        assert_eq!(asked(&[("retry-after", "soon"), ("retry-after", "-1")]), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(values: Vec<Vec<u8>>, date: Vec<u8>) {
            let values = values.iter().map(|value| (RETRY_AFTER, value));
            let mut headers = HeaderMap::new();
            for (name, value) in values.chain([(DATE, &date)]) {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
            if let Some(heard) = read(&headers, SystemTime::now()) {
                prop_assert!(!heard.is_zero() && heard <= LONGEST);
            }
        }
    }
}
