//! What a guarded call costs, on a breaker and on a shared circuit, beside the bare call and beside
//! other breakers, as one table.
//!
//! `cargo bench -p infuse-benches --bench calls`; with `-- rate` behind it, only the rows that have
//! that in their name.

mod peers;
mod rates;
mod totals;

use infuse_benches::{Cell, Contender, Effort, Row, print_table, run};
use peers::Load;

const COLUMNS: [&str; 7] = [
    "bare call",
    "infuse",
    "infuse, shared",
    "recloser",
    "failsafe",
    "tower-resil.",
    "circuitbr.-rs",
];
const VERSIONS: &str = "recloser 1.4.0, failsafe 1.3.0, tower-resilience-circuitbreaker 0.14.0, circuitbreaker-rs 0.1.1";
const BARE: usize = 0;
const INFUSE: usize = 1;
const SHARED: usize = 2;

const SYNC: &str = "sync, success, closed";
const ASYNC: &str = "async, success, closed";
const REJECTED: &str = "rejection, open";
const MIXED: &str = "20 % errors, closed";
const BY_CALLS: &str = "rate by calls, success";
const BY_CALLS_MIXED: &str = "rate by calls, 20 % errors";
const BY_TIME: &str = "rate by time, success";
const BY_TIME_MIXED: &str = "rate by time, 20 % errors";

fn main() {
    let effort = Effort::from_args();
    let asked: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_asked =
        |name: &str| asked.is_empty() || asked.iter().any(|part| name.contains(part.as_str()));
    let mut rows = Vec::new();
    for (name, contenders, why) in table().into_iter().chain(rate_table()) {
        if !is_asked(name) {
            continue;
        }
        for threads in [1, 2] {
            let measured = run(&contenders, threads, effort);
            let cells = measured.into_iter().map(|m| m.map_or(Cell::NotThere(why), Cell::Measured));
            rows.push(Row { name, threads, cells: cells.collect() });
        }
    }
    println!("ns a call, median of {} interleaved rounds; {VERSIONS}", effort.rounds);
    println!(
        "all threads share one breaker, which opens after five failures in a row, or at half of"
    );
    println!("the last 100 calls (rate by calls), or of those of the last 10 s (rate by time)");
    print_table(&COLUMNS, INFUSE, &rows);
    println!();
    let totals = totals::rows(effort, is_asked);
    print_table(&totals::COLUMNS, totals::WITHOUT, &totals);
    println!();
    println!("n/a: tower-resilience has no synchronous form. Its rejections and errors are those");
    println!("of its asynchronous form, driven by the same executor as all asynchronous rows. Its");
    println!(
        "window by calls does not slide, and that by time is 1 ms here, since it walks a list of"
    );
    println!("all calls in it. recloser knows no window by time, failsafe none by calls.");
    println!();
    if effort.full {
        judge(&rows);
        totals::judge(&totals);
    } else {
        println!("a try, not a measurement: use cargo bench");
    }
}

fn table() -> [(&'static str, [Option<Contender>; 7], &'static str); 4] {
    let sync = |load, tower: Option<Contender>| {
        [
            Some(peers::bare(load)),
            Some(peers::infuse(load)),
            Some(peers::shared(load)),
            Some(peers::recloser(load)),
            Some(peers::failsafe(load)),
            tower,
            Some(peers::circuitbreaker_rs(load)),
        ]
    };
    let load = Load::Succeeding;
    let asynchronous = [
        Some(peers::bare_async(load)),
        Some(peers::infuse_async(load)),
        Some(peers::shared_async(load)),
        Some(peers::recloser_async(load)),
        Some(peers::failsafe_async(load)),
        Some(peers::tower_resilience(load)),
        Some(peers::circuitbreaker_rs_async(load)),
    ];
    let tower = |load| Some(peers::tower_resilience(load));
    [
        (SYNC, sync(load, None), "n/a"),
        (ASYNC, asynchronous, ""),
        (REJECTED, sync(Load::Rejected, tower(Load::Rejected)), ""),
        (MIXED, sync(Load::Mixed, tower(Load::Mixed)), ""),
    ]
}

/// The policies that go by a rate.
fn rate_table() -> Vec<(&'static str, [Option<Contender>; 7], &'static str)> {
    let by_calls = |load| {
        [
            Some(peers::bare(load)),
            Some(rates::infuse(load, rates::over_calls())),
            Some(rates::shared(load, rates::over_calls())),
            Some(rates::recloser(load)),
            None,
            Some(rates::tower_resilience(load, false)),
            None,
        ]
    };
    let by_time = |load| {
        [
            Some(peers::bare(load)),
            Some(rates::infuse(load, rates::over_time())),
            Some(rates::shared(load, rates::over_time())),
            None,
            Some(rates::failsafe(load)),
            Some(rates::tower_resilience(load, true)),
            None,
        ]
    };
    vec![
        (BY_CALLS, by_calls(Load::Succeeding), "n/a"),
        (BY_CALLS_MIXED, by_calls(Load::Mixed), "n/a"),
        (BY_TIME, by_time(Load::Succeeding), "n/a"),
        (BY_TIME_MIXED, by_time(Load::Mixed), "n/a"),
    ]
}

/// Compares the figures with what Infuse promises.
fn judge(rows: &[Row]) {
    println!("targets");
    for row in rows {
        let median = |at: usize| match row.cells[at] {
            Cell::Measured(measured) => measured.median,
            Cell::NotThere(_) => f64::INFINITY,
        };
        let peer = (0..COLUMNS.len())
            .filter(|at| ![BARE, INFUSE, SHARED].contains(at))
            .map(median)
            .fold(f64::INFINITY, f64::min);
        for (at, who) in [(INFUSE, "breaker"), (SHARED, "shared")] {
            let Cell::Measured(measured) = row.cells[at] else { continue };
            let target = |what: &str, met: bool, figure: String| {
                let verdict = if met { "PASS" } else { "MISS" };
                println!(
                    "  {verdict}  {:26} x{}  {who:8}  {what:39} {figure}",
                    row.name, row.threads
                );
            };
            match row.name {
                SYNC | ASYNC => {
                    let over = measured.over_first;
                    let figure = format!("{over:+.2} ns");
                    target("at most 3 ns over the bare call", over <= 3.0, figure);
                    let ratio = peer / measured.median;
                    let figure = format!("{ratio:.1} times");
                    target("at least 8 times cheaper than any peer", ratio >= 8.0, figure);
                }
                REJECTED => {
                    let figure = format!("{:.1} ns, best peer {peer:.1} ns", measured.median);
                    target("cheaper than every peer", measured.median < peer, figure);
                }
                BY_CALLS | BY_CALLS_MIXED | BY_TIME | BY_TIME_MIXED => {
                    let ratio = peer / measured.median;
                    let figure = format!("{ratio:.1} times");
                    if row.threads == 1 {
                        // Half of a call over time is the reading of the clock, which all do.
                        println!(
                            "        {:26} x{}  {who:8}  {:39} {figure}",
                            row.name, row.threads, "cheaper than any peer"
                        );
                    } else {
                        target("at least 3 times cheaper than any peer", ratio >= 3.0, figure);
                    }
                }
                _ => {}
            }
        }
    }
}
