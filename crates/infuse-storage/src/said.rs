//! That a circuit's state changes is said once in each process: which did it, what had gone wrong,
//! and who wanted it.

use infuse_core::{Breaker, StateChange};

use crate::{modes::text, story::Telling};

/// Says a change. `told` is what is known of it beside.
pub(crate) fn say(breaker: &Breaker, change: &StateChange, told: Option<&Telling>) {
    let name = breaker.name();
    let process = told.and_then(|told| told.process);
    let note = told.and_then(|told| told.note.as_deref());
    let (by, reason) = note.map_or(("", ""), |note| (&*note.by, &*note.reason));
    let elsewhere = process.filter(|_| change.remote);
    tracing::info!(
        target: "infuse",
        circuit = name,
        from = change.from.as_str(),
        to = change.to.as_str(),
        cause = change.cause.as_str(),
        remote = change.remote,
        process = process.map(tracing::field::display),
        fault = change.fault.map(tracing::field::display),
        by = (!by.is_empty()).then_some(by),
        reason = (!reason.is_empty()).then_some(reason),
        "circuit {name} is {} ({}{}{}){}{}",
        change.to,
        change.cause.as_str(),
        change.fault.map(|fault| format!(", {fault}")).unwrap_or_default(),
        elsewhere.map(|process| format!(", in process {process}")).unwrap_or_default(),
        text(" by ", by),
        text(": ", reason),
    );
}
