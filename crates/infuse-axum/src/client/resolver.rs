use std::{
    fmt, io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
    vec,
};

use axum::BoxError;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::timeout,
};

/// How long finding the addresses of a name may take: less than making a connection may, so that a
/// resolver that does not answer is told apart from a service that does not.
const LIMIT: Duration = Duration::from_millis(900);

/// A resolver that is not waited for longer than [`LIMIT`].
pub(crate) struct Bounded<R>(pub(crate) R);

impl<R: Resolve> Resolve for Bounded<R> {
    fn resolve(&self, name: Name) -> Resolving {
        let resolving = self.0.resolve(name);
        Box::pin(async move {
            match timeout(LIMIT, resolving).await {
                Ok(resolved) => resolved,
                Err(_) => Err(NoAnswer.into()),
            }
        })
    }
}

/// The system's resolver, as reqwest asks it by default.
pub(crate) struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(Lookup::begin(move || (name.as_str(), 0).to_socket_addrs()).addresses())
    }
}

/// A question to the system's resolver. One that nobody waits for any more is not asked, if it has
/// not been yet: while the resolver does not answer, questions wait for threads.
struct Lookup(JoinHandle<io::Result<Found>>);

type Found = vec::IntoIter<SocketAddr>;

impl Lookup {
    fn begin(ask: impl FnOnce() -> io::Result<Found> + Send + 'static) -> Self {
        Self(spawn_blocking(ask))
    }

    async fn addresses(mut self) -> Result<Addrs, BoxError> {
        Ok(Box::new((&mut self.0).await??))
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The resolver did not answer in time. The service has no part in that.
#[derive(Debug)]
pub(crate) struct NoAnswer;

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name was not resolved within {LIMIT:?}")
    }
}

impl std::error::Error for NoAnswer {}

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering::SeqCst},
            mpsc,
        },
    };

    use axum::{Router, routing::get};
    use tokio::net::TcpListener;

    use super::*;
    use crate::client::network;

    struct Never;

    impl Resolve for Never {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_resolver_is_not_waited_for_longer_than_a_connection() {
        let started = tokio::time::Instant::now();
        let Err(error) = Bounded(Never).resolve("payments".parse().unwrap()).await else {
            panic!("nobody has answered");
        };
        assert!(error.is::<NoAnswer>());
        assert!(started.elapsed() >= LIMIT && LIMIT < network::CONNECT_TIMEOUT);
    }

    #[tokio::test]
    async fn the_system_is_asked_and_its_answers_come_through() {
        let asked = async |name: &str| Bounded(System).resolve(name.parse().unwrap()).await;
        let mut addresses = asked("localhost").await.ok().unwrap();
        assert!(addresses.all(|address| address.ip().is_loopback() && address.port() == 0));
        let Err(error) = asked("name.invalid").await else { panic!("there is no such name") };
        assert!(error.is::<io::Error>(), "{error:?}");
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_not_asked() {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.max_blocking_threads(1).enable_all().build().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        runtime.block_on(async {
            let busy = spawn_blocking(move || released.recv());
            for polled in [true, false] {
                let asked = asked.clone();
                let lookup = Lookup::begin(move || {
                    asked.fetch_add(1, SeqCst);
                    Ok(Vec::new().into_iter())
                });
                let mut addresses = Box::pin(lookup.addresses());
                if polled {
                    assert!(futures_util::poll!(&mut addresses).is_pending());
                }
            }
            release.send(()).unwrap();
            busy.await.unwrap().unwrap();
            spawn_blocking(|| {}).await.unwrap();
        });
        assert_eq!(asked.load(SeqCst), 0);
    }

    struct Counted(Arc<AtomicUsize>);

    impl Resolve for Counted {
        fn resolve(&self, name: Name) -> Resolving {
            self.0.fetch_add(1, SeqCst);
            System.resolve(name)
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_there_asks_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
        let app = Router::new().route("/", get(|| async { "here" }));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let asked = Arc::new(AtomicUsize::new(0));
        let client = network::build(0, false, Bounded(Counted(asked.clone()))).unwrap();
        for _ in 0..5 {
            assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "here");
        }
        assert_eq!(asked.load(SeqCst), 1);
    }
}
