//! The provider of cryptography that rustls asks the process for.

use rustls::crypto::{CryptoProvider, ring};

/// Gives the process a provider, unless it has one. rustls panics at its first connection if it
/// finds none, or more than one, whoever makes it: reqwest for https, redis for `rediss://`.
pub(crate) fn install_provider() {
    if CryptoProvider::get_default().is_none() {
        // An error is another thread that was faster.
        let _ = ring::default_provider().install_default();
    }
}
