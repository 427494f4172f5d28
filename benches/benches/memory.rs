//! What a circuit weighs: the growth of the process by 10,000 breakers.
//!
//! `cargo bench -p infuse-benches --bench memory`

use std::{fs, hint::black_box, time::Duration};

use infuse_core::{Breaker, ManualClock};

const CIRCUITS: usize = 10_000;
const MOST: usize = 1024;

fn main() {
    let clock = ManualClock::new();
    let time = infuse_core::TimeSource::new(clock.clone());
    let Some(before) = resident() else {
        println!("no /proc/self/status here: memory is measured on Linux only");
        return;
    };
    let circuits: Vec<Breaker> = (0..CIRCUITS)
        .map(|i| Breaker::builder(format!("service-{i:05}")).clock(time.clone()).build())
        .collect();
    let fresh = grown(before);
    // The dearest state: half-open, with a trial call in flight.
    circuits.iter().for_each(Breaker::open);
    clock.advance(Duration::from_secs(3600));
    let trials: Vec<_> = circuits.iter().map(Breaker::try_permit).collect();
    let trying = grown(before) - size_of_val(&*trials) / CIRCUITS;
    black_box(&trials);

    println!("bytes a circuit, for {CIRCUITS} circuits ({} inline)", size_of::<Breaker>());
    for (what, bytes) in [("closed", fresh), ("with a trial in flight", trying)] {
        let verdict = if bytes < MOST { "PASS" } else { "MISS" };
        println!("  {verdict}  {what:24} {bytes:5}  (less than {MOST})");
    }
}

/// Bytes a circuit since then.
fn grown(before: usize) -> usize {
    resident().unwrap_or(before).saturating_sub(before) / CIRCUITS
}

/// The memory of this process that is really there, in bytes, as the kernel counts it. A counting
/// allocator would see less: not what the allocator itself needs.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
}
