use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{RedisServerBuilder, folder::Folder, guarded::Guarded, patience::LONGEST, port};

/// A `redis-server` of one's own, on the loopback, without persistence.
///
/// It is killed when this is dropped, and also when this process ends in any other way.
#[derive(Debug)]
pub struct RedisServer {
    pub(crate) built: RedisServerBuilder,
    port: u16,
    /// The one of a server that speaks TLS: beside it, for what is asked of it here.
    pub(crate) plain_port: u16,
    process: Mutex<Option<Guarded>>,
    stopped: Mutex<bool>,
    folder: Folder,
}

/// What `sh` calls the server, and the system's packages too.
const PROGRAM: &str = "redis-server";

/// A part of a URL: all that could mean something there in percent-encoding.
fn encode(part: &str) -> String {
    let encoded = part.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RedisServer {
    /// Starts one on a free port, and returns when it answers.
    ///
    /// # Panics
    ///
    /// As [`RedisServerBuilder::start`].
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// One that is to be more than the plain one.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    pub(crate) async fn start_as(built: RedisServerBuilder, folder: Folder) -> Self {
        let mut server = Self {
            built,
            port: 0,
            plain_port: 0,
            process: Mutex::default(),
            stopped: Mutex::default(),
            folder,
        };
        let began = Instant::now();
        loop {
            server.port = server.built.port.unwrap_or_else(port::free);
            server.plain_port = match server.built.tls {
                Some(_) => port::free(),
                None => server.port,
            };
            match server.run(PROGRAM).await {
                Ok(()) => return server,
                // Somebody was faster. Nobody is for long.
                Err(why) if why.contains("Address already in use") && began.elapsed() < LONGEST => {
                    let _ = fs::remove_file(server.log_file());
                    sleep(Duration::from_millis(20)).await;
                }
                Err(why) => panic!("{why}"),
            }
        }
    }

    /// Starts the process, and returns when it answers. An error if it ends before it does.
    async fn run(&self, program: &str) -> Result<(), String> {
        let folder = self.folder.path();
        let process = Guarded::start(program, &self.args(), folder, &self.log_file());
        let pid = process.pid();
        *lock(&self.stopped) = false;
        *lock(&self.process) = Some(process);
        let began = Instant::now();
        loop {
            // Another server may have its port: it is this one that must answer.
            let answered = self.info("server").await;
            if let Ok(info) = &answered
                && info.get("process_id") == Some(&pid.to_string())
            {
                return Ok(());
            }
            let ended = lock(&self.process).as_mut().and_then(Guarded::ended);
            if ended.is_some_and(Guarded::was_missing) {
                return Err(format!(
                    "there is no {program} on this machine: install redis-server, or run \
                     scripts/test, which does"
                ));
            }
            if let Some(status) = ended {
                return Err(format!("{program} ended ({status}):\n{}", self.log()));
            }
            if began.elapsed() > LONGEST {
                return Err(format!("{program} says {answered:?}:\n{}", self.log()));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn args(&self) -> Vec<String> {
        if let Some(watched) = &self.built.sentinel {
            return self.sentinel_args(watched);
        }
        let mut args = Vec::new();
        let mut set = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
        set("--bind", "127.0.0.1");
        set("--port", &self.plain_port.to_string());
        set("--save", "");
        set("--appendonly", "no");
        set("--daemonize", "no");
        // Replicas wait for nothing.
        set("--repl-diskless-sync", "yes");
        set("--repl-diskless-sync-delay", "0");
        if let Some(password) = &self.built.password {
            set("--requirepass", password);
        }
        if let Some((certificate, key)) = &self.built.tls {
            let file = |name, text| self.folder.write(name, text).display().to_string();
            set("--tls-port", &self.port.to_string());
            set("--tls-cert-file", &file("certificate.pem", certificate));
            set("--tls-key-file", &file("key.pem", key));
            set("--tls-auth-clients", "no");
        }
        args.extend(self.built.args.iter().cloned());
        args
    }

    /// A sentinel writes what it learns into its file, and wants it so.
    fn sentinel_args(&self, watched: &str) -> Vec<String> {
        let file = self.folder.path().join("sentinel.conf");
        if !file.exists() {
            let own = format!("bind 127.0.0.1\nport {}\n", self.port);
            self.folder.write("sentinel.conf", &(own + watched));
        }
        vec![file.display().to_string(), "--sentinel".to_owned()]
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// All that it has written, for the message of a test that fails.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address as a URL, with the password if it has one.
    pub fn url(&self) -> String {
        let scheme = if self.built.tls.is_some() { "rediss" } else { "redis" };
        let user = self.built.password.as_ref().map(|password| format!(":{}@", encode(password)));
        format!("{scheme}://{}127.0.0.1:{}", user.unwrap_or_default(), self.port)
    }

    /// The URL of one of its databases.
    pub fn url_db(&self, database: u32) -> String {
        format!("{}/{database}", self.url())
    }

    /// Lets it stand still (SIGSTOP): it keeps its connections, accepts more, and answers none.
    pub fn stop_signal(&self) {
        if let Some(process) = lock(&self.process).as_mut() {
            process.signal("STOP");
            process.until_stopped();
            *lock(&self.stopped) = true;
        }
    }

    /// Lets it go on (SIGCONT).
    pub fn cont_signal(&self) {
        if let Some(process) = lock(&self.process).as_mut() {
            process.signal("CONT");
            *lock(&self.stopped) = false;
        }
    }

    /// Kills it (SIGKILL), and returns when its port refuses connections.
    pub fn kill(&self) {
        if let Some(process) = lock(&self.process).take() {
            process.kill();
        }
    }

    /// Asks it to end (SIGTERM), and waits until it has.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub async fn shutdown(&self) {
        self.cont_signal();
        if let Some(process) = lock(&self.process).as_mut() {
            process.signal("TERM");
        }
        let began = Instant::now();
        while self.runs() {
            assert!(began.elapsed() < LONGEST, "it does not end:\n{}", self.log());
            sleep(Duration::from_millis(5)).await;
        }
        self.kill();
    }

    /// Starts it anew on the same port and empty; killed before, if it runs.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn restart(&self) {
        self.kill();
        let began = Instant::now();
        while let Err(why) = self.run(PROGRAM).await {
            let taken = why.contains("Address already in use");
            assert!(taken && began.elapsed() < LONGEST, "{why}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether its process runs, be it that it [stands still](Self::stop_signal).
    pub fn runs(&self) -> bool {
        lock(&self.process).as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Whether it runs and answers.
    pub(crate) fn answers(&self) -> bool {
        self.runs() && !*lock(&self.stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_says_what_to_install() {
        let server = RedisServer {
            built: RedisServer::builder(),
            port: port::free(),
            plain_port: port::free(),
            process: Mutex::default(),
            stopped: Mutex::default(),
            folder: Folder::new(),
        };
        let why = server.run("redis-server-that-is-not").await.unwrap_err();
        assert!(why.contains("install redis-server, or run scripts/test"), "{why}");
    }
}
