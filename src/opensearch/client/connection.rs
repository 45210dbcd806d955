//! The HTTP client as its files stand now: certificates, keys and authorities may be replaced while
//! weir runs, and the next connections are made with the new ones.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::{Proxy as HttpProxy, Url};

use super::transport::REQUEST_TIMEOUT;
use crate::answers::innermost;
use crate::files::Watched;
use crate::opensearch::settings::{ClientError, Settings};
use crate::proxy::Proxy;
use crate::tls;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections are closed before load balancers do it silently (60 s are usual).
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// How often the files are looked at, while requests are sent.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);

/// What makes connections.
#[derive(Debug)]
pub(super) struct Connection {
    settings: Settings,
    made: Mutex<Made>,
}

#[derive(Debug)]
struct Made {
    http: reqwest::Client,
    files: Watched,
    looked_at: Instant,
}

impl Connection {
    /// Reads the certificates; connects to nothing.
    pub(super) fn new(settings: &Settings) -> Result<Connection, ClientError> {
        crate::tls::install_crypto_provider();
        let made = Mutex::new(Made::of(settings)?);
        Ok(Connection { settings: settings.clone(), made })
    }

    pub(super) fn http(&self) -> reqwest::Client {
        self.made.lock().http.clone()
    }

    /// Whether it is time to look at the files again.
    pub(super) fn is_due(&self) -> bool {
        let mut made = self.made.lock();
        let is_due = made.looked_at.elapsed() >= LOOK_INTERVAL;
        if is_due {
            made.looked_at = Instant::now();
        }
        is_due
    }

    /// Reads the files again if one of them has changed. Blocks this thread.
    ///
    /// # Errors
    ///
    /// When they are of no use: then it goes on with what they were. They are not read again before
    /// one changes.
    pub(super) fn reread(&self) -> Result<(), ClientError> {
        let files = self.made.lock().files.clone();
        if files.have_changed() { self.read_again() } else { Ok(()) }
    }

    /// Reads the files again. Blocks this thread.
    ///
    /// # Errors
    ///
    /// As [`Connection::reread`].
    pub(super) fn read_again(&self) -> Result<(), ClientError> {
        // Before they are read: one that changes meanwhile has changed.
        let files = Made::files_of(&self.settings);
        let made = Made::of(&self.settings);
        let mut current = self.made.lock();
        match made {
            Ok(made) => {
                *current = made;
                Ok(())
            }
            Err(error) => {
                current.files = files;
                Err(error)
            }
        }
    }
}

impl Made {
    fn of(settings: &Settings) -> Result<Made, ClientError> {
        let files = Made::files_of(settings);
        let wrong = |error: reqwest::Error| ClientError::Http(innermost(&error));
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("weir/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            // What the environment says is read as the rest of weir reads it.
            .no_proxy();
        let trusted = settings.ca.as_deref().map(tls::authorities).transpose()?;
        let identity = settings.identity.as_ref();
        let identity = identity.map(|(certificate, key)| tls::identity(certificate, key));
        let proxies = settings.proxies()?;
        let https = proxies.iter().filter_map(|(_, proxy)| proxy.tls_name()).collect();
        let tls = tls::client_config(trusted, identity.transpose()?, https)
            .map_err(|error| ClientError::Http(error.to_string()))?;
        builder = builder.tls_backend_preconfigured(tls);
        for (host, proxy) in proxies {
            builder = builder.proxy(only_for(host, &proxy)?);
        }
        let http = builder.build().map_err(wrong)?;
        Ok(Made { http, files, looked_at: Instant::now() })
    }

    fn files_of(settings: &Settings) -> Watched {
        let identity = settings.identity.iter().flat_map(|(one, other)| [one, other]);
        Watched::new(settings.ca.iter().chain(identity).map(PathBuf::clone))
    }
}

/// A proxy for one host alone.
fn only_for(host: String, proxy: &Proxy) -> Result<HttpProxy, ClientError> {
    let address: Url = proxy.address().parse().map_err(|error| {
        ClientError::Http(format!("the proxy {proxy} has no URL that can be used: {error}"))
    })?;
    let is_host = move |url: &Url| {
        Url::parse(&host).is_ok_and(|host| {
            (url.scheme(), url.host_str(), url.port_or_known_default())
                == (host.scheme(), host.host_str(), host.port_or_known_default())
        })
    };
    let through = HttpProxy::custom(move |url| is_host(url).then(|| address.clone()));
    Ok(match proxy.authorization() {
        Some(authorization) => through.custom_http_auth(authorization),
        None => through,
    })
}
