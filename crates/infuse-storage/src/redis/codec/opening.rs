//! What opened a circuit, and the notes of commands, each as one word.

use std::{fmt::Write as _, time::Duration};

use infuse_core::Fault;

use super::{
    texts::{decode, encode},
    view::{read_cause, read_process},
    words::{NONE, known_cause, micros, number},
};
use crate::{Note, Opening};

/// The cause, who, how long ago in microseconds, the fault as a number (0 if none is known), who
/// did it by hand and why.
pub(super) fn write_opening(it: &Opening) -> String {
    let mut word = format!("{}:", known_cause(it.cause).as_str());
    // Writing to a text never fails.
    let _ = match it.by {
        Some(by) => write!(word, "{by}"),
        None => write!(word, "{NONE}"),
    };
    let _ = write!(word, ":{}:{}:", micros(it.ago), write_fault(it.fault));
    write_texts(&mut word, &it.note);
    word
}

pub(super) fn read_opening(word: &str) -> Option<Opening> {
    let mut parts = word.splitn(5, ':');
    let mut next = || parts.next();
    let cause = read_cause(next()?)?;
    let by = match next()? {
        NONE => None,
        by => Some(read_process(by)?),
    };
    let ago = Duration::from_micros(number(next()?)?);
    let fault = u32::try_from(number(next()?)?).ok()?;
    let note = read_note(next()?)?;
    // A fault that this version does not know is none.
    Some(Opening { ago, fault: Fault::from_code(fault), note, ..Opening::new(cause, by) })
}

/// A fault as a number; 0 if none is known.
pub(super) fn write_fault(fault: Option<Fault>) -> u32 {
    fault.map_or(0, Fault::to_code)
}

/// Who, and why; [`NONE`] if nothing is said.
pub(super) fn write_note(note: &Note) -> String {
    let mut word = String::new();
    if note.is_empty() {
        word.push_str(NONE);
    } else {
        write_texts(&mut word, note);
    }
    word
}

pub(super) fn read_note(word: &str) -> Option<Note> {
    let (by, reason) = word.split_once(':').filter(|(_, reason)| !reason.contains(':'))?;
    Some(Note::new().by(&decode(by)?).because(&decode(reason)?))
}

fn write_texts(word: &mut String, note: &Note) {
    // Texts that are too long are cut.
    let note = note.bounded();
    encode(word, &note.by);
    word.push(':');
    encode(word, &note.reason);
}

#[cfg(test)]
mod tests {
    use infuse_core::{Cause, FaultKind};

    use super::*;
    use crate::{ProcessId, redis::codec::view::CAUSES};

    #[test]
    fn every_opening_comes_back() {
        let long = "\u{e4}".repeat(128);
        let faults = [None, Some(Fault::status(503)), Some(Fault::new(FaultKind::Slow))];
        for cause in CAUSES {
            for (by, text) in
                [(None, ""), (Some(ProcessId::from_u64(7)), "a b:c%\n"), (None, &long)]
            {
                for fault in faults {
                    let note = Note::new().by(text).because(text);
                    let ago = Duration::from_micros(3);
                    let it = Opening { ago, fault, note, ..Opening::new(cause, by) };
                    let word = write_opening(&it);
                    assert!(word.bytes().all(|byte| byte.is_ascii_graphic()), "{word}");
                    assert!(word.len() < 1_700);
                    assert_eq!(read_opening(&word), Some(it), "{word}");
                }
            }
        }
    }

    #[test]
    fn every_note_comes_back_and_none_is_none() {
        assert_eq!(write_note(&Note::new()), NONE);
        for (by, reason) in [("ada", ""), ("", "because"), ("-", "-"), (":", "\0 %")] {
            let note = Note::new().by(by).because(reason);
            assert_eq!(read_note(&write_note(&note)), Some(note));
        }
        let mut long = Note::new();
        long.by = "x".repeat(10_000).into();
        assert_eq!(read_note(&write_note(&long)), Some(long.bounded()));
        for word in ["", "-", "a", "a:b:c", "%:b", "a:%zz"] {
            assert_eq!(read_note(word), None, "{word}");
        }
    }

    #[test]
    fn rubbish_is_none_but_not_a_fault_that_is_unknown() {
        for word in [
            "",
            "-",
            "failures",
            "failures:-:0:0:a",
            "failures:-:0:0:a:b:c",
            "failure:-:0:0:a:b",
            "failures::0:0:a:b",
            "failures:a:0:0:a:b",
            "failures:-:-1:0:a:b",
            "failures:-:0:+1:a:b",
            "failures:-:0:4294967296:a:b",
            "failures:-:0:0:%2:b",
        ] {
            assert_eq!(read_opening(word), None, "{word}");
        }
        let unknown = read_opening("manual:-:0:4294967295:ada:").unwrap();
        assert_eq!((unknown.cause, unknown.fault), (Cause::Manual, None));
    }
}
