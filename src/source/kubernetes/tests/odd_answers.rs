//! API servers, and what stands before them, that answer what no API server does.

use std::time::Duration;

use super::scenarios::{Run, start, texts};
use super::server::Answer::{self, *};
use super::server::Part::*;
use super::server::{event, frame, list};

const PAGE: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head></html>\n";

fn asked(run: &Run) -> usize {
    run.server.asked.lock().unwrap().len()
}

/// After so many minutes of such answers: how often it has asked, and what readiness says.
async fn after_minutes(run: &mut Run, minutes: u64, answer: impl Fn(usize) -> Answer) -> String {
    let end = tokio::time::Instant::now() + Duration::from_secs(60 * minutes);
    let mut number = 0;
    while tokio::time::Instant::now() < end {
        let more = number + 1..number + 100;
        number = more.end;
        run.server.script.lock().unwrap().extend(more.map(&answer));
        // What it accepts makes room for more.
        let _ = tokio::time::timeout(Duration::from_millis(100), run.work.recv()).await;
    }
    assert!(run.metrics.render().contains(r#"weir_source_restarts_total{cause="protocol"}"#));
    run.health.readiness().lines.join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_continue_token_that_comes_again_is_a_failure_with_backoff_and_the_next_list_is_read() {
    let mut run = start(vec![], 4);
    let line = after_minutes(&mut run, 10, |_| Page("100", "again", &[("a", "90")])).await;
    assert!(line.contains("gives a `continue` token again"), "{line}");
    assert!(!run.health.readiness().ok, "the first list is not complete");
    assert!(asked(&run) < 120, "{} requests in ten minutes", asked(&run));
    {
        let mut script = run.server.script.lock().unwrap();
        script.clear();
        script.push_back(Page("120", "", &[("b", "110")]));
        script.push_back(Watch(vec![StaysOpen]));
    }
    let events = async {
        loop {
            let events = texts(&run.work.recv().await.unwrap());
            if events.contains(&"b@110".to_owned()) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(120), events).await.expect("it lists again");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(run.health.readiness().ok, "{:?}", run.health.readiness().lines);
}

#[tokio::test(start_paused = true)]
async fn empty_pages_without_end_are_a_failure_with_backoff() {
    let mut run = start(vec![], 4);
    let empty = |number| Raw(list("100", &format!("token-{number}"), &[]));
    let line = after_minutes(&mut run, 10, empty).await;
    assert!(line.contains("page after page of the list without an item"), "{line}");
    // 21 at each try, which are half a minute apart in the end.
    assert!(asked(&run) < 2000, "{} requests in ten minutes", asked(&run));
}

#[tokio::test(start_paused = true)]
async fn a_page_instead_of_a_list_or_a_watch_is_called_one() {
    let mut run = start(vec![Raw(PAGE.to_owned())], 4);
    tokio::time::sleep(Duration::from_millis(1)).await;
    let line = run.health.readiness().lines.join("\n");
    assert!(line.contains("the answer is an HTML page, and no JSON"), "{line}");
    run.server.script.lock().unwrap().extend([
        Page("100", "", &[("a", "90")]),
        Watch(vec![Line(String::new()), Line(PAGE.to_owned()), StaysOpen]),
    ]);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["a@90"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let line = run.health.readiness().lines.join("\n");
    assert!(line.contains("the answer is an HTML page, and no JSON"), "{line}");
    assert!(run.metrics.render().contains(r#"weir_source_restarts_total{cause="protocol"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn a_list_without_items_is_empty() {
    let empty = r#"{"kind":"EventList","apiVersion":"v1","metadata":{"resourceVersion":"100"}}"#;
    let script = vec![Raw(empty.to_owned()), Watch(vec![Added("b", "101"), StaysOpen])];
    let mut run = start(script, 4);
    assert_eq!(texts(&run.work.recv().await.unwrap()), ["b@101"]);
    assert!(run.health.readiness().ok, "{:?}", run.health.readiness().lines);
    assert_eq!(asked(&run), 2);
}

#[tokio::test(start_paused = true)]
async fn what_comes_together_with_something_that_is_no_frame_is_not_believed() {
    // Half of the line of b@101 is missing.
    let line = frame("ADDED", &event("b", "101"));
    let torn = format!("{}{}", &line[40..], frame("ADDED", &event("c", "102")));
    let script = vec![
        Page("100", "", &[("a", "90")]),
        Watch(vec![Line(torn), StaysOpen]),
        Page("102", "", &[]),
        Watch(vec![Added("b", "101"), Added("c", "102"), StaysOpen]),
    ];
    let mut run = start(script, 4);
    let mut found = Vec::new();
    while found.len() < 3 {
        found.extend(texts(&run.work.recv().await.unwrap()));
    }
    assert_eq!(found, ["a@90", "b@101", "c@102"]);
    let last = run.server.asked.lock().unwrap().last().unwrap().clone();
    assert!(last.contains("resourceVersion=100"), "{last}");
}
