use std::{io, mem, net::SocketAddr};

use tokio::{
    net::{TcpListener, TcpSocket},
    task::{JoinHandle, JoinSet},
};

use super::{TestService, wire};

/// A [`TestService`] on a port of the loopback, by [`TestService::serve`]: HTTP/1.1. It closes when
/// it is dropped, as soon as the runtime gets to it.
#[derive(Debug)]
pub struct TestServer {
    addr: SocketAddr,
    service: TestService,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Up(JoinHandle<()>),
    /// The port is kept, and refuses connections.
    Down(TcpSocket),
    Between,
}

impl TestServer {
    pub(super) async fn start(service: TestService) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let standing = Standing::Up(listen(listener, service.clone()));
        Ok(Self { addr, service, standing })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its base URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// The service that it serves.
    pub fn service(&self) -> &TestService {
        &self.service
    }

    /// Refuses connections and drops those that there are. The port stays its own.
    ///
    /// # Errors
    ///
    /// The port cannot be taken again.
    pub async fn down(&mut self) -> io::Result<()> {
        if let Standing::Up(task) = mem::replace(&mut self.standing, Standing::Between) {
            task.abort();
            // Only when it is gone is the port free.
            let _ = task.await;
        }
        if let Standing::Between = self.standing {
            let socket = TcpSocket::new_v4()?;
            socket.set_reuseaddr(true)?;
            socket.bind(self.addr)?;
            self.standing = Standing::Down(socket);
        }
        Ok(())
    }

    /// Accepts connections again.
    ///
    /// # Errors
    ///
    /// It cannot listen.
    pub fn up(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.standing, Standing::Between) {
            Standing::Down(socket) => {
                let listener = socket.listen(1024)?;
                self.standing = Standing::Up(listen(listener, self.service.clone()));
            }
            other => self.standing = other,
        }
        Ok(())
    }
}

fn listen(listener: TcpListener, service: TestService) -> JoinHandle<()> {
    tokio::spawn(async move {
        // Dropped with this task, which ends them all.
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            connections.spawn(wire::serve(stream, service.clone()));
        }
    })
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Standing::Up(task) = &self.standing {
            task.abort();
        }
    }
}
