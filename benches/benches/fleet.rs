//! What it costs to share a circuit through Redis, beside a shared breaker as one would first
//! write it: get the state, make the call, report its outcome, one round trip each.
//!
//! `cargo bench -p infuse-benches --bench fleet`
//!
//! It starts a `redis-server` of its own. All contenders take turns with rounds of calls, a fixed
//! number in flight. Once the call does nothing, which shows what the breakers themselves cost;
//! once it is an HTTP request to a server on loopback. Redis' own statistics say how many commands
//! clients sent meanwhile; the commands within a script are part of it.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    error::Error,
    future::Future,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use axum::{Router, routing::get};
use deadpool_redis::redis::{self, AsyncCommands, aio::MultiplexedConnection};
use infuse_axum::{Infuse, Service, config::Config, reqwest};
use infuse_storage::{
    CallError, Circuit, Circuits, MemoryStorage, Policy, RedisConfig, RedisStorage, Storage,
};
use infuse_test_servers::RedisServer;
use tokio::{net::TcpListener, runtime, task::JoinSet};

const IN_FLIGHT: usize = 16;
/// Of the throughput on the embedded storage.
const TARGET: f64 = 0.95;
/// What clients send, here.
const SENT: [&str; 8] =
    ["evalsha", "eval", "ping", "unwatch", "subscribe", "client|setinfo", "get", "set"];
/// What scripts run too: only the contender without scripts sends these itself.
const IN_SCRIPTS: [&str; 2] = ["get", "set"];

struct Effort {
    rounds: usize,
    calls: usize,
    requests: usize,
}

impl Effort {
    /// Full when started by `cargo bench`; else a moment, to see that the bench works.
    fn from_args() -> Self {
        if std::env::args().any(|arg| arg == "--bench") {
            Self { rounds: 31, calls: 20_000, requests: 4_000 }
        } else {
            Self { rounds: 1, calls: 320, requests: 32 }
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let effort = Effort::from_args();
    let base = serve()?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = RedisServer::start().await;
        calls(&effort, &server).await?;
        requests(&effort, &server, base).await
    })
}

/// A shared breaker as one would first write it. It is kind to it: one connection that everybody
/// shares, and nothing is read again after the call.
#[derive(Clone)]
struct Naive(MultiplexedConnection);

impl Naive {
    async fn new(server: &RedisServer) -> Result<Self, redis::RedisError> {
        let client = redis::Client::open(server.url())?;
        Ok(Self(client.get_multiplexed_async_connection().await?))
    }

    /// The call's result, unless the circuit is open.
    async fn call<T, E>(
        &mut self,
        call: impl Future<Output = Result<T, E>>,
    ) -> Result<Option<Result<T, E>>, redis::RedisError> {
        let state: Option<String> = self.0.get("naive:state").await?;
        if state.as_deref() == Some("open") {
            return Ok(None);
        }
        let result = call.await;
        if result.is_ok() {
            let () = self.0.set("naive:fail_counter", 0).await?;
        } else {
            let failures: u32 = self.0.incr("naive:fail_counter", 1).await?;
            if failures >= 5 {
                let () = self.0.set("naive:state", "open").await?;
            }
        }
        Ok(Some(result))
    }
}

/// Calls that do nothing.
async fn calls(effort: &Effort, server: &RedisServer) -> Result<(), Box<dyn Error>> {
    let embedded = circuit(Arc::new(MemoryStorage::new())).await?;
    let shared = circuit(Arc::new(RedisStorage::new(RedisConfig::new([server.url()]))?)).await?;
    let naive = Naive::new(server).await?;
    async fn nothing() -> Result<(), Infallible> {
        Ok(())
    }
    let guarded = |circuit: Circuit| {
        move || {
            let circuit = circuit.clone();
            async move {
                let result: Result<(), CallError<Infallible>> = circuit.call(nothing).await;
                result.is_ok()
            }
        }
    };
    let mut table = Table::new("a call that does nothing", effort, effort.calls);
    let (embedded, shared) = (guarded(embedded), guarded(shared));
    let naive = move || {
        let mut naive = naive.clone();
        async move { matches!(naive.call(nothing()).await, Ok(Some(Ok(())))) }
    };
    for round in 0..=effort.rounds {
        // The first round warms up.
        table.round(server, round, "Circuit, embedded", &embedded).await?;
        table.round(server, round, "Circuit, Redis", &shared).await?;
        table.round(server, round, "naive, Redis", &naive).await?;
    }
    table.print(["Circuit, embedded", "Circuit, Redis", "naive, Redis"]);
    Ok(())
}

async fn circuit(storage: Arc<dyn Storage>) -> Result<Circuit, Box<dyn Error>> {
    let circuits = Circuits::builder().storage(storage).start()?;
    let circuit = circuits.circuit("bench", Policy::default());
    circuits.ready().await;
    Ok(circuit)
}

/// Requests over HTTP.
async fn requests(
    effort: &Effort,
    server: &RedisServer,
    base: String,
) -> Result<(), Box<dyn Error>> {
    let embedded = service(&base, MemoryStorage::new()).await?;
    let shared = service(&base, RedisStorage::new(RedisConfig::new([server.url()]))?).await?;
    let naive = Naive::new(server).await?;
    let bare = reqwest::Client::builder().no_proxy().build()?;

    let guarded = |service: Service| {
        move || {
            let service = service.clone();
            async move {
                let Ok(answer) = service.get("small").send().await else { return false };
                answer.bytes().await.is_ok()
            }
        }
    };
    let mut table = Table::new("a GET of 2 bytes", effort, effort.requests);
    let (embedded, shared) = (guarded(embedded), guarded(shared));
    let naive = move || {
        let (mut naive, bare, url) = (naive.clone(), bare.clone(), format!("{base}/small"));
        async move {
            let call = async { bare.get(url).send().await?.bytes().await };
            matches!(naive.call(call).await, Ok(Some(Ok(_))))
        }
    };
    for round in 0..=effort.rounds {
        table.round(server, round, "ServiceClient, embedded", &embedded).await?;
        table.round(server, round, "ServiceClient, Redis", &shared).await?;
        table.round(server, round, "naive, Redis", &naive).await?;
    }
    table.print(["ServiceClient, embedded", "ServiceClient, Redis", "naive, Redis"]);
    Ok(())
}

async fn service(base: &str, storage: impl Storage) -> Result<Service, Box<dyn Error>> {
    let config =
        Config::builder().set_override("infuse_services.bench.url", base.to_owned())?.build()?;
    let infuse = Infuse::builder().storage(storage).start(&config).await?;
    Ok(infuse.client().service("bench")?)
}

/// What the rounds of one comparison gave.
struct Table {
    title: String,
    each: usize,
    rounds: BTreeMap<&'static str, Vec<Round>>,
}

struct Round {
    calls_a_second: f64,
    commands_a_call: f64,
}

impl Table {
    fn new(what: &str, effort: &Effort, each: usize) -> Self {
        let title = format!("{what}, {IN_FLIGHT} in flight, {} rounds of {each}", effort.rounds);
        Self { title, each, rounds: BTreeMap::new() }
    }

    async fn round<F, Fut>(
        &mut self,
        server: &RedisServer,
        round: usize,
        name: &'static str,
        call: &F,
    ) -> Result<(), Box<dyn Error>>
    where
        F: Fn() -> Fut + Clone + Send + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        server.reset_stats().await?;
        let took = run(self.each, call).await;
        let sent = server.commandstats().await?;
        let own = name.starts_with("naive");
        let sent: u64 = SENT
            .iter()
            .filter(|command| own || !IN_SCRIPTS.contains(command))
            .filter_map(|command| sent.get(*command))
            .sum();
        if round > 0 {
            self.rounds.entry(name).or_default().push(Round {
                calls_a_second: self.each as f64 / took.as_secs_f64(),
                commands_a_call: sent as f64 / self.each as f64,
            });
        }
        Ok(())
    }

    fn print(&self, [embedded, shared, naive]: [&'static str; 3]) {
        println!("\n{}", self.title);
        println!("{:26}{:>14}{:>18}", "", "calls/s", "commands a call");
        for name in [embedded, shared, naive] {
            let rounds = &self.rounds[name];
            let calls = median(rounds.iter().map(|round| round.calls_a_second));
            let commands = median(rounds.iter().map(|round| round.commands_a_call));
            println!("{name:26}{calls:>14.0}{commands:>18.4}");
        }
        let ratio = |of: &str, to: &str| {
            let pairs = self.rounds[of].iter().zip(&self.rounds[to]);
            median(pairs.map(|(of, to)| of.calls_a_second / to.calls_a_second))
        };
        let to_embedded = ratio(shared, embedded);
        let verdict = if to_embedded >= TARGET { "PASS" } else { "MISS" };
        println!(
            "{verdict}  on Redis {to_embedded:.3} of the throughput on the embedded storage (at \
             least {TARGET}), {:.1} times that of the naive one; medians of rounds side by side",
            ratio(shared, naive),
        );
    }
}

/// Makes so many calls with a fixed number in flight; how long it took.
async fn run<F, Fut>(calls: usize, call: &F) -> Duration
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = bool> + Send + 'static,
{
    let begin = Instant::now();
    let mut workers = JoinSet::new();
    for _ in 0..IN_FLIGHT {
        let call = call.clone();
        workers.spawn(async move {
            for _ in 0..calls / IN_FLIGHT {
                assert!(call().await, "a call failed: nothing is measured");
            }
        });
    }
    workers.join_all().await;
    begin.elapsed()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server in a thread of its own; its address.
fn serve() -> Result<String, Box<dyn Error>> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let base = format!("http://{}", listener.local_addr()?);
    let app = Router::new().route("/small", get(|| async { "ok" }));
    thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, app).await
        })
    });
    Ok(base)
}
