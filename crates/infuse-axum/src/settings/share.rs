//! Shares, written as a number or in per cent, and other numbers with a fraction.

/// Digits of a number that are looked at: more than a `f64` can tell apart.
const LONGEST: usize = 30;

/// Reads a share of more than 0 and at most 1: `0.5`, `50%`.
///
/// The error says what is wrong and what to use instead.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    match share(text, "more than 0 and at most 1 (`0.5`) or 100% (`50%`)")? {
        share if share > 0.0 => Ok(share),
        _ => Err("must be greater than 0; use more than 0 and at most 1 (`0.5`) or 100% (`50%`), \
                  or `none`"
            .to_owned()),
    }
}

/// Reads a share from 0 to 1: `0`, `0.2`, `20%`.
pub(super) fn jitter(text: &str) -> Result<f64, String> {
    share(text, "0 to 1 (`0.2`) or 100% (`20%`)")
}

/// Reads a factor from 1 to 1000: `1`, `1.5`.
pub(super) fn factor(text: &str) -> Result<f64, String> {
    match decimal(text) {
        None => Err("not a number; use 1 to 1000 (`1.5`)".to_owned()),
        Some(factor) if (1.0..=1_000.0).contains(&factor) => Ok(factor),
        Some(_) => Err("out of range; use 1 to 1000 (`1.5`)".to_owned()),
    }
}

fn share(text: &str, allowed: &str) -> Result<f64, String> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(number) => (number.trim_end(), 100.0),
        None => (text, 1.0),
    };
    match decimal(number).map(|number| number / whole) {
        None => Err(format!("not a share; use {allowed}")),
        Some(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Some(_) => Err(format!("out of range; use {allowed}")),
    }
}

/// A number in digits, with or without a fraction and a sign. What `f64` reads besides, such as
/// `1e3` and `inf`, is more likely a mistake.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if fraction.is_empty() || !(plain(whole) && plain(fraction)) || digits.is_empty() {
        return None;
    }
    if whole.trim_start_matches('0').len() > LONGEST {
        return Some(if text.starts_with('-') { f64::MIN } else { f64::MAX });
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good() {
        for (text, share) in [
            ("0.5", 0.5),
            ("50%", 0.5),
            ("50 %", 0.5),
            (".25", 0.25),
            ("1", 1.0),
            ("1.0", 1.0),
            ("100%", 1.0),
            ("0.5%", 0.005),
            ("000.10", 0.1),
        ] {
            assert_eq!(rate(text), Ok(share), "{text}");
            assert_eq!(jitter(text), Ok(share), "{text}");
        }
        assert_eq!(jitter("0"), Ok(0.0));
        assert_eq!(jitter("0%"), Ok(0.0));
        for (text, number) in [("1", 1.0), ("1.5", 1.5), ("1000", 1_000.0), ("2.0", 2.0)] {
            assert_eq!(factor(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn bad() {
        let allowed = "more than 0 and at most 1 (`0.5`) or 100% (`50%`)";
        let not = format!("not a share; use {allowed}");
        let out = format!("out of range; use {allowed}");
        let zero = format!("must be greater than 0; use {allowed}, or `none`");
        for (text, message) in [
            ("", &not),
            ("%", &not),
            (".", &not),
            ("1.", &not),
            ("half", &not),
            ("NaN", &not),
            ("inf", &not),
            ("1e-3", &not),
            ("1.2.3", &not),
            ("50%%", &not),
            ("٣", &not),
            ("0", &zero),
            ("0.00", &zero),
            ("-0.0", &zero),
            ("0%", &zero),
            ("50", &out),
            ("1.01", &out),
            ("101%", &out),
            ("-0.5", &out),
            (&"9".repeat(500), &out),
        ] {
            assert_eq!(rate(text).as_ref(), Err(message), "{text}");
        }
        for text in ["0", "0.99", "1000.1", "-2", &"9".repeat(500)] {
            assert_eq!(factor(text), Err("out of range; use 1 to 1000 (`1.5`)".to_owned()));
        }
        assert_eq!(factor("2x"), Err("not a number; use 1 to 1000 (`1.5`)".to_owned()));
        assert!(jitter("2").unwrap_err().starts_with("out of range; use 0 to 1"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_in_range(text in "\\PC*|-?[0-9.]{0,40}%?") {
            if let Ok(share) = rate(&text) {
                prop_assert!(share > 0.0 && share <= 1.0);
            }
            if let Ok(share) = jitter(&text) {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            if let Ok(number) = factor(&text) {
                prop_assert!((1.0..=1_000.0).contains(&number));
            }
        }

        #[test]
        fn what_is_shown_is_read_back(share in 0.0_f64..=1.0) {
            prop_assert_eq!(jitter(&share.to_string()), Ok(share));
        }
    }
}
