//! Stages without a module.

use super::modules::DROP_NORMAL;
use super::*;

fn drop(name: &str, keys: &[(MatchKey, &str)], not: &[(MatchKey, &str)]) -> StageSettings {
    let keys_of = |keys: &[(MatchKey, &str)]| -> Keys {
        keys.iter().map(|(key, text)| (*key, vec![(*text).to_owned()])).collect()
    };
    let not = if not.is_empty() { Vec::new() } else { vec![keys_of(not)] };
    StageSettings::Drop { name: name.to_owned(), matches: Match { keys: keys_of(keys), not } }
}

fn versions(ran: &Ran) -> Vec<&str> {
    ran.documents.iter().map(|d| d["metadata"]["resourceVersion"].as_str().unwrap()).collect()
}

/// Sets the reason to `Edited`.
const EDITS: Guest<'static> = Guest {
    imports: r#"(import "weir:pipeline/edit@0.1.0" "set-string" (func $set (param i32 i32 i32 i32 i32)))"#,
    items: r#"(data (i32.const 1024) "/reasonEdited")"#,
    configure: "",
    process:
        "(call $set (i32.const 1024) (i32.const 7) (i32.const 1031) (i32.const 6) (i32.const 32))
        (i32.load8_u (i32.const 32))",
};

#[test]
fn what_a_stage_without_a_module_matches_is_filtered_and_nothing_else() {
    let bench = Bench::new();
    let stages = [drop("noise", &[(MatchKey::Reason, "Pull*")], &[(MatchKey::Type, "Warning")])];
    let chunks = [
        vec![modules::event(1, "Normal", "Pulled"), modules::event(2, "Warning", "Pulled")],
        vec![modules::event(3, "Normal", "Killing"), modules::event(4, "Normal", "Pulling")],
    ];
    let ran = bench.run(&stages, &chunks);
    assert_eq!(versions(&ran), ["2", "3"]);
    assert_eq!(ran.filtered("noise", "matched"), 2);
    let filtered = r#"weir_events_filtered_total{stage="noise",reason="matched"} 2"#;
    assert!(bench.metrics.render().contains(filtered), "{}", bench.metrics.render());
    assert!(!bench.folder.path().join("cache").exists(), "no module, no cache");
}

#[test]
fn it_stands_in_the_order_of_the_file_and_sees_what_modules_before_it_edited() {
    let bench = Bench::new();
    let edited = [(MatchKey::Reason, "Edited")];
    let stages = [
        drop("before", &edited, &[]),
        bench.stage("edits", EDITS).into(),
        bench.stage("normal", DROP_NORMAL).into(),
        drop("after", &edited, &[]),
        drop("never", &edited, &[]),
    ];
    let events = vec![
        modules::event(1, "Normal", "Edited"),
        modules::event(2, "Normal", "Pulled"),
        modules::event(3, "Warning", "Pulled"),
    ];
    let ran = bench.run(&stages, &[events]);
    assert_eq!(versions(&ran), [""; 0]);
    let filtered = [
        ran.filtered("before", "matched"),
        ran.filtered("normal", "normal"),
        ran.filtered("after", "matched"),
        ran.filtered("never", "matched"),
    ];
    assert_eq!(filtered, [1, 1, 1, 0]);
    for stage in ["edits", "normal"] {
        let calls = format!(r#"weir_stage_calls_total{{stage="{stage}"}} 2"#);
        assert!(bench.metrics.render().contains(&calls), "what was dropped before is not called");
    }
}

#[test]
fn modules_that_are_described_are_those_that_there_are() {
    let bench = Bench::new();
    let stages =
        [drop("noise", &[(MatchKey::Type, "Normal")], &[]), bench.stage("edits", EDITS).into()];
    let described = bench.load(&stages).unwrap_or_else(|errors| panic!("{errors:?}")).describe();
    let names: Vec<_> = described.iter().map(|module| module.name.as_str()).collect();
    assert_eq!(names, ["edits"]);
}
