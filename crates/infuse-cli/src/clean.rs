//! What others wrote must not control a terminal, nor be read as what it is not.

use std::borrow::Cow;

/// The same with a mark for each character that controls a terminal, or that cannot be seen and
/// changes how others are seen.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether all of it can be seen.
pub(crate) fn is_clean(text: &str) -> bool {
    !text.contains(is_hidden)
}

/// JSON in which such characters, which stand in its texts alone, are written by their numbers.
pub(crate) fn clean_json(json: &str) -> Cow<'_, str> {
    let hidden = |c: char| c != '\n' && is_hidden(c);
    if !json.contains(hidden) {
        return Cow::Borrowed(json);
    }
    let mut clean = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Soft hyphen, Arabic mark, zero width, direction, line and paragraph, invisible
            // operators, byte order, annotations, tags.
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_marked() {
        assert_eq!(clean("a\u{1b}[2J\nb\u{9b}c\u{202e}d\u{e0041}"), "a�[2J�b�c�d�");
        assert_eq!(clean("Zahlungsdienst für 世界 – “ok”"), "Zahlungsdienst für 世界 – “ok”");
        assert!(is_clean("für 世界") && !is_clean("a\tb"));
    }

    #[test]
    fn json_stays_the_same_json() {
        let value = serde_json::json!({"a": "x\u{9b}31m\u{202e}\u{e0041}\u{7f}ü\n"});
        let json = serde_json::to_string_pretty(&value).unwrap();
        let clean = clean_json(&json);
        assert!(clean.contains(r"x\u009b31m\u202e\udb40\udc41\u007fü\n"), "{clean}");
        assert!(clean.lines().all(is_clean), "{clean}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).unwrap(), value);
        assert!(matches!(clean_json("{}\n"), Cow::Borrowed(_)));
    }
}
