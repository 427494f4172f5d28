//! What is on a terminal: `script` of util-linux makes one.

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use infuse_storage::Policy;
use infuse_test_servers::RedisServer;

use crate::ctl::{Ctl, PROGRAM, application, eventually, told};

const ENTER: &str = "\u{1b}[?1049h";
const LEAVE: &str = "\u{1b}[?1049l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";

/// A shell on a terminal of its own that runs `infusectl`, and says afterwards what it ended with and
/// how the terminal is set.
struct Terminal {
    child: Child,
    stdin: ChildStdin,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn run(ctl: &Ctl, args: &str) -> Self {
        let run = format!("echo pid=$$; exec {PROGRAM} {args}");
        let shell = format!("stty rows 40 cols 120; sh -c '{run}'; echo ended-with=$?; stty -a");
        let mut command = ctl.command("script", &["-qfec", &shell, "/dev/null"]);
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("SHELL", "/bin/sh");
        command.env("TERM", "xterm-256color");
        let mut child = command.stdin(Stdio::piped()).spawn().expect("script, of util-linux");
        let (mut stdout, shown) = (child.stdout.take().unwrap(), Arc::<Mutex<Vec<u8>>>::default());
        let reader = Arc::clone(&shown);
        thread::spawn(move || {
            let mut part = [0; 4096];
            while let Ok(read @ 1..) = stdout.read(&mut part) {
                reader.lock().unwrap().extend_from_slice(&part[..read]);
            }
        });
        Self { stdin: child.stdin.take().unwrap(), child, shown }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    async fn shows(&self, text: &str) {
        eventually(&format!("it shows {text:?}"), async || self.shown().contains(text)).await;
    }

    /// The id of the program.
    fn pid(&self) -> String {
        let shown = self.shown();
        let (_, pid) = shown.split_once("pid=").unwrap();
        pid.chars().take_while(char::is_ascii_digit).collect()
    }

    fn press(&mut self, keys: &[u8]) {
        self.stdin.write_all(keys).unwrap();
        self.stdin.flush().unwrap();
    }

    /// Waits until it has ended, and the terminal is as it was; its status.
    async fn ended(&self) -> String {
        eventually("its end", async || {
            let shown = self.shown();
            shown.contains("ended-with=") && shown.contains("iexten")
        })
        .await;
        let shown = self.shown();
        let (before, after) = shown.split_once("ended-with=").unwrap();
        let settings: Vec<_> = after.split_whitespace().collect();
        for on in ["icanon", "isig", "echo", "opost"] {
            assert!(settings.contains(&on), "not {on}: {after}");
        }
        if before.contains(ENTER) {
            assert!(before.rfind(LEAVE) > before.rfind(ENTER), "{before:?}");
            assert!(before.rfind(SHOW_CURSOR) > before.rfind("\u{1b}[?25l"), "{before:?}");
        }
        after.lines().next().unwrap().trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn the_screen_shows_what_is_pushed_and_is_left_by_keys() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    for keys in [&b"q"[..], b"\x03", b"\x1b"] {
        let payments = circuits.circuit("payments", Policy::default());
        told(payments.close().await);
        let ctl = Ctl::of(&redis);
        let mut terminal = Terminal::run(&ctl, "watch");
        terminal.shows(ENTER).await;
        terminal.shows("payments").await;
        told(payments.open().await);
        terminal.shows("payments closed → open").await;
        // Keys that mean something else leave it where it is.
        terminal.press(b"jk\x1b[B");
        told(payments.close().await);
        terminal.shows("payments open → closed").await;
        terminal.press(keys);
        assert_eq!(terminal.ended().await, "0", "{keys:?}");
    }
}

#[tokio::test]
async fn the_screen_says_that_the_storage_is_away_and_is_right_again() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis).with("INFUSE_REDIS_TIMEOUT", "200ms");
    let mut terminal = Terminal::run(&ctl, "watch");
    terminal.shows("payments").await;
    redis.kill();
    terminal.shows("Redis cannot be reached").await;
    redis.restart().await;
    let circuits = application(&redis);
    let payments = circuits.circuit("payments", Policy::default());
    eventually("the storage has it", async || {
        payments.open().await == infuse_storage::Reach::Fleet
    })
    .await;
    terminal.shows("payments closed → open").await;
    terminal.press(b"q");
    assert_eq!(terminal.ended().await, "0");
}

/// Whoever ends it from outside finds the terminal in order too.
#[tokio::test]
async fn signals_put_the_terminal_in_order() {
    let redis = RedisServer::start().await;
    let ctl = Ctl::of(&redis);
    for signal in ["INT", "TERM", "HUP"] {
        let terminal = Terminal::run(&ctl, "watch");
        terminal.shows(ENTER).await;
        // After the screen is taken it listens already.
        let pid = terminal.pid();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.unwrap().success());
        assert_eq!(terminal.ended().await, "0", "{signal}");
    }
}

#[tokio::test]
async fn a_storage_that_is_not_there_leaves_the_terminal_alone() {
    let redis = RedisServer::start().await;
    redis.kill();
    let ctl = Ctl::of(&redis);
    let terminal = Terminal::run(&ctl, "watch");
    assert_eq!(terminal.ended().await, "1");
    assert!(!terminal.shown().contains(ENTER));
}

#[tokio::test]
async fn there_are_colours_on_a_terminal_unless_nobody_wants_them() {
    let redis = RedisServer::start().await;
    let circuits = application(&redis);
    told(circuits.circuit("payments", Policy::default()).open().await);
    const RED: &str = "\u{1b}[1;31mopen\u{1b}[0m";
    for (ctl, coloured) in [(Ctl::of(&redis), true), (Ctl::of(&redis).with("NO_COLOR", "1"), false)]
    {
        let terminal = Terminal::run(&ctl, "list");
        terminal.ended().await;
        assert_eq!(terminal.shown().contains(RED), coloured, "{:?}", terminal.shown());
        assert_eq!(terminal.shown().contains("\u{1b}["), coloured, "{:?}", terminal.shown());
    }
    // Nor where it is no terminal, which is seen to whenever it is run.
    Ctl::of(&redis).ok(&["list"]).await;
}
