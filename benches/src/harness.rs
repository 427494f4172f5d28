use std::{
    hint::{black_box, spin_loop},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

/// One way to make a call.
pub struct Contender {
    /// Makes so many calls in each of so many threads; how long a thread took on average.
    batch: Box<dyn Fn(usize, u64) -> Duration>,
}

impl Contender {
    /// `make` makes what one thread calls in a loop, with the number of the call.
    pub fn new<M, F>(make: M) -> Self
    where
        M: Fn() -> F + 'static,
        F: FnMut(u64) -> u64 + Send,
    {
        Self { batch: Box::new(move |threads, calls| batch(threads, calls, &make)) }
    }
}

/// How much work a measurement may be.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Whether this is a measurement and not only a moment's try.
    pub full: bool,
    /// How often every contender has its turn.
    pub rounds: usize,
    /// How long a turn takes, about.
    pub turn: Duration,
}

impl Effort {
    /// Full when started by `cargo bench`; else a moment, to see that the bench works.
    pub fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--bench") {
            Self { full: true, rounds: 150, turn: Duration::from_micros(800) }
        } else {
            Self { full: false, rounds: 3, turn: Duration::from_micros(20) }
        }
    }
}

/// What one contender took, in nanoseconds a call.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// The median of the rounds.
    pub median: f64,
    /// The fastest round.
    pub min: f64,
    /// The slowest round.
    pub max: f64,
    /// The median of what it took more than the first contender did in the same round.
    pub over_first: f64,
}

/// Measures contenders in turns. `None` stands for one that cannot do this.
pub fn run(
    contenders: &[Option<Contender>],
    threads: usize,
    effort: Effort,
) -> Vec<Option<Measured>> {
    let calls: Vec<u64> = contenders.iter().map(|c| calibrate(c, threads, effort)).collect();
    let mut rounds: Vec<Vec<f64>> = Vec::with_capacity(effort.rounds);
    for round in 0..effort.rounds {
        let mut took = vec![f64::NAN; contenders.len()];
        for turn in 0..contenders.len() {
            // Another one begins each round, so that nobody always follows the same neighbour.
            let at = (round + turn) % contenders.len();
            if let Some(contender) = &contenders[at] {
                took[at] = nanos((contender.batch)(threads, calls[at]), calls[at]);
            }
        }
        rounds.push(took);
    }
    let measured = |at: usize| Measured {
        median: median(rounds.iter().map(|took| took[at])),
        min: rounds.iter().map(|took| took[at]).fold(f64::INFINITY, f64::min),
        max: rounds.iter().map(|took| took[at]).fold(0.0, f64::max),
        over_first: median(rounds.iter().map(|took| took[at] - took[0])),
    };
    contenders.iter().enumerate().map(|(at, c)| c.as_ref().map(|_| measured(at))).collect()
}

/// How many calls fill a turn. Warms up on the way.
fn calibrate(contender: &Option<Contender>, threads: usize, effort: Effort) -> u64 {
    let Some(contender) = contender else { return 0 };
    let mut calls = 256;
    loop {
        let took = (contender.batch)(threads, calls);
        if took >= effort.turn / 2 {
            let per_call = nanos(took, calls);
            return ((effort.turn.as_nanos() as f64 / per_call) as u64).max(1);
        }
        calls *= 2;
    }
}

fn nanos(took: Duration, calls: u64) -> f64 {
    took.as_nanos() as f64 / calls as f64
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn batch<M, F>(threads: usize, calls: u64, make: &M) -> Duration
where
    M: Fn() -> F,
    F: FnMut(u64) -> u64 + Send,
{
    if threads == 1 {
        return timed(calls, make());
    }
    // Each on a core of its own: two threads on one core would never meet.
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let waiting = AtomicUsize::new(threads);
    let total: Duration = thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|nth| {
                let call = make();
                let waiting = &waiting;
                let core = cores.get(nth).copied().filter(|_| cores.len() >= threads);
                scope.spawn(move || {
                    if let Some(core) = core {
                        core_affinity::set_for_current(core);
                    }
                    // A barrier that spins, so that the threads begin within nanoseconds.
                    waiting.fetch_sub(1, Ordering::AcqRel);
                    while waiting.load(Ordering::Acquire) > 0 {
                        spin_loop();
                    }
                    timed(calls, call)
                })
            })
            .collect();
        started.into_iter().map(|thread| thread.join().expect("a call panicked")).sum()
    });
    total / threads as u32
}

#[inline(never)]
fn timed(calls: u64, mut call: impl FnMut(u64) -> u64) -> Duration {
    let begin = Instant::now();
    for i in 0..calls {
        black_box(call(black_box(i)));
    }
    begin.elapsed()
}
