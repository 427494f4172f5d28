//! Redis answers and pushes what the embedded storage does, whatever is asked in whatever order.
//!
//! Both go by a clock that stands still between steps. A step is one verb on a batch of circuits,
//! so that one run of a sequence is as many sequences as there are circuits.

use std::{cell::RefCell, collections::HashMap, time::Duration};

use infuse_storage::{
    CircuitKey, Clear, Control, Event, LeaseRequest, Look, ManualClock, MemoryStorage, Outcome,
    Presented, ProcessId, RedisStorage, Report, Seed, Settle, State, Storage, StorageError,
    SuspicionId, Thresholds, Token, Trip, View, Watch,
};
use infuse_test_servers::{Connection, RedisServer};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::time::timeout;

use crate::support::config;

const CLOCK: &str = "clock";
const CIRCUITS: usize = 10;
/// How often a sequence is run: ten times as many sequences, by the circuits.
const RUNS: u32 = 250;

fn millis(all: &'static [u64]) -> impl Strategy<Value = Duration> {
    select(all).prop_map(Duration::from_millis)
}

fn process() -> impl Strategy<Value = ProcessId> {
    // Their order is not that of their last digits.
    select(&[0xA, 0xFF00_0000_0000_0001, 0xB0][..]).prop_map(ProcessId::from_u64)
}

fn token() -> impl Strategy<Value = Token> {
    (process(), 0..3_u64).prop_map(|(process, number)| Token { process, number })
}

fn state() -> impl Strategy<Value = State> {
    select(&[State::Closed, State::Open, State::HalfOpen][..])
}

/// What a process presents.
#[derive(Debug, Clone)]
enum Presents {
    /// The last that it was answered.
    Known,
    Nothing,
    /// Of a generation so much older or newer than the last that it was answered.
    Other {
        off: i64,
        state: State,
        time_left: Duration,
    },
}

fn presents() -> impl Strategy<Value = Presents> {
    prop_oneof![
        8 => Just(Presents::Known),
        1 => Just(Presents::Nothing),
        2 => (-2..3_i64, state(), millis(&[0, 5, 20]))
            .prop_map(|(off, state, time_left)| Presents::Other { off, state, time_left }),
    ]
}

fn thresholds() -> impl Strategy<Value = Thresholds> {
    (0..5_u32, millis(&[1, 20]), 0..3_u32, 0..3_u32).prop_map(
        |(max_failure, reset_timeout, success_threshold, half_open_max_calls)| Thresholds {
            max_failure,
            reset_timeout,
            success_threshold,
            half_open_max_calls,
        },
    )
}

/// What is done to one circuit. Its verb is the step's.
#[derive(Debug, Clone)]
struct Act {
    process: ProcessId,
    presents: Presents,
    token: Token,
    thresholds: Thresholds,
    state: State,
    failures: u32,
    /// How many clears fewer than it was told of last it knows.
    clears_missed: u64,
    last_success: Option<Duration>,
    late_by: Option<Duration>,
    open_time: Duration,
    grace: Duration,
    rest: Duration,
    lapse: Duration,
    /// Which suspicion, if that matters: that which it was told of last, another, or none.
    suspicion: Which,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Known,
    Other,
    OtherGeneration,
    None,
}

fn act() -> impl Strategy<Value = Act> {
    let who = (process(), presents(), token(), thresholds(), state());
    let counts = (
        prop_oneof![3 => 0..5_u32, 1 => Just(u32::MAX)],
        select(&[0, 0, 0, 1][..]),
        option::weighted(0.3, millis(&[0, 1, 5, 100])),
        option::weighted(0.3, millis(&[0, 5])),
    );
    let times = (
        millis(&[0, 5, 20]),
        millis(&[0, 3, 1_000]),
        millis(&[0, 5, 30]),
        millis(&[0, 10, 10, 10_000]),
    );
    let which = prop_oneof![
        4 => Just(Which::Known),
        1 => Just(Which::Other),
        1 => Just(Which::OtherGeneration),
        2 => Just(Which::None),
    ];
    let outcome = select(&[Outcome::Success, Outcome::Failure, Outcome::Ignored][..]);
    (who, counts, times, which, outcome).prop_map(|(who, counts, times, suspicion, outcome)| {
        let (process, presents, token, thresholds, state) = who;
        let (failures, clears_missed, last_success, late_by) = counts;
        let (open_time, grace, rest, lapse) = times;
        Act {
            process,
            presents,
            token,
            thresholds,
            state,
            failures,
            clears_missed,
            last_success,
            late_by,
            open_time,
            grace,
            rest,
            lapse,
            suspicion,
            outcome,
        }
    })
}

#[derive(Debug, Clone, Copy)]
enum Verb {
    Look,
    Report,
    Trip,
    Clear,
    Lease,
    Settle,
    Control,
    Seed,
}

/// Time that passes, and one verb then, as often as is said.
#[derive(Debug, Clone)]
struct Step {
    passes: Duration,
    verb: Verb,
    acts: Vec<Act>,
    times: usize,
}

fn step() -> impl Strategy<Value = Step> {
    let verb = prop_oneof![
        2 => Just(Verb::Look),
        5 => Just(Verb::Report),
        3 => Just(Verb::Trip),
        2 => Just(Verb::Clear),
        4 => Just(Verb::Lease),
        4 => Just(Verb::Settle),
        1 => Just(Verb::Control),
        1 => Just(Verb::Seed),
    ];
    let times = prop_oneof![6 => Just(1_usize), 1 => Just(2)];
    (millis(&[0, 0, 1, 1, 3, 5, 10, 50]), verb, vec(act(), CIRCUITS), times)
        .prop_map(|(passes, verb, acts, times)| Step { passes, verb, acts, times })
}

/// What the processes were told last, by circuit and process.
type Known = HashMap<(usize, ProcessId), View>;

impl Act {
    fn presented(&self, known: Option<&View>) -> Presented {
        let last = known.map_or(Presented::NOTHING, Presented::from);
        match self.presents {
            Presents::Known => last,
            Presents::Nothing => Presented::NOTHING,
            Presents::Other { off, state, time_left } => {
                let generation = last.generation.saturating_add_signed(off);
                Presented { generation, state, time_left }
            }
        }
    }

    fn suspicion(&self, known: Option<&View>) -> Option<SuspicionId> {
        let last = known.and_then(|view| view.suspicion).map(|suspicion| suspicion.id);
        match (self.suspicion, last) {
            (Which::None, _) => None,
            (Which::Known, Some(id)) => Some(id),
            (Which::Other, Some(id)) => Some(SuspicionId { raised_at: id.raised_at + 1, ..id }),
            (Which::OtherGeneration, Some(id)) => {
                Some(SuspicionId { generation: id.generation + 1, ..id })
            }
            (_, None) => Some(SuspicionId { generation: 0, raised_at: 0 }),
        }
    }
}

/// What both storages answer to a step: the views, and who was granted a lease.
async fn answers(
    storage: &dyn Storage,
    circuits: &[CircuitKey],
    step: &Step,
    known: &Known,
) -> Result<Vec<(View, bool)>, StorageError> {
    macro_rules! ask {
        ($verb:ident, $make:expr) => {{
            let make = $make;
            let acts = step.acts.iter().enumerate().map(|(at, act)| {
                let known = known.get(&(at, act.process));
                make(circuits[at].clone(), act.presented(known), act, known)
            });
            storage.$verb(&acts.collect::<Vec<_>>()).await
        }};
    }
    let views = match step.verb {
        Verb::Look => ask!(look, |key, presented, act: &Act, _| {
            let mut look = Look::new(key, presented);
            look.last_success = act.last_success;
            look.thresholds = act.thresholds;
            look
        }),
        Verb::Report => ask!(report, |key, presented, act: &Act, known: Option<&View>| {
            let mut report = Report::new(key, presented, act.process, act.failures);
            let clears = known.map_or(0, |view| view.clears);
            report.clears = clears.saturating_sub(act.clears_missed);
            report.last_success = act.last_success;
            report.thresholds = act.thresholds;
            report.rest = act.rest;
            report.lapse = act.lapse;
            report
        }),
        Verb::Trip => ask!(trip, |key, presented, act: &Act, known| {
            let mut trip = Trip::new(key, presented, act.process, act.open_time);
            trip.thresholds = act.thresholds;
            trip.suspicion = act.suspicion(known);
            trip.grace = act.grace;
            trip
        }),
        Verb::Clear => ask!(clear, |key, presented, act: &Act, known| {
            let nowhere = SuspicionId { generation: 0, raised_at: u64::MAX };
            let id = act.suspicion(known).unwrap_or(nowhere);
            Clear::new(key, presented, act.process, id)
        }),
        Verb::Settle => ask!(settle, |key, presented, act: &Act, _| {
            let mut settle = Settle::new(key, presented, act.token, act.outcome);
            settle.success_threshold = act.thresholds.success_threshold;
            settle.open_time = act.open_time;
            settle
        }),
        Verb::Control => ask!(control, |key, presented, act: &Act, _| {
            let mut command = Control::new(key, act.token, act.state, act.open_time);
            command.presented = presented;
            command
        }),
        Verb::Seed => ask!(seed, |key, presented, act: &Act, _| {
            let mut seed = Seed::new(key, act.token, act.state, act.open_time);
            seed.presented = presented;
            seed.late_by = act.late_by;
            seed
        }),
        Verb::Lease => {
            let answers = ask!(lease, |key, presented, act: &Act, _| {
                let mut request = LeaseRequest::new(key, presented, act.token, act.rest);
                request.max_calls = act.thresholds.half_open_max_calls;
                request
            })?;
            return Ok(answers.into_iter().map(|it| (it.view, it.granted)).collect());
        }
    };
    Ok(views?.into_iter().map(|view| (view, false)).collect())
}

struct Pair {
    clock: ManualClock,
    memory: MemoryStorage,
    memory_watch: Box<dyn Watch>,
    redis: RedisStorage,
    redis_watch: Box<dyn Watch>,
    connection: Connection,
    now: Duration,
    /// Sequences so far: each has circuits of its own.
    sequences: usize,
}

impl Pair {
    async fn new(server: &RedisServer) -> Self {
        let clock = ManualClock::new();
        let memory = MemoryStorage::with_clock(clock.clone());
        let redis = RedisStorage::on_clock_in(config(server), CLOCK).unwrap();
        let memory_watch = memory.watch().await.unwrap();
        let redis_watch = redis.watch().await.unwrap();
        let mut connection = server.connect().await.unwrap();
        connection.command(&["FLUSHALL"]).await.unwrap();
        let now = Duration::ZERO;
        Self { clock, memory, memory_watch, redis, redis_watch, connection, now, sequences: 0 }
    }

    async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.now += time;
        let now = self.now.as_micros().to_string();
        self.connection.command(&["SET", CLOCK, now.as_str()]).await.unwrap();
    }

    async fn run(&mut self, steps: &[Step]) -> Result<(), TestCaseError> {
        self.sequences += 1;
        let circuits: Vec<_> =
            (0..CIRCUITS).map(|at| CircuitKey::new(format!("{}-{at}", self.sequences))).collect();
        let mut known = Known::new();
        for step in steps {
            self.pass(step.passes).await;
            for _ in 0..step.times {
                let expected = answers(&self.memory, &circuits, step, &known).await.unwrap();
                let found = answers(&self.redis, &circuits, step, &known).await.unwrap();
                for at in 0..CIRCUITS {
                    let act = &step.acts[at];
                    prop_assert_eq!(&found[at], &expected[at], "{:?} {:?}", step.verb, act);
                }
                if step.times == 1 {
                    known.extend(
                        expected
                            .into_iter()
                            .enumerate()
                            .map(|(at, (view, _))| ((at, step.acts[at].process), view)),
                    );
                }
            }
        }
        self.compare_pushed().await
    }

    /// Compares what was pushed, up to a change of a circuit that is only for that.
    async fn compare_pushed(&mut self) -> Result<(), TestCaseError> {
        let end = CircuitKey::new("end");
        let token = Token { process: ProcessId::from_u64(1), number: self.sequences as u64 };
        let command = [Control::new(end.clone(), token, State::Closed, Duration::ZERO)];
        self.memory.control(&command).await.unwrap();
        self.redis.control(&command).await.unwrap();
        loop {
            let expected = self.memory_watch.next().await;
            let found = timeout(Duration::from_secs(10), self.redis_watch.next()).await;
            let found = found.map_err(|_| TestCaseError::fail("nothing was pushed"))?;
            prop_assert_eq!(&found, &expected);
            if matches!(expected, Event::Changed { key, .. } if key == end) {
                return Ok(());
            }
        }
    }
}

#[test]
fn redis_does_what_the_embedded_storage_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(RedisServer::start());
    let pair = RefCell::new(runtime.block_on(Pair::new(&server)));
    let config = Config {
        cases: RUNS,
        max_shrink_iters: 2_000,
        failure_persistence: None,
        ..Config::default()
    };
    let ran = TestRunner::new(config).run(&vec(step(), 1..40), |steps| {
        let mut pair = pair.borrow_mut();
        let ran = runtime.block_on(pair.run(&steps));
        if ran.is_err() {
            // What else was pushed is of no interest to the next sequence.
            *pair = runtime.block_on(Pair::new(&server));
        }
        ran
    });
    ran.unwrap();
}
