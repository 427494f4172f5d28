//! The provider of cryptography, in a process of its own.

use infuse_axum::Infuse;
use rustls::crypto::CryptoProvider;

#[test]
fn it_is_there_before_anything_can_connect() {
    assert!(CryptoProvider::get_default().is_none());
    let _ = Infuse::builder();
    let installed = CryptoProvider::get_default().map(std::sync::Arc::clone);
    // reqwest and redis both take the process's, and panic without one.
    let _ = rustls::ClientConfig::builder();
    let _ = Infuse::builder();
    let after = CryptoProvider::get_default().map(std::sync::Arc::clone);
    assert!(installed.zip(after).is_some_and(|(a, b)| std::sync::Arc::ptr_eq(&a, &b)));
}
