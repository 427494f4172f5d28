//! Times, as people write and read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Failure;

const UNITS: [(&str, f64); 5] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
const DAY: u64 = 24 * 60 * 60;

/// How long an override lasts, or a circuit is open: a second to a year.
pub(crate) fn parse_for(text: &str) -> Result<Duration, Failure> {
    parse("--for", text, Duration::from_secs(1), Duration::from_secs(365 * DAY))
}

/// How long to wait for the storage: up to a minute.
pub(crate) fn parse_timeout(text: &str) -> Result<Duration, Failure> {
    parse("--timeout", text, Duration::from_millis(1), Duration::from_secs(60))
}

fn parse(option: &str, text: &str, least: Duration, most: Duration) -> Result<Duration, Failure> {
    let wrong = |what: &str| Err(Failure::Usage(format!("{option}: {what}")));
    let Some(time) = read(text.trim()) else {
        return wrong(
            "not a time; use seconds (`90`) or a unit (`500ms`, `90s`, `10m`, `2h`, `1d`)",
        );
    };
    if !(least..=most).contains(&time) {
        return wrong(&format!("use {} to {}", words(least), words(most)));
    }
    Ok(time)
}

fn read(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim() {
        "" => 1.0,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    // No more than digits and points, so neither negative nor "not a number".
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * unit).ok()
}

/// A time in words, of at most two units: `250ms`, `12s`, `4m 10s`, `3h`, `2d 4h`.
pub(crate) fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let two = |large: u64, unit: &str, small: u64, other: &str| match small {
        0 => format!("{large}{unit}"),
        _ => format!("{large}{unit} {small}{other}"),
    };
    match seconds {
        0 if !time.is_zero() => format!("{}ms", time.as_millis().max(1)),
        0..60 => format!("{seconds}s"),
        60..3_600 => two(seconds / 60, "m", seconds % 60, "s"),
        3_600..DAY => two(seconds / 3_600, "h", seconds % 3_600 / 60, "m"),
        _ => two(seconds / DAY, "d", seconds % DAY / 3_600, "h"),
    }
}

/// What is left of a time, in [`words`] of whole seconds: rounded up, so that it is not over before
/// it is.
pub(crate) fn left(time: Duration) -> String {
    words(Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0)))
}

/// How long ago something was, in [`words`] of whole seconds.
pub(crate) fn ago(time: Duration) -> String {
    words(Duration::from_secs(time.as_secs()))
}

/// How long ago a time of day was; zero for one that is to come.
pub(crate) fn since(time: SystemTime) -> Duration {
    SystemTime::now().duration_since(time).unwrap_or_default()
}

/// The time of day, in seconds.
pub(crate) fn now() -> f64 {
    seconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Seconds to the thousandth, rounded up as snapshots have them.
pub(crate) fn seconds(time: Duration) -> f64 {
    time.as_micros().div_ceil(1000) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in
            [("90", 90.0), ("1.5", 1.5), ("90s", 90.0), (" 10 m ", 600.0), ("1d", 86_400.0)]
        {
            assert_eq!(parse_for(text).unwrap().as_secs_f64(), seconds, "{text}");
        }
        assert_eq!(parse_timeout("500ms").unwrap(), Duration::from_millis(500));
        let huge = "9".repeat(400);
        for text in
            ["", "m", "-1", "1e3", "NaN", "inf", "1 week", "1.2.3", "5M", "0", "1ms", "366d", &huge]
        {
            assert!(parse_for(text).is_err(), "{text}");
        }
        let said = parse_for("0").unwrap_err().to_string();
        assert_eq!(said, "--for: use 1s to 365d");
        assert_eq!(parse_timeout("2m").unwrap_err().to_string(), "--timeout: use 1ms to 1m");
    }

    #[test]
    fn times_are_said_in_two_units_at_most() {
        for (millis, said) in [
            (0, "0s"),
            (250, "250ms"),
            (12_900, "12s"),
            (60_000, "1m"),
            (250_000, "4m 10s"),
            (10_800_000, "3h"),
            (11_000_000, "3h 3m"),
            (187_200_000, "2d 4h"),
        ] {
            assert_eq!(words(Duration::from_millis(millis)), said);
        }
        assert_eq!(left(Duration::from_millis(1)), "1s");
        assert_eq!(left(Duration::from_millis(59_001)), "1m");
        assert_eq!(ago(Duration::from_millis(1_999)), "1s");
        assert_eq!(ago(Duration::from_millis(999)), "0s");
    }
}
