//! A real registry: CNCF's distribution, on 127.0.0.1.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{Folder, until, variable};

/// bcrypt of [`PASSWORD`], which is the only hash that the registry knows.
const HTPASSWD: &str = "weir:$2b$05$abcdefghijklmnopqrstuu9FziHDqaGCguZYITO3WMtw7FQWuMk8y\n";
const PASSWORD: &str = "weir-Test-1";

/// A server with a store of its own; killed when dropped.
pub(crate) struct Registry {
    child: Option<Child>,
    folder: Folder,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Registry {
    /// By plain http, for everybody.
    pub(crate) fn start() -> Registry {
        Registry::with("")
    }

    /// By https, with a certificate of an authority of its own, for who has the password.
    pub(crate) fn secure() -> Registry {
        Registry::with(
            "auth: {htpasswd: {realm: weir, path: htpasswd}}\n\
             http: {tls: {certificate: cert.pem, key: key.pem}}\n",
        )
    }

    fn with(more: &str) -> Registry {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let folder = Folder::new();
        let http = match more.split_once("http: {") {
            Some((auth, tls)) => format!("{auth}http: {{addr: \"{address}\", {tls}"),
            None => format!("http: {{addr: \"{address}\"}}\n"),
        };
        folder.write(
            "registry.yml",
            format!(
                "version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n\
                 storage: {{filesystem: {{rootdirectory: store}}, delete: {{enabled: true}}}}\n{http}"
            ),
        );
        folder.write("htpasswd", HTPASSWD);
        certificates(&folder);
        let auth =
            format!(r#"{{"auths":{{"{address}":{{"username":"weir","password":"{PASSWORD}"}}}}}}"#);
        folder.write("config.json", auth);
        let mut registry = Registry { child: None, folder, address };
        registry.start_again();
        registry
    }

    /// The same again, with what it had.
    pub(crate) fn start_again(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let child = Command::new(variable("WEIR_TEST_REGISTRY"))
            .args(["serve", "registry.yml"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        until("the registry listens", || TcpStream::connect(&self.address).is_ok());
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// A Docker config file with the login.
    pub(crate) fn credentials(&self) -> PathBuf {
        self.folder.path().join("config.json")
    }

    /// Whom to trust.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the registry's log\n{}", self.folder.read("log"));
        }
        self.stop();
    }
}

fn certificates(folder: &Folder) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    folder.write("ca.pem", issuer.pem());
    folder.write("cert.pem", certificate.pem());
    folder.write("key.pem", key.serialize_pem());
}
