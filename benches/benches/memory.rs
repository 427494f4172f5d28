//! What a circuit weighs: the growth of the process by 10,000 breakers, and by 10,000 circuits that
//! are shared through the embedded storage.
//!
//! `cargo bench -p infuse-benches --bench memory`

use std::{fs, hint::black_box, sync::Arc, time::Duration};

use infuse_core::{Breaker, ManualClock, Policy, TimeSource};
use infuse_storage::{Circuits, MemoryStorage, Reach};

const CIRCUITS: usize = 10_000;
const MOST: usize = 1024;

fn main() {
    let Some(before) = resident() else {
        println!("no /proc/self/status here: memory is measured on Linux only");
        return;
    };
    let clock = ManualClock::new();
    let time = TimeSource::new(clock.clone());
    println!("bytes a circuit, for {CIRCUITS} circuits");

    let breakers: Vec<Breaker> =
        names().map(|name| Breaker::builder(name).clock(time.clone()).build()).collect();
    report("breaker, closed", grown(before));
    // The dearest state: half-open, with a trial call in flight.
    breakers.iter().for_each(Breaker::open);
    clock.advance(Duration::from_secs(3600));
    let trials: Vec<_> = breakers.iter().map(Breaker::try_permit).collect();
    report("breaker, with a trial", grown(before) - size_of_val(&*trials) / CIRCUITS);
    black_box(&trials);

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(shared(&clock, &time));
}

/// Circuits as an application holds them: with what is known of the storage, and in the registry.
async fn shared(clock: &ManualClock, time: &TimeSource) {
    let before = resident().unwrap_or_default();
    let storage = Arc::new(MemoryStorage::with_clock(time.clone()));
    let started = Circuits::builder().storage(storage).clock(time.clone()).start();
    let circuits = started.expect("within a runtime");
    for name in names() {
        // Dropped at once: the registry keeps what there is to keep.
        drop(circuits.circuit(name, Policy::default()));
    }
    circuits.ready().await;
    let closed = grown(before);
    report("shared circuit", closed);
    // A circuit that was ever changed has a record, which stands here because the storage does.
    for circuit in circuits.all() {
        assert_eq!(circuit.open().await, Reach::Fleet);
    }
    clock.advance(Duration::from_secs(1));
    println!("        its record in the storage      {:5}", grown(before) - closed);
}

fn names() -> impl Iterator<Item = String> {
    (0..CIRCUITS).map(|i| format!("service-{i:05}"))
}

fn report(what: &str, bytes: usize) {
    let verdict = if bytes < MOST { "PASS" } else { "MISS" };
    println!("  {verdict}  {what:30} {bytes:5}  (less than {MOST})");
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
