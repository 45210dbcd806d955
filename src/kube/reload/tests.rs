use std::path::PathBuf;

use axum::extract::State;
use axum::http::HeaderMap;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A server that lets the token `new` in, and remembers what it was asked with.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

async fn answer(State(seen): State<Arc<Mutex<Vec<String>>>>, headers: HeaderMap) -> StatusCode {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let authorization = headers.get("authorization").map(text).unwrap_or_default();
    let is_new = authorization == "Bearer new";
    seen.lock().push(authorization);
    if is_new { StatusCode::OK } else { StatusCode::UNAUTHORIZED }
}

impl Server {
    async fn start() -> Server {
        crate::tls::install_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Server { url, seen }
    }
}

/// A kubeconfig of one user, in a folder of its own.
struct Configured {
    folder: tempfile::TempDir,
    server: String,
}

impl Configured {
    fn new(server: &Server) -> Configured {
        Configured { folder: tempfile::tempdir().unwrap(), server: server.url.clone() }
    }

    fn write(&self, cluster: &str, user: &str) {
        let server = &self.server;
        let text = format!(
            "current-context: c\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: \"{server}\"{cluster}}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n"
        );
        std::fs::write(self.path("config"), text).unwrap();
    }

    /// A user whose credentials a shell's script has.
    fn write_plugin(&self, script: &str) {
        let plugin = self.path("plugin");
        std::fs::write(&plugin, script).unwrap();
        let plugin = plugin.display();
        self.write("", &format!("exec: {{command: sh, args: [\"{plugin}\"]}}"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn client(&self, interval: Duration) -> Client {
        self.client_that_watches(interval, &Reload::default()).await
    }

    async fn client_that_watches(&self, interval: Duration, reload: &Reload) -> Client {
        let origin = ConfigOrigin::Home(self.path("config"));
        let limits = Limits { interval, ..Limits::default() };
        let reloading = Reloading::with_limits(origin, limits, reload).await;
        Client::new(reloading.unwrap().0, "default")
    }
}

async fn ask(client: &Client) -> u16 {
    let request = Request::get("/version").body(Body::empty()).unwrap();
    client.send(request).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_credential_plugin_without_an_expiry_is_asked_again_after_a_401() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    let token = configured.path("token");
    std::fs::write(&token, "old").unwrap();
    configured.write_plugin(&format!(
        "printf '{{\"status\":{{\"token\":\"%s\"}}}}' \"$(cat {})\"",
        token.display()
    ));
    let client = configured.client(Duration::ZERO).await;
    std::fs::write(&token, "new").unwrap();
    assert_eq!(ask(&client).await, 401, "what the plugin said at the start");
    assert_eq!(ask(&client).await, 200);
    assert_eq!(*server.seen.lock(), ["Bearer old", "Bearer new"]);
}

#[tokio::test]
async fn on_a_hangup_the_credentials_are_read_again_before_their_time() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    configured.write("", "token: old");
    let reload = Reload::default();
    let client = configured.client_that_watches(Duration::from_secs(3600), &reload).await;
    configured.write("", "token: new");
    assert_eq!(ask(&client).await, 401);
    reload.ask();
    assert_eq!(ask(&client).await, 200);
}

#[tokio::test]
async fn a_plugin_is_not_asked_for_each_of_many_refusals() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    configured.write("", "token: old");
    let client = configured.client(Duration::from_secs(3600)).await;
    configured.write("", "token: new");
    for _ in 0..3 {
        assert_eq!(ask(&client).await, 401);
    }
}

#[tokio::test]
async fn a_kubeconfig_that_is_replaced_is_read_before_the_next_request() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    configured.write("", "token: older");
    let client = configured.client(Duration::ZERO).await;
    configured.write("", "token: new");
    assert_eq!(ask(&client).await, 200);
}

#[tokio::test]
async fn while_the_new_kubeconfig_makes_no_sense_the_former_one_holds() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    configured.write("", "token: new");
    let client = configured.client(Duration::ZERO).await;
    std::fs::write(configured.path("config"), "current-context: [").unwrap();
    assert_eq!(ask(&client).await, 200);
    configured.write("", "token: other");
    assert_eq!(ask(&client).await, 401, "the one behind it is read");
}

#[tokio::test]
async fn what_a_plugin_gave_is_asked_for_again_when_it_expires_and_once_each_time() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    let (runs, expiry) = (configured.path("runs"), configured.path("expiry"));
    configured.write_plugin(&format!(
        "echo run >>{}; echo \"status: {{token: new, expirationTimestamp: '$(cat {})'}}\"",
        runs.display(),
        expiry.display()
    ));
    let expires_in = |seconds: i64| {
        let at = Timestamp::now() + SignedDuration::from_secs(seconds);
        std::fs::write(&expiry, at.to_string()).unwrap();
    };
    let runs = || std::fs::read_to_string(&runs).unwrap().lines().count();
    expires_in(59);
    let client = configured.client(Duration::ZERO).await;
    assert_eq!(runs(), 1, "it is asked once for one client");
    expires_in(3600);
    for _ in 0..3 {
        assert_eq!(ask(&client).await, 200);
        assert_eq!(runs(), 2);
    }
}

/// How often a plugin has begun that does not end while the file `wait` is there.
fn hanging(configured: &Configured) -> impl Fn() -> usize {
    let (runs, wait) = (configured.path("runs"), configured.path("wait"));
    configured.write_plugin(&format!(
        "echo run >>{}; while [ -e {} ]; do sleep 0.05; done; echo 'status: {{token: new}}'",
        runs.display(),
        wait.display()
    ));
    move || std::fs::read_to_string(&runs).unwrap().lines().count()
}

#[tokio::test]
async fn a_hangup_is_not_lost_with_the_request_that_it_is_seen_by() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    configured.write("", "token: old");
    let reload = Reload::default();
    let client = configured.client_that_watches(Duration::from_secs(3600), &reload).await;
    std::fs::write(configured.path("wait"), "").unwrap();
    let runs = hanging(&configured);
    reload.ask();
    let gave_up = timeout(Duration::from_secs(1), ask(&client)).await;
    assert!(gave_up.is_err() && runs() == 1);
    std::fs::remove_file(configured.path("wait")).unwrap();
    for _ in 0..600 {
        if ask(&client).await == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("what SIGHUP asked for is not done");
}

#[tokio::test]
async fn while_a_plugin_hangs_requests_go_on_and_no_other_is_started() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    let runs = hanging(&configured);
    let limits = Limits {
        interval: Duration::ZERO,
        making: Duration::from_secs(3),
        wait: Duration::from_millis(100),
    };
    let origin = ConfigOrigin::Home(configured.path("config"));
    let reload = Reload::default();
    let (reloading, _) = Reloading::with_limits(origin, limits, &reload).await.unwrap();
    let client = Client::new(reloading.clone(), "default");
    std::fs::write(configured.path("wait"), "").unwrap();
    reload.ask();
    for _ in 0..10 {
        assert_eq!(ask(&client).await, 200);
    }
    assert_eq!(runs(), 2, "the first, and the one that hangs");
    for _ in 0..600 {
        if let Some(error) = &reloading.0.made.lock().error {
            assert!(error.contains("took more than 3s"), "{error}");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it is not given up");
}

#[tokio::test]
async fn what_could_not_be_read_is_read_again_although_no_file_has_changed_since() {
    let server = Server::start().await;
    let configured = Configured::new(&server);
    let works = configured.path("works");
    configured.write("", "token: old");
    let client = configured.client(Duration::ZERO).await;
    configured
        .write_plugin(&format!("test -e {} && echo 'status: {{token: new}}'", works.display()));
    assert_eq!(ask(&client).await, 401);
    std::fs::write(works, "").unwrap();
    assert_eq!(ask(&client).await, 200);
}

/// A proxy that tunnels, or asks itself for what is asked by a whole URL; what each connection
/// began with, in lower case.
async fn proxy() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let told = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let (mut head, mut line) = (String::new(), String::new());
                while stream.read_line(&mut line).await? > 2 {
                    told.lock().push(line.trim_end().to_ascii_lowercase());
                    head += &line;
                    line.clear();
                }
                let (method, rest) = head.split_once(' ').unwrap_or_default();
                let target = rest.split(' ').next().unwrap_or_default();
                let is_tunnel = method == "CONNECT";
                let authority = target.trim_start_matches("http://").split('/').next();
                let mut server = TcpStream::connect(authority.unwrap_or_default()).await?;
                if is_tunnel {
                    stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                } else {
                    server.write_all((head + "\r\n").as_bytes()).await?;
                }
                copy_bidirectional(&mut stream, &mut server).await
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_server_without_tls_is_asked_for_by_its_url_and_not_by_a_tunnel() {
    let server = Server::start().await;
    let (address, asked) = proxy().await;
    let configured = Configured::new(&server);
    configured.write(&format!(", proxy-url: \"http://me:word@{address}\""), "token: new");
    assert_eq!(ask(&configured.client(Duration::ZERO).await).await, 200);
    let asked = asked.lock();
    assert_eq!(asked[0], format!("get {}/version http/1.1", server.url));
    let credentials = "proxy-authorization: basic bwu6d29yza==";
    assert!(asked.iter().any(|line| line == credentials), "{asked:?}");
    assert_eq!(*server.seen.lock(), ["Bearer new"], "the server's own credentials pass through");
}

#[tokio::test]
async fn a_server_with_tls_is_reached_through_a_tunnel() {
    let server = Server::start().await;
    let (address, asked) = proxy().await;
    let configured = Configured {
        folder: tempfile::tempdir().unwrap(),
        server: server.url.replace("http://", "https://"),
    };
    configured.write(&format!(", proxy-url: \"http://me:word@{address}\""), "token: new");
    let client = configured.client(Duration::ZERO).await;
    let request = Request::get("/version").body(Body::empty()).unwrap();
    client.send(request).await.expect_err("it does not speak TLS");
    let asked = asked.lock();
    let target = server.url.strip_prefix("http://").unwrap();
    assert_eq!(asked[0], format!("connect {target} http/1.1"));
    assert!(asked.iter().any(|line| line.starts_with("proxy-authorization: basic ")), "{asked:?}");
}
