//! The client of the API server, for every part that needs one (source, Lease, lookup), and the
//! [`lease`] by which replicas agree on who works.
//!
//! kube authenticates, and does the TLS. What is decided here: where the [`configuration`] is
//! looked for, through which proxy to [`connect`], when to [`reload`] credentials, that nothing
//! limits how long an answer may take (a watch is one answer of minutes), and that nobody but the
//! machines (list/watch, Lease) retries.

mod answer;
mod configuration;
mod connect;
pub(crate) mod examine;
pub(crate) mod lease;
mod metadata;
mod plugin;
mod reload;
mod said;

use std::error::Error as _;
use std::path::PathBuf;
use std::time::Duration;

use ::kube::Client;
use ::kube::config::{InClusterError, KubeconfigError};

pub(crate) use self::answer::{
    HTML_PAGE, ReadError, as_user, message_of, read, read_refusal, status_message,
};
use self::configuration::{Loaded, Surroundings};
pub use self::lease::LeaseSettings;
pub(crate) use self::metadata::{MetadataAnswer, MetadataReader};
use self::plugin::PluginError;
use self::reload::Reloading;
use crate::proxy::{ProxyError, VariableError};
use crate::reload::Reload;
use crate::text::{self, REASON_BYTES_MAX};
use crate::tls::{Names, explain, tls_cause};

/// Why there is no client. Nothing here is mended by trying again.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no configuration anywhere.
    #[error(
        "no Kubernetes API server is configured: tried the environment variable KUBECONFIG (not \
         set), {home} (not there), and a pod's service account (KUBERNETES_SERVICE_HOST is not \
         set): set KUBECONFIG to a kubeconfig file, or run weir in a pod"
    )]
    NotConfigured {
        /// The home directory's kubeconfig, or why there is none.
        home: String,
    },
    /// The kubeconfig cannot be read or makes no sense.
    #[error(
        "cannot use the kubeconfig {origin}: {}: see what `kubectl config view --minify` says \
         about it",
        said::of_kubeconfig(.error)
    )]
    Kubeconfig {
        /// Which one.
        origin: String,
        /// What is wrong with it.
        error: Box<KubeconfigError>,
    },
    /// The kubeconfig names a proxy that is none.
    #[error("cannot use the kubeconfig {origin}: the proxy-url of its cluster: {error}")]
    Proxy {
        /// Which kubeconfig.
        origin: String,
        /// What is wrong with it.
        error: ProxyError,
    },
    /// The environment names a proxy that is none.
    #[error("{0}")]
    Environment(#[from] VariableError),
    /// In a pod, but without a usable service account.
    #[error(
        "cannot use the pod's service account: {0}: check that the pod does not set \
         automountServiceAccountToken: false"
    )]
    InCluster(Box<InClusterError>),
    /// The configuration was read, and its certificates, keys or proxy are not usable.
    #[error(
        "cannot make a client for the API server {server}: {}: check the certificates, \
         credentials and proxy in {origin}",
        with_causes(.error)
    )]
    Client {
        /// The API server's URL.
        server: String,
        /// Where the configuration came from.
        origin: ConfigOrigin,
        /// What is wrong.
        error: Box<::kube::Error>,
    },
    /// The program that should give credentials does not.
    #[error("no credentials for the API server by {origin}: {error}")]
    Plugin {
        /// Where the configuration came from.
        origin: ConfigOrigin,
        /// What is wrong.
        error: PluginError,
    },
    /// It takes too long.
    #[error("reading {origin} took more than {limit:?}: is a file system, or a program, stuck?")]
    Slow {
        /// Where the configuration comes from.
        origin: ConfigOrigin,
        /// How long it may take.
        limit: Duration,
    },
}

/// Where a configuration comes from, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOrigin {
    /// The environment variable KUBECONFIG: one file or several.
    Environment(String),
    /// `~/.kube/config`
    Home(PathBuf),
    /// A pod's service account.
    Pod,
}

impl std::fmt::Display for ConfigOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ConfigOrigin::Environment(files) => {
                write!(f, "{files} (from the environment variable KUBECONFIG)")
            }
            ConfigOrigin::Home(file) => write!(f, "{}", file.display()),
            ConfigOrigin::Pod => f.write_str("the pod's service account"),
        }
    }
}

/// A client of the configured API server: `KUBECONFIG`, else `~/.kube/config`, else the pod's
/// service account. Contacts nobody.
///
/// # Errors
///
/// When nothing is configured, or what is configured cannot be used.
pub(crate) async fn client(reload: &Reload) -> Result<Client, ClientError> {
    Ok(client_and_place(reload).await?.0)
}

/// The same, with the server's URL and where that is from, for people.
async fn client_and_place(reload: &Reload) -> Result<(Client, String), ClientError> {
    crate::tls::install_crypto_provider();
    let origin = Surroundings::of_process().origin()?;
    let (reloading, loaded) = Reloading::new(origin.clone(), reload).await?;
    let Loaded { config, proxy, .. } = loaded;
    let proxy = proxy.map(|proxy| proxy.to_string());
    let place = format!("{}, by {origin}", config.cluster_url);
    tracing::info!(
        server = %config.cluster_url,
        place = %origin,
        proxy,
        "using this Kubernetes API server"
    );
    Ok((Client::new(reloading, config.default_namespace), place))
}

/// What the settings of this client are called.
const NAMES: Names = Names {
    ca: "the kubeconfig's `certificate-authority`",
    trusts_itself: false,
    identity: "the kubeconfig's `client-certificate` and `client-key`",
    host: "the kubeconfig's `server`, or `tls-server-name`",
};

/// What is wrong with TLS, if that is why there was no answer.
pub(crate) fn tls_fault(error: &::kube::Error) -> Option<String> {
    tls_cause(error).map(|cause| explain(cause, NAMES))
}

/// An error with what caused it: kube's own text often ends before the cause.
pub(crate) fn with_causes(error: &::kube::Error) -> String {
    if let Some(fault) = tls_fault(error) {
        return format!("TLS failed: {fault}");
    }
    if let Some(fault) = said::about_credentials(error) {
        return fault;
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text::words(&text, REASON_BYTES_MAX)
}
