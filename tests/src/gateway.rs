use std::net::SocketAddr;

use infuse_axum::reqwest;
use serde_json::Value;

use crate::{Process, Scratch, app, eventually};

/// The gateway, as a process of its own on a free port. It is killed when this is dropped.
#[derive(Debug)]
pub struct Gateway {
    /// The process.
    pub process: Process,
    /// Its user.
    pub client: reqwest::Client,
    addr: SocketAddr,
    folder: Scratch,
}

impl Gateway {
    /// Starts it with these variables.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_in(Scratch::new(), variables).await
    }

    /// Starts it in a folder.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start_in(folder: Scratch, variables: &[(&str, &str)]) -> Self {
        let mut all = vec![("BIND", "127.0.0.1:0")];
        all.extend_from_slice(variables);
        let mut process = Process::start("gateway", &[], folder.path(), &all);
        let line = process.line("listening on http://").await;
        let addr = line.split("http://").nth(1).and_then(|addr| addr.trim().parse().ok());
        let addr = addr.expect("an address");
        Self { process, client: app::client(), addr, folder }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Where it was started.
    pub fn folder(&self) -> &Scratch {
        &self.folder
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Gets a path of it.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub async fn get(&self, path: &str) -> reqwest::Response {
        self.client.get(self.url(path)).send().await.expect("an answer of the gateway")
    }

    /// Its circuits, as it shows them.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn circuits(&self) -> Vec<Value> {
        let answer = self.get("/circuits").await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.json().await.expect("JSON")
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// If there is none of this name.
    pub async fn circuit(&self, service: &str) -> Value {
        let circuits = self.circuits().await;
        let found = circuits.into_iter().find(|circuit| circuit["service"] == service);
        found.expect("a circuit of this name")
    }

    /// Waits until a circuit shows this.
    pub async fn until(&self, service: &str, shows: impl Fn(&Value) -> bool) {
        eventually("the circuit shows it", async || shows(&self.circuit(service).await)).await;
    }
}
