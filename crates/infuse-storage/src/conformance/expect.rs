use std::{fmt::Debug, sync::Arc, time::Duration};

use infuse_core::{Counts, Override, Ramp, State};

use crate::{LeaseAnswer, Opening, Suspicion, View};

/// What came of a case: what differs, if something does.
pub(super) type Verdict<T = ()> = Result<T, String>;

/// How slow a server may be before a case fails by it.
const SLACK: Duration = Duration::from_secs(10);

pub(super) fn equal<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, and should be {expected:?}"))
    }
}

/// A time that began as `expected` and has gone down since, by no more than a slow server takes.
pub(super) fn left_of(what: &str, found: Duration, expected: Duration) -> Verdict {
    if found <= expected && found >= expected.saturating_sub(SLACK) {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, and should be {expected:?} or hardly less"))
    }
}

pub(super) fn at_most(what: &str, found: Duration, most: Duration) -> Verdict {
    if found <= most {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, and should be at most {most:?}"))
    }
}

pub(super) fn view(found: &View, state: State, generation: u64) -> Verdict {
    equal("the state", found.state, state)?;
    equal("the generation", found.generation, generation)
}

/// The same circuit, whatever time has passed.
pub(super) fn unchanged(found: &View, before: &View) -> Verdict {
    let timeless = |view: &View| View {
        time_left: Duration::ZERO,
        open_for: Duration::ZERO,
        rest: Duration::ZERO,
        suspicion: view.suspicion.map(|it| Suspicion { first_failure: Duration::ZERO, ..it }),
        share: 0,
        ramp: Ramp { left: Duration::ZERO, ..view.ramp },
        overridden: view.overridden.as_ref().map(|it| {
            let mut it = Override::clone(it);
            it.left = it.left.map(|_| Duration::ZERO);
            Arc::new(it)
        }),
        counts: Counts::NONE,
        provenance: view
            .provenance
            .as_ref()
            .map(|it| Arc::new(Opening { ago: Duration::ZERO, ..Opening::clone(it) })),
        ..view.clone()
    };
    equal("the circuit", timeless(found), timeless(before))
}

pub(super) fn granted(answer: &LeaseAnswer) -> Verdict {
    equal("whether the lease was granted", answer.granted, true)
}

pub(super) fn denied(answer: &LeaseAnswer) -> Verdict {
    equal("whether the lease was granted", answer.granted, false)
}
