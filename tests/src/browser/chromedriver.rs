use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// How long it and its browsers have to end when they are told to.
const END: Duration = Duration::from_secs(10);
/// How often it is started until it is.
const STARTS: usize = 10;

/// chromedriver on a free port. It ends when this is dropped, and its browsers with it.
#[derive(Debug)]
pub(super) struct Chromedriver {
    child: Child,
    addr: SocketAddr,
}

impl Chromedriver {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If there is none on this machine, or it does not start.
    pub(super) fn start() -> Self {
        let mut said = Vec::new();
        for _ in 0..STARTS {
            match Self::start_once() {
                Ok(started) => return started,
                Err(lines) => said.extend(lines),
            }
        }
        panic!("chromedriver did not start:\n{}", said.join("\n"));
    }

    /// Starts it, unless it ends at once: then what it said. It listens on one port by IPv4 and
    /// IPv6, and the one that it finds by the one may be taken by the other.
    fn start_once() -> Result<Self, Vec<String>> {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver, which scripts/test installs, in the PATH");
        let stdout = child.stdout.take().expect("its output");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if let Some(port) = port(&line) {
                // It is not to wait for somebody who reads.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(Self { child, addr: SocketAddr::from(([127, 0, 0, 1], port)) });
            }
            said.push(line);
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(said)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Asks it to end all browsers, and itself.
    fn ask_to_end(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.addr, END)?;
        stream.set_read_timeout(Some(END))?;
        let host = self.addr;
        write!(stream, "GET /shutdown HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")?;
        stream.read_to_end(&mut Vec::new()).map(|_| ())
    }
}

fn port(line: &str) -> Option<u16> {
    let rest = line.split("started successfully on port ").nth(1)?;
    rest.trim_end_matches('.').trim().parse().ok()
}

impl Drop for Chromedriver {
    /// Blocks, so that nothing is left of it when the test is over, however that ends.
    fn drop(&mut self) {
        let began = Instant::now();
        if self.ask_to_end().is_ok() {
            while began.elapsed() < END {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
