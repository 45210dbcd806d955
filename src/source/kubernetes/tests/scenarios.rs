//! Incidents replayed against a scripted API server, through kube's client and the whole source, on
//! a clock that only moves when everybody waits.

use crate::position::Keeper;
use crate::process::Process;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::super::KubernetesSettings;
use super::server::Answer::*;
use super::server::Part::*;
use super::server::{Answer, Server, event, expired, frame, list};
use crate::handoff::{SourceSender, Takeover, Work};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::position::Tracker;
use crate::shutdown::Shutdown;

/// What the API server does, from request to request. When the script is over it answers no more.
#[derive(Clone, Copy, Debug)]
enum Scenario {
    ListPagesThenWatch,
    ResumesAfterTheServerEndsAWatch,
    GoneAsStatus,
    GoneAsErrorLine,
    StaleVersionClosesAtOnce,
    SnapshotLostBetweenPages,
    TooManyRequestsWithRetryAfter,
    Forbidden,
    TokenRotates,
    ServerRestarts,
    HalfALine,
    HalfAList,
    ObjectThatIsNoEvent,
    ObjectOfManyMegabytes,
    LineInPieces,
    DeletedAndBookmarksMoveTheCursor,
    SilentServer,
}

impl Scenario {
    fn script(self) -> Vec<Answer> {
        let page: Answer = Page("100", "", &[("a", "90")]);
        let resumed = Watch(vec![Added("z", "300"), StaysOpen]);
        match self {
            Scenario::ListPagesThenWatch => vec![
                Page("100", "second", &[("a", "7"), ("b", "90")]),
                Page("100", "", &[("c", "8")]),
                Watch(vec![After(Duration::from_millis(5)), Added("d", "101"), StaysOpen]),
            ],
            Scenario::ResumesAfterTheServerEndsAWatch => {
                vec![page, Watch(vec![Added("b", "101"), After(Duration::from_secs(250))]), resumed]
            }
            Scenario::GoneAsStatus => {
                vec![
                    page,
                    Watch(vec![Added("b", "101"), After(Duration::from_secs(250))]),
                    gone(),
                    relisted(),
                    resumed,
                ]
            }
            Scenario::GoneAsErrorLine => {
                vec![page, Watch(vec![Line(expired())]), relisted(), resumed]
            }
            Scenario::StaleVersionClosesAtOnce => {
                vec![page, Watch(vec![]), relisted(), Watch(vec![]), relisted(), resumed]
            }
            Scenario::SnapshotLostBetweenPages => vec![
                Page("100", "second", &[("a", "7"), ("b", "90")]),
                gone(),
                Page("120", "second", &[("a", "7"), ("b", "110"), ("c", "8")]),
                Page("120", "", &[("d", "9")]),
                resumed,
            ],
            Scenario::TooManyRequestsWithRetryAfter => {
                vec![Status(429, Some(20), "slow down"), page, resumed]
            }
            Scenario::Forbidden => vec![
                Status(
                    403,
                    None,
                    r#"{"message":"events is forbidden: User \"me\" cannot list resource \"events\""}"#,
                ),
                page,
                resumed,
            ],
            Scenario::TokenRotates => vec![page, Status(401, None, "Unauthorized"), resumed],
            Scenario::ServerRestarts => {
                vec![
                    page,
                    Watch(vec![Added("b", "101"), Breaks]),
                    Refuses,
                    Status(503, None, ""),
                    Page("101", "more", &[]),
                    resumed,
                ]
            }
            Scenario::HalfALine => {
                let line = frame("ADDED", &event("c", "102"));
                let half = line[..line.len() / 2].to_owned();
                vec![
                    page,
                    Watch(vec![Added("b", "101"), Line(half), Breaks]),
                    Page("102", "", &[]),
                    resumed,
                ]
            }
            Scenario::HalfAList => {
                let whole = list("100", "", &[("a", "90"), ("b", "91")]);
                vec![
                    Raw(whole[..whole.len() - 20].to_owned()),
                    Page("100", "", &[("a", "90"), ("b", "91")]),
                    resumed,
                ]
            }
            Scenario::ObjectThatIsNoEvent => {
                let pod = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","resourceVersion":"101"}}"#;
                vec![page, Watch(vec![Line(frame("ADDED", pod)), Added("b", "102"), StaysOpen])]
            }
            Scenario::ObjectOfManyMegabytes => {
                let huge = event("huge", "101").replace(
                    r#""message":"m""#,
                    &format!(r#""message":"{}""#, "m".repeat(5 << 20)),
                );
                vec![page, Watch(vec![Line(frame("ADDED", &huge)), Added("b", "102"), StaysOpen])]
            }
            Scenario::LineInPieces => {
                let line = frame("ADDED", &event("b", "101"));
                let (first, second) = line.split_at(line.len() / 2);
                let pause = After(Duration::from_secs(60));
                vec![page, Watch(vec![Line(first.into()), pause, Line(second.into()), StaysOpen])]
            }
            Scenario::DeletedAndBookmarksMoveTheCursor => vec![
                page,
                Watch(vec![
                    Line(frame("DELETED", &event("a", "150"))),
                    Line(frame(
                        "BOOKMARK",
                        r#"{"kind":"Event","apiVersion":"v1","metadata":{"resourceVersion":"160"}}"#,
                    )),
                    After(Duration::from_secs(250)),
                ]),
                resumed,
            ],
            Scenario::SilentServer => vec![Hangs, page, resumed],
        }
    }
}

fn gone() -> Answer {
    Status(410, None, r#"{"message":"The provided continue parameter is too old"}"#)
}

fn relisted() -> Answer {
    Page("200", "", &[("a", "90"), ("y", "180")])
}

/// What a run has shown.
struct Seen {
    /// What was asked, when.
    asked: String,
    /// `name@version` of each event, in the order of arrival.
    events: Vec<String>,
    rejections: usize,
    metrics: String,
    readiness: Vec<String>,
}

pub(super) struct Run {
    pub(super) server: Server,
    pub(super) work: mpsc::Receiver<Work>,
    pub(super) metrics: Metrics,
    pub(super) health: Health,
    shutdown: Shutdown,
    takeover: Takeover,
    tracker: Tracker,
    source: tokio::task::JoinHandle<Result<(), super::super::super::SourceError>>,
}

pub(super) fn start(script: Vec<Answer>, chunks: usize) -> Run {
    start_in(&[], script, chunks)
}

fn start_in(namespaces: &[&str], script: Vec<Answer>, chunks: usize) -> Run {
    start_from(Tracker::default(), namespaces, script, chunks)
}

fn start_from(tracker: Tracker, namespaces: &[&str], script: Vec<Answer>, chunks: usize) -> Run {
    let settings = KubernetesSettings {
        namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        ..KubernetesSettings::default()
    };
    let server = Server {
        script: Arc::new(Mutex::new(script.into())),
        asked: Arc::default(),
        started: Instant::now(),
        identity_stalls: Arc::default(),
    };
    let answering = server.clone();
    let router = axum::Router::new().fallback(move |uri: http::Uri| answering.answer(uri));
    let client = kube::Client::new(router, "default");
    let process = Process { tracker: tracker.clone(), ..Process::default() };
    let Process { ledger, metrics, health, takeover, shutdown, .. } = process.clone();
    let (sender, mut workers) = SourceSender::new(ledger, tracker.clone(), chunks, 1);
    let source = tokio::spawn(async move {
        super::super::run(&settings, client, sender, Keeper::default(), process).await
    });
    Run { server, work: workers.remove(0), metrics, health, shutdown, takeover, tracker, source }
}

pub(super) fn texts(work: &Work) -> Vec<String> {
    let chunk = &work.chunk;
    let text = |event: &crate::event::Event| {
        let (bytes, head) = (chunk.event_bytes(event), &event.head);
        let part =
            |span: crate::event::Span| String::from_utf8_lossy(&bytes[span.range()]).into_owned();
        format!("{}@{}", part(head.name), part(head.resource_version))
    };
    chunk.events.iter().map(text).collect()
}

/// Runs a scenario until nothing has come for a while at its end.
async fn play(scenario: Scenario) -> Seen {
    let mut run = start(scenario.script(), 4);
    let (mut events, mut rejections) = (Vec::new(), 0);
    while !run.server.script.lock().unwrap().is_empty()
        || run.work.is_empty() && events.last().is_none()
    {
        tokio::select! {
            work = run.work.recv() => {
                let work = work.unwrap();
                events.extend(texts(&work));
                rejections += work.chunk.rejections.len();
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
    while let Ok(Some(work)) = tokio::time::timeout(Duration::from_secs(100), run.work.recv()).await
    {
        events.extend(texts(&work));
        rejections += work.chunk.rejections.len();
    }
    let asked = run.server.asked.lock().unwrap().join("\n");
    let seen = Seen {
        asked,
        events,
        rejections,
        metrics: run.metrics.render(),
        readiness: run.health.readiness().lines,
    };
    run.shutdown.drain.cancel();
    run.source.await.unwrap().unwrap();
    seen
}

impl Seen {
    fn counts(&self, line: &str) -> bool {
        self.metrics.lines().any(|have| have == line)
    }
}

#[tokio::test(start_paused = true)]
async fn list_pages_then_watch() {
    let seen = play(Scenario::ListPagesThenWatch).await;
    assert_eq!(seen.events, ["a@7", "b@90", "c@8", "d@101"]);
    insta::assert_snapshot!(seen.asked, @r"
    0 s  /api/v1/events?limit=500
    0 s  /api/v1/events?limit=500&continue=second
    0 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=100
    ");
    assert!(seen.counts(r#"weir_source_state{state="watching"} 1"#));
    assert!(seen.counts(r#"weir_source_frames_total{type="item"} 3"#));
    assert!(seen.counts(r#"weir_source_frames_total{type="added"} 1"#));
    assert_eq!(seen.readiness, ["source: ok"]);
}

#[tokio::test(start_paused = true)]
async fn resumes_after_the_server_ends_a_watch() {
    let seen = play(Scenario::ResumesAfterTheServerEndsAWatch).await;
    assert_eq!(seen.events, ["a@90", "b@101", "z@300"]);
    insta::assert_snapshot!(seen.asked, @r"
      0 s  /api/v1/events?limit=500
      0 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=100
    250 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=101
    ");
    assert!(seen.counts(r#"weir_source_restarts_total{cause="closed"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn gone_as_status() {
    let seen = play(Scenario::GoneAsStatus).await;
    assert_eq!(
        seen.events,
        ["a@90", "b@101", "y@180", "z@300"],
        "what was accepted before is skipped"
    );
    insta::assert_snapshot!(seen.asked, @r"
      0 s  /api/v1/events?limit=500
      0 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=100
    250 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=101
    250 s  /api/v1/events?limit=500
    250 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=200
    ");
    assert!(seen.counts(r#"weir_source_restarts_total{cause="gone"} 1"#));
    assert!(seen.counts(r#"weir_source_frames_total{type="item_seen"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn gone_as_error_line() {
    let seen = play(Scenario::GoneAsErrorLine).await;
    assert_eq!(seen.events, ["a@90", "y@180", "z@300"]);
    insta::assert_snapshot!(seen.asked, @r"
    0 s  /api/v1/events?limit=500
    0 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=100
    0 s  /api/v1/events?limit=500
    0 s  /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=200
    ");
    assert!(seen.counts(r#"weir_source_frames_total{type="error"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn stale_version_closes_at_once() {
    let seen = play(Scenario::StaleVersionClosesAtOnce).await;
    assert_eq!(seen.events, ["a@90", "y@180", "z@300"]);
    assert!(seen.counts(r#"weir_source_restarts_total{cause="closed_at_once"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn snapshot_lost_between_pages() {
    let seen = play(Scenario::SnapshotLostBetweenPages).await;
    assert_eq!(
        seen.events,
        ["a@7", "b@90", "b@110", "c@8", "d@9", "z@300"],
        "a@7 is not given twice"
    );
}

#[tokio::test(start_paused = true)]
async fn too_many_requests_with_retry_after() {
    let seen = play(Scenario::TooManyRequestsWithRetryAfter).await;
    assert_eq!(seen.events, ["a@90", "z@300"]);
    let second = seen.asked.lines().nth(1).unwrap();
    assert!(second.starts_with(" 20 s") || second.starts_with(" 21 s"), "{second}");
    assert!(seen.counts(r#"weir_source_restarts_total{cause="throttled"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_fails_readiness_until_it_is_granted() {
    let mut script = Scenario::Forbidden.script();
    script.truncate(1);
    let mut run = start(script, 4);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!run.health.readiness().ok);
    insta::assert_snapshot!(run.health.readiness().lines[0], @r#"source: not ok: the first list of all namespaces has not completed: weir may not list events in all namespaces (status 403: events is forbidden: User "me" cannot list resource "events"): grant `get`, `list` and `watch` on `events` of the core API group, and see whether `kubectl auth can-i list events --all-namespaces --as me` says yes"#);
    run.work.close();
    let seen = play(Scenario::Forbidden).await;
    assert_eq!(seen.readiness, ["source: ok"]);
}

#[tokio::test(start_paused = true)]
async fn token_rotates() {
    let seen = play(Scenario::TokenRotates).await;
    assert_eq!(seen.events, ["a@90", "z@300"]);
    assert!(seen.counts(r#"weir_source_restarts_total{cause="unauthorized"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn server_restarts() {
    let seen = play(Scenario::ServerRestarts).await;
    assert_eq!(seen.events, ["a@90", "b@101", "z@300"]);
    let asked: Vec<&str> =
        seen.asked.lines().map(|line| line.split("  ").last().unwrap()).collect();
    insta::assert_snapshot!(asked.join("\n"), @r"
    /api/v1/events?limit=500
    /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=100
    /api/v1/events?limit=1
    /api/v1/events?limit=1
    /api/v1/events?limit=1
    /api/v1/events?watch=true&allowWatchBookmarks=true&resourceVersion=101
    ");
}

#[tokio::test(start_paused = true)]
async fn half_a_line() {
    let seen = play(Scenario::HalfALine).await;
    assert_eq!(
        (seen.events, seen.rejections),
        (vec!["a@90".into(), "b@101".into(), "z@300".into()], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn half_a_list() {
    let seen = play(Scenario::HalfAList).await;
    assert_eq!(
        (seen.events, seen.rejections),
        (vec!["a@90".into(), "b@91".into(), "z@300".into()], 0)
    );
}

#[tokio::test(start_paused = true)]
async fn object_that_is_no_event() {
    let seen = play(Scenario::ObjectThatIsNoEvent).await;
    assert_eq!((seen.events, seen.rejections), (vec!["a@90".into(), "b@102".into()], 1));
}

#[tokio::test(start_paused = true)]
async fn object_of_many_megabytes() {
    let seen = play(Scenario::ObjectOfManyMegabytes).await;
    assert_eq!((&seen.events[..], seen.rejections), (&["a@90".into(), "b@102".into()][..], 1));
    assert!(seen.counts(r#"weir_source_frames_total{type="malformed"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn line_in_pieces() {
    let seen = play(Scenario::LineInPieces).await;
    assert_eq!((seen.events, seen.rejections), (vec!["a@90".into(), "b@101".into()], 0));
}

#[tokio::test(start_paused = true)]
async fn deleted_and_bookmarks_move_the_cursor() {
    let seen = play(Scenario::DeletedAndBookmarksMoveTheCursor).await;
    assert_eq!(seen.events, ["a@90", "z@300"]);
    assert!(seen.asked.lines().last().unwrap().contains("resourceVersion=160"), "{}", seen.asked);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_asked_again() {
    let seen = play(Scenario::SilentServer).await;
    assert_eq!(seen.events, ["a@90", "z@300"]);
    assert!(seen.counts(r#"weir_source_restarts_total{cause="connection"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn when_nobody_takes_events_the_watch_is_closed_and_resumed_without_a_gap() {
    let pause = After(Duration::from_secs(10));
    let watch =
        Watch(vec![Added("b", "101"), pause, Added("c", "102"), Added("d", "103"), StaysOpen]);
    let resumed = Watch(vec![Added("c", "102"), Added("d", "103"), StaysOpen]);
    // Two chunks: one for the list, one for the first line of the watch.
    let mut run =
        start(vec![Page("100", "", &[("a", "90")]), watch, Page("103", "", &[]), resumed], 2);
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(run.metrics.render().contains(r#"weir_source_state{state="full"} 1"#));
    assert_eq!(run.server.asked.lock().unwrap().len(), 2);
    let mut events = Vec::new();
    while events.len() < 4 {
        events.extend(texts(&run.work.recv().await.unwrap()));
    }
    assert_eq!(events, ["a@90", "b@101", "c@102", "d@103"]);
    let asked = run.server.asked.lock().unwrap().clone();
    assert!(asked[2].ends_with("limit=1"), "{asked:?}");
    assert!(asked[3].ends_with("resourceVersion=101"), "{asked:?}");
    let live = run.health.liveness(std::time::Instant::now());
    assert!(live.ok, "{:?}", live.lines);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_goes_on_from_a_saved_position_is_ready_without_a_list_until_that_is_of_no_use()
{
    let tracker = Tracker::default();
    tracker.begin([("*".to_owned(), "100".into())].into());
    let gone = Watch(vec![After(Duration::from_secs(60)), Line(expired())]);
    let script = vec![
        Page("100", "", &[]),
        gone,
        Status(503, None, ""),
        Page("120", "", &[]),
        Watch(vec![StaysOpen]),
    ];
    let run = start_from(tracker, &[], script, 4);
    let until = async |ok: bool, what: &str| {
        while run.health.readiness().ok != ok {
            assert!(run.server.started.elapsed() < Duration::from_secs(600), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    while run.server.asked.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    until(true, "it watches from 100").await;
    assert_eq!(run.server.asked.lock().unwrap().len(), 2, "no list, but a look at its version");
    until(false, "100 is compacted").await;
    until(true, "it has listed").await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stalls_while_it_says_which_cluster_it_is_is_asked_again() {
    let mut run = start(vec![Page("100", "", &[("a", "90")]), Watch(vec![StaysOpen])], 4);
    // The source has not been polled yet.
    run.server.identity_stalls.store(true, Ordering::Relaxed);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["a@90"]);
    assert!(run.server.started.elapsed() >= Duration::from_secs(75));
    assert!(run.metrics.render().contains(r#"weir_source_restarts_total{cause="connection"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_on_disk_is_read_again_from_the_cluster() {
    let frames = vec![Added("b", "101"), StaysOpen];
    let page = || Page("100", "", &[("a", "90")]);
    let mut run =
        start(vec![page(), Watch(frames), Page("101", "", &[("a", "90"), ("b", "101")])], 4);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["a@90"]);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["b@101"]);
    run.tracker.rewind_all();
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["a@90", "b@101"]);
    assert!(run.metrics.render().contains(r#"weir_source_restarts_total{cause="lost"} 1"#));
}

#[tokio::test(start_paused = true)]
async fn what_was_read_before_a_drain_is_handed_on() {
    let frames =
        vec![Added("b", "101"), After(Duration::from_millis(1)), Added("c", "102"), StaysOpen];
    let mut run = start(vec![Page("100", "", &[]), Watch(frames)], 4);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["b@101"]);
    // The second one is read, and waits a little for others.
    tokio::time::sleep(Duration::from_millis(5)).await;
    run.shutdown.drain.cancel();
    run.source.await.unwrap().unwrap();
    assert_eq!(
        texts(&run.work.recv().await.expect("the cursor was told, and it was not sent")),
        ["c@102"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_end_of_the_next_part_ends_the_source() {
    let run = start(vec![Page("100", "", &[("a", "90")])], 2);
    drop(run.work);
    assert!(run.source.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn several_namespaces_are_scopes_of_their_own_and_ready_when_all_are_listed() {
    let pages = vec![Page("100", "", &[("a", "90")]), Status(503, None, "")];
    let run = start_in(&["team-a", "team-b"], pages, 4);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let asked = run.server.asked.lock().unwrap().join("\n");
    assert!(
        asked.contains("/namespaces/team-a/events?limit")
            && asked.contains("/namespaces/team-b/events?limit")
    );
    assert!(!run.health.readiness().ok, "{:?}", run.health.readiness().lines);
    assert!(run.metrics.render().contains(r#"weir_source_state{state="backoff"} 1"#));
    run.server.script.lock().unwrap().extend([Page("100", "", &[]), Page("100", "", &[])]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(run.health.readiness().ok, "{:?}", run.health.readiness().lines);
}

#[tokio::test(start_paused = true)]
async fn what_comes_after_the_lease_has_lapsed_is_not_taken_in() {
    let pause = After(Duration::from_secs(60));
    let mut run = start(
        vec![
            Page("100", "", &[("a", "90")]),
            Watch(vec![Added("b", "101"), pause, Added("c", "102"), StaysOpen]),
            Page("102", "", &[("c", "102")]),
        ],
        4,
    );
    for expected in ["a@90", "b@101"] {
        assert_eq!(texts(&run.work.recv().await.unwrap()), [expected]);
    }
    run.takeover.lapses_at(Some(0));
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert!(run.work.is_empty(), "another replica may have read it");
    let lapsed = run.metrics.source.restarts.with_label_values(&["lapsed"]).get();
    assert_eq!(lapsed, 2, "the watch, and the list that checks whether to watch again");
    insta::assert_snapshot!(run.health.readiness().lines[0], @"source: ok (the Lease has lapsed before it was renewed, so another replica may read by now: nothing more is taken in until it is known who leads)");
    run.shutdown.drain.cancel();
    run.source.await.unwrap().unwrap();
}
