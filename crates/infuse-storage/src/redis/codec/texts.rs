//! Texts that may hold anything, as parts of a word.

use std::fmt::Write as _;

/// Writes a text: all bytes but letters, digits and `-_.~` stand as `%0A`.
pub(super) fn encode(to: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'-' | b'_' | b'.' | b'~' => to.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => to.push(char::from(byte)),
            _ => {
                // Writing to a text never fails.
                let _ = write!(to, "%{byte:02X}");
            }
        }
    }
}

/// What is no text any more is shown as far as it is one: what it goes with holds all the same.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
