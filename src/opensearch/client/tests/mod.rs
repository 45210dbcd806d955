//! TLS and credentials as they go wrong, and what people are told.

mod routes;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;

use super::*;
use crate::opensearch::{ProxySetting, Username};
use crate::secret::Secret;

struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Ca {
    fn new() -> Ca {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Ca { issuer, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server with a certificate for `name`, that answers one request with `hello`.
    fn server(&self, name: &str, expired: bool) -> String {
        self.server_for(name, expired, None)
    }

    /// A client's certificate and its key, written to files.
    fn client(&self) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["weir".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = (self.folder.path().join("client.pem"), self.folder.path().join("client.key"));
        std::fs::write(&files.0, certificate.pem()).unwrap();
        std::fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    /// One that lets in only those whose certificates `clients` has signed.
    fn server_for(&self, name: &str, expired: bool, clients: Option<&Ca>) -> String {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2020, 2, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions();
        let config = match clients {
            None => config.unwrap().with_no_client_auth(),
            Some(clients) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(clients.issuer.der().clone()).unwrap();
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
                config.unwrap().with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        greet(config.with_single_cert(vec![certificate.der().clone()], key.into()).unwrap())
    }
}

/// A server that answers each connection's first request with `hello`.
fn greet(config: rustls::ServerConfig) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            // The client may refuse: it is the one that is tested.
            let _ = hello(rustls::StreamOwned::new(connection, stream));
        }
    });
    url
}

/// A server with a certificate that it signed itself, as `openssl req -x509` makes them (with
/// `CA:TRUE`), and the file with it.
fn self_signed(params: CertificateParams, folder: &tempfile::TempDir) -> (String, PathBuf) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let path = folder.path().join("self.pem");
    std::fs::write(&path, certificate.pem()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = config.with_single_cert(vec![certificate.der().clone()], key.into()).unwrap();
    (greet(config), path)
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_trusted_when_the_ca_file_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let (url, path) = self_signed(params(&["127.0.0.1"]), &folder);
    assert_eq!(get(&url, Some(path)).await.unwrap(), "hello");
    let mut plain = params(&["127.0.0.1"]);
    plain.is_ca = IsCa::NoCa;
    let (url, path) = self_signed(plain, &folder);
    assert_eq!(get(&url, Some(path)).await.unwrap(), "hello");
}

#[tokio::test]
async fn a_certificate_that_signed_itself_is_refused_for_what_any_other_is_refused_for() {
    let folder = tempfile::tempdir().unwrap();
    let said = async |params: CertificateParams| {
        let (url, path) = self_signed(params, &folder);
        get(&url, Some(path)).await.unwrap_err()
    };
    let other = said(params(&["opensearch.example"])).await;
    assert!(other.contains("is for another name: use a name of it in sink.hosts"), "{other}");
    let mut expired = params(&["127.0.0.1"]);
    expired.not_after = rcgen::date_time_ymd(2020, 2, 1);
    let expired = said(expired).await;
    assert!(expired.contains("has expired: renew it there"), "{expired}");
    insta::assert_snapshot!(said(params(&[])).await, @"TLS to https://HOST failed: the server's certificate names no host (subjectAltName), and what its subject says does not count: `openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout key.pem -out cert.pem -subj /CN=NAME -addext subjectAltName=DNS:NAME -addext basicConstraints=critical,CA:FALSE`, NAME being the host's, makes one that can be trusted");
    // Another one with the same names, by somebody else.
    let (url, _) = self_signed(params(&["127.0.0.1"]), &folder);
    let stranger = tempfile::tempdir().unwrap();
    let (_, path) = self_signed(params(&["127.0.0.1"]), &stranger);
    insta::assert_snapshot!(get(&url, Some(path)).await.unwrap_err(), @"TLS to https://HOST failed: the server shows a certificate that is an authority's (CA:TRUE), and not one that sink.ca has: set sink.ca to a PEM file with this very certificate, if you trust it");
}

#[tokio::test]
async fn a_server_that_wants_a_client_certificate_says_so() {
    let (ca, clients, others) = (Ca::new(), Ca::new(), Ca::new());
    let url = ca.server_for("127.0.0.1", false, Some(&clients));
    let said = async |identity| {
        let settings = Settings { identity, ..settings(&url, Some(ca.path())) };
        let client = Client::new(&settings, &Reload::default()).unwrap();
        let answer = client.send(Request::json(Method::GET, "/", Vec::new())).await;
        answer.unwrap_err().to_string().replace(&url, "https://HOST")
    };
    insta::assert_snapshot!(said(None).await, @"TLS to https://HOST failed: the server asks for a client certificate: set sink.certificate and sink.key");
    insta::assert_snapshot!(said(Some(others.client())).await, @"TLS to https://HOST failed: the server does not accept the client's certificate (DecryptError): see sink.certificate and sink.key");
}

fn hello(
    mut stream: rustls::StreamOwned<rustls::ServerConnection, TcpStream>,
) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let count = stream.read(&mut request)?;
    assert!(request[..count].ends_with(b"\r\n\r\n"));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn settings(url: &str, ca: Option<PathBuf>) -> Settings {
    Settings { hosts: vec![url.to_owned()], ca, ..Settings::default() }
}

async fn get(url: &str, ca: Option<PathBuf>) -> Result<String, String> {
    let client =
        Client::new(&settings(url, ca), &Reload::default()).map_err(|error| error.to_string())?;
    let answer = client.send(Request::json(Method::GET, "/", Vec::new())).await;
    let text = answer.map(|answer| String::from_utf8(answer.body).unwrap());
    text.map_err(|error| error.to_string().replace(url, "https://HOST"))
}

#[tokio::test]
async fn a_server_that_our_ca_signed_is_trusted_and_no_other() {
    let (ca, other) = (Ca::new(), Ca::new());
    let url = ca.server("127.0.0.1", false);
    assert_eq!(get(&url, Some(ca.path())).await.unwrap(), "hello");
    insta::assert_snapshot!(get(&url, Some(other.path())).await.unwrap_err(), @"TLS to https://HOST failed: the server's certificate is signed by an authority that is not trusted: set sink.ca to a PEM file with that authority's certificate");
}

#[tokio::test]
async fn without_a_ca_the_systems_authorities_are_asked() {
    let url = Ca::new().server("127.0.0.1", false);
    insta::assert_snapshot!(get(&url, None).await.unwrap_err(), @"TLS to https://HOST failed: the server's certificate is signed by an authority that is not trusted: set sink.ca to a PEM file with that authority's certificate");
}

#[tokio::test]
async fn an_expired_certificate_is_called_expired() {
    let ca = Ca::new();
    let url = ca.server("127.0.0.1", true);
    let error = get(&url, Some(ca.path())).await.unwrap_err();
    assert!(
        error.starts_with(
            "TLS to https://HOST failed: the server's certificate has expired: renew it there ("
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_called_so() {
    let ca = Ca::new();
    let url = ca.server("opensearch.example", false);
    let error = get(&url, Some(ca.path())).await.unwrap_err();
    assert!(error.contains("is for another name: use a name of it in sink.hosts"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_the_next_one_once_its_files_are_replaced() {
    let (ca, clients, others) = (Ca::new(), Ca::new(), Ca::new());
    let url = ca.server_for("127.0.0.1", false, Some(&clients));
    let mut settings = settings(&url, Some(ca.path()));
    let ask = async |client: &Client| {
        client.send(Request::json(Method::GET, "/", Vec::new())).await.map(|answer| answer.body)
    };
    let error =
        ask(&Client::new(&settings, &Reload::default()).unwrap()).await.unwrap_err().to_string();
    assert!(error.starts_with("TLS to "), "{error}");
    let (certificate, key) = others.client();
    settings.identity = Some((certificate.clone(), key.clone()));
    let client = Client::new(&settings, &Reload::default()).unwrap();
    ask(&client).await.unwrap_err();
    let (new_certificate, new_key) = clients.client();
    std::fs::rename(new_certificate, certificate).unwrap();
    assert!(client.reread_credentials().is_err(), "the key is still the other's");
    std::fs::rename(new_key, key).unwrap();
    client.reread_credentials().unwrap();
    assert_eq!(ask(&client).await.unwrap(), b"hello");
}

#[test]
fn a_certificate_or_a_key_that_cannot_be_used_is_named() {
    let (ca, other) = (Ca::new(), Ca::new());
    let ((certificate, key), (_, stranger)) = (ca.client(), other.client());
    let said = |certificate: &PathBuf, key: &PathBuf| {
        let mut settings = settings("https://127.0.0.1:1", None);
        settings.identity = Some((certificate.clone(), key.clone()));
        let error = Client::new(&settings, &Reload::default()).unwrap_err().to_string();
        let folder = |ca: &Ca| ca.folder.path().display().to_string();
        error.replace(&folder(&ca), "FOLDER").replace(&folder(&other), "OTHER")
    };
    insta::assert_snapshot!(said(&certificate, &stranger), @"sink.key: cannot use the client's key OTHER/client.key: it is not the key of the certificate FOLDER/client.pem");
    insta::assert_snapshot!(said(&key, &certificate), @"sink.certificate: cannot use the client's certificate FOLDER/client.key: it holds a private key and no certificate");
    insta::assert_snapshot!(said(&certificate, &certificate), @"sink.key: cannot use the client's key FOLDER/client.pem: it holds a certificate and no private key");
    std::fs::write(
        &key,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    insta::assert_snapshot!(said(&certificate, &key), @"sink.key: cannot use the client's key FOLDER/client.key: it is encrypted, and weir asks for no passphrase: `openssl pkey` decrypts it");
}

/// Answers each request with `hello`, and what the requests' heads were.
fn plain() -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, heads) = std::sync::mpsc::sync_channel(8);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap();
            let text = String::from_utf8_lossy(&request[..count]).to_ascii_lowercase();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
            stream.write_all(answer).unwrap();
            sender.send(text).unwrap();
        }
    });
    (address, heads)
}

#[tokio::test]
async fn an_authorization_header_is_sent_as_it_is_and_read_again_when_it_is_refused() {
    let (address, heads) = plain();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("header");
    std::fs::write(&path, "ApiKey one\n").unwrap();
    let mut settings = settings(&format!("http://{address}"), None);
    settings.authorization = Some(Secret::File(path.clone()));
    let client = Client::new(&settings, &Reload::default()).unwrap();
    let head = async || {
        client.send(Request::json(Method::GET, "/", Vec::new())).await.unwrap();
        heads.recv().unwrap()
    };
    assert!(head().await.contains("\r\nauthorization: apikey one\r\n"));
    std::fs::write(&path, "ApiKey two").unwrap();
    client.reread_credentials().unwrap();
    assert!(head().await.contains("\r\nauthorization: apikey two\r\n"));
    assert!(!format!("{client:?}").contains("two"));
    std::fs::write(&path, "two\nlines").unwrap();
    insta::assert_snapshot!(client.reread_credentials().unwrap_err(), @"sink.authorization: it holds a character that no HTTP header may have: it must be the header's value, such as `ApiKey …` or `Bearer …`, on one line");
}

#[tokio::test]
async fn a_host_is_reached_through_the_proxy_that_is_configured() {
    let (address, heads) = plain();
    let mut settings = settings("http://opensearch.invalid:9200", None);
    let proxy = ProxySetting::parse(&format!("http://me:hunter2@{address}")).unwrap();
    settings.proxy = proxy;
    let client = Client::new(&settings, &Reload::default()).unwrap();
    let answer = client.send(Request::json(Method::GET, "/x", Vec::new())).await.unwrap();
    assert_eq!(answer.body, b"hello");
    let head = heads.recv().unwrap();
    assert!(head.starts_with("get http://opensearch.invalid:9200/x http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nproxy-authorization: basic "), "{head}");
    assert!(!format!("{settings:?}").contains("hunter2"));
    settings.proxy = ProxySetting::Direct;
    let client = Client::new(&settings, &Reload::default()).unwrap();
    client.send(Request::json(Method::GET, "/x", Vec::new())).await.unwrap_err();
}

#[test]
fn credentials_that_others_can_read_on_the_way_are_warned_of() {
    let warning = |url: &str, secret: bool| {
        let mut settings = settings(url, None);
        settings.password = secret.then(|| Secret::Inline("hunter2".into()));
        settings.readable_credentials()
    };
    insta::assert_snapshot!(warning("http://opensearch:9200", true).unwrap(), @"the password goes to http://opensearch:9200 unencrypted, for everybody on the way to read: use https");
    assert_eq!(warning("http://opensearch:9200", false), None);
    assert_eq!(warning("https://opensearch:9200", true), None);
    assert_eq!(warning("http://127.0.0.1:9200", true), None);
}

#[tokio::test]
async fn https_to_a_port_that_speaks_http_is_explained() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    insta::assert_snapshot!(get(&url, None).await.unwrap_err(), @"TLS to https://HOST failed: what answers does not speak TLS (received corrupt message of type InvalidContentType): is it an https port?");
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let error = async || {
        let error = get("https://127.0.0.1:1", Some(path.clone())).await.unwrap_err();
        error.replace(&folder.path().display().to_string(), "FOLDER")
    };
    insta::assert_snapshot!(error().await, @"sink.ca: cannot use the CA file FOLDER/ca.pem: No such file or directory (os error 2): it must be a PEM file with the certificates of the authorities to trust");
    std::fs::write(&path, "hello").unwrap();
    insta::assert_snapshot!(error().await, @"sink.ca: cannot use the CA file FOLDER/ca.pem: there is no certificate in it: it must be a PEM file with the certificates of the authorities to trust");
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .unwrap();
    let error = error().await;
    assert!(error.starts_with("sink.ca: cannot use the CA file FOLDER/ca.pem: "), "{error}");
}

#[test]
fn a_password_whose_file_vanishes_or_is_emptied_stays_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "one\n").unwrap();
    let mut settings = settings("http://127.0.0.1:1", None);
    settings.username = Some("weir".into());
    settings.password = Some(Secret::File(path.clone()));
    let client = Client::new(&settings, &Reload::default()).unwrap();
    let password = || client.authentication.as_ref().unwrap().password();
    std::fs::remove_file(&path).unwrap();
    assert!(client.reread_credentials().is_err() && password() == "one");
    std::fs::write(&path, "").unwrap();
    assert!(client.reread_credentials().is_err() && password() == "one");
    std::fs::write(&path, "two\n").unwrap();
    assert!(client.reread_credentials().is_ok() && password() == "two");
}

#[test]
fn a_username_is_read_again_with_its_password_and_neither_without_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    write("username", "old\n");
    write("password", "one");
    let mut settings = settings("http://127.0.0.1:1", None);
    settings.username = Some(Username::From(Secret::File(at("username"))));
    settings.password = Some(Secret::File(at("password")));
    let client = Client::new(&settings, &Reload::default()).unwrap();
    let pair = || client.authentication.as_ref().unwrap().pair();
    assert_eq!(pair(), ("old".into(), "one".into()));
    write("username", "ne:w");
    write("password", "two");
    let error = client.reread_credentials().unwrap_err().to_string();
    assert!(error.starts_with("sink.username: what was read is no name: "), "{error}");
    assert_eq!(pair(), ("old".into(), "one".into()));
    write("username", "new");
    client.reread_credentials().unwrap();
    assert_eq!(pair(), ("new".into(), "two".into()));
}

#[tokio::test]
async fn on_a_hangup_authorities_and_password_are_read_again_and_what_cannot_be_used_is_not() {
    let (ca, other) = (Ca::new(), Ca::new());
    let folder = tempfile::tempdir().unwrap();
    let (trusted, password) = (folder.path().join("ca.pem"), folder.path().join("password"));
    std::fs::copy(other.path(), &trusted).unwrap();
    std::fs::write(&password, "one").unwrap();
    let url = || ca.server("127.0.0.1", false);
    let mut settings = settings(&url(), Some(trusted.clone()));
    settings.username = Some("weir".into());
    settings.password = Some(Secret::File(password.clone()));
    let reload = Reload::default();
    let mut client = Client::new(&settings, &reload).unwrap();
    let get = Request::json(Method::GET, "/", Vec::new());
    assert!(client.send(get.clone()).await.is_err());
    std::fs::copy(ca.path(), &trusted).unwrap();
    std::fs::write(&password, "two").unwrap();
    for is_asked in [false, true, true] {
        if is_asked {
            reload.ask();
        }
        // No connection from before is used.
        client.hosts = vec![Host::new(&url()).unwrap()];
        assert_eq!(client.send(get.clone()).await.is_ok(), is_asked);
        let expected = if is_asked { "two" } else { "one" };
        assert_eq!(client.authentication.as_ref().unwrap().password(), expected);
        if is_asked {
            std::fs::write(&trusted, "no certificate").unwrap();
            std::fs::remove_file(&password).unwrap_or_default();
        }
    }
}

#[test]
fn the_password_shows_nowhere() {
    let mut settings = settings("http://127.0.0.1:1", None);
    settings.username = Some("weir".into());
    settings.password = Some(Secret::Inline("hunter2".into()));
    let client = Client::new(&settings, &Reload::default()).unwrap();
    assert!(!format!("{client:?} {settings:?}").contains("hunter2"));
}
