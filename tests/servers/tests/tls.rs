//! A server that speaks TLS.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use infuse_test_servers::RedisServer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
};

#[tokio::test]
async fn it_speaks_tls_with_the_certificate_given() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let redis = RedisServer::builder().tls(&cert.pem(), &signing_key.serialize_pem()).start().await;
    assert_eq!(redis.url(), format!("rediss://127.0.0.1:{}", redis.port()));
    redis.set("a", "1").await.unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", redis.port())).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.write_all(b"GET a\r\n").await.unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"$1\r\n1\r\n");
}
