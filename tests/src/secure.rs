use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use axum::{Router, extract::Request, middleware, middleware::Next};
use http::Version;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// A certification authority that no system knows.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If no key can be made.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { pem: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// Its certificate.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The server's side of TLS, with a certificate of this authority for the loopback.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.server(protocols)))
    }

    /// A certificate of this authority for the loopback, and its key, as PEM.
    ///
    /// # Panics
    ///
    /// If none can be made.
    pub fn issue(&self) -> (String, String) {
        let (certificate, key) = self.certify();
        (certificate.pem(), key.serialize_pem())
    }

    fn certify(&self) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]);
        let params = params.expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate, key)
    }

    fn server(&self, protocols: &[&str]) -> ServerConfig {
        let (certificate, key) = self.certify();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of TLS")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .expect("a key and a certificate that fit");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// A service that speaks https, and HTTP/2 where it is asked to. It stops when it is dropped.
#[derive(Debug)]
pub struct SecureService {
    addr: SocketAddr,
    versions: Arc<Mutex<Vec<Version>>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl SecureService {
    /// Starts one with a certificate of this authority, that offers these protocols (`h2`,
    /// `http/1.1`) when a connection begins.
    pub async fn start(router: Router, authority: &Authority, protocols: &[&str]) -> Self {
        Self::serve(router, Some(authority.acceptor(protocols))).await
    }

    /// Starts one without TLS, that speaks HTTP/2 to who begins with it.
    pub async fn start_plain(router: Router) -> Self {
        Self::serve(router, None).await
    }

    async fn serve(router: Router, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let versions = Arc::<Mutex<Vec<Version>>>::default();
        let seen = Arc::clone(&versions);
        let note = move |request: Request, next: Next| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.version());
            next.run(request)
        };
        let router = router.layer(middleware::from_fn(note));
        let accepted = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, SeqCst);
                connections.spawn(connection(stream, acceptor.clone(), router.clone()));
            }
        });
        Self { addr, versions, connections: accepted, task }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// The versions of HTTP of the requests so far.
    pub fn versions(&self) -> Vec<Version> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// An error is a client that went away, or one that does not know the authority.
async fn connection(stream: TcpStream, acceptor: Option<TlsAcceptor>, router: Router) {
    let builder = Builder::new(TokioExecutor::new());
    let service = TowerToHyperService::new(router);
    match acceptor {
        Some(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream).await {
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            }
        }
        None => {
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

impl Drop for SecureService {
    fn drop(&mut self) {
        self.task.abort();
    }
}
