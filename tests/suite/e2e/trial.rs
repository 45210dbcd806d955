//! `weir filter try --from kubernetes`: what happens in a cluster, as it happens, and a case of it.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::lookup::{pod, report_on};
use crate::support::{Cluster, Folder, repository, variable};

/// Between two events that are reported until one is seen.
const REPORT_EVERY: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_shown_with_what_was_looked_up_and_recorded_as_a_case_that_passes() {
    let cluster = Cluster::with_namespace().await;
    let module = repository().join("filters/dist/lookup-guest.wasm");
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    let metadata = json!({
        "name": "web",
        "labels": {"app.kubernetes.io/name": "web"},
        "annotations": {"example.com/team": "shop", "example.com/other": "not asked for"},
    });
    let pod = pod(&cluster, metadata).await;
    let folder = Folder::new();
    let module = module.display().to_string();
    let mut command = folder.command(&[
        "filter",
        "try",
        &module,
        "--from",
        "kubernetes",
        "--annotation",
        "example.com/team",
        "--record",
        "cases/live",
    ]);
    command.env("KUBECONFIG", variable("WEIR_TEST_KUBECONFIG"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, seen) = sync_channel(10_000);
    let namespace = cluster.namespace.clone();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let line: Value = serde_json::from_str(&line).unwrap();
            if line["event"]["namespace"] == namespace.as_str() && sender.send(line).is_err() {
                break;
            }
        }
    });
    // From when on it watches, nobody says.
    let mut number = 0;
    let line = loop {
        report_on(&cluster, &format!("e{number}"), "Pod", &pod).await;
        number += 1;
        tokio::time::sleep(REPORT_EVERY).await;
        if let Ok(line) = seen.try_recv() {
            break line;
        }
        assert!(number < 300, "nothing is seen: {:?}", child.try_wait());
    };
    assert_eq!(line["verdict"], "kept", "{line}");
    let edits = line["edits"].as_array().unwrap();
    let looked_up = edits.iter().find(|edit| edit["path"] == "/looked-up").unwrap();
    assert_eq!(looked_up["value"]["found"], true, "{line}");
    assert_eq!(looked_up["value"]["app"], "web", "{line}");
    assert_eq!(looked_up["value"]["team"], "shop", "{line}");
    assert_eq!(edits.len(), 1, "what weir itself adds is no edit: {line}");

    kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("as the case cases/live"), "{said}");
    let settings = folder.read("cases/live.toml");
    assert!(settings.contains("\"app.kubernetes.io/name\" = \"web\""), "{settings}");
    assert!(settings.contains("\"example.com/team\" = \"shop\""), "{settings}");
    assert!(!settings.contains("example.com/other"), "{settings}");
    let tested = folder.weir(&["filter", "test", "--module", &module]);
    assert_eq!(tested.code, Some(0), "{tested:?}");
}
