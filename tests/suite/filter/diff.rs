//! `weir filter diff`: what a running weir tells of a stage's shadow.

use crate::support::modules::{DROP_NORMAL, Guest};
use crate::support::{Ended, Folder, Running, until};

/// A stage whose module keeps all, and in its shadow one that drops Normal events.
const STAGES: &str = "[[stage]]\nname = 'noise'\nmodule = 'keeps.wasm'\n\
                      shadow = { module = 'drops.wasm' }\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("keeps.wasm", Guest::default().component());
    folder.write("drops.wasm", DROP_NORMAL.component());
    folder
}

fn diff(weir: &Running<'_>, arguments: &[&str]) -> Ended {
    let admin = format!("http://{}", weir.address);
    weir.folder.weir(&[&["filter", "diff"], arguments, &["--admin", &admin]].concat())
}

#[test]
fn what_the_shadow_does_otherwise_is_shown_side_by_side() {
    let folder = folder();
    let weir = Running::showing_events(&folder, STAGES);
    weir.event("n1", "Normal", "Pulled");
    weir.pass("first");
    let differs = "weir_shadow_events_total{result=\"verdict\",stage=\"noise\"}";
    until("the shadow has seen it", || weir.metric(differs) == 1);
    let told = diff(&weir, &["noise"]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""), "{told:?}");
    let head = "noise: the event on which its shadow did otherwise\n\n";
    assert!(told.stdout.starts_with(head), "{told:?}");
    assert!(told.stdout.contains(" verdict: Pulled Pod /p\n"), "{told:?}");
    assert!(told.stdout.contains("dropped: normal"), "{told:?}");
    let json = diff(&weir, &["noise", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["differences"][0]["candidate"]["reason"], "normal", "{json}");

    let other = diff(&weir, &["other"]);
    assert_eq!(other.code, Some(1));
    let said = "the stage `other` has no shadow; these have: noise";
    assert!(other.stderr.contains(said), "{other:?}");
    weir.end();
}

#[test]
fn nothing_is_shown_where_events_may_not_be() {
    let folder = folder();
    let weir = Running::start(&folder, "", STAGES);
    weir.event("n1", "Normal", "Pulled");
    weir.pass("first");
    let hidden = diff(&weir, &["noise"]);
    assert_eq!((hidden.code, hidden.stdout.as_str()), (Some(1), ""), "{hidden:?}");
    assert!(hidden.stderr.contains("`show_events = true`"), "{hidden:?}");
    weir.end();
}
