//! Requests as bytes, because clients put paths in order before they send them.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// An answer, taken apart no further than to its parts.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status.
    pub status: u16,
    /// The head, in lower case.
    pub head: String,
    /// What came after the head.
    pub body: String,
}

/// Sends bytes and reads what comes until the connection ends.
///
/// # Panics
///
/// If there is no connection, or no answer of HTTP.
pub async fn exchange(addr: SocketAddr, request: impl AsRef<[u8]>) -> RawAnswer {
    let mut stream = TcpStream::connect(addr).await.expect("a connection");
    stream.write_all(request.as_ref()).await.expect("to send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    RawAnswer {
        status: status.expect("a status"),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

/// Gets a target as it stands.
///
/// # Panics
///
/// As [`exchange`].
pub async fn get_raw(addr: SocketAddr, target: &[u8]) -> RawAnswer {
    let mut request = b"GET ".to_vec();
    request.extend_from_slice(target);
    request.extend_from_slice(b" HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
    exchange(addr, request).await
}
