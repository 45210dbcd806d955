//! The client of the API server, for every part that needs one (source, Lease, lookup), and the
//! [`lease`] by which replicas agree on who works.
//!
//! kube's `Client` authenticates and connects: client certificates, token files that rotate, exec
//! plugins and a rotating CA are its own. What is decided here: where the configuration is looked
//! for, that nothing limits how long an answer may take (a watch is one answer of minutes), and
//! that nobody but the machines (list/watch, Lease) retries.
//!
//! Invariant: a configuration that is there but wrong is an error, never a reason to try the next
//! one.

pub(crate) mod lease;

use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ::kube::config::{InClusterError, KubeConfigOptions, KubeconfigError};
use ::kube::{Client, Config};

pub use lease::LeaseSettings;

/// How long connecting to the API server may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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
        "cannot use the kubeconfig {origin}: {error}: see what `kubectl config view --minify` says \
         about it"
    )]
    Kubeconfig {
        /// Which one.
        origin: String,
        /// What is wrong with it.
        error: Box<KubeconfigError>,
    },
    /// In a pod, but without a usable service account.
    #[error(
        "cannot use the pod's service account: {0}: check that the pod does not set \
         automountServiceAccountToken: false"
    )]
    InCluster(Box<InClusterError>),
    /// The configuration was read, and its certificates, keys or proxy are not usable.
    #[error(
        "cannot make a client for the API server {server}: {error}: check the certificates, \
         credentials and proxy in {origin}"
    )]
    Client {
        /// The API server's URL.
        server: String,
        /// Where the configuration came from.
        origin: ConfigOrigin,
        /// What is wrong.
        error: Box<::kube::Error>,
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

/// What of the surroundings decides where it comes from.
#[derive(Clone, Debug, Default)]
struct Surroundings {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    service_host: Option<OsString>,
}

impl Surroundings {
    fn of_process() -> Surroundings {
        Surroundings {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()),
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            service_host: std::env::var_os("KUBERNETES_SERVICE_HOST"),
        }
    }

    fn origin(&self) -> Result<ConfigOrigin, ClientError> {
        let home = self.home.as_ref().map(|home| home.join(".kube/config"));
        match (&self.kubeconfig, &home, &self.service_host) {
            (Some(files), _, _) => {
                Ok(ConfigOrigin::Environment(files.to_string_lossy().into_owned()))
            }
            (None, Some(file), _) if file.exists() => Ok(ConfigOrigin::Home(file.clone())),
            (None, _, Some(_)) => Ok(ConfigOrigin::Pod),
            (None, Some(file), None) => {
                Err(ClientError::NotConfigured { home: format!("{}", file.display()) })
            }
            (None, None, None) => {
                Err(ClientError::NotConfigured { home: "~/.kube/config".to_owned() })
            }
        }
    }
}

/// A client of the configured API server: `KUBECONFIG`, else `~/.kube/config`, else the pod's
/// service account. Contacts nobody.
///
/// # Errors
///
/// When nothing is configured, or what is configured cannot be used.
pub(crate) async fn client() -> Result<Client, ClientError> {
    crate::tls::install_crypto_provider();
    let origin = Surroundings::of_process().origin()?;
    let config = match &origin {
        ConfigOrigin::Environment(_) | ConfigOrigin::Home(_) => {
            Config::from_kubeconfig(&KubeConfigOptions::default()).await.map_err(|e| {
                ClientError::Kubeconfig { origin: origin.to_string(), error: Box::new(e) }
            })?
        }
        ConfigOrigin::Pod => {
            Config::incluster().map_err(|e| ClientError::InCluster(Box::new(e)))?
        }
    };
    let server = config.cluster_url.to_string();
    tracing::info!(%server, place = %origin, "using this Kubernetes API server");
    Client::try_from(for_watching(config)).map_err(|e| ClientError::Client {
        server,
        origin,
        error: Box::new(e),
    })
}

fn for_watching(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // A watch answers for minutes, with pauses: the list/watch machine has its own deadlines.
    config.read_timeout = None;
    // The machine retries, and counts and shows what it retries.
    config.default_retry = false;
    config
}

/// An error with what caused it: kube's own text often ends before the cause.
pub(crate) fn with_causes(error: &::kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubeconfig_wins_over_the_pod_and_the_variable_over_the_home_directory() {
        let home = tempfile::tempdir().unwrap();
        let mut around = Surroundings { home: Some(home.path().into()), ..Surroundings::default() };
        around.service_host = Some("10.96.0.1".into());
        assert_eq!(around.origin().unwrap(), ConfigOrigin::Pod);
        std::fs::create_dir(home.path().join(".kube")).unwrap();
        std::fs::write(home.path().join(".kube/config"), "").unwrap();
        assert_eq!(around.origin().unwrap(), ConfigOrigin::Home(home.path().join(".kube/config")));
        around.kubeconfig = Some("/etc/kubeconfig".into());
        assert_eq!(around.origin().unwrap(), ConfigOrigin::Environment("/etc/kubeconfig".into()));
    }

    #[test]
    fn without_any_configuration_the_error_says_which_places_were_tried() {
        let around = Surroundings { home: Some("/nowhere".into()), ..Surroundings::default() };
        insta::assert_snapshot!(around.origin().unwrap_err(), @"no Kubernetes API server is configured: tried the environment variable KUBECONFIG (not set), /nowhere/.kube/config (not there), and a pod's service account (KUBERNETES_SERVICE_HOST is not set): set KUBECONFIG to a kubeconfig file, or run weir in a pod");
    }

    #[test]
    fn nothing_limits_how_long_a_watch_may_answer_and_only_the_machine_retries() {
        let config = for_watching(Config::new("https://127.0.0.1:6443".parse().unwrap()));
        assert_eq!(config.read_timeout, None);
        assert!(!config.default_retry);
    }
}
