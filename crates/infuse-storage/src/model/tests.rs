//! The searches, and that they would find what they look for.

use infuse_core::{Outcome, State};

use super::{
    action::Action::{self, *},
    process::Lane::*,
    property::Broken,
    search::{Limits, search},
    setting::{Fault, Setting},
    twist::Twist,
    walk::walk,
};

/// One failure opens, so there are no reports.
const QUICK: Setting = Setting { name: "quick", max_failure: 1, ..Setting::CALM };
/// One failure of each process makes the circuit suspect.
const SUM: Setting = Setting { name: "sum", ..Setting::CALM };

/// Two processes must have seen failures.
const SHY: Setting = Setting { name: "shy", min_reporters: 2, ..SUM };
/// Someone isolates the circuit for a while.
const ISOLATING: Setting = Setting { name: "isolating", overrides: 1, isolated: 6, ..QUICK };
/// The service asks to be left alone.
const HELD: Setting = Setting { name: "held off", hold_offs: 1, held_off: 4, ..QUICK };

const START: &[Action] = &[];
/// Open, and due for a trial, as both know.
const DUE: &[Action] = &[Fail(0), Exchange(0, Tell), Push(0, 0), Push(1, 0), Tick, Tick];
/// Half-open: the first process makes the trial, and both know.
const TRIED: &[Action] = &[
    Fail(0),
    Exchange(0, Tell),
    Push(0, 0),
    Push(1, 0),
    Tick,
    Tick,
    Try(0),
    Exchange(0, Ask),
    Push(0, 0),
    Push(1, 0),
];
/// Suspect, raised by the second process, of which nobody has heard.
const SUSPECT: &[Action] = &[Fail(0), Exchange(0, Tell), Fail(1), Exchange(1, Tell)];

/// A tick later, when all have.
const HEARD: &[Action] =
    &[Fail(0), Exchange(0, Tell), Fail(1), Exchange(1, Tell), Push(0, 0), Push(1, 0), Tick];

/// The second process has tripped and lost the storage; meanwhile a trial of the first closed the
/// circuit. It has found the storage, and its own trial failed.
const REFUTED_AWAY: &[Action] = &[
    Fail(1),
    Fail(1),
    Fail(1),
    Exchange(1, Tell),
    Exchange(1, Tell),
    Look(1),
    GiveUp(1, Tell),
    Push(0, 0),
    Tick,
    Tick,
    Try(0),
    Exchange(0, Ask),
    End(0, Outcome::Success),
    Exchange(0, Tell),
    Find(1),
    Exchange(1, Tell),
    Try(1),
    End(1, Outcome::Failure),
];

/// Isolated, as both know.
const ISOLATED: &[Action] = &[Isolate(0), Exchange(0, Command), Push(0, 0), Push(1, 0)];

/// The first process has tripped, and is open alone.
const REFUSED: &[Action] = &[Fail(0), Exchange(0, Tell), Fail(0), Exchange(0, Tell)];

const ALL: &[Fault] = &[
    Fault::Die,
    Fault::Lose,
    Fault::Slow,
    Fault::Flush,
    Fault::Rollback,
    Fault::Split,
    Fault::Stranger,
];
const EACH: [&[Fault]; 7] = [
    &[Fault::Die],
    &[Fault::Lose],
    &[Fault::Slow],
    &[Fault::Flush],
    &[Fault::Rollback],
    &[Fault::Split],
    &[Fault::Stranger],
];

/// Every setting, and from where it starts.
fn runs() -> Vec<(Setting, &'static [Action])> {
    let mut runs = vec![
        (SUM, START),
        (QUICK, START),
        (Setting { name: "sum, repeats", repeats: 2, ..SUM }, SUSPECT),
        (
            Setting { name: "sum, long grace", grace: 4, random: 1.0, lapse: 20, ticks: 12, ..SUM },
            SUSPECT,
        ),
        (Setting { name: "quick, told late", lazy: true, ..QUICK }, START),
        (Setting { name: "quick, repeats", repeats: 2, ..QUICK }, TRIED),
        (Setting { name: "commands", commands: 2, repeats: 1, ..QUICK }, START),
        (Setting { name: "two trials", half_open_max_calls: 2, ..QUICK }, DUE),
        (Setting { name: "long lease", lease: 3, reset: 1, ..QUICK }, DUE),
    ];
    for max_failure in [3, 4] {
        let more = Setting { name: "more", max_failure, atomic: true, ..SUM };
        runs.push((with(2, &[Fault::Lose], more.clone()), START));
        runs.push((more, START));
    }
    let seeds = Setting { name: "commands", commands: 2, ..QUICK };
    runs.push((with(2, &[Fault::Lose], seeds), START));
    let fallback = Some(State::Closed);
    runs.push((with(2, ALL, Setting { name: "fallback", fallback, ..QUICK }), DUE));
    for kinds in EACH {
        runs.push((with(2, kinds, SUM), SUSPECT));
        runs.push((with(2, kinds, QUICK), TRIED));
        let far = Setting { name: "quick, far", atomic: true, ..QUICK };
        runs.push((with(2, kinds, far), START));
    }
    let lose: &[Fault] = &[Fault::Lose];
    let flush: &[Fault] = &[Fault::Flush];
    let shy_quick = Setting { name: "shy, quick", max_failure: 1, ..SHY };
    runs.extend([
        (SHY, START),
        (Setting { repeats: 1, ..SHY }, REFUSED),
        (shy_quick.clone(), START),
        (with(2, lose, shy_quick.clone()), START),
        (with(1, flush, Setting { repeats: 1, ..shy_quick }), START),
        (Setting { overrides: 2, repeats: 1, ..ISOLATING }, START),
        (with(1, lose, ISOLATING), START),
        (with(1, flush, Setting { overrides: 2, ..ISOLATING }), ISOLATED),
        (HELD, START),
        (with(1, lose, Setting { hold_offs: 2, ..HELD }), DUE),
        (with(1, flush, Setting { repeats: 1, ..HELD }), TRIED),
    ]);
    let far = Setting { name: "sum, far", atomic: true, ..SUM };
    runs.push((with(3, ALL, far), START));
    runs.push((with(3, ALL, Setting { name: "three", processes: 3, ..QUICK }), START));
    runs
}

fn with(faults: u8, kinds: &'static [Fault], setting: Setting) -> Setting {
    Setting { faults, kinds, ..setting }
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_protocol_holds() {
    let worlds = number("INFUSE_MODEL_WORLDS").unwrap_or(6_000);
    let limits = Limits { worlds, all_endings: false };
    for (setting, before) in runs() {
        let report = search(setting, before, limits);
        println!("{report}");
        assert!(report.found.is_none(), "{report}");
    }
}

#[test]
fn the_protocol_holds_wherever_chance_leads() {
    let walks = number("INFUSE_MODEL_WALKS").unwrap_or(300) as u64;
    for (setting, before) in runs() {
        // As many of everything as chance finds use for.
        let (faults, repeats) = (setting.faults * 3, setting.repeats * 3);
        let (commands, overrides) = (setting.commands * 2, setting.overrides * 2);
        let more = Setting { commands, overrides, hold_offs: setting.hold_offs * 3, ..setting };
        let setting = Setting { faults, repeats, idle_looks: 40, ticks: 40, ..more };
        let report = walk(setting, before, walks, 80);
        println!("{report}");
        assert!(report.found.is_none(), "{report}");
    }
}

/// What was counted alone is not told after the return, though the generation is new and the run
/// goes on: the trial here fails, and that is all that it tells.
#[test]
fn one_that_was_refuted_while_it_was_away_tells_only_what_is_new() {
    let setting = with(1, &[Fault::Lose], Setting { max_failure: 3, ..SUM });
    let limits = Limits { worlds: 2_000, all_endings: true };
    let report = search(setting, REFUTED_AWAY, limits);
    assert!(report.found.is_none(), "{report}");
}

#[test]
fn a_broken_rule_is_found() {
    let limits = Limits { worlds: 20_000, all_endings: true };
    let lose: &[Fault] = &[Fault::Lose];
    let flush: &[Fault] = &[Fault::Flush];
    for (twist, setting, before, broken) in [
        (Twist::OneLeaseMore, QUICK, TRIED, Broken::Leases),
        (Twist::EndlessLeases, with(1, &[Fault::Die], QUICK), TRIED, Broken::Rejecting),
        (Twist::MendNothing, with(1, flush, QUICK), START, Broken::OlderAnswer),
        (
            Twist::MendBlindly,
            with(1, &[Fault::Rollback], Setting { commands: 1, ..QUICK }),
            START,
            Broken::Closed,
        ),
        (Twist::StandApart, with(1, lose, QUICK), TRIED, Broken::Agreement),
        (Twist::TellWhatWasAlone, with(1, lose, SUM), START, Broken::OpenedByTheLonely),
        (Twist::CloseUntried, with(1, lose, QUICK), START, Broken::ClosedUntried),
        (Twist::SettleCleared, SUM, SUSPECT, Broken::ClearedCameTrue),
        (Twist::ClearNothing, Setting { grace: 2, ..SUM }, HEARD, Broken::Unheard),
        (Twist::ForgetOverride, with(1, flush, ISOLATING), ISOLATED, Broken::OverrideLost),
        (Twist::BelieveOne, SHY, START, Broken::OpenedByTooFew),
        (Twist::TakeOldPushes, QUICK, TRIED, Broken::WentBack),
    ] {
        let report = search(Setting { twist: Some(twist), ..setting }, before, limits);
        println!("{twist:?}, {report}");
        let found = report.found.as_ref().map(|found| found.broken);
        assert_eq!(found, Some(broken), "{twist:?}, {report}");
    }
}
