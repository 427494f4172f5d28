use std::io;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::TcpStream,
};

use super::Shared;

/// A request, as it came over the wire.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The target, as it stands in the first line.
    pub target: String,
    /// The headers, their names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, without what frames it.
    pub body: Vec<u8>,
}

impl Received {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn as_json(&self) -> serde_json::Value {
        serde_json::json!({
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body": self.text(),
        })
    }

    /// Reads the next request; `None` when there is none.
    pub(super) async fn read(
        from: &mut BufReader<TcpStream>,
        shared: &Shared,
    ) -> io::Result<Option<Self>> {
        let Some(first) = line(from).await? else { return Ok(None) };
        let mut parts = first.split(' ').map(str::to_owned);
        let (Some(method), Some(target)) = (parts.next(), parts.next()) else {
            return Err(io::Error::other("no request"));
        };
        let mut headers = Vec::new();
        loop {
            let line = line(from).await?.ok_or_else(|| io::Error::other("half a head"))?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        shared.count_request();
        let mut request = Self { method, target, headers, body: Vec::new() };
        request.body = request.read_body(from, shared).await?;
        Ok(Some(request))
    }

    async fn read_body(
        &self,
        from: &mut BufReader<TcpStream>,
        shared: &Shared,
    ) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            loop {
                let size = line(from).await?.unwrap_or_default();
                let size = usize::from_str_radix(&size, 16).map_err(io::Error::other)?;
                take(from, shared, size, &mut body).await?;
                line(from).await?;
                if size == 0 {
                    return Ok(body);
                }
            }
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        take(from, shared, length.unwrap_or(0), &mut body).await?;
        Ok(body)
    }
}

async fn line(from: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&line);
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn take(
    from: &mut BufReader<TcpStream>,
    shared: &Shared,
    mut bytes: usize,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    while bytes > 0 {
        let mut piece = vec![0; bytes.min(64 * 1024)];
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        body.extend_from_slice(&piece[..read]);
        shared.count_uploaded(read);
        bytes -= read;
    }
    Ok(())
}
