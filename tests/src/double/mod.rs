//! The service that is called: a server on a socket that fails in every way that one can.

mod answer;
mod connection;
mod received;

pub use answer::Answer;
pub use received::Received;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

use crate::eventually;

/// A service that can be switched while it runs. It stops when it is dropped.
#[derive(Debug)]
pub struct Double {
    addr: SocketAddr,
    shared: Arc<Shared>,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Up(JoinHandle<()>),
    /// Its port is kept and refuses connections.
    Down(TcpSocket),
    Between,
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    answer: Mutex<Answer>,
    received: Mutex<Vec<Received>>,
    gate: Semaphore,
    connections: AtomicUsize,
    requests: AtomicUsize,
    uploaded: AtomicU64,
    sent: AtomicU64,
    abandoned: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn socket(addr: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("to use the address again");
    socket.bind(addr).expect("the address");
    socket
}

fn listen(socket: TcpSocket, shared: Arc<Shared>) -> JoinHandle<()> {
    let listener: TcpListener = socket.listen(1024).expect("to listen");
    tokio::spawn(async move {
        // Dropped with this task, which ends them all.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            shared.connections.fetch_add(1, SeqCst);
            connections.spawn(connection::serve(stream, Arc::clone(&shared)));
        }
    })
}

impl Double {
    /// Starts one on a free port of the loopback.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub async fn start(answer: Answer) -> Self {
        let socket = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let addr = socket.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            received: Mutex::default(),
            gate: Semaphore::new(0),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            uploaded: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            abandoned: AtomicUsize::new(0),
        });
        let standing = Standing::Up(listen(socket, Arc::clone(&shared)));
        Self { addr, shared, standing }
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers like this from the next request on.
    pub fn answer(&self, answer: Answer) {
        *lock(&self.shared.answer) = answer;
    }

    /// Refuses connections and drops those that there are. The port stays its own.
    pub async fn down(&mut self) {
        if let Standing::Up(task) = std::mem::replace(&mut self.standing, Standing::Between) {
            task.abort();
            // Only when it is gone is the port free.
            let _ = task.await;
            self.standing = Standing::Down(socket(self.addr));
        }
    }

    /// Accepts connections again.
    pub fn up(&mut self) {
        match std::mem::replace(&mut self.standing, Standing::Between) {
            Standing::Down(socket) => {
                self.standing = Standing::Up(listen(socket, Arc::clone(&self.shared)));
            }
            other => self.standing = other,
        }
    }

    /// Lets `steps` of what waits at the gate go on, now or when it gets there.
    pub fn let_through(&self, steps: usize) {
        self.shared.gate.add_permits(steps);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Requests so far, counted when their head is there.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(SeqCst)
    }

    /// Bytes of bodies of requests so far.
    pub fn uploaded(&self) -> u64 {
        self.shared.uploaded.load(SeqCst)
    }

    /// Bytes of endless bodies that were sent so far.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(SeqCst)
    }

    /// How many that waited for an answer have gone away.
    pub fn abandoned(&self) -> usize {
        self.shared.abandoned.load(SeqCst)
    }

    /// The requests that came whole.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// The last request that came whole.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request")
    }

    /// Waits until this many requests have come.
    pub async fn until_requests(&self, requests: usize) {
        eventually("the requests come", async || self.requests() >= requests).await;
    }

    /// Waits until this many callers have gone away.
    pub async fn until_abandoned(&self, callers: usize) {
        eventually("the callers go away", async || self.abandoned() >= callers).await;
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        if let Standing::Up(task) = &self.standing {
            task.abort();
        }
    }
}
