use std::{
    error::Error,
    fs, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant, SystemTime},
};

use infuse_axum::{
    Breaker, CallError, Circuit, CircuitPermit, Infuse, Listener, Override, Reach,
    ServiceErrorKind, StateChange, config::Config,
};
use infuse_storage::{RedisConfig, RedisStorage};
use serde_json::{Value, json};

use crate::{graceless::Graceless, load::Load, options::Options, output::say, shifted::Shifted};

/// What the circuit and the service are called.
const TARGET: &str = "target";

pub(crate) struct Worker {
    infuse: Infuse,
    /// What it was started with.
    config: Config,
    circuit: Circuit,
    held: Mutex<Vec<CircuitPermit>>,
    /// Goes up when loads are to stop.
    round: AtomicU64,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Went {
    Succeeded,
    Failed,
    Rejected,
}

impl Went {
    fn as_str(self) -> &'static str {
        match self {
            Went::Succeeded => "succeeded",
            Went::Failed => "failed",
            Went::Rejected => "rejected",
        }
    }
}

impl Worker {
    pub(crate) async fn start(options: Options) -> Result<Self, Box<dyn Error>> {
        let mut builder = Infuse::builder().listener(Tell);
        if let Some(seconds) = options.wall_shift {
            builder = builder.clock(Shifted::new(seconds));
        }
        if options.graceless {
            let url = options.config.get_string("infuse_redis_url")?;
            builder = builder.storage(Graceless(RedisStorage::new(RedisConfig::new([url]))?));
        }
        let infuse = builder.start(&options.config).await?;
        let circuit = infuse.breaker(TARGET)?;
        let config = options.config;
        let (held, round) = (Mutex::default(), AtomicU64::new(0));
        Ok(Self { infuse, config, circuit, held, round })
    }

    pub(crate) async fn carry_out(self: &Arc<Self>, command: &Value) -> Value {
        match command["do"].as_str().unwrap_or_default() {
            "call" => self.timed(self.call()).await,
            "succeed" => self.timed(self.guard(true)).await,
            "fail" => self.timed(self.guard(false)).await,
            "run" => Load::of(command).run(self).await,
            "stop" => {
                self.round.fetch_add(1, SeqCst);
                json!({})
            }
            "hold" => self.hold().await,
            "release" => self.release(command["as"].as_str().unwrap_or_default()),
            "panic" => self.panic().await,
            "open" => reached(self.circuit.open().await),
            "half-open" => reached(self.circuit.half_open().await),
            "close" => reached(self.circuit.close().await),
            "override" => self.put_override(command).await,
            "relieve" => reached(self.circuit.set_override(None).await),
            "reload" => self.reload(command),
            "state" => json!({ "state": self.circuit.snapshot() }),
            "circuits" => self.make(command["number"].as_u64().unwrap_or_default()),
            "memory" => json!({ "bytes": memory() }),
            "quit" => {
                self.infuse.shutdown().await;
                std::process::exit(0)
            }
            other => json!({ "error": format!("no such command: {other}") }),
        }
    }

    /// Which loads may run.
    pub(crate) fn round(&self) -> u64 {
        self.round.load(SeqCst)
    }

    /// Calls the service.
    pub(crate) async fn call(&self) -> Went {
        let client = self.infuse.client();
        let call = async {
            let answer = client.service(TARGET)?.get("/").send().await?;
            answer.error_for_status()?.bytes().await
        };
        match call.await {
            Ok(_) => Went::Succeeded,
            Err(error) if error.kind() == ServiceErrorKind::Rejected => Went::Rejected,
            Err(_) => Went::Failed,
        }
    }

    /// Calls a function.
    pub(crate) async fn guard(&self, succeeds: bool) -> Went {
        let function = async || if succeeds { Ok(()) } else { Err(io::Error::other("it failed")) };
        match self.circuit.call(function).await {
            Ok(()) => Went::Succeeded,
            Err(CallError::Rejected(_)) => Went::Rejected,
            Err(_) => Went::Failed,
        }
    }

    async fn timed(&self, call: impl Future<Output = Went>) -> Value {
        let began = Instant::now();
        let went = call.await;
        json!({ "went": went.as_str(), "micros": began.elapsed().as_nanos() as f64 / 1000.0 })
    }

    /// Asks to pass, and keeps what it gets.
    async fn hold(&self) -> Value {
        let began = Instant::now();
        let permit = self.circuit.acquire(None).await;
        let micros = began.elapsed().as_nanos() as f64 / 1000.0;
        let granted = permit.is_ok();
        self.held.lock().unwrap_or_else(PoisonError::into_inner).extend(permit);
        json!({ "granted": granted, "micros": micros })
    }

    /// Gives back what it keeps, as calls that went like this.
    fn release(&self, outcome: &str) -> Value {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        let released = held.len();
        for permit in held {
            match outcome {
                "success" => permit.success(),
                "failure" => permit.failure(),
                _ => drop(permit),
            }
        }
        json!({ "released": released })
    }

    /// Makes a call that panics.
    async fn panic(&self) -> Value {
        let circuit = self.circuit.clone();
        let call = tokio::spawn(async move {
            let call = async || -> io::Result<()> { panic!("on purpose") };
            circuit.call(call).await.is_ok()
        });
        json!({ "panicked": call.await.is_err() })
    }

    /// Puts a mode above the one of the settings.
    async fn put_override(&self, command: &Value) -> Value {
        let text = |name: &str| command[name].as_str().unwrap_or_default();
        let Ok(mode) = text("mode").parse() else { return json!({ "error": "a mode" }) };
        let mut over = Override::new(mode).by(text("by")).because(text("reason"));
        if let Some(millis) = command["millis"].as_u64() {
            over = over.lasting(Duration::from_millis(millis));
        }
        reached(self.circuit.set_override(Some(over)).await)
    }

    /// Goes by other settings, beside those that it was started with.
    fn reload(&self, command: &Value) -> Value {
        let mut config = Config::builder().add_source(self.config.clone());
        for (key, value) in command["settings"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            config = match config.set_override(key, value) {
                Ok(config) => config,
                Err(error) => return json!({ "error": error.to_string() }),
            };
        }
        let reloaded = config.build().map(|config| self.infuse.reload(&config));
        match reloaded {
            Ok(Ok(reload)) => json!({ "changed": reload.to_string() }),
            Ok(Err(error)) => json!({ "refused": error.to_string() }),
            Err(error) => json!({ "error": error.to_string() }),
        }
    }

    /// Makes circuits, and uses each.
    fn make(&self, number: u64) -> Value {
        for number in 0..number {
            let Ok(circuit) = self.infuse.breaker(&format!("circuit-{number}")) else {
                return json!({ "error": "a name" });
            };
            if let Ok(permit) = circuit.try_permit() {
                permit.success();
            }
        }
        json!({ "circuits": self.infuse.circuits().len() })
    }
}

fn reached(reach: Reach) -> Value {
    json!({ "reach": if reach == Reach::Fleet { "fleet" } else { "local" } })
}

/// What this process has of the machine's memory now.
fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Says when a circuit changes.
struct Tell;

impl Listener for Tell {
    fn state_change(&self, breaker: &Breaker, change: &StateChange) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        say(&json!({
            "circuit": breaker.name(),
            "is": change.to.as_str(),
            "was": change.from.as_str(),
            "remote": change.remote,
            "at": at.as_micros() as u64,
        }));
    }
}
