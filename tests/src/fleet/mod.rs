//! Several processes that share a circuit through one Redis.

mod worker;

pub use worker::Worker;

use infuse_test_servers::RedisServer;
use serde_json::Value;

/// Workers with the same settings.
#[derive(Debug)]
pub struct Fleet(Vec<Worker>);

impl Fleet {
    /// Starts so many workers on a Redis. The program is `env!("CARGO_BIN_EXE_worker")`, which
    /// only a test knows.
    pub async fn start(
        program: &str,
        redis: &RedisServer,
        workers: usize,
        settings: &[&str],
    ) -> Self {
        let url = format!("infuse_redis_url={}", redis.url());
        let mut args = vec![url.as_str()];
        args.extend_from_slice(settings);
        let mut fleet = Vec::new();
        for _ in 0..workers {
            fleet.push(Worker::start(program, &args).await);
        }
        Self(fleet)
    }

    /// Says the same to all, and returns what they answer, in their order.
    pub async fn ask(&self, command: Value) -> Vec<Value> {
        self.ask_each(|_| command.clone()).await
    }

    /// Says something to each, by its number, at once.
    pub async fn ask_each(&self, command: impl Fn(usize) -> Value) -> Vec<Value> {
        let asked = self.0.iter().enumerate().map(|(number, worker)| worker.ask(command(number)));
        // Said when it is made, so this loses no time.
        let asked: Vec<_> = asked.collect();
        let mut answers = Vec::new();
        for answer in asked {
            answers.push(answer.await);
        }
        answers
    }

    /// Waits until all are in this state.
    pub async fn until(&self, state: &str) {
        for worker in &self.0 {
            worker.until(state).await;
        }
    }

    /// Takes out the first `number` workers.
    pub fn take(&mut self, number: usize) -> Vec<Worker> {
        self.0.drain(..number).collect()
    }
}

impl From<Vec<Worker>> for Fleet {
    fn from(workers: Vec<Worker>) -> Self {
        Self(workers)
    }
}

impl std::ops::Deref for Fleet {
    type Target = [Worker];

    fn deref(&self) -> &[Worker] {
        &self.0
    }
}
