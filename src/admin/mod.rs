//! The HTTP server of `/metrics`, `/livez` and `/readyz`, and of `/shadow/STAGE` where events may
//! be shown: shows what the parts say, and decides nothing.
//!
//! It is the first to start and the last to stop, so that a drain can be watched. [`connections`]
//! sees to it that nobody who can reach the port takes the pipeline down.

mod client;
mod connections;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Path as UrlPath, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use self::client::{AskError, ask};
use crate::health::{Health, Report};
use crate::metrics::Metrics;
pub(crate) use reqwest::Url;

/// <https://prometheus.io/docs/instrumenting/exposition_formats/#basic-info>
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What `/shadow/STAGE` answers where the configuration does not want it.
const EVENTS_ARE_NOT_SHOWN: &str =
    "events are not shown here: set `show_events = true` in [admin], and restart weir\n";

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for /metrics, /livez and /readyz: {error}; {}", advice(.error))]
pub struct BindError {
    /// The configured address.
    pub address: SocketAddr,
    /// What the system says.
    #[source]
    pub error: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "stop what listens there (another weir?), or set another port in admin.listen; port 0 \
             takes a free one"
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: set admin.listen to one that it has"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: set another one in admin.listen"
        }
        _ => "set another address in admin.listen",
    }
}

/// Listens on `address`, and logs where that is.
///
/// # Errors
///
/// With what to do about it.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let bound = match TcpListener::bind(address).await {
        Ok(listener) => listener.local_addr().map(|bound| (listener, bound)),
        Err(error) => Err(error),
    };
    let (listener, bound) = bound.map_err(|error| BindError { address, error })?;
    tracing::info!(address = %bound, "serving /metrics, /livez and /readyz");
    Ok(listener)
}

/// By the name of a stage; the error is what to say where it has no shadow.
pub(crate) type Differences = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// What is shown.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    /// The events on which the shadow of a stage does otherwise, as JSON; `None`: events are not
    /// shown.
    pub(crate) differences: Option<Differences>,
}

/// Answers until `stop`, and then finishes the answers that it has begun.
pub(crate) async fn serve(listener: TcpListener, shown: Shown, stop: CancellationToken) {
    let router = Router::new()
        .route("/metrics", get(metrics_text))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/shadow/{stage}", get(shadow))
        .with_state(shown);
    connections::serve(listener, router, connections::connections_max(), stop).await;
}

async fn metrics_text(State(shown): State<Shown>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], shown.metrics.render())
}

async fn livez(State(shown): State<Shown>, RawQuery(query): RawQuery) -> impl IntoResponse {
    answer(&shown.health.liveness(Instant::now()), query.as_deref())
}

async fn readyz(State(shown): State<Shown>, RawQuery(query): RawQuery) -> impl IntoResponse {
    answer(&shown.health.readiness(), query.as_deref())
}

async fn shadow(State(shown): State<Shown>, UrlPath(stage): UrlPath<String>) -> Response {
    match shown.differences {
        Some(differences) => match differences(&stage) {
            Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
            Err(why) => (StatusCode::NOT_FOUND, why).into_response(),
        },
        None => (StatusCode::FORBIDDEN, EVENTS_ARE_NOT_SHOWN).into_response(),
    }
}

/// `ok` or `not ok`; then, when it was asked for or is bad, each part and why.
fn answer(report: &Report, query: Option<&str>) -> (StatusCode, String) {
    let (status, verdict) = if report.ok {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok")
    };
    let is_verbose =
        query.is_some_and(|query| query.split(['&', '=']).any(|word| word == "verbose"));
    let mut body = format!("{verdict}\n");
    if is_verbose || !report.ok {
        body.extend(report.lines.iter().map(|line| format!("{line}\n")));
    }
    (status, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Condition, Part};
    use crate::ledger::Ledger;
    use std::net::Ipv4Addr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    struct Server {
        address: SocketAddr,
        health: Health,
        metrics: Metrics,
        stop: CancellationToken,
        task: tokio::task::JoinHandle<()>,
    }

    async fn server() -> Server {
        server_with(None).await
    }

    async fn server_with(differences: Option<Differences>) -> Server {
        let (health, stop, ledger) =
            (Health::default(), CancellationToken::new(), Ledger::default());
        ledger.filter_reason("-", "-");
        ledger.dead_letter_reason("-", "-");
        let metrics = Metrics::new(&ledger).unwrap();
        let listener = bind(ANY_PORT).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shown = Shown { metrics: metrics.clone(), health: health.clone(), differences };
        let task = tokio::spawn(serve(listener, shown, stop.clone()));
        Server { address, health, metrics, stop, task }
    }

    async fn fetch(server: &Server, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn readiness_says_why_when_asked_and_when_it_fails() {
        let server = server().await;
        server.health.set(Part::Modules, Condition::Ready);
        server
            .health
            .set(Part::Sink, Condition::Note("OpenSearch is not reachable; trying again".into()));
        assert_eq!(fetch(&server, "/readyz").await, (200, "ok\n".into()));
        let (status, body) = fetch(&server, "/readyz?verbose").await;
        assert_eq!(status, 200);
        insta::assert_snapshot!(body, @r"
        ok
        modules: ok
        sink: ok (OpenSearch is not reachable; trying again)
        ");

        server.health.set(
            Part::Sink,
            Condition::NotReady("OpenSearch answers 401: check sink.password".into()),
        );
        let (status, body) = fetch(&server, "/readyz").await;
        assert_eq!(status, 503);
        insta::assert_snapshot!(body, @r"
        not ok
        modules: ok
        sink: not ok: OpenSearch answers 401: check sink.password
        ");
    }

    #[tokio::test]
    async fn events_are_shown_only_where_that_is_wanted() {
        let (status, body) = fetch(&server().await, "/shadow/a").await;
        assert_eq!(status, 403);
        assert!(body.contains("`show_events = true` in [admin]"), "{body}");
        let of = Arc::new(|stage: &str| match stage {
            "a-b" => Ok(format!("what differs in {stage}")),
            _ => Err(format!("{stage} has none")),
        });
        let server = server_with(Some(of)).await;
        assert_eq!(fetch(&server, "/shadow/a-b").await, (200, "what differs in a-b".into()));
        assert_eq!(fetch(&server, "/shadow/c").await, (404, "c has none".into()));
        assert_eq!(fetch(&server, "/shadow").await.0, 404);
    }

    #[tokio::test]
    async fn liveness_lists_tasks() {
        let server = server().await;
        server.health.progress("worker-0");
        assert_eq!(fetch(&server, "/livez").await, (200, "ok\n".into()));
        assert_eq!(fetch(&server, "/livez?verbose=1").await, (200, "ok\nworker-0: ok\n".into()));
        assert_eq!(fetch(&server, "/nothing").await.0, 404);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_when_told_even_when_a_client_hangs_on() {
        let server = server().await;
        let _idle = TcpStream::connect(server.address).await.unwrap();
        server.stop.cancel();
        server.task.await.unwrap();
    }

    /// Whether the other end has closed it.
    async fn is_closed(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        let read = stream.read(&mut byte);
        let read = tokio::time::timeout(std::time::Duration::from_millis(1), read).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    #[tokio::test]
    async fn however_many_connections_say_nothing_a_probe_is_answered() {
        let server = server().await;
        let mut silent = Vec::new();
        for number in 0..300 {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(b"GET /livez HT").await.unwrap();
            }
            silent.push(stream);
        }
        assert_eq!(fetch(&server, "/livez").await, (200, "ok\n".into()));
        let mut open = 0;
        for stream in &mut silent {
            open += usize::from(!is_closed(stream).await);
        }
        assert!((1..64).contains(&open), "{open} are open");
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_for_half_a_minute_is_let_go() {
        let server = server().await;
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        let mut half = TcpStream::connect(server.address).await.unwrap();
        half.write_all(b"GET /livez HT").await.unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(silent.read(&mut [0; 64]).await.unwrap_or(0), 0);
        let mut said = Vec::new();
        let _ = half.read_to_end(&mut said).await;
        let waited = began.elapsed().as_secs();
        assert!((29..60).contains(&waited), "{waited} s");
    }

    #[tokio::test]
    async fn an_address_in_use_says_what_to_do() {
        let server = server().await;
        let error = bind(server.address).await.unwrap_err().to_string();
        let error = error.replace(&server.address.to_string(), "ADDRESS");
        insta::assert_snapshot!(error, @"cannot listen on ADDRESS for /metrics, /livez and /readyz: Address already in use (os error 98); stop what listens there (another weir?), or set another port in admin.listen; port 0 takes a free one");
    }

    /// Every family with one sample, as `/metrics` serves them.
    #[tokio::test]
    async fn every_metric_by_name_type_and_labels() {
        let server = server().await;
        let Metrics { source, stage, sink, lease, lookup, buffer_bytes, .. } = &server.metrics;
        buffer_bytes.with_label_values(&["-"]).set(1);
        source.state.with_label_values(&["-"]).set(1);
        for counter in [&source.frames, &source.restarts, &stage.calls, &stage.edits_refused] {
            counter.with_label_values(&["-"]).inc();
        }
        for counter in [&stage.failures, &stage.instance_starts, &stage.module_counter] {
            counter.with_label_values(&["-", "-"]).inc();
        }
        for counter in
            [&stage.log_lines_dropped, &sink.requests, &sink.items, &sink.lookups, &lease.renewals]
        {
            counter.with_label_values(&["-"]).inc();
        }
        lookup.results.with_label_values(&["-"]).inc();
        stage.duration.with_label_values(&["-"]).observe(1.0);
        let (status, text) = fetch(&server, "/metrics").await;
        assert_eq!(status, 200);
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        insta::assert_snapshot!(types.collect::<Vec<_>>().join("\n"), @r"
        process_cpu_seconds_total counter
        process_max_fds gauge
        process_open_fds gauge
        process_resident_memory_bytes gauge
        process_start_time_seconds gauge
        process_threads gauge
        process_virtual_memory_bytes gauge
        weir_buffer_bytes gauge
        weir_build_info gauge
        weir_config_generation gauge
        weir_config_restart_needed gauge
        weir_config_swaps_total counter
        weir_delivery_lag_seconds histogram
        weir_events_dead_lettered_total counter
        weir_events_delivered_total counter
        weir_events_filtered_total counter
        weir_events_in_flight gauge
        weir_events_received_total counter
        weir_events_recovered_total counter
        weir_events_replayed_total counter
        weir_lease_leader gauge
        weir_lease_renewals_total counter
        weir_lease_transitions_total counter
        weir_lookups_total counter
        weir_module_counter_total counter
        weir_sink_items_total counter
        weir_sink_lookups_total counter
        weir_sink_request_documents histogram
        weir_sink_request_duration_seconds histogram
        weir_sink_requests_total counter
        weir_source_frames_total counter
        weir_source_restarts_total counter
        weir_source_state gauge
        weir_stage_calls_total counter
        weir_stage_duration_seconds histogram
        weir_stage_edits_refused_total counter
        weir_stage_failures_total counter
        weir_stage_instance_starts_total counter
        weir_stage_log_lines_dropped_total counter
        ");
    }
}
