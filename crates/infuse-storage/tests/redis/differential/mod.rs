//! Redis answers and pushes what the embedded storage does, whatever is asked in whatever order.
//!
//! Both go by a clock that stands still between steps. A step is one verb on a batch of circuits,
//! so that one run of a sequence is as many sequences as there are circuits.

mod acts;
mod asking;

use std::{cell::RefCell, time::Duration};

use infuse_storage::{
    CircuitKey, Control, Event, ManualClock, MemoryStorage, ProcessId, RedisStorage, State,
    Storage, Token, Watch,
};
use infuse_test_servers::{Connection, RedisServer};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::time::timeout;

use self::{
    acts::{CIRCUITS, Step, step},
    asking::{Known, answers},
};
use crate::support::config;

const CLOCK: &str = "clock";
/// How often a sequence is run: ten times as many sequences, by the circuits. More, if the variable
/// `INFUSE_DIFFERENTIAL_RUNS` says so.
const RUNS: u32 = 250;

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
        let command = [Control::put(end.clone(), token, State::Closed, Duration::ZERO)];
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
    let runs = std::env::var("INFUSE_DIFFERENTIAL_RUNS").ok();
    let config = Config {
        cases: runs.map_or(RUNS, |runs| runs.parse().unwrap()),
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
