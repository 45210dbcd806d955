//! The client of the API server as its configuration stands now: it is made again when a file that
//! it was read from has changed, when the server refuses the credentials, and when weir is told to
//! read them again. So certificates, keys, authorities, tokens and whole kubeconfigs may be
//! replaced while weir runs, and a credential plugin is asked again after a 401
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! Constraint: it retries nothing. Whoever asked is told what happened, and its next request goes
//! through the new client.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use http::{Request, Response, StatusCode};
use parking_lot::Mutex;
use tokio::time::Instant;
use tower::{BoxError, Service};

use super::configuration::{Loaded, load};
use super::connect::connect;
use super::{ClientError, ConfigOrigin};
use crate::blocking::blocking;
use crate::files::Watched;
use crate::reload::{Reload, Reloads};
use crate::tls::tls_cause;

/// A client is made again at most this often, and its files are looked at as often: a server that
/// refuses every request does not have the plugin asked for each.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);

/// Clones are one.
#[derive(Clone)]
pub(super) struct Reloading(Arc<Shared>);

struct Shared {
    origin: ConfigOrigin,
    made: Mutex<Made>,
    /// Held while a new one is made: one at a time.
    making: tokio::sync::Mutex<()>,
    /// See [`RELOAD_INTERVAL`].
    interval: Duration,
    reloads: Mutex<Reloads>,
}

/// A client, and what it was made of.
struct Made {
    client: Client,
    files: Watched,
    /// When it was made, or when that was last tried.
    at: Instant,
    looked_at: Instant,
    /// Why another one could not be made, as it was last logged.
    error: Option<String>,
}

impl Reloading {
    /// The first client. Contacts nobody but the credential plugin.
    pub(super) async fn new(
        origin: ConfigOrigin,
        reload: &Reload,
    ) -> Result<(Reloading, Loaded), ClientError> {
        Reloading::with_interval(origin, RELOAD_INTERVAL, reload).await
    }

    async fn with_interval(
        origin: ConfigOrigin,
        interval: Duration,
        reload: &Reload,
    ) -> Result<(Reloading, Loaded), ClientError> {
        let (made, loaded) = make(origin.clone()).await?;
        let (made, making) = (Mutex::new(made), tokio::sync::Mutex::default());
        let reloads = Mutex::new(reload.watch());
        let shared = Shared { origin, made, making, interval, reloads };
        Ok((Reloading(Arc::new(shared)), loaded))
    }

    /// The client as its files are now.
    async fn current(&self) -> Client {
        let is_asked = self.0.reloads.lock().is_due();
        if is_asked {
            self.make_again("SIGHUP asks for it", Duration::ZERO).await;
        } else if let Some(files) = self.due_files()
            && blocking(move || files.have_changed()).await
        {
            self.make_again("its files have changed", self.0.interval).await;
        }
        self.0.made.lock().client.clone()
    }

    /// The files to look at, if it is time for that.
    fn due_files(&self) -> Option<Watched> {
        let mut made = self.0.made.lock();
        let now = Instant::now();
        if now.duration_since(made.looked_at) < self.0.interval {
            return None;
        }
        made.looked_at = now;
        Some(made.files.clone())
    }

    /// Unless that was done less than `interval` ago.
    async fn make_again(&self, why: &'static str, interval: Duration) {
        let _making = self.0.making.lock().await;
        {
            let mut made = self.0.made.lock();
            if made.at.elapsed() < interval {
                return; // Somebody else has just done it.
            }
            made.at = Instant::now();
        }
        let again = make(self.0.origin.clone()).await;
        let mut made = self.0.made.lock();
        match again {
            Ok((new, _)) => {
                tracing::info!(
                    place = %self.0.origin,
                    "read the API server's credentials again: {why}"
                );
                *made = new;
            }
            Err(error) => {
                let error = error.to_string();
                if made.error.as_ref() != Some(&error) {
                    tracing::warn!(
                        "going on with the API server's credentials from before: {error}"
                    );
                }
                made.error = Some(error);
            }
        }
    }
}

async fn make(origin: ConfigOrigin) -> Result<(Made, Loaded), ClientError> {
    let loaded = load(&origin).await?;
    let files = Watched::new(loaded.files.iter().cloned());
    let (config, proxy) = (loaded.config.clone(), loaded.proxy.clone());
    let server = config.cluster_url.to_string();
    let client = blocking(move || connect(config, proxy.as_ref()))
        .await
        .map_err(|error| ClientError::Client { server, origin, error: Box::new(error) })?;
    let now = Instant::now();
    Ok((Made { client, files, at: now, looked_at: now, error: None }, loaded))
}

/// Whether new credentials may help where no answer came.
fn is_about_certificates(error: &(dyn Error + 'static)) -> bool {
    matches!(
        tls_cause(error),
        Some(rustls::Error::AlertReceived(_) | rustls::Error::InvalidCertificate(_))
    )
}

impl Service<Request<Body>> for Reloading {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let client = this.current().await;
            let answer = client.send(request).await;
            let why = match &answer {
                Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
                    Some("the server answered 401")
                }
                Err(error) if is_about_certificates(error) => Some("a certificate was refused"),
                _ => None,
            };
            if let Some(why) = why {
                this.make_again(why, this.0.interval).await;
            }
            Ok(answer?)
        })
    }
}

#[cfg(test)]
mod tests;
