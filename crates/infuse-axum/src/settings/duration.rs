//! Durations as people write them: a number of seconds, or a number with a unit.

use std::{ops::RangeInclusive, time::Duration};

const UNITS: [(&str, u128); 4] =
    [("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000)];

/// Digits of either part of a number that are looked at: more than a day has nanoseconds, and few
/// enough for the product with an hour to fit.
const DIGITS: usize = 15;

/// A thousandth of a second is what timers can tell apart. A circuit's keys last for a day.
pub(super) const UP_TO_A_DAY: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
pub(super) const UP_TO_AN_HOUR: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);
pub(super) const UP_TO_A_MINUTE: RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

/// Reads how long something that people do by hand is to last.
#[cfg(feature = "admin")]
pub(crate) fn up_to_a_month(text: &str) -> Result<Duration, String> {
    parse(text, &(Duration::from_millis(1)..=Duration::from_secs(30 * 24 * 3600)))
}

/// Reads a duration within `allowed`.
///
/// The error says what is wrong and what to use instead.
pub(super) fn parse(text: &str, allowed: &RangeInclusive<Duration>) -> Result<Duration, String> {
    if text.starts_with('-') {
        return Err(out_of_range("must be greater than 0", allowed));
    }
    let Some(nanos) = nanos(text) else {
        return Err(
            "not a duration; use seconds (`15`, `0.5`) or a unit (`1500ms`, `15s`, `2m`, `1h`)"
                .to_owned(),
        );
    };
    match u64::try_from(nanos).map(Duration::from_nanos) {
        Ok(Duration::ZERO) => Err(out_of_range("must be greater than 0", allowed)),
        Ok(duration) if allowed.contains(&duration) => Ok(duration),
        Ok(duration) if duration < *allowed.start() => Err(out_of_range("too short", allowed)),
        _ => Err(out_of_range("too long", allowed)),
    }
}

fn out_of_range(what: &str, allowed: &RangeInclusive<Duration>) -> String {
    let (least, most) = (format(*allowed.start()), format(*allowed.end()));
    format!("{what}; use {least} to {most}")
}

/// The nanoseconds in `text`, `u128::MAX` if there are too many to count, `None` if it is not a
/// duration.
fn nanos(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "" => 1_000_000_000,
        unit => UNITS.iter().find(|(name, _)| *name == unit)?.1,
    };
    let (whole, fraction) = match number.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None if number.is_empty() => return None,
        None => (number, ""),
    };
    if fraction.contains('.') {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > DIGITS {
        return Some(u128::MAX);
    }
    let fraction = &fraction[..fraction.len().min(DIGITS)];
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let parts: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    Some(whole * unit + parts * unit / 10_u128.pow(u32::try_from(fraction.len()).ok()?))
}

/// Writes a duration in the largest unit that it is a whole number of; [`parse`] reads it back.
pub(super) fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if let Some((unit, size)) = UNITS.iter().find(|(_, size)| nanos.is_multiple_of(*size)) {
        return format!("{}{unit}", nanos / size);
    }
    let text = format!("{}.{:06}", nanos / 1_000_000, nanos % 1_000_000);
    format!("{}ms", text.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(86_400);

    #[test]
    fn good() {
        for (text, millis) in [
            ("15", 15_000),
            ("0.5", 500),
            (".25", 250),
            ("007", 7_000),
            ("1500ms", 1_500),
            ("1.5s", 1_500),
            ("15 S", 15_000),
            ("2m", 120_000),
            ("0.5h", 1_800_000),
            ("24h", 86_400_000),
            ("86400.0000000000000000000000000000001", 86_400_000),
        ] {
            assert_eq!(parse(text, &DAY), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn bad() {
        let none =
            "not a duration; use seconds (`15`, `0.5`) or a unit (`1500ms`, `15s`, `2m`, `1h`)";
        let zero = "must be greater than 0; use 1ms to 24h";
        let huge = "9".repeat(400);
        for (text, message) in [
            ("", none),
            (".", none),
            ("5.", none),
            ("1.2.3", none),
            ("abc", none),
            ("1e3", none),
            ("NaN", none),
            ("inf", none),
            ("5 days", none),
            ("٣", none),
            ("0", zero),
            ("0.000", zero),
            ("0ms", zero),
            ("-1", zero),
            ("-inf", zero),
            ("0.0000000000001", zero),
            ("0.5ms", "too short; use 1ms to 24h"),
            ("25h", "too long; use 1ms to 24h"),
            ("18446744073709551616", "too long; use 1ms to 24h"),
            (&huge, "too long; use 1ms to 24h"),
        ] {
            assert_eq!(parse(text, &DAY), Err(message.to_owned()), "{text}");
        }
    }

    #[test]
    fn written_in_the_largest_unit() {
        for (millis, text) in
            [(1_500, "1500ms"), (15_000, "15s"), (120_000, "2m"), (7_200_000, "2h")]
        {
            assert_eq!(format(Duration::from_millis(millis)), text);
        }
        assert_eq!(format(Duration::from_nanos(1_000_500)), "1.0005ms");
    }

    proptest! {
        #[test]
        fn parse_of_format_is_stable(nanos in 1_000_000_u64..=86_400_000_000_000) {
            let duration = Duration::from_nanos(nanos);
            prop_assert_eq!(parse(&format(duration), &DAY), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC*|[0-9.]{0,60}(ms|s|m|h| )?") {
            let _ = parse(&text, &DAY);
        }
    }
}
