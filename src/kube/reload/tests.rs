use std::io::Write;
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

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn client(&self, interval: Duration) -> Client {
        self.client_that_watches(interval, &Reload::default()).await
    }

    async fn client_that_watches(&self, interval: Duration, reload: &Reload) -> Client {
        let origin = ConfigOrigin::Home(self.path("config"));
        let reloading = Reloading::with_interval(origin, interval, reload).await;
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
    let (plugin, token) = (configured.path("plugin"), configured.path("token"));
    let script = format!(
        "#!/bin/sh\nprintf '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\
         \"kind\":\"ExecCredential\",\"status\":{{\"token\":\"%s\"}}}}' \"$(cat {})\"\n",
        token.display()
    );
    std::fs::write(&token, "old").unwrap();
    std::fs::File::create(&plugin).unwrap().write_all(script.as_bytes()).unwrap();
    let plugin = plugin.display();
    configured.write(
        "",
        &format!(
            "exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, \
             args: [\"{plugin}\"], interactiveMode: Never}}"
        ),
    );
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

/// A proxy that tunnels, and answers what it was asked.
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
                let (mut line, mut target) = (String::new(), String::new());
                while stream.read_line(&mut line).await? > 2 {
                    if let Some(to) = line.strip_prefix("CONNECT ") {
                        target = to.split(' ').next().unwrap_or_default().to_owned();
                    }
                    told.lock().push(line.trim_end().to_ascii_lowercase());
                    line.clear();
                }
                let mut server = TcpStream::connect(target).await?;
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                copy_bidirectional(&mut stream, &mut server).await
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn the_api_server_is_reached_through_the_proxy_of_its_kubeconfig() {
    let server = Server::start().await;
    let (address, asked) = proxy().await;
    let configured = Configured::new(&server);
    configured.write(&format!(", proxy-url: \"http://me:word@{address}\""), "token: new");
    assert_eq!(ask(&configured.client(Duration::ZERO).await).await, 200);
    let target = server.url.strip_prefix("http://").unwrap();
    let asked = asked.lock();
    assert_eq!(asked[0], format!("connect {target} http/1.1"));
    assert!(asked.iter().any(|line| line.starts_with("proxy-authorization: basic ")), "{asked:?}");
}
