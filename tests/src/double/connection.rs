use std::{io, sync::Arc, sync::atomic::Ordering::SeqCst};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{Answer, Received, Shared, lock};

/// What becomes of the connection after an answer.
enum After {
    Keep,
    Close,
    Reset,
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const TENTH: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789";

pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Pieces shall go out as they are written.
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    // An error is a client that went away, which is its right.
    let _ = serve_requests(&mut stream, &shared).await;
}

async fn serve_requests(stream: &mut BufReader<TcpStream>, shared: &Shared) -> io::Result<()> {
    while let Some(request) = Received::read(stream, shared).await? {
        let mut answer = lock(&shared.answer).clone();
        if let Answer::By(choose) = &answer {
            answer = choose(&request);
        }
        let head_only = request.method == "HEAD";
        let echo = request.as_json();
        lock(&shared.received).push(request);
        match give(stream, shared, answer, &echo, head_only).await? {
            After::Keep => {}
            After::Close => return stream.shutdown().await,
            After::Reset => return stream.get_ref().set_zero_linger(),
        }
    }
    Ok(())
}

async fn give(
    stream: &mut BufReader<TcpStream>,
    shared: &Shared,
    answer: Answer,
    echo: &serde_json::Value,
    head_only: bool,
) -> io::Result<After> {
    match answer {
        Answer::Status(status) => {
            let text = format!("status {status}\n");
            whole(stream, status, "text/plain", text.as_bytes(), head_only).await?;
        }
        Answer::Body(content_type, body) => {
            whole(stream, 200, content_type, &body, head_only).await?;
        }
        Answer::Raw(bytes) => stream.write_all(&bytes).await?,
        Answer::Echo => {
            whole(stream, 200, "application/json", echo.to_string().as_bytes(), head_only).await?;
        }
        Answer::Truncated => {
            stream.write_all(TENTH.as_bytes()).await?;
            return Ok(After::Close);
        }
        Answer::TruncatedChunks => {
            stream.write_all(CHUNKED.as_bytes()).await?;
            stream.write_all(b"64\r\n0123456789").await?;
            return Ok(After::Close);
        }
        Answer::StalledBody => {
            stream.write_all(TENTH.as_bytes()).await?;
            gone(stream, shared).await;
            return Ok(After::Close);
        }
        Answer::Silent => {
            gone(stream, shared).await;
            return Ok(After::Close);
        }
        Answer::StalledHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await?;
            gone(stream, shared).await;
            return Ok(After::Close);
        }
        Answer::Reset => return Ok(After::Reset),
        Answer::ResetInBody => {
            stream.write_all(TENTH.as_bytes()).await?;
            // A reset overtakes what was not read yet: only when the client has the head.
            shared.pass_gate().await;
            return Ok(After::Reset);
        }
        Answer::HangUp => return Ok(After::Close),
        Answer::Garbage => {
            stream.write_all(b"\x15\x03\x01\x00\x02\x02\x50 this is not HTTP\r\n\r\n").await?;
            return Ok(After::Close);
        }
        Answer::Gated => {
            tokio::select! {
                () = shared.pass_gate() => {}
                () = gone(stream, shared) => return Ok(After::Close),
            }
            whole(stream, 200, "text/plain", b"done\n", head_only).await?;
        }
        Answer::GatedChunks(chunks) => {
            stream.write_all(CHUNKED.as_bytes()).await?;
            for chunk in 0..chunks {
                tokio::select! {
                    () = shared.pass_gate() => {}
                    () = gone(stream, shared) => return Ok(After::Close),
                }
                let chunk = format!("piece {chunk}\n");
                stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
            }
            stream.write_all(b"0\r\n\r\n").await?;
        }
        Answer::Drip(bytes, apart) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            for _ in 0..bytes {
                tokio::time::sleep(apart).await;
                stream.write_all(b".").await?;
            }
        }
        Answer::Large(bytes) => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            pour(stream, shared, bytes).await?;
        }
        Answer::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            pour(stream, shared, u64::MAX).await?;
        }
        // One that chooses one that chooses.
        Answer::By(_) => return Err(io::Error::other("no answer")),
    }
    Ok(After::Keep)
}

async fn whole(
    stream: &mut BufReader<TcpStream>,
    status: u16,
    content_type: &str,
    body: &[u8],
    head_only: bool,
) -> io::Result<()> {
    let mut answer = format!("HTTP/1.1 {status} As It Is\r\n").into_bytes();
    let bodiless = matches!(status, 204 | 304);
    if bodiless {
        answer.extend_from_slice(b"\r\n");
    } else {
        let length = body.len();
        let headers = format!("content-type: {content_type}\r\ncontent-length: {length}\r\n\r\n");
        answer.extend_from_slice(headers.as_bytes());
    }
    if !(head_only || bodiless) {
        answer.extend_from_slice(body);
    }
    stream.write_all(&answer).await
}

async fn pour(stream: &mut BufReader<TcpStream>, shared: &Shared, bytes: u64) -> io::Result<()> {
    let piece = vec![b'x'; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.write_all(&piece[..now]).await?;
        shared.sent.fetch_add(now as u64, SeqCst);
        left -= now as u64;
    }
    Ok(())
}

/// Waits until the client goes away.
async fn gone(stream: &mut BufReader<TcpStream>, shared: &Shared) {
    let mut byte = [0];
    while matches!(stream.read(&mut byte).await, Ok(1..)) {}
    shared.abandoned.fetch_add(1, SeqCst);
}

impl Shared {
    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, SeqCst);
    }

    pub(super) fn count_uploaded(&self, bytes: usize) {
        self.uploaded.fetch_add(bytes as u64, SeqCst);
    }

    async fn pass_gate(&self) {
        if let Ok(permit) = self.gate.acquire().await {
            permit.forget();
        }
    }
}
