//! That a circuit's mode changes is said once, with who did it, why and for how long.

use std::time::Duration;

use infuse_core::{Breaker, Override};

use crate::{seldom::is_same, told::Told};

/// Says what someone put above the modes of the settings, or that it was taken away.
pub(crate) fn say(breaker: &Breaker, before: Option<&Override>, after: Option<&Override>) {
    let name = breaker.name();
    match (before, after) {
        (None, None) => {}
        (Some(before), Some(after)) if is_no_news(before, after) => {}
        (_, Some(it)) => {
            // What is lost on the way is nobody's affair.
            let left = it.left.map(|left| Duration::from_millis(left.as_millis() as u64));
            tracing::info!(
                target: "infuse",
                circuit = name,
                mode = it.mode.as_str(),
                by = &*it.by,
                reason = &*it.reason,
                left = left.map(|left| left.as_secs_f64()),
                "circuit {name} is {}{}{}{}",
                it.mode,
                left.map(|left| format!(" for {left:?}")).unwrap_or_default(),
                text(" by ", &it.by),
                text(": ", &it.reason),
            );
        }
        (Some(_), None) => taken_away(breaker, "was taken away"),
    }
}

/// Says that an override has ended by itself.
pub(crate) fn say_ended(breaker: &Breaker) {
    taken_away(breaker, "has ended");
}

/// Says what the settings of this process are now.
pub(crate) fn say_set(breaker: &Breaker) {
    let (name, mode) = (breaker.name(), breaker.mode());
    tracing::info!(
        target: "infuse",
        circuit = name,
        mode = mode.as_str(),
        "circuit {name} is {mode}: its settings were changed in this process",
    );
}

fn taken_away(breaker: &Breaker, how: &str) {
    let (name, mode) = (breaker.name(), breaker.mode());
    tracing::info!(
        target: "infuse",
        circuit = name,
        mode = mode.as_str(),
        "circuit {name} is {mode} again: its override {how}",
    );
}

fn is_no_news(before: &Override, after: &Override) -> bool {
    let end = |it: &Override| it.left.unwrap_or(Duration::MAX);
    is_same(before, after) && Told::is_same(end(before), end(after))
}

/// With what goes before it, if there is any. Whoever wrote it, it stays on its line.
pub(crate) fn text(before: &str, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let flat = |letter: char| if letter.is_control() { ' ' } else { letter };
    before.chars().chain(text.chars().map(flat)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_on_its_line() {
        assert_eq!(text(": ", "moving\nhouse\r\x1b[1m"), ": moving house  [1m");
        assert_eq!(text(": ", ""), "");
    }
}
