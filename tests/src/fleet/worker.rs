use std::{
    collections::HashMap,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::eventually;

/// How long anything may take that a worker is asked for, loads included.
const LONGEST: Duration = Duration::from_secs(120);

/// One process of a fleet. It is killed when this is dropped.
#[derive(Debug)]
pub struct Worker {
    child: Mutex<Child>,
    commands: mpsc::UnboundedSender<String>,
    heard: Arc<Heard>,
    numbers: AtomicU64,
}

/// What it has said.
#[derive(Debug, Default)]
struct Heard {
    /// `None` when it has ended.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>,
    changes: Mutex<Vec<Value>>,
    log: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Worker {
    /// Starts one with these arguments, and returns when it has started.
    ///
    /// # Panics
    ///
    /// If it does not start: what it says is in the message.
    pub async fn start(program: &str, args: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a worker");
        let waiting = Mutex::new(Some(HashMap::new()));
        let heard = Arc::new(Heard { waiting, ..Heard::default() });
        let (ready, is_ready) = oneshot::channel();
        let stdout = BufReader::new(child.stdout.take().expect("its output")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("its errors")).lines();
        let logged = tokio::spawn(keep_log(stderr, Arc::clone(&heard)));
        tokio::spawn(listen(stdout, Arc::clone(&heard), ready));
        let (commands, mut lines) = mpsc::unbounded_channel::<String>();
        let mut stdin = child.stdin.take().expect("its input");
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                // One that has ended answers nothing, and that is noticed.
                let _ = stdin.write_all(line.as_bytes()).await;
            }
        });
        let child = Mutex::new(child);
        let worker = Self { child, commands, heard, numbers: AtomicU64::new(1) };
        if !matches!(timeout(LONGEST, is_ready).await, Ok(Ok(()))) {
            let _ = logged.await;
            panic!("a worker does not start: {:#?}", worker.log());
        }
        worker
    }

    /// Says something to it, at once, and waits for the answer when that is awaited.
    ///
    /// # Panics
    ///
    /// If it ends without an answer, or says that it cannot.
    pub fn ask(&self, mut command: Value) -> impl Future<Output = Value> + use<> {
        let id = self.numbers.fetch_add(1, SeqCst);
        command["id"] = id.into();
        let (reply, answer) = oneshot::channel();
        if let Some(waiting) = &mut *lock(&self.heard.waiting) {
            waiting.insert(id, reply);
        }
        let _ = self.commands.send(format!("{command}\n"));
        let heard = Arc::clone(&self.heard);
        async move {
            match timeout(LONGEST, answer).await {
                Ok(Ok(answer)) if answer["error"].is_null() => answer,
                other => panic!("{command}: {other:?}; it logged {:#?}", lock(&heard.log)),
            }
        }
    }

    /// [`ask`](Self::ask) for what needs no more than a word.
    pub fn say(&self, word: &str) -> impl Future<Output = Value> + use<> {
        self.ask(json!({ "do": word }))
    }

    /// How a call went that is asked for by a word.
    ///
    /// # Panics
    ///
    /// If it is asked for something else.
    pub async fn went(&self, word: &str) -> String {
        let answer = self.say(word).await;
        answer["went"].as_str().expect("a call").to_owned()
    }

    /// What its circuit is like.
    pub async fn circuit(&self) -> Value {
        self.say("state").await["state"].take()
    }

    /// The state of its circuit.
    pub async fn state(&self) -> String {
        self.circuit().await["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until its circuit is in this state.
    pub async fn until(&self, state: &str) {
        eventually(&format!("a worker is {state}"), async || self.state().await == state).await;
    }

    /// Waits until its circuit is shared, or not.
    pub async fn until_shared(&self, shared: bool) {
        let what = format!("shared is {shared}");
        eventually(&what, async || self.circuit().await["shared"] == shared).await;
    }

    /// The changes of its circuits so far: `is`, `was`, `remote`, and `at`, the microsecond.
    pub fn changes(&self) -> Vec<Value> {
        lock(&self.heard.changes).clone()
    }

    /// Waits for a change that is not among the first `seen`, into this state, and returns it.
    pub async fn change(&self, seen: usize, to: &str) -> Value {
        let mut change = Value::Null;
        eventually(&format!("a circuit becomes {to}"), async || {
            let changes = lock(&self.heard.changes);
            let found = changes.iter().skip(seen).find(|change| change["is"] == to);
            found.inspect(|found| change = (*found).clone()).is_some()
        })
        .await;
        change
    }

    /// What it has logged.
    pub fn log(&self) -> Vec<String> {
        lock(&self.heard.log).clone()
    }

    /// What it has logged that holds this text.
    pub fn logged(&self, text: &str) -> Vec<String> {
        let mut log = self.log();
        log.retain(|line| line.contains(text));
        log
    }

    /// Its process.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn pid(&self) -> u32 {
        lock(&self.child).id().expect("a worker that runs")
    }

    /// Kills it (SIGKILL), in the midst of whatever it does.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(&self) {
        lock(&self.child).start_kill().expect("to kill a worker");
    }

    /// Lets it end in order.
    pub async fn quit(self) {
        let _ = self.commands.send(format!("{}\n", json!({ "do": "quit" })));
        eventually("the worker ends", async || matches!(lock(&self.child).try_wait(), Ok(Some(_))))
            .await;
    }
}

async fn listen(
    mut lines: Lines<BufReader<ChildStdout>>,
    heard: Arc<Heard>,
    ready: oneshot::Sender<()>,
) {
    let mut ready = Some(ready);
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(said) = serde_json::from_str::<Value>(&line) else { continue };
        if let Some(id) = said["id"].as_u64() {
            let reply = lock(&heard.waiting).as_mut().and_then(|waiting| waiting.remove(&id));
            let _ = reply.map(|reply| reply.send(said));
        } else if said["ready"] == true {
            let _ = ready.take().map(|ready| ready.send(()));
        } else {
            lock(&heard.changes).push(said);
        }
    }
    // Nobody answers any more.
    lock(&heard.waiting).take();
}

async fn keep_log(mut lines: Lines<BufReader<ChildStderr>>, heard: Arc<Heard>) {
    while let Ok(Some(line)) = lines.next_line().await {
        lock(&heard.log).push(line);
    }
}
