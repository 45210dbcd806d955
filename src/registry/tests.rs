//! What goes wrong on the way to a registry, and who is told a login. A real registry is asked by
//! `tests/suite/registry.rs`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use parking_lot::Mutex;

use super::manifest::WASM;
use super::*;
use crate::registry::manifest::Descriptor;

const MODULE: &[u8] = b"\0asm\x0d\0\x01\0 a module";

/// What the fake registry does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    Well,
    /// The manifest has another digest than was asked for.
    OtherManifest,
    /// Half of the module.
    TruncatedModule,
    /// Another module of the same length.
    OtherModule,
    /// The manifest says that the module is larger than one may be.
    HugeModule,
    /// The answer never ends.
    EndlessManifest,
    /// Nothing is answered.
    Silent,
    Limited,
    /// A sign-in page.
    Page,
    /// A password is wanted.
    Basic,
    /// A token of its own service is wanted.
    Bearer,
    /// A token of a service that is not asked by https.
    BearerElsewhere,
    /// A password is wanted, and the module is at another server.
    Redirects,
    /// It is by plain http at another machine.
    RedirectsElsewhere,
    /// Each redirect leads to the next.
    RedirectsForEver,
}

/// A registry that has one module.
struct Fake {
    address: String,
    /// Paths that were asked for, with the login or token that was shown.
    asked: Arc<Log>,
    digest: String,
    /// Where it leads to.
    store: Option<Box<Fake>>,
}

impl Fake {
    fn start(scenario: Scenario) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let store = (scenario == Scenario::Redirects).then(|| Fake::start(Scenario::Well));
        let other = store.as_ref().map_or(address.clone(), |store| store.address.clone());
        let artifact = Artifact::module("noise", MODULE.to_vec(), Component::default());
        let digest = artifact.digest().to_string();
        let asked: Arc<Log> = Arc::default();
        let (own, log) = (address.clone(), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is not the fake's to report.
                let _ = answer(stream, scenario, &artifact, [&own, &other], &log);
            }
        });
        Fake { address, asked, digest, store: store.map(Box::new) }
    }

    fn reference(&self) -> Reference {
        Reference::of_argument(&format!("{}/noise:1@{}", self.address, self.digest)).unwrap()
    }

    fn asked(&self) -> Vec<(String, Option<String>)> {
        self.asked.lock().clone()
    }
}

type Log = Mutex<Vec<(String, Option<String>)>>;

fn answer(
    mut stream: TcpStream,
    scenario: Scenario,
    artifact: &Artifact,
    [own, other]: [&str; 2],
    log: &Log,
) -> std::io::Result<()> {
    let (path, shown) = request(&mut BufReader::new(stream.try_clone()?))?;
    log.lock().push((path.clone(), shown.clone()));
    let mut reply = |status: &str, headers: &str, body: &[u8]| {
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        stream.write_all(body)
    };
    let manifest = &artifact.manifests[0].1;
    let (config, module) = (&artifact.blobs[0].1, &artifact.blobs[1].1);
    let wants = |challenge: &str| format!("www-authenticate: {challenge}\r\n");
    let is_manifest = path.contains("/manifests/");
    let is_module = path.ends_with(artifact.blobs[1].0.hex());
    match scenario {
        Scenario::Silent => std::thread::park(),
        Scenario::Limited => {
            return reply(
                "429 Too Many Requests",
                "",
                br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#,
            );
        }
        Scenario::Page => {
            return reply("200 OK", "content-type: text/html\r\n", b"<html><title>Sign in</title>");
        }
        Scenario::Basic | Scenario::Redirects if shown.is_none() => {
            return reply("401 Unauthorized", &wants("Basic realm=\"x\""), b"");
        }
        Scenario::Bearer if path.starts_with("/token") => {
            return reply("200 OK", "", br#"{"token":"granted"}"#);
        }
        Scenario::Bearer if shown.is_none() => {
            let challenge = format!(
                "Bearer realm=\"http://{own}/token\",service=\"it\",scope=\"repository:noise:pull\""
            );
            return reply("401 Unauthorized", &wants(&challenge), b"");
        }
        Scenario::BearerElsewhere => {
            return reply(
                "401 Unauthorized",
                &wants("Bearer realm=\"http://auth.example/token\""),
                b"",
            );
        }
        _ => {}
    }
    if is_manifest {
        return match scenario {
            Scenario::OtherManifest => reply("200 OK", "", b"{}"),
            Scenario::HugeModule => reply("200 OK", "", &huge(config)),
            Scenario::EndlessManifest => loop {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                stream.write_all(&[b' '; 1 << 16])?;
            },
            _ => reply("200 OK", "", manifest),
        };
    }
    if !is_module {
        return reply("200 OK", "", config);
    }
    let redirect = |to: String| format!("location: {to}\r\n");
    match scenario {
        Scenario::TruncatedModule => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", module.len())?;
            stream.write_all(&module[..module.len() / 2])
        }
        Scenario::OtherModule => reply("200 OK", "", &vec![b'x'; module.len()]),
        Scenario::Redirects => {
            reply("307 Temporary Redirect", &redirect(format!("http://{other}{path}")), b"")
        }
        Scenario::RedirectsElsewhere => {
            reply("302 Found", &redirect("http://store.example/x".into()), b"")
        }
        Scenario::RedirectsForEver => reply("302 Found", &redirect(path), b""),
        _ => reply("200 OK", "", module),
    }
}

/// A manifest whose module is larger than one may be.
fn huge(config: &[u8]) -> Vec<u8> {
    let config = Descriptor::of("x", config);
    let layer = Descriptor { size: u64::MAX, ..Descriptor::of(WASM, MODULE) };
    serde_json::to_vec(
        &serde_json::json!({"schemaVersion": 2, "config": config, "layers": [layer]}),
    )
    .unwrap()
}

/// The path of a request, and what it shows of who asks.
fn request(from: &mut impl BufRead) -> std::io::Result<(String, Option<String>)> {
    let mut first = String::new();
    from.read_line(&mut first)?;
    let (mut shown, mut line) = (None, String::new());
    while from.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("authorization")
        {
            shown = Some(value.trim().to_owned());
        }
        line.clear();
    }
    Ok((first.split(' ').nth(1).unwrap_or_default().to_owned(), shown))
}

/// A login for `address`.
fn settings(folder: &tempfile::TempDir, address: &str) -> Settings {
    let path = folder.path().join("config.json");
    let config = format!(r#"{{"auths":{{"{address}":{{"username":"me","password":"pw"}}}}}}"#);
    std::fs::write(&path, config).unwrap();
    Settings { credentials: Some(path), ca: None, allow_tags: false }
}

async fn pulled(scenario: Scenario) -> (Result<Pulled, String>, Fake) {
    let fake = Fake::start(scenario);
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder, &fake.address);
    let pulled = pull(&settings, folder.path(), [fake.reference()].into()).await;
    // The cache goes with its folder, so what was pulled is read now.
    let read = pulled.inspect(|pulled| {
        assert_eq!(pulled.read(&fake.reference()).unwrap(), MODULE);
    });
    let said = read.map_err(|missing| {
        let said = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        said.replace(&fake.address, "REGISTRY").replace(&fake.digest, "DIGEST")
    });
    (said, fake)
}

async fn said(scenario: Scenario) -> String {
    pulled(scenario).await.0.unwrap_err()
}

#[tokio::test]
async fn what_is_pulled_is_what_its_digest_says_or_nothing() {
    pulled(Scenario::Well).await.0.unwrap();
    insta::assert_snapshot!(said(Scenario::OtherManifest).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY sends something else than DIGEST: what came is sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    insta::assert_snapshot!(said(Scenario::OtherModule).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY sends something else than sha256:e85c07d74f2ca75787f35950920819e35d949b9bf44befe9db4650c8ae3f4461: what came is sha256:d04fd59f3d9a1fd424c47874ae1dab0dde54fa73ba474245bfac79279afe6df7");
    insta::assert_snapshot!(said(Scenario::TruncatedModule).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: the connection to REGISTRY broke: end of file before message length reached");
}

#[tokio::test]
async fn no_answer_is_held_beyond_its_bound() {
    let fake = Fake::start(Scenario::HugeModule);
    let by_tag = Reference::of_argument(&format!("{}/noise:1", fake.address)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let asked = pull(&Settings::default(), folder.path(), [by_tag].into()).await;
    let said = asked.unwrap_err()[0].to_string().replace(&fake.address, "REGISTRY");
    insta::assert_snapshot!(said, @"oci://REGISTRY/noise:1 cannot be pulled: sha256:e85c07d74f2ca75787f35950920819e35d949b9bf44befe9db4650c8ae3f4461 of oci://REGISTRY/noise:1 is larger than 65536 KiB, the most that it may be");
    insta::assert_snapshot!(super::tests::said(Scenario::EndlessManifest).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: oci://REGISTRY/noise:1@DIGEST is larger than 1024 KiB, the most that it may be");
}

#[tokio::test]
async fn what_a_registry_refuses_is_told_with_what_it_says() {
    insta::assert_snapshot!(said(Scenario::Limited).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY answers 429 to oci://REGISTRY/noise:1@DIGEST: TOOMANYREQUESTS slow down: it wants fewer requests for now");
    insta::assert_snapshot!(said(Scenario::Page).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY sends something else than DIGEST: what came is sha256:109dc313e0b15954d6c480be068933d13c60f58d7204515377b0de113d5091c3");
    insta::assert_snapshot!(said(Scenario::BearerElsewhere).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY answers a request without a token with a token service that is not asked by https: is it a registry?");
    insta::assert_snapshot!(said(Scenario::RedirectsElsewhere).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY redirects sha256:e85c07d74f2ca75787f35950920819e35d949b9bf44befe9db4650c8ae3f4461 of oci://REGISTRY/noise:1@DIGEST to store.example, which is not followed: it is not by https");
    insta::assert_snapshot!(said(Scenario::RedirectsForEver).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY redirects sha256:e85c07d74f2ca75787f35950920819e35d949b9bf44befe9db4650c8ae3f4461 of oci://REGISTRY/noise:1@DIGEST to REGISTRY, which is not followed: there were too many before");
}

#[tokio::test]
async fn a_registry_that_is_away_is_told() {
    let reference = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        Reference::of_argument(&format!("{}/noise:1", gone.local_addr().unwrap())).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let asked = pull(&Settings::default(), folder.path(), [reference.clone()].into()).await;
    let said = asked.unwrap_err()[0].to_string().replace(reference.registry(), "REGISTRY");
    insta::assert_snapshot!(said, @"oci://REGISTRY/noise:1 cannot be pulled: REGISTRY cannot be reached: Connection refused (os error 111)");
}

/// The clock stands until nothing else is to be done, and then passes to what is waited for.
#[tokio::test(start_paused = true)]
async fn a_registry_that_does_not_answer_is_not_waited_for_without_end() {
    insta::assert_snapshot!(said(Scenario::Silent).await, @"oci://REGISTRY/noise:1@DIGEST cannot be pulled: REGISTRY did not answer in time");
}

#[tokio::test]
async fn a_login_is_shown_to_who_asks_for_it_and_to_nobody_that_it_leads_to() {
    let me = Some("Basic bWU6cHc=".to_owned());
    let (well, fake) = pulled(Scenario::Well).await;
    well.unwrap();
    assert!(fake.asked().iter().all(|(_, shown)| shown.is_none()), "nobody asked for it");

    let (well, fake) = pulled(Scenario::Basic).await;
    well.unwrap();
    let shown: Vec<_> = fake.asked().into_iter().map(|(_, shown)| shown).collect();
    assert_eq!(shown, [None, me.clone(), me.clone(), me.clone()]);

    let (well, fake) = pulled(Scenario::Bearer).await;
    well.unwrap();
    let token = Some("Bearer granted".to_owned());
    let shown: Vec<_> = fake.asked().into_iter().map(|(_, shown)| shown).collect();
    assert_eq!(shown, [None, me, token.clone(), token.clone(), token]);
    let (path, _) = &fake.asked()[1];
    assert_eq!(path, "/token?service=it&scope=repository%3Anoise%3Apull");
}

#[tokio::test]
async fn what_a_redirect_leads_to_is_shown_no_login() {
    let (well, fake) = pulled(Scenario::Redirects).await;
    well.unwrap();
    assert!(fake.asked().iter().any(|(_, shown)| shown.is_some()));
    let led: Vec<_> = fake.store.as_ref().unwrap().asked();
    assert!(led.len() == 1 && led[0].1.is_none(), "{led:?}");
}
