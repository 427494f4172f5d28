use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

use crate::commands::{Went, Worker};

/// How long a load runs of which no time is said, unless it is stopped.
const FOREVER: Duration = Duration::from_secs(60 * 60);

/// Many calls: how many, how, and how often they fail.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    calls: u64,
    time: Duration,
    callers: u64,
    /// A call of all callers so often, or as soon as the last is over.
    every: Option<Duration>,
    /// How long each caller waits between calls.
    pause: Duration,
    /// Of a thousand calls of a function, so many fail.
    failing: u64,
    seed: u64,
    /// Whether the service is called and not a function.
    by_http: bool,
}

impl Load {
    pub(crate) fn of(command: &Value) -> Self {
        let number = |name: &str| command[name].as_u64();
        let millis = |name: &str| number(name).map(Duration::from_millis);
        Self {
            calls: number("calls").unwrap_or(u64::MAX),
            time: millis("millis").unwrap_or(FOREVER),
            callers: number("callers").unwrap_or(1),
            every: number("rate").map(|rate| Duration::from_secs(1) / rate as u32),
            pause: millis("pause").unwrap_or_default(),
            failing: number("failing").unwrap_or(0),
            seed: number("seed").unwrap_or(1),
            by_http: command["http"].as_bool().unwrap_or(false),
        }
    }

    /// Makes the calls, unless the worker is told to stop; what came of them.
    pub(crate) async fn run(self, worker: &Arc<Worker>) -> Value {
        let began = Instant::now();
        let begun = Arc::new(AtomicU64::new(0));
        let round = worker.round();
        let mut callers = JoinSet::new();
        for caller in 0..self.callers {
            let (load, worker, begun) = (self.clone(), Arc::clone(worker), Arc::clone(&begun));
            callers.spawn(async move {
                let mut random = load.seed.wrapping_add(caller.wrapping_mul(0x9E37_79B9));
                let mut apart = load.every.map(|every| {
                    let mut apart = interval(every * load.callers as u32);
                    apart.set_missed_tick_behavior(MissedTickBehavior::Burst);
                    apart
                });
                let mut tally = Tally::default();
                while began.elapsed() < load.time
                    && worker.round() == round
                    && begun.fetch_add(1, Relaxed) < load.calls
                {
                    if let Some(apart) = &mut apart {
                        apart.tick().await;
                    }
                    let called = Instant::now();
                    let went = match load.by_http {
                        true => worker.call().await,
                        false => worker.guard(next(&mut random) % 1000 >= load.failing).await,
                    };
                    tally.add(went, called.elapsed());
                    if !load.pause.is_zero() {
                        sleep(load.pause).await;
                    } else if apart.is_none() {
                        tokio::task::yield_now().await;
                    }
                }
                tally
            });
        }
        let mut all = Tally::default();
        while let Some(tally) = callers.join_next().await {
            all.join(tally.unwrap_or_default());
        }
        all.told(began.elapsed())
    }
}

/// What came of calls, and how long each took, in nanoseconds.
#[derive(Debug, Default)]
struct Tally {
    succeeded: Vec<u64>,
    failed: Vec<u64>,
    rejected: Vec<u64>,
}

impl Tally {
    fn add(&mut self, went: Went, took: Duration) {
        let times = match went {
            Went::Succeeded => &mut self.succeeded,
            Went::Failed => &mut self.failed,
            Went::Rejected => &mut self.rejected,
        };
        times.push(took.as_nanos() as u64);
    }

    fn join(&mut self, other: Self) {
        self.succeeded.extend(other.succeeded);
        self.failed.extend(other.failed);
        self.rejected.extend(other.rejected);
    }

    fn told(mut self, took: Duration) -> Value {
        json!({
            "succeeded": self.succeeded.len(),
            "failed": self.failed.len(),
            "rejected": self.rejected.len(),
            "seconds": took.as_secs_f64(),
            "micros": quantiles(&mut self.succeeded),
            "micros_rejected": quantiles(&mut self.rejected),
        })
    }
}

fn quantiles(nanos: &mut [u64]) -> Value {
    nanos.sort_unstable();
    let micros = |of: f64| {
        let at = (nanos.len() as f64 * of) as usize;
        nanos.get(at.min(nanos.len().saturating_sub(1))).map(|nanos| *nanos as f64 / 1000.0)
    };
    json!({ "p50": micros(0.5), "p99": micros(0.99), "max": micros(1.0) })
}

/// The next of a sequence of numbers without visible order (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
