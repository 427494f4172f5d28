//! What it costs to keep totals: the same call, by breakers that count it and that do not.

use infuse_benches::{Cell, Contender, Effort, Row, block_on, run};
use infuse_core::Policy;

use super::peers::{
    Load, bare, bare_async, contender, fail_every_fifth, infuse_breaker, shared_circuit, succeed,
};

pub(crate) const COLUMNS: [&str; 5] =
    ["bare call", "infuse", "with totals", "infuse, shared", "with totals"];
pub(crate) const WITHOUT: usize = 1;
/// Each without and with totals.
const PAIRS: [(&str, usize, usize); 2] = [("breaker", 1, 2), ("shared", 3, 4)];
/// In nanoseconds.
const MOST: f64 = 5.0;

const SYNC: &str = "totals: sync, success";
const ASYNC: &str = "totals: async, success";
const REJECTED: &str = "totals: rejection, open";
const MIXED: &str = "totals: 20 % errors";

pub(crate) fn rows(effort: Effort, is_asked: impl Fn(&str) -> bool) -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, contenders) in table().into_iter().filter(|(name, _)| is_asked(name)) {
        for threads in [1, 2] {
            let measured = run(&contenders, threads, effort);
            let cells = measured.into_iter().flatten().map(Cell::Measured).collect();
            rows.push(Row { name, threads, cells });
        }
    }
    rows
}

fn table() -> [(&'static str, [Option<Contender>; 5]); 4] {
    let sync = |load| {
        [
            Some(bare(load)),
            Some(breaker(load, false)),
            Some(breaker(load, true)),
            Some(shared(load, false)),
            Some(shared(load, true)),
        ]
    };
    let load = Load::Succeeding;
    let asynchronous = [
        Some(bare_async(load)),
        Some(breaker_async(load, false)),
        Some(breaker_async(load, true)),
        Some(shared_async(load, false)),
        Some(shared_async(load, true)),
    ];
    [
        (SYNC, sync(load)),
        (ASYNC, asynchronous),
        (REJECTED, sync(Load::Rejected)),
        (MIXED, sync(Load::Mixed)),
    ]
}

fn breaker(load: Load, totals: bool) -> Contender {
    let breaker = infuse_breaker(load);
    if totals {
        breaker.keep_totals();
    }
    contender!(load, breaker, |breaker, work| {
        move |i| breaker.call_sync(|| work(i)).unwrap_or(0)
    })
}

fn breaker_async(load: Load, totals: bool) -> Contender {
    let breaker = infuse_breaker(load);
    if totals {
        breaker.keep_totals();
    }
    contender!(load, breaker, |breaker, work| {
        move |i| block_on(breaker.call(|| async { work(i) })).unwrap_or(0)
    })
}

fn policy() -> Policy {
    let policy = Policy::builder().reset_timeout(super::peers::OPEN_FOR);
    policy.build().expect("a valid policy")
}

fn shared(load: Load, totals: bool) -> Contender {
    let circuit = shared_circuit(load, policy());
    if totals {
        circuit.0.keep_totals();
    }
    contender!(load, circuit, |shared, work| {
        move |i| shared.0.call_sync(|| work(i)).unwrap_or(0)
    })
}

fn shared_async(load: Load, totals: bool) -> Contender {
    let circuit = shared_circuit(load, policy());
    if totals {
        circuit.0.keep_totals();
    }
    contender!(load, circuit, |shared, work| {
        move |i| block_on(shared.0.call(|| async { work(i) })).unwrap_or(0)
    })
}

/// Compares the figures with what Infuse promises.
pub(crate) fn judge(rows: &[Row]) {
    for row in rows.iter().filter(|row| [SYNC, ASYNC].contains(&row.name)) {
        for (who, without, with) in PAIRS {
            let (Cell::Measured(without), Cell::Measured(with)) =
                (row.cells[without], row.cells[with])
            else {
                continue;
            };
            let more = with.over_first - without.over_first;
            let verdict = if more <= MOST { "PASS" } else { "MISS" };
            println!(
                "  {verdict}  {:26} x{}  {who:8}  {:39} {more:+.2} ns",
                row.name, row.threads, "at most 5 ns over the call without"
            );
        }
    }
}
