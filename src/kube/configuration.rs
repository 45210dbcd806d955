//! Where the configuration of the client is looked for, and what it says: `KUBECONFIG`, else
//! `~/.kube/config`, else the pod's service account.
//!
//! Invariant: a configuration that is there but wrong is an error, never a reason to try the next
//! one.
//!
//! Constraint: kube opens no file that a kubeconfig names (it would wait for a pipe's other end,
//! and read an endless file): it is given what the file holds.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ::kube::Config;
use ::kube::client::AuthError;
use ::kube::config::{AuthInfo, Cluster, Kubeconfig, KubeconfigError, LoadDataError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{ClientError, ConfigOrigin};
use crate::files::{Watched, read_small};
use crate::proxy::{self, Proxy};

/// A fleet of clusters, with certificates in it, takes some hundred KiB.
const KUBECONFIG_BYTES_MAX: u64 = 4 << 20;
/// Authorities of a whole operating system are some hundred KiB.
const NAMED_FILE_BYTES_MAX: u64 = 1 << 20;
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
    /// What it was read from, as that was before. Once one of them changes, it is to be read again.
    pub(super) files: Watched,
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

/// Reads what `origin` has. Contacts nobody, and blocks this thread.
pub(super) fn load(origin: &ConfigOrigin) -> Result<Loaded, ClientError> {
    let mut loaded = match origin {
        ConfigOrigin::Environment(_) | ConfigOrigin::Home(_) => kubeconfig(origin)?,
        ConfigOrigin::Pod => {
            let config =
                Config::incluster().map_err(|error| ClientError::InCluster(Box::new(error)))?;
            // kube reads the token and the authorities of a pod again by itself.
            Loaded { config, proxy: None, files: Watched::default() }
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

fn kubeconfig(origin: &ConfigOrigin) -> Result<Loaded, ClientError> {
    let failed = |error: KubeconfigError| ClientError::Kubeconfig {
        origin: origin.to_string(),
        error: Box::new(error),
    };
    let mut files = Watched::default();
    let mut read = read_all(&paths(origin), &mut files).map_err(failed)?;
    let (mut proxy, mut given) = (None, None);
    if let Some(cluster) = current_cluster(&mut read) {
        given = cluster.proxy_url.take().filter(|url| !url.is_empty());
        if let Some(url) = &given {
            let wrong = |error| ClientError::Proxy { origin: origin.to_string(), error };
            proxy = Some(Proxy::parse(url).map_err(wrong)?);
        }
        // With one, kube does not look for another in the environment. It is not used.
        cluster.proxy_url = Some("http://unused".to_owned());
        read_authorities(cluster, &mut files)
            .map_err(|error| failed(KubeconfigError::LoadCertificateAuthority(error)))?;
    }
    let mut config = Config::try_from(read).map_err(failed)?;
    read_identity(&mut config.auth_info, &mut files).map_err(failed)?;
    if let Some(told) = config.auth_info.exec.as_mut().and_then(|exec| exec.cluster.as_mut()) {
        told.proxy_url = given;
    }
    if let Err(error) = read_token(&mut config.auth_info, &mut files) {
        let (server, origin) = (config.cluster_url.to_string(), origin.clone());
        let error = Box::new(::kube::Error::Auth(error));
        return Err(ClientError::Client { server, origin, error });
    }
    Ok(Loaded { config, proxy, files })
}

/// The kubeconfigs, which are read as one.
fn paths(origin: &ConfigOrigin) -> Vec<PathBuf> {
    match origin {
        ConfigOrigin::Home(file) => vec![file.clone()],
        _ => {
            let files = std::env::var_os("KUBECONFIG").unwrap_or_default();
            let named = std::env::split_paths(&files);
            named.filter(|path| !path.as_os_str().is_empty()).collect()
        }
    }
}

fn read_all(paths: &[PathBuf], files: &mut Watched) -> Result<Kubeconfig, KubeconfigError> {
    let mut all = Kubeconfig::default();
    for path in paths {
        files.add(path.clone());
        // kube, which knows where the paths in it begin, reads it by itself: only what ends.
        read_small(path, KUBECONFIG_BYTES_MAX)
            .map_err(|error| KubeconfigError::ReadConfig(error, path.clone()))?;
        all = all.merge(Kubeconfig::read_from(path)?)?;
    }
    Ok(all)
}

fn read_authorities(cluster: &mut Cluster, files: &mut Watched) -> Result<(), LoadDataError> {
    // What is written in the kubeconfig comes before the file, here and below.
    if cluster.certificate_authority_data.is_none()
        && let Some(path) = &cluster.certificate_authority
    {
        cluster.certificate_authority_data = Some(encoded(path, files)?);
    }
    Ok(())
}

fn read_identity(auth: &mut AuthInfo, files: &mut Watched) -> Result<(), KubeconfigError> {
    if auth.client_certificate_data.is_none()
        && let Some(path) = &auth.client_certificate
    {
        let read = encoded(path, files).map_err(KubeconfigError::LoadClientCertificate)?;
        auth.client_certificate_data = Some(read);
    }
    if auth.client_key_data.is_none()
        && let Some(path) = &auth.client_key
    {
        let read = encoded(path, files).map_err(KubeconfigError::LoadClientKey)?;
        auth.client_key_data = Some(read.into());
    }
    Ok(())
}

fn read_token(auth: &mut AuthInfo, files: &mut Watched) -> Result<(), AuthError> {
    if auth.token.is_none()
        && let Some(path) = &auth.token_file
    {
        let failed = |error| AuthError::ReadTokenFile(error, path.into());
        let read = named(path, files).map_err(failed)?;
        let no_text = |_| failed(io::Error::other("it is not UTF-8 text"));
        let token = String::from_utf8(read).map_err(no_text)?;
        auth.token = Some(token.trim().to_owned().into());
    }
    Ok(())
}

/// As kube wants what stands in a kubeconfig instead of a file's name.
fn encoded(path: &str, files: &mut Watched) -> Result<String, LoadDataError> {
    let read = named(path, files).map_err(|error| LoadDataError::ReadFile(error, path.into()))?;
    Ok(STANDARD.encode(read))
}

fn named(path: &str, files: &mut Watched) -> io::Result<Vec<u8>> {
    files.add(path.into());
    read_small(Path::new(path), NAMED_FILE_BYTES_MAX)
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
- {name: u, user: {tokenFile: token, client-certificate: client.pem, client-key: key.pem}}
"#;

    const FILES: [&str; 5] = ["config", "ca.pem", "client.pem", "key.pem", "token"];

    /// A folder with a kubeconfig, and all that it names.
    fn folder(proxy: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        let key = rcgen::KeyPair::generate().unwrap();
        let ca = rcgen::CertificateParams::new(["a".into()]).unwrap().self_signed(&key).unwrap();
        write("ca.pem", &ca.pem()).unwrap();
        write("client.pem", &ca.pem()).unwrap();
        write("key.pem", &key.serialize_pem()).unwrap();
        write("token", "t0ken\n").unwrap();
        write("config", &KUBECONFIG.replace("PROXY", proxy)).unwrap();
        folder
    }

    fn load_in(folder: &tempfile::TempDir) -> Result<Loaded, ClientError> {
        load(&ConfigOrigin::Home(folder.path().join("config")))
    }

    fn loaded(proxy: &str) -> Result<Loaded, ClientError> {
        load_in(&folder(proxy))
    }

    #[test]
    fn the_proxy_of_the_current_cluster_is_used() {
        let loaded = loaded("http://user:word@proxy:3128").unwrap();
        assert_eq!(loaded.proxy.unwrap().to_string(), "http://***@proxy:3128");
        assert_eq!(loaded.config.proxy_url, None);
    }

    #[test]
    fn what_it_was_read_from_is_known_and_kube_has_nothing_left_to_read() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for name in FILES {
            let folder = folder("");
            let loaded = load_in(&folder).unwrap();
            assert!(!loaded.files.have_changed());
            std::fs::remove_file(folder.path().join(name)).unwrap();
            assert!(loaded.files.have_changed(), "{name}");
            crate::tls::install_crypto_provider();
            let _entered = runtime.enter();
            crate::kube::connect::connect(loaded.config, None).map(|_| ()).unwrap();
        }
    }

    #[test]
    fn a_pipe_or_an_endless_file_is_an_error_that_names_it_and_nobody_waits() {
        for name in FILES {
            let folder = folder("");
            let path = folder.path().join(name);
            std::fs::remove_file(&path).unwrap();
            rustix::fs::mkfifoat(rustix::fs::CWD, &path, 0o600.into()).unwrap();
            let error = load_in(&folder).unwrap_err().to_string();
            assert!(error.contains("it is a pipe or a device"), "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
            std::fs::remove_file(&path).unwrap();
            std::fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
            let error = load_in(&folder).unwrap_err().to_string();
            assert!(error.contains("it is larger than "), "{error}");
        }
    }

    #[test]
    fn a_plugin_is_told_of_the_clusters_own_proxy() {
        let folder = folder("http://proxy:1");
        let user = "{exec: {command: x, provideClusterInfo: true}}";
        let config = KUBECONFIG.replace("PROXY", "http://proxy:1");
        let (before, _) = config.split_once("{tokenFile").unwrap();
        std::fs::write(folder.path().join("config"), format!("{before}{user}}}\n")).unwrap();
        let told = load_in(&folder).unwrap().config.auth_info.exec.unwrap().cluster.unwrap();
        assert_eq!(told.proxy_url.as_deref(), Some("http://proxy:1"));
    }

    #[test]
    fn a_proxy_of_a_kubeconfig_that_is_none_is_named_without_its_password() {
        let error = loaded("socks5://user:word@proxy").unwrap_err().to_string();
        assert!(error.contains("proxy-url"), "{error}");
        assert!(
            error.ends_with("only http:// and https:// proxies are supported, not socks5://"),
            "{error}"
        );
        assert!(!error.contains("word"), "{error}");
    }

    #[test]
    fn nothing_limits_how_long_a_watch_may_answer() {
        assert_eq!(loaded("").unwrap().config.read_timeout, None);
    }
}
