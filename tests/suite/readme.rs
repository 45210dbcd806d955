//! What README.md shows is true: its configuration is accepted, its commands and metrics exist.

use std::process::Command;

use weir::internals::ledger::Ledger;
use weir::internals::metrics::Metrics;

use crate::support::repository;

const README: &str = include_str!("../../README.md");

/// The text of the fenced blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    README.split(&open as &str).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn its_configuration_passes_check() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repository().join("filters"), folder.path().join("filters"))
        .unwrap();
    let (config, password) = (folder.path().join("pipeline.toml"), folder.path().join("password"));
    std::fs::write(&password, "secret\n").unwrap();
    let text =
        blocks("toml")[0].replace("/run/secrets/opensearch/password", password.to_str().unwrap());
    std::fs::write(&config, text).unwrap();
    let weir = Command::new(env!("CARGO_BIN_EXE_weir")).arg("check").arg(&config).output().unwrap();
    assert!(weir.status.success(), "{}", String::from_utf8_lossy(&weir.stderr));
}

#[test]
fn its_ways_to_drop_noise_and_to_look_objects_up_pass_check() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("pipeline.toml");
    let [source, stage, lookup] = blocks("toml")[1..] else { panic!("the README shows three") };
    std::fs::write(
        &config,
        format!("name = \"p\"\nsink.kind = \"stdout\"\n{source}{stage}{lookup}"),
    )
    .unwrap();
    let weir = Command::new(env!("CARGO_BIN_EXE_weir")).arg("check").arg(&config).output().unwrap();
    let shown = String::from_utf8(weir.stdout).unwrap() + &String::from_utf8(weir.stderr).unwrap();
    assert!(weir.status.success(), "{shown}");
    assert!(shown.contains("field selector type!=Normal, the rest is not received"), "{shown}");
    assert!(shown.contains("noise: drops type Normal"), "{shown}");
    assert!(shown.contains("labels, owners of pods, replicasets.apps, 20 a second"), "{shown}");
}

#[test]
fn its_commands_exist() {
    let makefile = std::fs::read_to_string(repository().join("Makefile")).unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_weir")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut commands = 0;
    for line in blocks("sh").concat().lines().map(str::trim) {
        let mut words = line.split_whitespace();
        let found = match (words.next(), words.next()) {
            (Some("make"), Some(target)) => makefile.contains(&format!("\n{target}: ## ")),
            (Some("weir"), Some(command)) => help.contains(&format!("\n  {command} ")),
            // The workshop's, which runs them, are the same; and what is on their further lines.
            (Some("kubectl" | "helm"), _) => continue,
            (Some(option), _) if option.starts_with("--") => continue,
            other => panic!("the README shows {other:?}, which no test knows"),
        };
        assert!(found, "there is no such command: {line}");
        commands += 1;
    }
    assert_eq!(commands, 13);
}

#[test]
fn its_metrics_exist() {
    let metrics = Metrics::new(&Ledger::default()).unwrap();
    // A family without a sample is not shown: these have labels that only a run knows.
    metrics.stage.calls.with_label_values(&["s"]);
    metrics.stage.module_counter.with_label_values(&["s", "c"]);
    metrics.stage.shadow_events.with_label_values(&["s", "same"]);
    metrics.sink.requests.with_label_values(&["200"]);
    metrics.sink.lookups.with_label_values(&["stored"]);
    metrics.lookup.results.with_label_values(&["found"]);
    metrics.source.state.with_label_values(&["watching"]);
    metrics.buffer_bytes.with_label_values(&["memory"]);
    let shown = metrics.render();
    let names = README.split('`').filter(|text| text.starts_with("weir_"));
    let mut count = 0;
    for name in names.map(|text| text.split('{').next().unwrap()) {
        let family = format!("# TYPE {name} ");
        let is_labelled_only =
            ["weir_events_filtered_total", "weir_events_dead_lettered_total"].contains(&name);
        assert!(shown.contains(&family) || is_labelled_only, "{name} is not on /metrics");
        count += 1;
    }
    assert!(count >= 9, "only {count} metrics are named");
}

#[test]
fn the_tests_that_prove_what_faults_do_exist() {
    let table = std::fs::read_to_string(repository().join("docs/faults.md")).unwrap();
    let sources = sources(repository().join("src")) + &sources(repository().join("tests"));
    let proofs = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.rsplit('|').nth(1));
    let mut count = 0;
    for name in proofs.flat_map(|proofs| proofs.split('`').skip(1).step_by(2)) {
        assert!(sources.contains(&format!("fn {name}(")), "no test is called {name}");
        count += 1;
    }
    assert!(count > 50, "only {count} tests are named");
}

/// All Rust code in a folder.
fn sources(folder: std::path::PathBuf) -> String {
    let mut code = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code += &sources(path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code += &std::fs::read_to_string(path).unwrap();
        }
    }
    code
}
