use std::net::SocketAddr;

use axum::Router;
use infuse_axum::reqwest;
use tokio::{net::TcpListener, task::JoinHandle};

/// An app that is being served, until it is dropped.
#[derive(Debug)]
pub struct App {
    addr: SocketAddr,
    task: JoinHandle<()>,
}

/// Serves an app on a free port of the loopback.
///
/// # Panics
///
/// If there is no free port.
pub async fn serve(router: Router) -> App {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    let task = tokio::spawn(async move {
        // It ends only by being aborted.
        let _ = axum::serve(listener, router).await;
    });
    App { addr, task }
}

impl App {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client as a user of the app has: nothing of Infuse in it, and no proxy.
///
/// # Panics
///
/// If it cannot be built.
pub fn client() -> reqwest::Client {
    // Building one needs a provider for rustls, which this gives the process.
    let _ = infuse_axum::Infuse::builder();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .tls_certs_only([]);
    client.build().expect("a client")
}
