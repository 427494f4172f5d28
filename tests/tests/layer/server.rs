use std::{
    future::ready,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{Router, body::Body, middleware};
use http::Request;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use infuse_tests::eventually;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

/// A server of HTTP/1 and HTTP/2 that, when it stops, takes its connections along.
pub(crate) struct Server {
    addr: SocketAddr,
    router: Router,
    requests: Arc<AtomicUsize>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) async fn start(router: Router) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let count = move |request: Request<Body>| {
            counted.fetch_add(1, SeqCst);
            ready(request)
        };
        let router = router.layer(middleware::map_request(count));
        let addr = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { addr, router, requests, task: None };
        server.up().await;
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    pub(crate) async fn until_requests(&self, requests: usize) {
        eventually("the requests come", async || self.requests() >= requests).await;
    }

    /// Listens, at the address that it had before.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(self.addr).await.unwrap();
        self.addr = listener.local_addr().unwrap();
        let router = self.router.clone();
        self.task = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let service = TowerToHyperService::new(router.clone());
                connections.spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    // An error is a client that went away.
                    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }));
    }

    /// Resets its connections, and refuses others.
    pub(crate) async fn down(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}
