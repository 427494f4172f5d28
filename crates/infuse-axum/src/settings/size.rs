//! Sizes in bytes.

const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

/// Reads a number of bytes: `2000000`, `2MB`, `512KiB`. `none` is no limit.
///
/// The error says what is wrong and what to use instead.
pub(super) fn parse(text: &str) -> Result<Option<u64>, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim().to_ascii_lowercase();
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let (Some((_, unit)), false) = (unit, number.is_empty()) else {
        return Err(
            "not a number of bytes; use a whole number (`2000000`, `2MB`, `512KiB`) or `none`"
                .to_owned(),
        );
    };
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(*unit)) {
        Some(0) => Err("must be greater than 0; use `none` for no limit".to_owned()),
        Some(bytes) => Ok(Some(bytes)),
        None => Err("too large; use `none` for no limit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("2MB", Some(2_000_000)),
            ("512 KiB", Some(524_288)),
            ("10kB", Some(10_000)),
            ("None", None),
        ] {
            assert_eq!(parse(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn bad() {
        let not =
            "not a number of bytes; use a whole number (`2000000`, `2MB`, `512KiB`) or `none`";
        for (text, message) in [
            ("", not),
            ("MB", not),
            ("1.5MB", not),
            ("-1", not),
            ("5 potatoes", not),
            ("0", "must be greater than 0; use `none` for no limit"),
            ("99999999999999999999", "too large; use `none` for no limit"),
            ("18446744073709551615GiB", "too large; use `none` for no limit"),
        ] {
            assert_eq!(parse(text), Err(message.to_owned()), "{text}");
        }
    }
}
