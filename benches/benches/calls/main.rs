//! What a guarded call costs, on a breaker and on a shared circuit, beside the bare call and beside
//! other breakers, as one table.
//!
//! `cargo bench -p infuse-benches --bench calls`

mod peers;

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

fn main() {
    let effort = Effort::from_args();
    let mut rows = Vec::new();
    for (name, contenders, why) in table() {
        for threads in [1, 2] {
            let measured = run(&contenders, threads, effort);
            let cells = measured.into_iter().map(|m| m.map_or(Cell::NotThere(why), Cell::Measured));
            rows.push(Row { name, threads, cells: cells.collect() });
        }
    }
    println!("ns a call, median of {} interleaved rounds; {VERSIONS}", effort.rounds);
    println!("every breaker opens after five failures in a row; all threads share one breaker");
    print_table(&COLUMNS, INFUSE, &rows);
    println!();
    println!("n/a: tower-resilience has no synchronous form. Its rejections and errors are those");
    println!("of its asynchronous form, driven by the same executor as all asynchronous rows.");
    println!();
    if effort.full {
        judge(&rows);
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
                    "  {verdict}  {:24} x{}  {who:8}  {what:39} {figure}",
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
                _ => {}
            }
        }
    }
}
