use std::{
    fs,
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// A program that does not outlive this process, not even when this process is killed.
///
/// A shell stands in between. When the pipe that is its input closes, and the system closes it
/// with this process, it kills the program and removes the folder in which it worked.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// The shell. It ends when the program does, with its status.
    shell: Child,
    pid: u32,
}

/// The program has no hand on the pipe. Who waits at the pipe is ended before the id of the
/// program can be another's. Without a farewell, nobody is left to remove the folder.
const WATCH: &str = r#"
exec 3<&0
folder=$PWD
"$@" 3<&- </dev/null >&2 &
program=$!
echo "$program"
{ read -r _ || rm -rf "$folder"; kill -KILL "$program"; } <&3 >/dev/null 2>&1 &
watcher=$!
exec 3<&- </dev/null
wait "$program"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

/// What the shell says of a program that there is not.
const NOT_FOUND: i32 = 127;

impl Guarded {
    /// Starts it; all that it writes is added to a file.
    pub(crate) fn start(program: &str, args: &[String], folder: &Path, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("a log");
        let mut shell = Command::new("sh")
            .args(["-c", WATCH, "sh", program])
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // What ends this process by a key ends the program by the pipe.
            .process_group(0)
            .spawn()
            .expect("a shell");
        let mut pid = String::new();
        let said = shell.stdout.take().expect("its output");
        BufReader::new(said).read_line(&mut pid).expect("a line of the shell");
        let pid = pid.trim().parse().expect("the id of a process");
        Self { shell, pid }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().expect("to ask for its end")
    }

    /// Whether this is the end of a program that could not be found.
    pub(crate) fn was_missing(status: ExitStatus) -> bool {
        status.code() == Some(NOT_FOUND)
    }

    /// Sends it a signal by its name.
    pub(crate) fn signal(&mut self, name: &str) {
        if self.ended().is_none() {
            let pid = self.pid.to_string();
            let sent = Command::new("kill").args(["-s", name, &pid]).status();
            assert!(sent.expect("kill").success(), "SIG{name} could not be sent");
        }
    }

    /// Returns when it stands still. Where this cannot be seen, that is hoped.
    pub(crate) fn until_stopped(&self) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) {
            let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else { return };
            // The name before the state may hold anything.
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next());
            if state == Some('T') {
                return;
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Kills it and returns when it is gone. Its folder stays.
    pub(crate) fn kill(mut self) {
        if let Some(pipe) = &mut self.shell.stdin {
            // Unless it has ended of itself.
            let _ = pipe.write_all(b"keep\n");
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It takes a millisecond; the port is free afterwards.
        let _ = self.shell.wait();
    }
}
