//! The runner against an API server that answers as it likes, on a clock that only moves when
//! everybody waits.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::time::Instant;

use super::*;
use crate::ledger::Ledger;
use crate::metrics::Metrics;

/// What it was asked for, and when.
#[derive(Clone)]
struct Server {
    asked: Arc<Mutex<Vec<(Duration, String)>>>,
    started: Instant,
}

impl Server {
    async fn answer(self, request: http::Request<Body>) -> Response {
        let path = request.uri().path().to_owned();
        assert_eq!(request.method(), "GET");
        let accept = request.headers()["accept"].to_str().unwrap();
        assert!(accept.starts_with("application/json;as=PartialObjectMetadata"), "{accept}");
        self.asked.lock().push((self.started.elapsed(), path.clone()));
        let name = path.rsplit('/').next().unwrap_or_default();
        match name {
            "hangs" => std::future::pending().await,
            "forbidden" => (StatusCode::FORBIDDEN, r#"{"message":"no"}"#).into_response(),
            "gone" => (StatusCode::NOT_FOUND, r#"{"message":"no"}"#).into_response(),
            "page" => "<html><title>Login</title>".into_response(),
            "huge" => "x".repeat(2 << 20).into_response(),
            "broken" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            "busy" => {
                (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "3")], "wait").into_response()
            }
            _ => format!(r#"{{"metadata":{{"uid":"u","labels":{{"is":"{name}"}}}}}}"#)
                .into_response(),
        }
    }
}

struct Scene {
    seat: Seat,
    server: Server,
    _asking: Asking,
}

impl Scene {
    fn new(max_per_second: u32) -> Scene {
        let server = Server { asked: Arc::default(), started: Instant::now() };
        let answer = {
            let server = server.clone();
            move |request| server.clone().answer(request)
        };
        let router = axum::Router::new().fallback(answer);
        let reader = MetadataReader::new(kube::Client::new(router, "default"));
        let metrics = Metrics::new(&Ledger::default()).unwrap();
        let settings = Settings { max_per_second, ..Settings::for_tests(&["pods"]) };
        let (lookups, asking) = Lookups::start(settings, reader, &metrics.lookup);
        Scene { seat: lookups.seat(), server, _asking: asking }
    }

    fn ask(&mut self, name: &str) -> Asked {
        // Rights are those of a namespace.
        let namespace = if name == "forbidden" { "closed" } else { "n" };
        let reference = Reference { api_version: "v1", kind: "Pod", namespace, name, uid: "" };
        self.seat.ask(reference, Instant::now().into_std())
    }

    /// What becomes of a question, and how long that takes.
    async fn look_up(&mut self, name: &str) -> (String, Duration) {
        let started = Instant::now();
        let answer = match self.ask(name) {
            Asked::Known(answer) => answer,
            Asked::Waits(ticket) => loop {
                self.seat.rung().await;
                if let Some(answer) = ticket.answer() {
                    break answer.clone();
                }
            },
            Asked::Nothing => panic!("{name}"),
        };
        let said = match answer {
            Answer::Found(found) => found.label("is").unwrap_or_default().to_owned(),
            other => format!("{other:?}"),
        };
        (said, started.elapsed())
    }
}

/// Timers are rounded to milliseconds.
fn about_seconds(took: Duration) -> u64 {
    (took + Duration::from_millis(5)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn whatever_the_server_answers_there_is_an_answer_in_time() {
    let mut scene = Scene::new(20);
    for (name, expected) in [
        ("web", "web"),
        ("gone", "Missing"),
        ("forbidden", "Forbidden"),
        ("page", "Timeout"),
        ("huge", "Timeout"),
        ("broken", "Timeout"),
    ] {
        let (said, took) = scene.look_up(name).await;
        assert_eq!(said, expected, "{name}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
    }
    let (said, took) = scene.look_up("hangs").await;
    assert_eq!((said.as_str(), about_seconds(took)), ("Timeout", 2));
    let paths: Vec<String> =
        scene.server.asked.lock().iter().map(|(_, path)| path.clone()).collect();
    assert_eq!(paths[0], "/api/v1/namespaces/n/pods/web");
    assert_eq!(paths.len(), 7, "each once");
}

#[tokio::test(start_paused = true)]
async fn what_is_known_is_not_asked_for_again_and_what_failed_is() {
    let mut scene = Scene::new(20);
    for name in ["web", "gone", "forbidden", "web", "gone", "forbidden", "broken", "broken"] {
        scene.look_up(name).await;
    }
    assert_eq!(scene.server.asked.lock().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_spread_over_seconds_and_the_rest_of_it_goes_on_at_once() {
    let mut scene = Scene::new(5);
    let asked: Vec<Asked> = (0..30).map(|number| scene.ask(&format!("web-{number}"))).collect();
    let waiting = asked.iter().filter(|asked| matches!(asked, Asked::Waits(_))).count();
    assert_eq!(waiting, 10, "two seconds of it");
    tokio::time::sleep(Duration::from_secs(3)).await;
    let at: Vec<u64> = scene.server.asked.lock().iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(at, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_it_is_left_alone_for_as_long_as_it_says() {
    let mut scene = Scene::new(20);
    assert_eq!(scene.look_up("busy").await.0, "Timeout");
    assert_eq!(scene.look_up("web").await, ("Timeout".into(), Duration::ZERO));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (said, took) = scene.look_up("web").await;
    assert_eq!((said.as_str(), about_seconds(took)), ("web", 1));
}
