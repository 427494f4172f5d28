use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// What a server answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: there is no such key, say.
    Nil,
    /// A number.
    Int(i64),
    /// A value. What is not UTF-8 in it is replaced.
    Text(String),
    /// Several.
    List(Vec<Reply>),
    /// A short word: `OK`, say.
    Status(String),
    /// An error. Only in a list: a command that fails as a whole is an `Err`.
    Error(String),
}

impl Reply {
    /// The value or the short word.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Status(text) => Some(text),
            _ => None,
        }
    }

    /// The number, also one that is written as a value.
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            _ => self.text()?.parse().ok(),
        }
    }

    /// The parts of a list; none of anything else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(parts) => parts,
            _ => &[],
        }
    }

    /// The values of a list.
    pub fn texts(&self) -> Vec<String> {
        self.list().iter().filter_map(Self::text).map(str::to_owned).collect()
    }

    /// What stands after a name in a list of names and values.
    pub fn named(&self, name: &str) -> Option<&Self> {
        let mut pairs = self.list().chunks_exact(2);
        pairs.find(|pair| pair[0].text() == Some(name)).map(|pair| &pair[1])
    }

    /// Reads the next.
    pub(crate) async fn read(from: &mut (impl AsyncBufRead + Unpin + Send)) -> io::Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line).await?;
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::InvalidData)?;
        let number = || rest.parse::<i64>().map_err(io::Error::other);
        Ok(match kind {
            "+" => Self::Status(rest.to_owned()),
            "-" => Self::Error(rest.to_owned()),
            ":" => Self::Int(number()?),
            "$" | "*" if rest == "-1" => Self::Nil,
            "$" => {
                let mut text = vec![0; usize::try_from(number()?).map_err(io::Error::other)? + 2];
                from.read_exact(&mut text).await?;
                text.truncate(text.len() - 2);
                Self::Text(String::from_utf8_lossy(&text).into_owned())
            }
            "*" => {
                let mut parts = Vec::new();
                for _ in 0..number()? {
                    parts.push(Box::pin(Self::read(from)).await?);
                }
                Self::List(parts)
            }
            _ => return Err(io::Error::other(format!("no reply of Redis: {line:?}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> io::Result<Reply> {
        Reply::read(&mut bytes).await
    }

    #[tokio::test]
    async fn every_kind_is_read() {
        let bytes = b"*6\r\n+OK\r\n:-7\r\n$4\r\na\r\nb\r\n$-1\r\n*-1\r\n*1\r\n-ERR no\r\n";
        let expected = Reply::List(vec![
            Reply::Status("OK".into()),
            Reply::Int(-7),
            Reply::Text("a\r\nb".into()),
            Reply::Nil,
            Reply::Nil,
            Reply::List(vec![Reply::Error("ERR no".into())]),
        ]);
        assert_eq!(read(bytes).await.unwrap(), expected);
        assert_eq!(read(b"$0\r\n\r\n").await.unwrap(), Reply::Text(String::new()));
    }

    #[tokio::test]
    async fn half_a_reply_is_an_error() {
        for bytes in [&b""[..], b"+O", b"$4\r\nab", b"*2\r\n+OK\r\n", b"\r\n", b"HTTP/1.1\r\n"] {
            assert!(read(bytes).await.is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn parts_are_found() {
        let text = |text: &str| Reply::Text(text.into());
        let reply = Reply::List(vec![text("flags"), text("master"), text("port"), text("7")]);
        assert_eq!(reply.named("port").and_then(Reply::int), Some(7));
        // A value is not taken for a name.
        assert_eq!(reply.named("master"), None);
        assert_eq!(reply.texts(), ["flags", "master", "port", "7"]);
        assert_eq!(Reply::Nil.list(), []);
    }
}
