//! A stub of Amazon on one port, before the real OpenSearch: a proxy that leads to all of its hosts
//! by TLS, a front that verifies signatures and sits behind a load balancer, and where credentials
//! come from: the container's endpoint, the instance's, and STS.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;

use super::http::{Answer, Request, Stream};
use super::verify::{Scope, verify};

pub(super) const REGION: &str = "eu-central-1";
pub(super) const DOMAIN: &str = "search-weir-abc.eu-central-1.es.amazonaws.com";
pub(super) const COLLECTION: &str = "abc123.eu-central-1.aoss.amazonaws.com";
const STS: &str = "sts.eu-central-1.amazonaws.com";
/// What a pod's, and an instance's, endpoint wants to be shown.
pub(super) const POD_TOKEN: &str = "the-pods-token";
const INSTANCE_TOKEN: &str = "the-instances-token";

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
    /// Seconds since 1970.
    pub(super) expires: Option<i64>,
}

/// What happens there.
#[derive(Default)]
pub(super) struct World {
    pub(super) keys: Vec<Key>,
    /// How long keys live that are issued from now on.
    pub(super) lifetime: i64,
    /// How far its clock is ahead.
    pub(super) ahead: i64,
    /// Requests that were passed on to OpenSearch.
    pub(super) passed: Vec<Request>,
    /// What others were refused for.
    pub(super) refused: Vec<String>,
    /// What was asked where credentials come from.
    pub(super) asked: Vec<String>,
}

impl World {
    pub(super) fn now(&self) -> i64 {
        jiff::Timestamp::now().as_second() + self.ahead
    }

    /// A new key; the older ones stay what they are.
    pub(super) fn issue(&mut self) -> Key {
        let number = self.keys.len() + 1;
        let key = Key {
            id: format!("ASIA{number:04}"),
            secret: format!("secret/{number}+"),
            token: Some(format!("token/{number}==")),
            expires: Some(self.now() + self.lifetime),
        };
        self.keys.push(key.clone());
        key
    }

    /// How many of the keys requests were passed on with.
    pub(super) fn used(&self) -> usize {
        let is_used = |key: &&Key| {
            let is_of = |request: &Request| {
                request.header("authorization").is_some_and(|text| text.contains(&key.id))
            };
            self.passed.iter().any(is_of)
        };
        self.keys.iter().filter(is_used).count()
    }
}

struct State {
    tls: Arc<rustls::ServerConfig>,
    /// `HOST:PORT` of OpenSearch.
    node: String,
    world: Mutex<World>,
}

pub(super) struct Amazon {
    /// `127.0.0.1:PORT`
    pub(super) address: String,
    folder: tempfile::TempDir,
    state: Arc<State>,
}

impl Amazon {
    pub(super) fn before(node: &str) -> Amazon {
        weir::internals::tls::install_crypto_provider();
        let folder = tempfile::tempdir().unwrap();
        let (tls, ca) = certificates();
        std::fs::write(folder.path().join("ca.pem"), ca).unwrap();
        let node = node.strip_prefix("http://").unwrap().to_owned();
        let world = Mutex::new(World { lifetime: 3600, ..World::default() });
        let state = Arc::new(State { tls, node, world });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = shared.clone();
                std::thread::spawn(move || state.connection(stream));
            }
        });
        Amazon { address, folder, state }
    }

    /// The authority that signed the certificates of all hosts.
    pub(super) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.state.world.lock().unwrap()
    }
}

/// A server's, for all hosts, and the authority that signed it.
fn certificates() -> (Arc<rustls::ServerConfig>, String) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let names = [DOMAIN, COLLECTION, STS].map(str::to_owned);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = config.with_single_cert(vec![certificate.der().clone()], key.into()).unwrap();
    (Arc::new(config), issuer.pem())
}

impl State {
    fn connection(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        let Some(request) = Request::read(&mut reader) else { return };
        if request.method != "CONNECT" {
            return self.requests(reader, request);
        }
        let mut stream = reader.into_inner();
        Answer::new(200, "").write(&mut stream, "CONNECT").unwrap();
        let connection = rustls::ServerConnection::new(self.tls.clone()).unwrap();
        let mut reader = BufReader::new(rustls::StreamOwned::new(connection, stream));
        if let Some(request) = Request::read(&mut reader) {
            self.requests(reader, request);
        }
    }

    fn requests(&self, mut reader: BufReader<impl Stream>, first: Request) {
        let mut next = Some(first);
        while let Some(request) = next {
            let method = request.method.clone();
            let answer = self.answer(request);
            if answer.write(reader.get_mut(), &method).is_err() {
                return;
            }
            next = Request::read(&mut reader);
        }
    }

    fn answer(&self, request: Request) -> Answer {
        match request.host() {
            DOMAIN => self.front(request, "es"),
            COLLECTION => self.front(request, "aoss"),
            STS => self.sts(&request),
            _ => self.endpoint(&request),
        }
    }

    /// The front of a domain or collection.
    fn front(&self, request: Request, service: &str) -> Answer {
        let request = request.behind_a_load_balancer();
        let now = {
            let mut world = self.world.lock().unwrap();
            let now = world.now();
            let scope = Scope { region: REGION, service, now };
            if let Err(why) = verify(&request, &world.keys, &scope) {
                world.refused.push(why.clone());
                return dated(Answer::new(403, json!({ "message": why }).to_string()), now);
            }
            world.passed.push(request.clone());
            now
        };
        let (path, _) = request.path_and_query();
        // What it has not: docs/delivery.md#amazon-opensearch
        if service == "aoss" && (path == "/" || path.ends_with("/_refresh")) {
            return dated(Answer::new(404, ""), now);
        }
        dated(request.forward(&self.node), now)
    }

    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
    fn sts(&self, request: &Request) -> Answer {
        let form = String::from_utf8_lossy(&request.body).into_owned();
        let mut world = self.world.lock().unwrap();
        world.asked.push(form.clone());
        if !form.contains("Action=AssumeRoleWithWebIdentity")
            || !form.contains("WebIdentityToken=a-web-identity")
        {
            return Answer::new(400, "");
        }
        let Key { id, secret, token, expires } = world.issue();
        let (token, expires) = (token.unwrap(), written(expires.unwrap()));
        Answer::new(
            200,
            format!(
                "<AssumeRoleWithWebIdentityResponse \
                 xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <AssumeRoleWithWebIdentityResult><Credentials>\
                 <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
                 <SessionToken>{token}</SessionToken><Expiration>{expires}</Expiration>\
                 </Credentials></AssumeRoleWithWebIdentityResult>\
                 </AssumeRoleWithWebIdentityResponse>"
            ),
        )
        .with("content-type", "text/xml")
    }

    /// The container's, and the instance's.
    fn endpoint(&self, request: &Request) -> Answer {
        const ROLE: &str = "/latest/meta-data/iam/security-credentials/";
        let mut world = self.world.lock().unwrap();
        world.asked.push(format!("{} {}", request.method, request.target));
        let is_of_instance = request.header("x-aws-ec2-metadata-token") == Some(INSTANCE_TOKEN);
        match (request.method.as_str(), request.target.as_str()) {
            ("GET", "/v1/credentials") if request.header("authorization") == Some(POD_TOKEN) => {
                Answer::new(200, issued(&world.issue()))
            }
            ("PUT", "/latest/api/token") => Answer::new(200, INSTANCE_TOKEN)
                .with("x-aws-ec2-metadata-token-ttl-seconds", "21600"),
            ("GET", ROLE) if is_of_instance => Answer::new(200, "weir"),
            ("GET", path) if is_of_instance && path.strip_prefix(ROLE) == Some("weir") => {
                Answer::new(200, issued(&world.issue()))
            }
            _ => Answer::new(404, ""),
        }
    }
}

fn issued(key: &Key) -> String {
    json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "Token": key.token,
        "Expiration": key.expires.map(written),
    })
    .to_string()
}

fn written(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

fn dated(answer: Answer, now: i64) -> Answer {
    let time = jiff::Timestamp::from_second(now).unwrap();
    answer.with("date", time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
}
