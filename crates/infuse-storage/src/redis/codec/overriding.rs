use std::{fmt::Write as _, time::Duration};

use infuse_core::{Mode, Override};

use super::{
    texts::{decode, encode},
    words::{NONE, micros, number},
};

/// An override as one word: the mode, what is left in microseconds, who, and why, both encoded.
pub(super) fn write_override(it: &Override) -> String {
    let it = {
        // Texts that are too long are cut.
        let mut cut = Override::new(it.mode).by(&it.by).because(&it.reason);
        cut.left = it.left;
        cut
    };
    let mut word = format!("{}:", it.mode);
    // Writing to a text never fails.
    let _ = match it.left {
        Some(left) => write!(word, "{}", micros(left)),
        None => write!(word, "{NONE}"),
    };
    for text in [&it.by, &it.reason] {
        word.push(':');
        encode(&mut word, text);
    }
    word
}

pub(super) fn read_override(word: &str) -> Option<Override> {
    let mut parts = word.split(':');
    let mut next = || parts.next();
    let mode = next()?;
    let modes = [Mode::Enabled, Mode::Observe, Mode::Disabled, Mode::Isolated];
    let mode = modes.into_iter().find(|it| it.as_str() == mode)?;
    let left = match next()? {
        NONE => None,
        left => Some(Duration::from_micros(number(left)?)),
    };
    let (by, reason) = (decode(next()?)?, decode(next()?)?);
    let mut it = Override::new(mode).by(&by).because(&reason);
    it.left = left;
    next().is_none().then_some(it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back() {
        let long = "ä".repeat(128);
        for text in
            ["", " ", "a b:c%d\n", "-", "\0", "%", "%25", "\u{1F980}", "\u{7f}", "1 2", &long]
        {
            for left in [None, Some(Duration::ZERO), Some(Duration::from_secs(3600))] {
                let mut it = Override::new(Mode::Isolated).by(text).because(text);
                it.left = left;
                let word = write_override(&it);
                assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word}");
                assert!(word.len() < 1700);
                assert_eq!(read_override(&word), Some(it), "{word}");
            }
        }
        let mut longer = Override::new(Mode::Observe);
        longer.by = "x".repeat(10_000).into();
        assert_eq!(read_override(&write_override(&longer)).unwrap().by.len(), Override::MOST_TEXT);
    }

    #[test]
    fn rubbish_is_none() {
        for word in [
            "",
            "-",
            "isolated",
            "isolated:-",
            "isolated:-:a",
            "isolated:-:a:b:c",
            "off:-:a:b",
            "Isolated:-:a:b",
            "isolated::a:b",
            "isolated:+1:a:b",
            "isolated:x:a:b",
            "isolated:-:%:b",
            "isolated:-:%2:b",
            "isolated:-:%zz:b",
            "isolated:-:a:%+1",
        ] {
            assert_eq!(read_override(word), None, "{word}");
        }
        assert_eq!(&*read_override("observe:-:%FF:").unwrap().by, "\u{FFFD}");
    }
}
