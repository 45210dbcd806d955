//! Which way a request goes, and how long its answer may be.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::super::*;
use super::{get, settings};
use crate::opensearch::ProxySetting;

#[test]
fn bodies_are_compressed_unless_the_server_is_on_this_machine() {
    let is_local = |url: &str| Host::new(url).unwrap().is_local;
    assert!(
        is_local("http://localhost:9200")
            && is_local("https://127.1.2.3")
            && is_local("http://[::1]:9200/x")
    );
    assert!(!is_local("https://opensearch.example:9200") && !is_local("http://10.0.0.1"));
    let is_compressed = |compression, url: &str| {
        let settings = Settings { compression, ..settings(url, None) };
        let client = Client::new(&settings, &Reload::default()).unwrap();
        let (_, route) = client.routes.lock().begin("/", true, Instant::now());
        route.is_compressed
    };
    assert!(is_compressed(Compression::Gzip, "http://10.0.0.1:1"));
    assert!(!is_compressed(Compression::None, "http://10.0.0.1:1"));
    assert!(!is_compressed(Compression::Gzip, "http://127.0.0.1:1"));
}

/// What a gateway saw of a request: the URL, whether the body was compressed, and its length.
type Seen = (String, bool, usize);

/// A proxy to hosts that are not on this machine, which answers each request itself. Answers its
/// address, and what it was asked.
fn gateway(
    answer: impl Fn(&Seen) -> Vec<u8> + Send + 'static,
) -> (ProxySetting, std::sync::mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let (sender, seen) = std::sync::mpsc::sync_channel(64);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (mut request, mut chunk) = (Vec::new(), [0; 4096]);
            let saw = loop {
                let count = stream.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
                let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.split_once("content-length: ").map_or("0", |(_, rest)| rest);
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if request.len() >= head.len() + 4 + length {
                    let url = head.split(' ').nth(1).unwrap().to_owned();
                    break (url, head.contains("content-encoding: gzip"), length);
                }
            };
            let answer = answer(&saw);
            // First: who has the answer may look at once.
            sender.send(saw).unwrap();
            stream.write_all(&answer).unwrap();
        }
    });
    (ProxySetting::parse(&proxy).unwrap(), seen)
}

fn plainly(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close");
    format!("{head}\r\n\r\n{body}").into_bytes()
}

fn through(proxy: ProxySetting, hosts: &[&str]) -> Client {
    let hosts = hosts.iter().map(|host| format!("http://{host}.invalid")).collect();
    let settings = Settings { hosts, proxy, ..Settings::default() };
    Client::new(&settings, &Reload::default()).unwrap()
}

#[tokio::test]
async fn a_body_that_is_refused_compressed_is_sent_uncompressed() {
    let (proxy, seen) = gateway(|(_, is_compressed, _)| match is_compressed {
        true => plainly(415, "no gzip here"),
        false => plainly(201, "{}"),
    });
    let client = through(proxy, &["a"]);
    let large = Request::bulk("x", b"{}\n".repeat(1000), true);
    for _ in 0..2 {
        let answer = client.send(large.clone()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.was_compressed), (201, false));
    }
    let forms: Vec<bool> = seen.try_iter().map(|(_, is_compressed, _)| is_compressed).collect();
    assert_eq!(forms, [true, false, false], "it is not tried again at once");
}

#[tokio::test]
async fn a_request_that_one_node_refuses_is_taken_by_another_which_is_asked_from_then_on() {
    let (proxy, seen) = gateway(|(url, ..)| match url.starts_with("http://a.") {
        true => plainly(403, "<html>Forbidden</html>"),
        false => plainly(200, "{}"),
    });
    let client = through(proxy, &["a", "b"]);
    for statuses in [vec![StatusCode::FORBIDDEN], vec![]] {
        let answer = client.send(Request::bulk("x", b"{}\n".to_vec(), true)).await.unwrap();
        assert_eq!((answer.host.as_str(), answer.refused), ("http://b.invalid", statuses));
    }
    assert_eq!((seen.try_iter().count(), client.host()), (3, "http://b.invalid"));
}

#[tokio::test]
async fn what_must_not_be_stored_twice_goes_another_way_only_if_nobody_can_have_stored_it() {
    for (status, asked) in [(400, 2), (415, 2), (403, 1), (404, 1), (302, 1)] {
        let (proxy, seen) = gateway(move |(url, ..)| match url.starts_with("http://a.") {
            true => plainly(status, "<html>"),
            false => plainly(200, "{}"),
        });
        let client = through(proxy, &["a", "b"]);
        let request = Request::bulk("x", b"{}\n".to_vec(), false);
        let answer = client.send(request).await.unwrap();
        assert_eq!(answer.status.as_u16(), if asked == 2 { 200 } else { status }, "{status}");
        assert_eq!(seen.try_iter().count(), asked, "{status}");
        assert_eq!(client.host(), "http://b.invalid", "the next one goes there");
    }
}

#[tokio::test]
async fn of_a_request_that_all_refuse_the_first_answer_counts() {
    let (proxy, seen) = gateway(|(url, ..)| match url.starts_with("http://a.") {
        true => plainly(400, "first"),
        false => plainly(403, "second"),
    });
    let client = through(proxy, &["a", "b"]);
    let answer = client.send(Request::bulk("x", b"{}\n".repeat(1000), true)).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.was_compressed), (400, true));
    let others = [StatusCode::BAD_REQUEST, StatusCode::FORBIDDEN, StatusCode::FORBIDDEN];
    assert_eq!(answer.refused, others);
    assert_eq!((answer.body.as_slice(), seen.try_iter().count()), (&b"first"[..], 4));
}

#[tokio::test]
async fn an_answer_that_is_compressed_is_read_and_bounded() {
    let (proxy, _seen) = gateway(|(url, ..)| {
        let bytes = if url.ends_with("/bomb") { 2 << 20 } else { 5 };
        let body = super::encoding::gzip(&vec![b'x'; bytes]);
        let length = body.len();
        let head =
            format!("content-encoding: gzip\r\ncontent-length: {length}\r\nconnection: close");
        [format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n").into_bytes(), body].concat()
    });
    let client = through(proxy, &["a"]);
    let ask = async |path| client.send(Request::json(Method::GET, path, Vec::new())).await;
    assert_eq!(ask("/").await.unwrap().body, b"xxxxx");
    assert!(matches!(ask("/bomb").await.unwrap_err(), TransportError::TooLong { .. }));
}

#[test]
fn hosts_are_asked_in_turn_and_each_failure_turns_once() {
    let mut settings = settings("http://a:1/", None);
    settings.hosts.push("http://b:1".into());
    let client = Client::new(&settings, &Reload::default()).unwrap();
    assert_eq!(client.host(), "http://a:1");
    client.rotate("http://a:1");
    client.rotate("http://a:1");
    assert_eq!(client.host(), "http://b:1");
    client.rotate("http://b:1");
    assert_eq!(client.host(), "http://a:1");
}

/// A server that answers each request with this status and so many bytes.
fn talkative(status: u16, bytes: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {bytes}\r\n\r\n");
            // The client may have heard enough.
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&vec![b'x'; bytes]);
        }
    });
    url
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_not_held() {
    let bytes = get(&talkative(200, ANSWER_BYTES), None).await.unwrap().len();
    assert_eq!(bytes, ANSWER_BYTES);
    let url = talkative(200, ANSWER_BYTES + 1);
    insta::assert_snapshot!(get(&url, None).await.unwrap_err().replace(&url, "http://HOST"), @"https://HOST answers with more than the 1048576 bytes that such an answer can have; is there a proxy before OpenSearch?");
    let refused = get(&talkative(503, 3 << 20), None).await.unwrap();
    assert_eq!(
        refused.len(),
        super::super::exchange::REFUSAL_BYTES_MAX,
        "of a refusal the beginning is enough"
    );
}

#[test]
fn the_bound_of_an_answer_to_a_bulk_grows_with_what_was_sent() {
    let bound = |bytes: usize| Request::bulk("x", vec![b'x'; bytes], true).answer_bytes_max;
    // Each of 5,000 small items refused with a reason of a thousand characters.
    assert!(bound(1 << 20) >= 5_000_000 && bound(1 << 20) < 20 << 20);
    // One document that a reason quotes twice, each byte escaped.
    assert!(bound(1_000_000) > 12_000_000);
    assert!(bound(100) < 100_000);
    assert_eq!(bound(1 << 24), ANSWER_BYTES_MAX);
}
