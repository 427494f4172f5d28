//! The HTTP client that is used unless the app brings its own.

use std::{collections::HashMap, time::Duration};

use reqwest::{Client, dns::Resolve, redirect};

use super::resolver::{Bounded, System};

/// How long making a connection may take. A healthy service accepts within milliseconds; one that
/// is gone should cost its callers no more than this.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Clients that services share where they need the same.
#[derive(Default)]
pub(crate) struct Network {
    clients: HashMap<(u32, bool), Client>,
}

impl Network {
    /// A client that follows `redirects` redirects and, if `https` is needed, has the system's
    /// certificates.
    ///
    /// # Errors
    ///
    /// The system has no certificates.
    pub(crate) fn client(&mut self, redirects: u32, https: bool) -> reqwest::Result<Client> {
        if let Some(client) = self.clients.get(&(redirects, https)) {
            return Ok(client.clone());
        }
        let client = build(redirects, https, Bounded(System))?;
        self.clients.insert((redirects, https), client.clone());
        Ok(client)
    }
}

pub(super) fn build(
    redirects: u32,
    https: bool,
    resolver: impl Resolve + 'static,
) -> reqwest::Result<Client> {
    let builder = Client::builder()
        // A circuit is about the service, not about a proxy that a variable happens to name.
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(resolver)
        .redirect(same_origin(redirects))
        // Each request is judged by itself, and a trial call is one request.
        .retry(reqwest::retry::never());
    #[cfg(feature = "tls")]
    let builder = {
        crate::crypto::install_provider();
        if https {
            builder
        } else {
            // Loading the system's certificates takes milliseconds, and fails in a container
            // without any.
            builder.tls_certs_only([])
        }
    };
    #[cfg(not(feature = "tls"))]
    let _ = https;
    builder.build()
}

/// What comes after the last redirect that is followed is the answer.
fn same_origin(redirects: u32) -> redirect::Policy {
    if redirects == 0 {
        return redirect::Policy::none();
    }
    redirect::Policy::custom(move |attempt| {
        let followed = attempt.previous().len();
        let home = attempt.previous().first().map(url::Url::origin);
        let stays = home.is_some_and(|home| home == attempt.url().origin());
        if stays && u32::try_from(followed).is_ok_and(|followed| followed <= redirects) {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}

#[cfg(test)]
mod tests;
