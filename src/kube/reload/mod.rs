//! The client of the API server as its configuration stands now: it is made again when a file that
//! it was read from has changed, when what a credential plugin gave expires, when the server
//! refuses the credentials, and when weir is told to read them again. So certificates, keys,
//! authorities, tokens and whole kubeconfigs may be replaced while weir runs, and a credential
//! plugin is asked again after a 401
//! (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>).
//!
//! Constraints:
//!
//! - It retries no request. Whoever asked is told what happened, and its next request goes through
//!   the new client.
//! - One is made at a time, in a task of its own, which goes on when the request gives up for which
//!   it began. While that takes long, requests go through the former one.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, timeout};
use tower::{BoxError, Service};

use super::configuration::{Loaded, load};
use super::connect::connect;
use super::{ClientError, ConfigOrigin, plugin};
use crate::blocking::blocking;
use crate::files::Watched;
use crate::reload::{Reload, Reloads};
use crate::tls::tls_cause;

/// A client is made again at most this often, and its files are looked at as often: a server that
/// refuses every request does not have the plugin asked for each.
const RELOAD_INTERVAL: Duration = Duration::from_secs(10);
/// How long making one may take. (Before the first request, a plugin has only its own limit, which
/// is longer at a terminal.)
const MAKING_MAX: Duration = Duration::from_secs(30);
/// How long a request waits for another client before it goes through the former one.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long before credentials expire others are asked for.
const BEFORE_EXPIRY: SignedDuration = SignedDuration::from_secs(60);

/// Clones are one.
#[derive(Clone)]
pub(super) struct Reloading(Arc<Shared>);

struct Shared {
    origin: ConfigOrigin,
    made: Mutex<Made>,
    /// Held while a new one is made: one at a time.
    making: Arc<tokio::sync::Mutex<()>>,
    limits: Limits,
    reloads: Mutex<Reloads>,
}

/// See the constants that are its default.
#[derive(Clone, Copy)]
struct Limits {
    interval: Duration,
    making: Duration,
    wait: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { interval: RELOAD_INTERVAL, making: MAKING_MAX, wait: WAIT_MAX }
    }
}

/// A client, and what it was made of.
struct Made {
    client: Client,
    files: Watched,
    expires: Option<Timestamp>,
    /// When it was made, or when that was last tried.
    at: Instant,
    looked_at: Instant,
    /// Why another one could not be made, as it was last logged.
    error: Option<String>,
}

/// Why another one may be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It is asked for, and not to be left for later.
    Asked,
    /// It is time to look at the files.
    Look,
    /// What a plugin gave expires.
    Expires,
    /// The server says so.
    Refused(&'static str),
}

impl Due {
    fn why(self) -> &'static str {
        match self {
            Due::Asked => "SIGHUP asks for it",
            Due::Look => "its files have changed",
            Due::Expires => "they expire",
            Due::Refused(why) => why,
        }
    }
}

impl Reloading {
    /// The first client. Contacts nobody but the credential plugin.
    pub(super) async fn new(
        origin: ConfigOrigin,
        reload: &Reload,
    ) -> Result<(Reloading, Loaded), ClientError> {
        Reloading::with_limits(origin, Limits::default(), reload).await
    }

    async fn with_limits(
        origin: ConfigOrigin,
        limits: Limits,
        reload: &Reload,
    ) -> Result<(Reloading, Loaded), ClientError> {
        // From before the files are read.
        let reloads = Mutex::new(reload.watch());
        let making = Arc::<tokio::sync::Mutex<()>>::default();
        let (made, loaded) = make(origin.clone(), making.clone().lock_owned().await).await?;
        let made = Mutex::new(made);
        let shared = Shared { origin, made, making, limits, reloads };
        Ok((Reloading(Arc::new(shared)), loaded))
    }

    /// The client as its files are now.
    async fn current(&self) -> Client {
        if let Some(due) = self.due() {
            self.again(due).await;
        }
        self.0.made.lock().client.clone()
    }

    fn due(&self) -> Option<Due> {
        if self.0.reloads.lock().is_due() {
            return Some(Due::Asked);
        }
        let interval = self.0.limits.interval;
        let mut made = self.0.made.lock();
        let soon = Timestamp::now().saturating_add(BEFORE_EXPIRY).unwrap_or(Timestamp::MAX);
        if made.at.elapsed() >= interval && made.expires.is_some_and(|at| at <= soon) {
            return Some(Due::Expires);
        }
        if made.looked_at.elapsed() < interval {
            return None;
        }
        made.looked_at = Instant::now();
        Some(Due::Look)
    }

    /// Makes another one, if it is due, and waits for it, but not for long. It goes on when this is
    /// dropped: whatever was due would be forgotten otherwise.
    async fn again(&self, due: Due) {
        let this = self.clone();
        let making = tokio::spawn(async move { this.make_again(due).await });
        // One that has panicked ends the run by itself.
        let _ = timeout(self.0.limits.wait, making).await;
    }

    async fn make_again(&self, due: Due) {
        let limit = self.0.limits.making;
        let slow = || ClientError::Slow { origin: self.0.origin.clone(), limit };
        let Ok(mut making) = timeout(limit, self.0.making.clone().lock_owned()).await else {
            return self.made(due, Err(slow()));
        };
        let files = {
            let made = self.0.made.lock();
            if due != Due::Asked && made.at.elapsed() < self.0.limits.interval {
                return; // Somebody else has just done it.
            }
            // What could not be made is tried again, whatever the files are by now.
            (due == Due::Look && made.error.is_none()).then(|| made.files.clone())
        };
        let again = async {
            if let Some(files) = files {
                let look = move || (files.have_changed(), making);
                let have_changed;
                (have_changed, making) = blocking(look).await;
                if !have_changed {
                    return None;
                }
            }
            Some(make(self.0.origin.clone(), making).await)
        };
        match timeout(limit, again).await {
            Ok(None) => {}
            Ok(Some(again)) => self.made(due, again.map(|(made, _)| made)),
            Err(_) => self.made(due, Err(slow())),
        }
    }

    /// Another one, or why there is none.
    fn made(&self, due: Due, again: Result<Made, ClientError>) {
        let mut made = self.0.made.lock();
        match again {
            Ok(new) => {
                let why = due.why();
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
                made.at = Instant::now();
            }
        }
    }
}

/// `making` is held until the last of it has ended, on whatever thread: one that hangs is not
/// followed by another.
async fn make(
    origin: ConfigOrigin,
    making: OwnedMutexGuard<()>,
) -> Result<(Made, Loaded), ClientError> {
    let from = origin.clone();
    let (loaded, making) = blocking(move || (load(&from), making)).await;
    let mut loaded = loaded?;
    let asked = plugin::ask(&mut loaded.config.auth_info).await;
    let failed = |error| ClientError::Plugin { origin: origin.clone(), error };
    let expires = asked.map_err(failed)?;
    let (config, proxy) = (loaded.config.clone(), loaded.proxy.clone());
    let server = config.cluster_url.to_string();
    let (client, _making) = blocking(move || (connect(config, proxy.as_ref()), making)).await;
    let client =
        client.map_err(|error| ClientError::Client { server, origin, error: Box::new(error) })?;
    let (files, now) = (loaded.files.clone(), Instant::now());
    Ok((Made { client, files, expires, at: now, looked_at: now, error: None }, loaded))
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
                this.again(Due::Refused(why)).await;
            }
            Ok(answer?)
        })
    }
}

#[cfg(test)]
mod tests;
