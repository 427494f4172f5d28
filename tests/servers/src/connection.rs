use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use crate::Reply;

/// How long a server may take to answer before it counts as one that does not.
const LONGEST: Duration = Duration::from_secs(5);

/// A connection to a server, which knows nothing of Infuse.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) async fn open(port: u16, password: Option<&str>) -> Result<Self, String> {
        let stream = in_time(TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut connection = Self(BufReader::new(stream));
        if let Some(password) = password {
            connection.command(&["AUTH", password]).await?;
        }
        Ok(connection)
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    ///
    /// What the server says is wrong with the command, or what is wrong with the connection: it
    /// is closed, or there was no answer within 5 s.
    pub async fn command<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Result<Reply, String> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words.iter().map(AsRef::as_ref) {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        in_time(self.0.get_mut().write_all(&bytes)).await?;
        self.next().await
    }

    /// Waits for the next reply without asking for it: a message, after `SUBSCRIBE`.
    ///
    /// # Errors
    ///
    /// As those of [`command`](Self::command).
    pub async fn next(&mut self) -> Result<Reply, String> {
        match in_time(Reply::read(&mut self.0)).await? {
            Reply::Error(error) => Err(error),
            reply => Ok(reply),
        }
    }

    /// Waits for the next line, for as long as there is a connection.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.ok()?;
        String::from_utf8_lossy(&line).strip_suffix("\r\n").map(str::to_owned)
    }
}

async fn in_time<T>(of: impl Future<Output = std::io::Result<T>>) -> Result<T, String> {
    match timeout(LONGEST, of).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {LONGEST:?}")),
    }
}
