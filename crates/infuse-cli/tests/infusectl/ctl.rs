//! The program, and an application that shares its circuits.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use infuse_storage::{Circuits, Reach, RedisConfig, RedisStorage};
use infuse_test_servers::RedisServer;
use serde_json::Value;
use tokio::{task::spawn_blocking, time::sleep};

/// How long the application waits for Redis: longer than applications do, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long anything may take.
const LONGEST: Duration = Duration::from_secs(30);

/// `infusectl` in a folder of its own, with these variables and no others in its environment.
pub(crate) struct Ctl {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ctl {
    /// Without any settings.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("infusectl-{}-{number}", process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { folder, variables: Vec::new() }.with("USER", "ada")
    }

    /// For this Redis, with the services `payments` and `users`.
    pub(crate) fn of(redis: &RedisServer) -> Self {
        Self::new()
            .with("INFUSE_REDIS_URL", &redis.url())
            .with("INFUSE_SERVICE_CONNECTIONS", "payments, users")
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(other, _)| other != name);
        self
    }

    /// Writes a file into the folder.
    pub(crate) fn file(&self, name: &str, content: &str) {
        fs::write(self.folder.join(name), content).unwrap();
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, args: &[&str]) -> Done {
        let mut command = self.command(PROGRAM, args);
        // Beside the tasks of the test, which answer for the application.
        let output = spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let done = Done {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        // Whatever it is given, it writes nothing that would control a terminal.
        let all = done.stdout.clone() + &done.stderr;
        assert!(!all.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{all:?}");
        done
    }

    /// Runs it, and it must succeed.
    pub(crate) async fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args).await;
        assert_eq!((done.code, &*done.stderr), (0, ""), "{args:?}: {}", done.stdout);
        done.stdout
    }

    /// Runs it with `--json`, and it must succeed.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &["--json"]].concat()).await).unwrap()
    }

    /// Runs it, and it must fail with this status; what it says then.
    pub(crate) async fn fails(&self, code: i32, args: &[&str]) -> String {
        let done = self.run(args).await;
        assert_eq!((done.code, &*done.stdout), (code, ""), "{args:?}: {}", done.stderr);
        done.stderr
    }
}

impl Drop for Ctl {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Where the program is.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_infusectl");

/// The circuits of an application that uses this Redis, in the environment `development`.
pub(crate) fn application(redis: &RedisServer) -> Circuits {
    let mut config = RedisConfig::new([redis.url()]);
    config.timeout = PATIENCE;
    Circuits::builder()
        .storage(Arc::new(RedisStorage::new(config).unwrap()))
        .timeout(PATIENCE)
        .namespace(|name| format!("development:{name}"))
        .start()
        .unwrap()
}

/// A command of the application reached all.
pub(crate) fn told(reach: Reach) {
    assert_eq!(reach, Reach::Fleet);
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < LONGEST, "not in time: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}
