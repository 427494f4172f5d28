use infuse_storage::{Cause, Fault, Note, ProcessId, StorageEvent};
use serde::Serialize;

use super::Overridden;
use crate::{
    events::{self, What},
    seconds,
};

/// Something that happened.
#[derive(Debug, Clone, Default, Serialize)]
pub(in crate::admin) struct Event {
    pub(in crate::admin) id: String,
    pub(super) at: f64,
    /// `state`, `mode` or `storage`.
    pub(in crate::admin) kind: &'static str,
    pub(super) circuit: Option<String>,
    /// The state, or the mode.
    pub(super) from: Option<&'static str>,
    /// The state, or the mode; of the storage `lost` or `back`.
    pub(super) to: &'static str,
    pub(super) cause: Option<Cause>,
    /// Whether another process did it.
    pub(super) remote: bool,
    /// The process that did it, if that is known.
    pub(super) by: Option<String>,
    pub(super) by_name: Option<String>,
    pub(super) fault: Option<Fault>,
    /// Who did it by hand, and why.
    pub(super) note: Option<Noted>,
    pub(super) r#override: Option<Overridden>,
    /// Why the storage is lost.
    pub(super) detail: Option<String>,
}

/// Who, and why.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Noted {
    pub(super) by: String,
    pub(super) reason: String,
}

impl Event {
    /// `process` is this one, whose event it is; `by_name` what the one is called that did it.
    pub(in crate::admin) fn new(
        event: &events::Event,
        process: ProcessId,
        by_name: Option<String>,
    ) -> Self {
        let shown = Self {
            id: format!("{process}-{}", event.number),
            at: seconds::unix(event.at),
            circuit: event.circuit.as_ref().map(|name| name.as_ref().to_owned()),
            by: event.by().map(|process| process.to_string()),
            by_name,
            ..Self::default()
        };
        match &event.what {
            What::State { change, note, .. } => Self {
                kind: "state",
                from: Some(change.from.as_str()),
                to: change.to.as_str(),
                cause: Some(change.cause),
                remote: change.remote,
                fault: change.fault,
                note: noted(note),
                ..shown
            },
            What::Mode(change) => Self {
                kind: "mode",
                from: Some(change.from.as_str()),
                to: change.to.as_str(),
                r#override: change.overridden.as_ref().map(Overridden::new),
                ..shown
            },
            What::Storage(storage) => {
                let (to, detail) = match storage {
                    StorageEvent::Lost(why) => ("lost", Some(why.as_ref().to_owned())),
                    _ => ("back", None),
                };
                Self { kind: "storage", to, detail, ..shown }
            }
        }
    }
}

fn noted(note: &Note) -> Option<Noted> {
    let noted = Noted { by: note.by.as_ref().to_owned(), reason: note.reason.as_ref().to_owned() };
    (!noted.by.is_empty() || !noted.reason.is_empty()).then_some(noted)
}
