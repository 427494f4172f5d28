use std::time::Duration;

use deadpool_redis::redis::{Value, from_redis_value};

use super::words::{number, process};
use crate::{Announcement, Instance, StorageError};

/// The most digits of a time.
const DIGITS: usize = 16;

/// Reads what participants have said to a group until `now`: a hash with a field for each id. What
/// has ended is left out, and what no participant wrote.
pub(in crate::redis) fn decode_instances(
    now: Value,
    hash: Value,
) -> Result<Vec<Instance>, StorageError> {
    let wrong = || StorageError::Answer("no group of instances".to_owned());
    let now: u64 = from_redis_value(now).map_err(|_| wrong())?;
    if hash == Value::Nil {
        return Ok(Vec::new());
    }
    let fields: Vec<(Vec<u8>, Vec<u8>)> = from_redis_value(hash).map_err(|_| wrong())?;
    Ok(fields.iter().filter_map(|(field, value)| instance(now, field, value)).collect())
}

/// A value is when it was said and for how long it holds, in microseconds, and then the text.
fn instance(now: u64, field: &[u8], value: &[u8]) -> Option<Instance> {
    let process = process(str::from_utf8(field).ok()?)?;
    let (at, rest) = str::from_utf8(value).ok()?.split_once(':')?;
    let (lasting, text) = rest.split_once(':')?;
    let time = |text: &str| {
        let digits = !text.is_empty() && text.len() <= DIGITS;
        digits.then(|| number(text))?
    };
    let (at, lasting) = (time(at)?, time(lasting)?);
    // The clock may have gone back: see the script that writes it.
    let holds = now.abs_diff(at) < lasting && text.len() <= Announcement::MOST_TEXT;
    let heard_ago = Duration::from_micros(now.saturating_sub(at));
    holds.then(|| Instance::new(process, heard_ago, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProcessId;

    const NOW: u64 = 10_000_000;

    fn decode(fields: &[(&str, &[u8])]) -> Vec<Instance> {
        let words = fields.iter().flat_map(|(field, value)| [field.as_bytes(), value]);
        let words = words.map(|word| Value::BulkString(word.to_vec())).collect();
        decode_instances(Value::Int(NOW as i64), Value::Array(words)).unwrap()
    }

    #[test]
    fn instances_are_read_as_they_were_written() {
        let found = decode(&[
            ("00000000000000ff", "8500000:5000000:a\0b: \u{1F980}".as_bytes()),
            ("t00000000000000ff", b"8500000:5000000:"),
            ("ids", b"00000000000000ff "),
            ("fedcba9876543210", b"10500000:5000000:"),
        ]);
        let one = Instance::new(
            ProcessId::from_u64(0xff),
            Duration::from_millis(1_500),
            "a\0b: \u{1F980}",
        );
        let two = Instance::new(ProcessId::from_u64(0xfedc_ba98_7654_3210), Duration::ZERO, "");
        assert_eq!(found, [one, two]);
        assert!(decode(&[]).is_empty());
    }

    #[test]
    fn what_has_ended_or_no_participant_wrote_is_left_out() {
        let long = "x".repeat(Announcement::MOST_TEXT + 1);
        for value in [
            "5000000:5000000:ended",
            "15000000:5000000:later",
            "",
            "no times",
            "9000000:5000000",
            "1e7:5000000:",
            ":5000000:",
            "9000000::",
            "9000000:-5000000:",
            "9000000:99999999999999999:",
            &format!("9000000:5000000:{long}"),
        ] {
            assert!(decode(&[("00000000000000ff", value.as_bytes())]).is_empty(), "{value:.40}");
        }
        assert!(decode(&[("00000000000000ff", b"9000000:5000000:\xff")]).is_empty());
        for field in
            ["", "ff", "+0000000000000ff", "00000000000000FF", "swept", "00000000000000ffe"]
        {
            assert!(decode(&[(field, b"9000000:5000000:here")]).is_empty(), "{field}");
        }
        assert!(decode_instances(Value::Int(1), Value::Nil).unwrap().is_empty());
        decode_instances(Value::Int(1), Value::Okay).unwrap_err();
        decode_instances(Value::Nil, Value::Nil).unwrap_err();
    }
}
