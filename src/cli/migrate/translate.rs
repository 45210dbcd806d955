//! From the exporter's whole configuration to the text of a pipeline.toml, section by section.

use serde_json::Value;

use super::notes::Notes;
use super::receiver::{self, Receiver};
use super::routes::stages;
use super::written::{quoted, refusal_of, stage};

const HEAD: &str = "# Made by `weir migrate kee`, whose notes say what could not be mapped.\n";

/// What there is to look up where the exporter looks everything up.
const RESOURCES: &str = "[\"pods\", \"replicasets.apps\"]";

pub(super) fn pipeline(config: &Value, notes: &mut Notes) -> String {
    let chosen = receiver::choose(config, notes);
    let mut toml = format!("{HEAD}name = \"events\"\n");
    if let Some(cluster) = text(config, "clusterName") {
        match refusal_of("cluster", &quoted(&cluster)) {
            None => toml += &format!("cluster = {}\n", quoted(&cluster)),
            Some(why) => notes.not_mapped("clusterName", why),
        }
    }
    toml += "\n[source]\nkind = \"kubernetes\"\n";
    if let Some(namespace) = text(config, "namespace") {
        let list = format!("[{}]", quoted(&namespace));
        match refusal_of("source.namespaces", &list) {
            None => toml += &format!("namespaces = {list}\n"),
            Some(why) => notes.not_mapped("namespace", why),
        }
    }
    toml += &stages_of(config, chosen.as_ref(), notes);
    toml += &receiver::sink(chosen.as_ref(), notes);
    toml += &lookup(config, chosen.as_ref(), notes);
    toml += &lease(config, notes);
    others(config, notes);
    toml
}

/// A text that is not empty: the exporter also takes numbers and flags for such.
pub(super) fn text(table: &Value, key: &str) -> Option<String> {
    let text = match table.get(key)? {
        Value::String(text) => text.clone(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            // As Go writes it: 2, not 2.0.
            Some(value) if number.is_f64() => value.to_string(),
            _ => number.to_string(),
        },
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

pub(super) fn flag(table: &Value, key: &str) -> bool {
    table.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn stages_of(config: &Value, chosen: Option<&Receiver<'_>>, notes: &mut Notes) -> String {
    let route = config.get("route").unwrap_or(&Value::Null);
    receiver::check_names(config, route, notes);
    let Some(chosen) = chosen else { return String::new() };
    let Some(stages) = stages(route, &chosen.name, notes) else {
        let text = format!(
            "no route leads to the receiver \"{}\", so it got no event; here it gets all",
            chosen.name
        );
        notes.note("route", text);
        return String::new();
    };
    if stages.is_empty() {
        return String::new();
    }
    let uses_component = format!("{stages:?}").contains("\"component\"");
    if uses_component {
        notes.note(
            "route",
            "`component` is reportingComponent here where an event has no source.component",
        );
    }
    let stages = stages.iter().enumerate();
    stages.map(|(at, of)| format!("\n{}", stage(&format!("route-{}", at + 1), of))).collect()
}

fn lookup(config: &Value, chosen: Option<&Receiver<'_>>, notes: &mut Notes) -> String {
    if flag(config, "omitLookup") {
        return String::new();
    }
    notes.note(
        "omitLookup",
        "the exporter looks up whatever an event is about, with all annotations; weir what \
         [lookup] lists: `resources` that it may get, and `annotations` by their names",
    );
    let mut toml = format!("\n[lookup]\nresources = {RESOURCES}\n");
    if chosen.is_some_and(|chosen| flag(chosen.settings, "deDot")) {
        toml += "dedot = true\n";
        notes.note(
            "deDot",
            "the names of an event's own labels and annotations keep their dots, which weir's \
             index template allows",
        );
    }
    match config.get("kubeQPS").and_then(Value::as_f64) {
        Some(qps) if (1.0..=1000.0).contains(&qps) => {
            toml += &format!("max_per_second = {}\n", qps.floor());
        }
        Some(_) => notes.not_mapped("kubeQPS", "lookups are 1 to 1000 a second; the default is 20"),
        None => {}
    }
    toml
}

fn lease(config: &Value, notes: &mut Notes) -> String {
    let Some(election) = config.get("leaderElection").filter(|of| flag(of, "enabled")) else {
        return String::new();
    };
    let mut toml = "\n[lease]\nenabled = true\n".to_owned();
    if let Some(name) = text(election, "leaderElectionID") {
        match refusal_of("lease", &format!("{{ enabled = true, name = {} }}", quoted(&name))) {
            None => {
                toml += &format!("name = {}\n", quoted(&name));
                notes.note(
                    "leaderElection.leaderElectionID",
                    "weir leaves a Lease alone that the exporter holds: stop that one first, and \
                     delete its Lease, or take another name",
                );
            }
            Some(why) => notes.not_mapped("leaderElection.leaderElectionID", why),
        }
    }
    toml
}

/// What concerns the exporter's process, and has no key in a pipeline.
fn others(config: &Value, notes: &mut Notes) {
    let has = |key: &str| config.get(key).is_some_and(|value| !value.is_null());
    for key in ["maxEventAgeSeconds", "throttlePeriod"] {
        if has(key) {
            notes.not_mapped(
                key,
                "weir keeps every event that the cluster still holds, however old it is; \
                 `start = \"now\"` in [source] leaves out what was there before",
            );
        }
    }
    if let Some(level) = text(config, "logLevel") {
        notes.note("logLevel", format!("set the environment variable WEIR_LOG={level}"));
    }
    if has("logFormat") {
        notes.note("logFormat", "the option --log-format of weir run; json is for no terminal");
    }
    if has("metricsNamePrefix") {
        notes.not_mapped("metricsNamePrefix", "weir's metrics begin with weir_");
    }
    for key in ["cacheSize", "kubeBurst"] {
        if has(key) {
            notes.note(key, "weir bounds that itself");
        }
    }
}
