//! As much of HTTP/1.1 as a test needs, by hand: no server breaks connections as it is told.

use std::io;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::sleep,
};

use super::{
    TestService,
    answer::{End, Reply, What},
};

type Stream = BufReader<TcpStream>;

pub(super) async fn serve(stream: TcpStream, service: TestService) {
    // Pieces shall go out as they are written.
    let _ = stream.set_nodelay(true);
    // An error is a client that went away, or does not speak HTTP: the connection ends.
    let _ = serve_requests(&mut BufReader::new(stream), &service).await;
}

async fn serve_requests(stream: &mut Stream, service: &TestService) -> io::Result<()> {
    while let Some(parts) = read_head(stream).await? {
        let (answer, taken) = service.take(&parts);
        if !matches!(answer.what, What::Refuse | What::Reset) {
            service.take_body(&taken, read_body(stream, &parts.headers).await?);
        }
        if !answer.delay.is_zero() {
            sleep(answer.delay).await;
        }
        match answer.what {
            What::Reply(reply) => write(stream, &reply, parts.method == "HEAD").await?,
            What::Stall => return gone(stream).await,
            What::Refuse | What::Reset => return stream.get_ref().set_zero_linger(),
        }
    }
    Ok(())
}

async fn write(stream: &mut Stream, reply: &Reply, head_only: bool) -> io::Result<()> {
    let Reply { status, headers, body, end } = reply;
    let reason = status.canonical_reason().unwrap_or("As It Is");
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let bodiless = status.is_informational() || matches!(status.as_u16(), 204 | 304);
    if !bodiless {
        out.extend_from_slice(format!("content-length: {}\r\n", reply.announced()).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    if bodiless || head_only {
        return stream.write_all(&out).await;
    }
    out.extend_from_slice(body);
    stream.write_all(&out).await?;
    match end {
        End::Whole => Ok(()),
        End::Stalled => gone(stream).await,
        End::Truncated => stream.shutdown().await,
        End::Reset => {
            // It would overtake what the client has not read yet.
            sleep(SOON).await;
            stream.get_ref().set_zero_linger()?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
}

/// How long a client has to take in what comes before a reset.
const SOON: std::time::Duration = std::time::Duration::from_millis(20);

/// Waits until the client goes away.
async fn gone(stream: &mut Stream) -> io::Result<()> {
    let mut byte = [0];
    while stream.read(&mut byte).await? > 0 {}
    Err(io::ErrorKind::ConnectionAborted.into())
}

async fn read_head(stream: &mut Stream) -> io::Result<Option<request::Parts>> {
    let Some(first) = line(stream).await? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let mut request = Request::builder().method(method).uri(target);
    loop {
        let line = line(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        let name = HeaderName::try_from(name).map_err(io::Error::other)?;
        let value = HeaderValue::try_from(value.trim()).map_err(io::Error::other)?;
        request = request.header(name, value);
    }
    let (parts, ()) = request.body(()).map_err(io::Error::other)?.into_parts();
    Ok(Some(parts))
}

async fn read_body(stream: &mut Stream, headers: &HeaderMap) -> io::Result<Bytes> {
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let mut body = Vec::new();
    if header(TRANSFER_ENCODING).is_some_and(|coding| coding.contains("chunked")) {
        loop {
            let size = line(stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            take(stream, size, &mut body).await?;
            line(stream).await?;
            if size == 0 {
                return Ok(body.into());
            }
        }
    }
    let length = header(CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or(0);
    take(stream, length, &mut body).await?;
    Ok(body.into())
}

async fn take(stream: &mut Stream, bytes: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = stream.take(bytes).read_to_end(body).await?;
    if (read as u64) < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

/// The next line, without its end; `None` if there is none.
async fn line(stream: &mut Stream) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if stream.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line);
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}
