use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::Authority;

/// A service that speaks HTTP/2 over TLS and refuses every request in the way that says that it
/// was not looked at, which invites clients to send it again. It stops when it is dropped.
#[derive(Debug)]
pub struct RefusingService {
    addr: SocketAddr,
    refused: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl RefusingService {
    /// Starts one with a certificate of this authority.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(authority: &Authority) -> Self {
        let acceptor = authority.acceptor(&["h2"]);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let refused = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refused);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                connections.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        // An error is a client that went away.
                        let _ = refuse(stream, &count).await;
                    }
                });
            }
        });
        Self { addr, refused, task }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Requests so far.
    pub fn refused(&self) -> usize {
        self.refused.load(SeqCst)
    }
}

impl Drop for RefusingService {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

async fn refuse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    count: &AtomicUsize,
) -> io::Result<()> {
    stream.read_exact(&mut [0; PREFACE]).await?;
    write_frame(&mut stream, SETTINGS, 0, [0; 4], &[]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, flags, id @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await?;
        match kind {
            SETTINGS if flags & ACK == 0 => {
                write_frame(&mut stream, SETTINGS, ACK, [0; 4], &[]).await?;
            }
            HEADERS => {
                count.fetch_add(1, SeqCst);
                write_frame(&mut stream, RST_STREAM, 0, id, &REFUSED_STREAM).await?;
            }
            _ => {}
        }
    }
}

async fn write_frame(
    stream: &mut (impl AsyncWrite + Unpin),
    kind: u8,
    flags: u8,
    id: [u8; 4],
    payload: &[u8],
) -> io::Result<()> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend_from_slice(&id);
    frame.extend_from_slice(payload);
    stream.write_all(&frame).await?;
    stream.flush().await
}
