//! `watch --json`.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

use infuse_storage::{Mode, Override, Policy};
use infuse_test_servers::RedisServer;
use serde_json::Value;

use crate::ctl::{Ctl, PROGRAM, application, eventually, told};

/// A process that writes lines of JSON.
struct Watching {
    child: Child,
    lines: Receiver<Value>,
    seen: Vec<Value>,
    /// What it does, for the message of a test that fails.
    log: Arc<Mutex<Vec<u8>>>,
}

impl Watching {
    fn start(ctl: &Ctl) -> Self {
        let mut child = ctl.command(PROGRAM, &["watch", "--json", "--verbose"]).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let (mut stderr, log) = (child.stderr.take().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let writer = Arc::clone(&log);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut part) {
                writer.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { child, lines, seen: Vec::new(), log }
    }

    /// Waits for a line of which this holds; all before it count as seen.
    async fn line(&mut self, what: &str, holds: impl Fn(&Value) -> bool) {
        eventually(what, async || {
            while let Ok(line) = self.lines.try_recv() {
                let found = holds(&line);
                self.seen.push(line);
                if found {
                    return true;
                }
            }
            false
        })
        .await;
    }

    async fn circuit(&mut self, name: &str, state: &str, mode: &str) {
        self.line(&format!("{name} {state} {mode}"), |line| {
            let circuit = &line["circuit"];
            circuit["service"] == name && circuit["state"] == state && circuit["mode"] == mode
        })
        .await;
    }

    /// Ends it as a system does; its status.
    async fn end(mut self) -> i32 {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let mut status = None;
        eventually("its end", async || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        })
        .await;
        status.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log.lock().map(|log| String::from_utf8_lossy(&log).into_owned());
            println!("{:#?}\n{}", self.seen, log.unwrap_or_default());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn each_change_is_a_line() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    let mut watching = Watching::start(&Ctl::of(&redis));
    watching.circuit("payments", "closed", "enabled").await;
    watching.circuit("users", "closed", "enabled").await;
    told(payments.open().await);
    watching.circuit("payments", "open", "enabled").await;
    let over = Override::new(Mode::Isolated).lasting(Duration::from_secs(1)).by("ada");
    told(payments.set_override(Some(over)).await);
    watching.circuit("payments", "open", "isolated").await;
    // It ends by itself, without a word of the storage.
    watching.circuit("payments", "open", "enabled").await;
    told(payments.close().await);
    watching.circuit("payments", "closed", "enabled").await;
    // Time that passes is no change.
    assert!(watching.seen.len() < 12, "{:#?}", watching.seen);
    assert_eq!(watching.end().await, 0);
}

#[tokio::test]
async fn a_storage_that_goes_and_comes_back_is_told() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis).with("INFUSE_REDIS_TIMEOUT", "200ms");
    let mut watching = Watching::start(&ctl);
    watching.circuit("payments", "closed", "enabled").await;
    redis.kill();
    watching.line("lost", |line| line["storage"] == "lost" && line["detail"].is_string()).await;
    redis.restart().await;
    watching.line("back", |line| line["storage"] == "back").await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    eventually("the storage has it", async || {
        payments.open().await == infuse_storage::Reach::Fleet
    })
    .await;
    watching.circuit("payments", "open", "enabled").await;
    assert_eq!(watching.end().await, 0);
}
