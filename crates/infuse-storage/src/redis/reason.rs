use std::error::Error;

use deadpool::managed::PoolError;
use deadpool_redis::redis::RedisError;

/// What kind of error of Redis it is, if it is one. Nothing that a server says is in it but its code.
pub(crate) fn kind(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(PoolError::Timeout(_)) = error.downcast_ref::<PoolError<RedisError>>() {
        return Some("no connection in time".to_owned());
    }
    let error = error.downcast_ref::<RedisError>()?;
    let is_code = |code: &&str| code.len() <= 20 && code.bytes().all(|it| it.is_ascii_uppercase());
    Some(match error.code().filter(is_code) {
        Some(code) => code.to_owned(),
        None if error.is_connection_refusal() => "connection refused".to_owned(),
        None if error.is_timeout() => "timed out".to_owned(),
        None if error.is_connection_dropped() => "disconnected".to_owned(),
        None => error.category().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use deadpool::managed::TimeoutType;
    use deadpool_redis::redis::{ErrorKind, ServerErrorKind};

    use super::*;

    fn kind_of(error: impl Into<RedisError>) -> String {
        kind(&error.into()).unwrap()
    }

    #[test]
    fn of_an_error_of_redis_only_its_kind_is_told() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "10.0.0.1:6379");
        assert_eq!(kind_of(refused), "connection refused");
        assert_eq!(kind_of(io::Error::new(io::ErrorKind::TimedOut, "10.0.0.1")), "timed out");
        assert_eq!(kind_of(io::Error::from(io::ErrorKind::BrokenPipe)), "disconnected");
        assert_eq!(kind_of((ErrorKind::Server(ServerErrorKind::ReadOnly), "10.0.0.1")), "READONLY");
        assert_eq!(kind_of((ErrorKind::AuthenticationFailed, "ada")), "authentication failed");
        assert_eq!(
            kind_of((ErrorKind::ClusterConnectionNotFound, "10.0.0.1")),
            "connection to node in cluster not found"
        );
        let timeout = PoolError::<RedisError>::Timeout(TimeoutType::Wait);
        assert_eq!(kind(&timeout).unwrap(), "no connection in time");
        assert_eq!(kind(&io::Error::other("another")), None);
    }
}
