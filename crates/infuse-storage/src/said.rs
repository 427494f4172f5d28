//! That a circuit's state changes is said once in each process: which did it, what had gone wrong,
//! and who wanted it.

use std::time::Duration;

use infuse_core::{Breaker, Cause, StateChange};

use crate::{modes::text, story::Telling};

/// Says that a circuit that was open already has been opened by hand, in this process or another:
/// it is no change of the state, but of when that ends.
pub(crate) fn say_kept_open(breaker: &Breaker, told: &Telling, remote: bool, left: Duration) {
    let name = breaker.name();
    let (by, reason) = told.words();
    let elsewhere = told.process.filter(|_| remote);
    // What is lost on the way is nobody's affair.
    let left = Duration::from_millis(left.as_millis() as u64);
    tracing::info!(
        target: "infuse",
        circuit = name,
        cause = Cause::Manual.as_str(),
        remote,
        process = told.process.map(tracing::field::display),
        by = (!by.is_empty()).then_some(by),
        reason = (!reason.is_empty()).then_some(reason),
        left = left.as_secs_f64(),
        "circuit {name} stays open for {left:?} ({}{}){}{}",
        Cause::Manual.as_str(),
        elsewhere.map(|process| format!(", in process {process}")).unwrap_or_default(),
        text(" by ", by),
        text(": ", reason),
    );
}

/// Says a change. `told` is what is known of it beside.
pub(crate) fn say(breaker: &Breaker, change: &StateChange, told: Option<&Telling>) {
    let name = breaker.name();
    let process = told.and_then(|told| told.process);
    let (by, reason) = told.map_or(("", ""), Telling::words);
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
