use std::{
    env,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::eventually;

/// A program that runs as a process of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdout: Lines,
    stderr: Lines,
    readers: Option<[JoinHandle<()>; 2]>,
}

type Lines = Arc<Mutex<Vec<String>>>;

/// The path of one of the examples or of `infusectl`, which is built first.
///
/// # Panics
///
/// If it cannot be built.
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    let found = built.iter().find(|(other, _)| other == name);
    found.map(|(_, path)| path.clone()).expect("one of the examples")
}

/// Builds the examples. Cargo itself says where they are.
fn build() -> Vec<(String, PathBuf)> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = std::process::Command::new(cargo);
    build
        .args([
            "build",
            "--locked",
            "--message-format=json-render-diagnostics",
            "-p",
            "gateway",
            "-p",
            "quickstart",
            "-p",
            "infuse-cli",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit());
    // What cargo tells a test about its package would have build scripts run anew that look at it.
    for (name, _) in env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if name.to_str().is_some_and(|name| told.iter().any(|begin| name.starts_with(begin))) {
            build.env_remove(name);
        }
    }
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    let output = build.output().expect("cargo");
    assert!(output.status.success(), "the examples do not build");
    let messages = String::from_utf8_lossy(&output.stdout);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect()
}

impl Process {
    /// Starts a program in a folder, with these variables and no others in its environment.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn start(name: &str, args: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(program(name))
            .args(args)
            .env_clear()
            .envs(variables.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let (stdout, stderr) = (Lines::default(), Lines::default());
        let readers = [
            collect(child.stdout.take().expect("its output"), &stdout),
            collect(child.stderr.take().expect("its errors"), &stderr),
        ];
        Self { child, stdout, stderr, readers: Some(readers) }
    }

    /// The lines of its output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines of its errors so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line, in its output or its errors, that holds this text, and returns it.
    ///
    /// # Panics
    ///
    /// If it ends without one.
    pub async fn line(&mut self, holding: &str) -> String {
        let mut found = None;
        eventually(&format!("a line holds {holding:?}"), async || {
            let ended = self.child.try_wait().ok().flatten();
            let lines = [self.stdout(), self.stderr()].concat();
            found = lines.iter().find(|line| line.contains(holding)).cloned();
            assert!(found.is_some() || ended.is_none(), "it ended: {lines:#?}");
            found.is_some()
        })
        .await;
        found.unwrap_or_default()
    }

    /// Asks it to end, as a system that stops a service does.
    ///
    /// # Panics
    ///
    /// If it cannot be asked.
    pub async fn terminate(&self) {
        let id = self.child.id().expect("a process that runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.expect("kill").success());
    }

    /// Waits for its end, and for all that it has written.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub async fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the process ends", async || {
            status = self.child.try_wait().expect("to be asked");
            status.is_some()
        })
        .await;
        for reader in self.readers.take().into_iter().flatten() {
            // It ends with the pipe.
            let _ = reader.await;
        }
        status.expect("its end")
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The most memory that it has had so far, in KiB.
    ///
    /// # Panics
    ///
    /// Where there is no `/proc`.
    pub fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// The memory that it has at the moment, in KiB.
    ///
    /// # Panics
    ///
    /// Where there is no `/proc`.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    fn status(&self, field: &str) -> u64 {
        let id = self.child.id().expect("a process that runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("/proc");
        let value = status.lines().find_map(|line| line.strip_prefix(field));
        let value = value.and_then(|value| value.trim().strip_suffix("kB")?.trim().parse().ok());
        value.expect("its memory")
    }
}

fn collect(from: impl AsyncRead + Unpin + Send + 'static, lines: &Lines) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    tokio::spawn(async move {
        let mut from = BufReader::new(from).lines();
        while let Ok(Some(line)) = from.next_line().await {
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}
