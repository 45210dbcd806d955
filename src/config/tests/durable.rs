//! The spool, the start and the Lease.

use super::*;
use crate::buffer::SpoolSettings;
use crate::kube::LeaseSettings;
use crate::lookup;
use crate::source::{KubernetesSettings, Start};
use std::time::Duration;

fn read(lines: &str) -> (Option<Settings>, String) {
    let text = format!("name = 'p'\nsink.kind = 'stdout'\n{lines}");
    let (file, environment) = (Path::new("etc/pipeline.toml"), Environment::default());
    let mut input = input::Input::new(file, &text);
    let root = DeTable::parse(&text).unwrap();
    let (settings, _) = assemble(&mut input, root.get_ref(), &environment);
    let diagnostics = input.into_diagnostics();
    (settings, diagnostics.map(|diagnostics| diagnostics.to_string()).unwrap_or_default())
}

const KUBERNETES: &str = "source = { kind = 'kubernetes', start = 'now' }\n";

#[test]
fn every_part_gets_what_is_set_for_it() {
    let (settings, diagnostics) = read(&format!(
        "{KUBERNETES}[buffer]\npath = 'spool'\n[lease]\nenabled = true\nnamespace = 'weir'\nduration = '30s'"
    ));
    assert_eq!(diagnostics, "");
    let settings = settings.unwrap();
    let source = KubernetesSettings { start: Start::Now, ..KubernetesSettings::default() };
    assert_eq!(settings.source, source::Settings::Kubernetes(source));
    let spool = SpoolSettings { path: "etc/spool".into(), disk: 2 << 30 };
    assert_eq!(settings.buffer, buffer::Settings { memory: 16 << 20, spool: Some(spool) });
    let lease = LeaseSettings {
        namespace: Some("weir".into()),
        name: "p".into(),
        duration: Duration::from_secs(30),
    };
    assert_eq!(settings.lease, Some(lease));
}

#[test]
fn the_buffer_and_the_dead_letters_have_a_folder_each() {
    let text = format!("{KUBERNETES}buffer.path = 'a'\ndead_letter.path = 'b/../a'");
    insta::assert_snapshot!(read(&text).1, @"etc/pipeline.toml:5:20: error: `path` is `buffer.path`, too: give the dead letters a folder of their own");
}

#[test]
fn what_is_looked_up_is_what_is_listed_and_nothing_without_the_section() {
    assert_eq!(read(KUBERNETES).0.unwrap().lookup, None);
    let lookup = read(&format!("{KUBERNETES}lookup.resources = ['pods', 'replicasets.apps']")).0;
    let defaults = lookup::Settings::for_tests(&["pods", "replicasets.apps"]);
    assert_eq!(lookup.unwrap().lookup, Some(defaults));
    let all = "[lookup]\nresources = ['nodes']\nlabels = false\nannotations = ['a/b']\nowners = false\ndedot = true\ntimeout = '500ms'\nmax_per_second = 5";
    let expected = lookup::Settings {
        labels: false,
        annotations: vec!["a/b".into()],
        owners: false,
        dedot: true,
        timeout: Duration::from_millis(500),
        max_per_second: 5,
        ..lookup::Settings::for_tests(&["nodes"])
    };
    assert_eq!(read(&format!("{KUBERNETES}{all}")).0.unwrap().lookup, Some(expected));
}

#[test]
fn what_cannot_be_looked_up_is_refused() {
    let wrong = |lines: &str| read(&format!("{KUBERNETES}{lines}")).1;
    insta::assert_snapshot!(wrong("[lookup]"), @"etc/pipeline.toml:4:1: error: missing required key `resources` in [lookup]: What may be looked up, by RBAC's names, such as pods and replicasets.apps: weir needs the right to get it.");
    insta::assert_snapshot!(wrong("[lookup]\nresources = []"), @"etc/pipeline.toml:5:13: error: `resources` must not be an empty list");
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods', 'pods', 'secrets', 'replicasets', '*']"), @r#"
    etc/pipeline.toml:5:30: error: an entry of `resources` must not be "secrets": RBAC has no right to an object's labels alone, so weir would have the right to read every Secret
    etc/pipeline.toml:5:41: error: an entry of `resources` is "replicasets", and RBAC calls that "replicasets.apps": write it so
    etc/pipeline.toml:5:56: error: an entry of `resources` must be a resource as RBAC names it: its plural, and its group behind a dot, such as "pods" or "replicasets.apps"; without patterns and subresources
    "#);
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods', 'pods']"), @"etc/pipeline.toml:5:13: error: `resources` names one twice");
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nannotations = ['kubectl.kubernetes.io/last-applied-configuration', 'a*']"), @r#"
    etc/pipeline.toml:6:16: error: an entry of `annotations` must not be "kubectl.kubernetes.io/last-applied-configuration": it holds the whole object, with what its author may want nobody to see
    etc/pipeline.toml:6:68: error: an entry of `annotations` must be the whole name of an annotation, such as "example.com/team", without patterns
    "#);
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nlabels = false\nowners = false"), @"etc/pipeline.toml:6:10: error: nothing is to be had: with `labels = false` and `owners = false`, `annotations` must name some; or leave [lookup] out");
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\ntimeout = '1m'\nmax_per_second = 0"), @r#"
    etc/pipeline.toml:6:11: error: `timeout` must be from 50ms to 10s, not 1m
    etc/pipeline.toml:7:18: error: `max_per_second` must be from 1 to 1000, not 0
    "#);
    insta::assert_snapshot!(wrong("[lookup]\nresources = ['pods']\nmax_per_second = '20'"), @"etc/pipeline.toml:6:18: error: `max_per_second` must be a number, not a string");
    insta::assert_snapshot!(read("source = { kind = 'stdin' }\n[lookup]\nresources = ['pods']").1, @"etc/pipeline.toml:4:1: error: [lookup] is for a kubernetes source: of any other it is not known which cluster's objects its events are about");
}

#[test]
fn a_lease_that_is_not_enabled_is_none_and_one_may_have_a_name() {
    assert_eq!(read(&format!("{KUBERNETES}lease.name = 'l'")).0.unwrap().lease, None);
    let named = read(&format!("{KUBERNETES}lease = {{ enabled = true, name = 'l' }}")).0.unwrap();
    assert_eq!(named.lease.unwrap().name, "l");
}

#[test]
fn a_disk_holds_at_least_the_memory_and_needs_a_path() {
    insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', disk = '64MiB', memory = '65MiB' }}")).1, @"etc/pipeline.toml:4:31: error: `disk`, 64MiB, must be at least `memory`, 65MiB: all that waits in memory must fit");
    insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', memory = '3GiB' }}")).1, @"etc/pipeline.toml:4:33: error: `disk`, 2GiB, must be at least `memory`, 3GiB: all that waits in memory must fit");
    insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer.disk = '4GiB'")).1, @"etc/pipeline.toml:4:15: error: `disk` needs `path` beside it");
    insta::assert_snapshot!(read(&format!("{KUBERNETES}buffer = {{ path = 'x', disk = '63MiB' }}")).1, @"etc/pipeline.toml:4:31: error: `disk` must be from 64MiB to 65536GiB, not 63MiB");
    assert_eq!(
        read(&format!("{KUBERNETES}buffer = {{ path = 'x', disk = '64MiB', memory = '64MiB' }}")).1,
        ""
    );
}

#[test]
fn a_lease_is_held_for_whole_seconds_by_replicas_that_watch() {
    insta::assert_snapshot!(read(&format!("{KUBERNETES}lease = {{ enabled = true, duration = '5500ms' }}")).1, @"etc/pipeline.toml:4:38: error: `duration` must be whole seconds: a Lease holds no fractions");
    insta::assert_snapshot!(read(&format!("{KUBERNETES}lease = {{ enabled = true, duration = '4s' }}")).1, @"etc/pipeline.toml:4:38: error: `duration` must be from 5s to 5m, not 4s");
    insta::assert_snapshot!(read("source = { kind = 'stdin' }\nlease = { enabled = true }").1, @"etc/pipeline.toml:4:21: error: `enabled = true` is for a kubernetes source: replicas cannot share any other");
}
