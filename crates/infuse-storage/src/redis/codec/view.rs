use std::{sync::Arc, time::Duration};

use deadpool_redis::redis::Value;
use infuse_core::{Cause, Counts, Override, Ramp, State};

use super::{
    limits::read_thresholds,
    opening::{read_note, read_opening},
    overriding::read_override,
    words::{NONE, number, process},
};
use crate::{Note, Opening, ProcessId, StorageError, Suspicion, SuspicionId, Thresholds, View};

/// What a message begins with. Another version's are ignored: polling finds what they tell.
const VERSION: &str = "2";
/// How much is shown of an answer that makes no sense.
const SHOWN: usize = 200;
/// How many words of a message are of the view.
const FIELDS: usize = 20;
/// The causes that scripts know.
pub(super) const CAUSES: [Cause; 11] = [
    Cause::Failures,
    Cause::FailureRate,
    Cause::SlowCallRate,
    Cause::Rule,
    Cause::TrialStarted,
    Cause::TrialFailed,
    Cause::TrialSucceeded,
    Cause::Manual,
    Cause::Seed,
    Cause::Fallback,
    Cause::Adopted,
];

/// What a script answers about one circuit.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::redis) struct Answer {
    pub(in crate::redis) view: View,
    /// Whether a lease was granted.
    pub(in crate::redis) granted: bool,
    /// Whether a key held rubbish and was deleted.
    pub(in crate::redis) found_rubbish: bool,
}

/// Reads what a run of a script about some circuits has answered.
pub(in crate::redis) fn decode_answers(
    value: &Value,
    circuits: usize,
) -> Result<Vec<Answer>, StorageError> {
    let read = || {
        let Value::Array(answers) = value else { return None };
        let answers: Vec<_> = answers.iter().map(decode_answer).collect::<Option<_>>()?;
        (answers.len() == circuits).then_some(answers)
    };
    read().ok_or_else(|| {
        let shown = format!("{value:?}").chars().take(SHOWN).collect();
        StorageError::Answer(shown)
    })
}

fn decode_answer(value: &Value) -> Option<Answer> {
    let Value::Array(values) = value else { return None };
    let mut fields = values.iter().map(|value| match value {
        Value::Int(number) => Some(Field::Number(u64::try_from(*number).ok()?)),
        Value::BulkString(bytes) => Some(Field::Text(std::str::from_utf8(bytes).ok()?)),
        _ => None,
    });
    let mut next = || fields.next().flatten();
    let view = decode_view(&mut next)?;
    let share = next()?.count()?;
    let (granted, found_rubbish) = (next()?.flag()?, next()?.flag()?);
    let mut calls = || next()?.number();
    let counts = Counts { calls: calls()?, failures: calls()?, slow: calls()? };
    Some(Answer { view: View { share, counts, ..view }, granted, found_rubbish })
}

/// Reads what is pushed about a circuit: what its keys begin with, and its view.
pub(in crate::redis) fn decode_message(text: &str) -> Option<(String, View)> {
    let text = text.strip_prefix(VERSION)?.strip_prefix(' ')?;
    let mut words = text.splitn(FIELDS + 1, ' ');
    let view = decode_view(&mut || words.next().map(Field::Text))?;
    Some((words.next()?.to_owned(), view))
}

fn decode_view<'a>(next: &mut impl FnMut() -> Option<Field<'a>>) -> Option<View> {
    let generation = next()?.number()?;
    let state = next()?.state()?;
    let time_left = next()?.time()?;
    let open_for = next()?.time()?;
    let failures = next()?.count()?;
    let clears = next()?.number()?;
    let rest = next()?.time()?;
    let (raised_at, by, first_failure) = (next()?, next()?, next()?);
    let suspicion = if raised_at.is_none() {
        None
    } else {
        let id = SuspicionId { generation, raised_at: raised_at.number()? };
        Some(Suspicion::new(id, by.process()?, first_failure.time()?))
    };
    let thresholds = next()?.unless_none(Field::thresholds)?;
    let successes = next()?.count()?;
    let cause = next()?.cause()?;
    let by = next()?.unless_none(Field::process)?;
    let failed_trials = next()?.count()?;
    let ramp = Ramp { time: next()?.time()?, left: next()?.time()? };
    let overridden = next()?.unless_none(Field::overridden)?.map(Arc::new);
    let provenance = next()?.unless_none(Field::opening)?.map(Arc::new);
    let note = next()?.unless_none(Field::note)?.map(Arc::new);
    Some(View {
        generation,
        state,
        time_left,
        open_for,
        failures,
        share: 0,
        clears,
        rest,
        suspicion,
        thresholds,
        successes,
        cause,
        by,
        note,
        provenance,
        failed_trials,
        ramp,
        overridden,
        counts: Counts::NONE,
    })
}

/// A part of an answer, or of a message, which is all text.
#[derive(Debug, Clone, Copy)]
enum Field<'a> {
    Number(u64),
    Text(&'a str),
}

impl<'a> Field<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Field::Text(text) => Some(text),
            Field::Number(_) => None,
        }
    }

    fn is_none(self) -> bool {
        self.text() == Some(NONE)
    }

    fn unless_none<T>(self, read: impl FnOnce(Self) -> Option<T>) -> Option<Option<T>> {
        if self.is_none() { Some(None) } else { read(self).map(Some) }
    }

    fn number(self) -> Option<u64> {
        match self {
            Field::Number(number) => Some(number),
            Field::Text(text) => number(text),
        }
    }

    fn count(self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn time(self) -> Option<Duration> {
        self.number().map(Duration::from_micros)
    }

    fn flag(self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn state(self) -> Option<State> {
        let all = [State::Closed, State::Open, State::HalfOpen];
        all.into_iter().find(|state| self.text() == Some(state.as_str()))
    }

    fn cause(self) -> Option<Cause> {
        read_cause(self.text()?)
    }

    fn process(self) -> Option<ProcessId> {
        process(self.text()?)
    }

    fn thresholds(self) -> Option<Thresholds> {
        read_thresholds(self.text()?)
    }

    fn overridden(self) -> Option<Override> {
        read_override(self.text()?)
    }

    fn opening(self) -> Option<Opening> {
        read_opening(self.text()?)
    }

    fn note(self) -> Option<Note> {
        read_note(self.text()?)
    }
}

pub(super) fn read_cause(text: &str) -> Option<Cause> {
    CAUSES.into_iter().find(|cause| text == cause.as_str())
}

pub(super) fn read_process(text: &str) -> Option<ProcessId> {
    let text = (text.len() == 16 && !text.starts_with('+')).then_some(text)?;
    u64::from_str_radix(text, 16).ok().map(ProcessId::from_u64)
}

#[cfg(test)]
mod tests {
    use infuse_core::{Fault, Mode};

    use super::*;

    const MESSAGE: &str = "2 7 closed 0 0 5 1 250000 1750000000000001 00000000000000ff 1200 \
                           5:15000000:1:2 0 manual 000000000000000a 3 9000000 4000000 \
                           isolated:60000000:ada:night%0A \
                           failures:000000000000000b:5000000:66039:: ada:moving%20house infuse:a b\nc";

    #[test]
    fn a_message_is_a_view_and_what_the_keys_begin_with() {
        let (prefix, view) = decode_message(MESSAGE).unwrap();
        assert_eq!(prefix, "infuse:a b\nc");
        let id = SuspicionId { generation: 7, raised_at: 1_750_000_000_000_001 };
        let first = Duration::from_micros(1_200);
        let expected = View {
            generation: 7,
            failures: 5,
            clears: 1,
            rest: Duration::from_millis(250),
            suspicion: Some(Suspicion::new(id, ProcessId::from_u64(255), first)),
            thresholds: Some(Thresholds {
                max_failure: 5,
                reset_timeout: Duration::from_secs(15),
                success_threshold: 1,
                half_open_max_calls: 2,
                ..Thresholds::default()
            }),
            cause: Cause::Manual,
            by: Some(ProcessId::from_u64(10)),
            failed_trials: 3,
            ramp: Ramp { time: Duration::from_secs(9), left: Duration::from_secs(4) },
            overridden: Some(Arc::new(
                Override::new(Mode::Isolated)
                    .lasting(Duration::from_secs(60))
                    .by("ada")
                    .because("night\n"),
            )),
            provenance: Some(Arc::new(Opening {
                ago: Duration::from_secs(5),
                fault: Some(Fault::status(503)),
                ..Opening::new(Cause::Failures, ProcessId::from_u64(11))
            })),
            note: Some(Arc::new(Note::new().by("ada").because("moving house"))),
            ..View::new()
        };
        assert_eq!(view, expected);
    }

    #[test]
    fn what_is_not_there_is_not_there() {
        let text = "2 1 open 2 3 0 0 0 - - - - 0 adopted - 0 0 0 - - - infuse:a";
        let (_, view) = decode_message(text).unwrap();
        let times = (view.time_left.as_micros(), view.open_for.as_micros());
        assert_eq!((view.state, times), (State::Open, (2, 3)));
        assert_eq!((view.suspicion, view.thresholds, view.by), (None, None, None));
        assert_eq!((view.failed_trials, view.ramp, view.overridden), (0, Ramp::default(), None));
        assert_eq!((view.provenance, view.note), (None, None));
    }

    #[test]
    fn a_message_that_is_changed_anywhere_is_ignored_or_read_and_never_panics() {
        let words: Vec<&str> = MESSAGE.splitn(FIELDS + 2, ' ').collect();
        let rubbish =
            ["", "-1", "+1", "x", "1e5", "0x1", "nan", "\u{1F980}", "18446744073709551616"];
        for at in 0..words.len() - 1 {
            for rubbish in rubbish {
                let mut words = words.clone();
                words[at] = rubbish;
                assert_eq!(decode_message(&words.join(" ")), None, "{words:?}");
            }
            assert_eq!(decode_message(&words[..=at].join(" ")), None);
        }
        for end in 0..MESSAGE.len() {
            let _ = decode_message(&MESSAGE[..end]);
        }
        for version in ["1", "3", "22"] {
            assert_eq!(decode_message(&MESSAGE.replacen('2', version, 1)), None);
        }
    }

    #[test]
    fn answers_that_make_no_sense_are_errors() {
        let text = |text: &str| Value::BulkString(text.into());
        let mut fields: Vec<_> = [0, 0, 0, 0, 0, 0, 0].map(Value::Int).into();
        fields[1] = text("closed");
        fields.extend(["-", "-", "-", "-"].map(text));
        fields.extend([Value::Int(0), text("adopted"), text("-")]);
        fields.extend([0, 0, 0].map(Value::Int));
        fields.extend(["-", "-", "-"].map(text));
        fields.extend([0, 1, 0, 0, 0, 0].map(Value::Int));
        let one = |fields: &[Value]| Value::Array(vec![Value::Array(fields.to_vec())]);

        let answers = decode_answers(&one(&fields), 1).unwrap();
        assert_eq!(answers, [Answer { view: View::new(), granted: true, found_rubbish: false }]);
        assert!(decode_answers(&one(&fields), 2).is_err());
        assert!(decode_answers(&Value::Nil, 1).is_err());
        for at in 0..fields.len() {
            assert!(decode_answers(&one(&fields[..at]), 1).is_err());
            for wrong in [Value::Nil, Value::Int(-1), Value::Double(1.0)] {
                let mut fields = fields.clone();
                fields[at] = wrong;
                assert!(decode_answers(&one(&fields), 1).is_err());
            }
        }
    }
}
