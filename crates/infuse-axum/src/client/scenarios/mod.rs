//! The client, its circuits and a service that does as it is told, without sockets.

mod abandoned;
mod below;
mod modes;
mod nothing_said;
mod retry_after;

use std::{
    collections::HashMap,
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use http::{Request, Response};
use infuse_storage::{Circuit, Circuits, ManualClock, Policy, PolicyBuilder, State};
use tower::service_fn;

use super::{
    ClientParts, Service, ServiceClient, ServiceConfig, ServiceResponse, Transport,
    script::{Script, Step},
    testing,
};
use crate::{
    ServiceError,
    reload::{LiveRules, Rules},
    settings::ServiceName,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// What the service does with a request.
#[derive(Debug, Clone)]
enum Act {
    Answer(u16),
    /// With this `Retry-After`.
    AskFor(u16, &'static str),
    /// A 200 with this body.
    Say(Vec<Step>),
    Hang,
    Break(io::ErrorKind),
}

fn say(steps: &[Step]) -> Act {
    Act::Say(steps.to_vec())
}

/// By path; a 200 where nothing is said.
#[derive(Clone, Default)]
struct Acts(Arc<Mutex<HashMap<String, Act>>>);

impl Acts {
    fn set(&self, path: &str, act: Act) {
        self.0.lock().unwrap().insert(format!("/{path}"), act);
    }

    fn of(&self, path: &str) -> Act {
        self.0.lock().unwrap().get(path).cloned().unwrap_or(Act::Answer(200))
    }

    fn transport(&self) -> Transport {
        let acts = self.clone();
        Transport::service(service_fn(move |request: Request<Body>| {
            let act = acts.of(request.uri().path());
            async move { act.play().await }
        }))
    }
}

impl Act {
    async fn play(self) -> io::Result<Response<Body>> {
        let answer = Response::builder();
        let answer = match self {
            Act::Answer(status) => answer.status(status).body(Body::empty()),
            Act::AskFor(status, time) => {
                answer.status(status).header("retry-after", time).body(Body::empty())
            }
            Act::Say(steps) => answer.body(Body::new(Script::new(&steps))),
            Act::Hang => pending().await,
            Act::Break(kind) => return Err(kind.into()),
        };
        Ok(answer.unwrap())
    }
}

struct Bench {
    acts: Acts,
    circuits: Circuits,
    circuit: Circuit,
    clock: ManualClock,
    rules: Arc<LiveRules>,
    service: Service,
}

fn bench() -> Bench {
    bench_with(|policy| policy)
}

fn bench_with(policy: impl FnOnce(PolicyBuilder) -> PolicyBuilder) -> Bench {
    let (circuits, clock) = testing::circuits();
    let policy = policy(Policy::builder()).build().unwrap();
    let circuit = circuits.circuit("payments", policy.clone());
    let (acts, rules) = (Acts::default(), Arc::new(LiveRules::default()));
    let of = circuits.clone();
    let config = ServiceConfig {
        name: ServiceName::parse("payments").unwrap(),
        circuit: circuit.clone(),
        base_url: "http://payments:8000".parse().unwrap(),
        rules: rules.clone(),
        below: Arc::new(move |name| of.circuit(format!("payments/{name}"), policy.clone())),
        redirects: 0,
        transport: Some(acts.transport()),
    };
    let parts = ClientParts { services: vec![config], ..ClientParts::default() };
    let service = ServiceClient::new(parts).unwrap().service("payments").unwrap();
    Bench { acts, circuits, circuit, clock, rules, service }
}

impl Bench {
    fn set(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = (*self.rules.get()).clone();
        change(&mut rules);
        self.rules.set(rules);
    }

    async fn get(&self, path: &str) -> Result<ServiceResponse, ServiceError> {
        self.service.get(path).send().await
    }

    /// Makes a call and reads its answer.
    async fn call(&self, path: &str) -> Result<u16, ServiceError> {
        read(self.get(path).await?).await
    }

    async fn call_times(&self, times: u32, path: &str) {
        for _ in 0..times {
            let _ = self.call(path).await;
        }
    }

    async fn becomes(&self, circuit: &Circuit, state: State) {
        let there = async {
            while circuit.state() != state {
                tokio::task::yield_now().await;
            }
        };
        let there = tokio::time::timeout(secs(10), there).await;
        there.unwrap_or_else(|_| panic!("{circuit:?} never is {state}"));
    }
}

async fn read(answer: ServiceResponse) -> Result<u16, ServiceError> {
    let status = answer.status().as_u16();
    answer.bytes().await.map(|_| status)
}
