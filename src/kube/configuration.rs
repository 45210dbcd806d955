//! Where the configuration of the client is looked for, and what it says: `KUBECONFIG`, else
//! `~/.kube/config`, else the pod's service account.
//!
//! Invariant: a configuration that is there but wrong is an error, never a reason to try the next
//! one.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use ::kube::Config;
use ::kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::{ClientError, ConfigOrigin};
use crate::proxy::{self, Proxy};

/// How long connecting to the API server may take, TLS and proxy included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What of the surroundings decides where it comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Surroundings {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    service_host: Option<OsString>,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: Config,
    pub(super) proxy: Option<Proxy>,
    /// What it was read from. Once one of them changes, it is to be read again.
    pub(super) files: Vec<PathBuf>,
}

impl Surroundings {
    pub(super) fn of_process() -> Surroundings {
        Surroundings {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|v| !v.is_empty()),
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            service_host: std::env::var_os("KUBERNETES_SERVICE_HOST"),
        }
    }

    pub(super) fn origin(&self) -> Result<ConfigOrigin, ClientError> {
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

/// Reads what `origin` has. Contacts nobody.
pub(super) async fn load(origin: &ConfigOrigin) -> Result<Loaded, ClientError> {
    let mut loaded = match origin {
        ConfigOrigin::Environment(_) | ConfigOrigin::Home(_) => kubeconfig(origin).await?,
        ConfigOrigin::Pod => {
            let config =
                Config::incluster().map_err(|error| ClientError::InCluster(Box::new(error)))?;
            // kube reads the token and the authorities of a pod again by itself.
            Loaded { config, proxy: None, files: Vec::new() }
        }
    };
    if loaded.proxy.is_none() {
        let environment = proxy::Environment::of_process();
        loaded.proxy = environment.proxy_for(&loaded.config.cluster_url)?;
    }
    let config = &mut loaded.config;
    config.proxy_url = None;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    // A watch answers for minutes, with pauses: the list/watch machine has its own deadlines.
    config.read_timeout = None;
    Ok(loaded)
}

async fn kubeconfig(origin: &ConfigOrigin) -> Result<Loaded, ClientError> {
    let failed = |error: KubeconfigError| ClientError::Kubeconfig {
        origin: origin.to_string(),
        error: Box::new(error),
    };
    let (mut read, mut files) = match origin {
        ConfigOrigin::Home(file) => {
            (Kubeconfig::read_from(file).map_err(failed)?, vec![file.clone()])
        }
        _ => {
            let files = std::env::var_os("KUBECONFIG").unwrap_or_default();
            let read = Kubeconfig::from_env().map_err(failed)?.unwrap_or_default();
            (read, std::env::split_paths(&files).collect())
        }
    };
    let mut proxy = None;
    if let Some(cluster) = current_cluster(&mut read) {
        if let Some(url) = cluster.proxy_url.take().filter(|url| !url.is_empty()) {
            let wrong = |error| ClientError::Proxy { origin: origin.to_string(), error };
            proxy = Some(Proxy::parse(&url).map_err(wrong)?);
        }
        // With one, kube does not look for another in the environment. It is not used.
        cluster.proxy_url = Some("http://unused".to_owned());
        files.extend(cluster.certificate_authority.as_ref().map(PathBuf::from));
    }
    let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
    let config = config.map_err(failed)?;
    let auth = &config.auth_info;
    let named = [&auth.client_certificate, &auth.client_key, &auth.token_file];
    files.extend(named.into_iter().flatten().map(PathBuf::from));
    Ok(Loaded { config, proxy, files })
}

/// The cluster of the current context.
fn current_cluster(read: &mut Kubeconfig) -> Option<&mut ::kube::config::Cluster> {
    let name = read.current_context.as_ref()?;
    let context = read.contexts.iter().find(|named| named.name == *name)?.context.as_ref()?;
    let cluster = read.clusters.iter_mut().find(|named| named.name == context.cluster)?;
    cluster.cluster.as_mut()
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

    const KUBECONFIG: &str = r#"
apiVersion: v1
kind: Config
current-context: here
contexts:
- {name: there, context: {cluster: other, user: u}}
- {name: here, context: {cluster: mine, user: u}}
clusters:
- {name: other, cluster: {server: "https://other:6443", proxy-url: "http://not-this"}}
- {name: mine, cluster: {server: "https://mine:6443", proxy-url: "PROXY", certificate-authority: ca.pem}}
users:
- {name: u, user: {tokenFile: token}}
"#;

    async fn loaded(proxy: &str) -> Result<Loaded, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::new(["a".into()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        std::fs::write(&file, KUBECONFIG.replace("PROXY", proxy)).unwrap();
        load(&ConfigOrigin::Home(file)).await
    }

    #[tokio::test]
    async fn the_proxy_of_the_current_cluster_is_used_and_what_it_was_read_from_is_known() {
        let loaded = loaded("http://user:word@proxy:3128").await.unwrap();
        assert_eq!(loaded.proxy.unwrap().to_string(), "http://***@proxy:3128");
        assert_eq!(loaded.config.proxy_url, None);
        let names: Vec<_> = loaded.files.iter().filter_map(|file| file.file_name()).collect();
        assert_eq!(names, ["config", "ca.pem", "token"]);
    }

    #[tokio::test]
    async fn a_proxy_of_a_kubeconfig_that_is_none_is_named_without_its_password() {
        let error = loaded("socks5://user:word@proxy").await.unwrap_err().to_string();
        assert!(error.contains("proxy-url"), "{error}");
        assert!(
            error.ends_with("only http:// and https:// proxies are supported, not socks5://"),
            "{error}"
        );
        assert!(!error.contains("word"), "{error}");
    }

    #[tokio::test]
    async fn nothing_limits_how_long_a_watch_may_answer() {
        assert_eq!(loaded("").await.unwrap().config.read_timeout, None);
    }
}
