//! The files that are made are what their sources say, and hold together.

use std::collections::BTreeSet;

use super::files;
use super::objects::{self, Object, find, of_kind, ours, text};
use crate::support::repository;

#[test]
fn what_is_made_is_what_is_there() {
    let files = files::all(repository()).unwrap();
    let mut stale = Vec::new();
    for (path, made) in &files {
        if std::fs::read_to_string(repository().join(path)).ok().as_ref() != Some(made) {
            stale.push(path.as_str());
        }
    }
    assert!(stale.is_empty(), "run deploy/generate.sh, these are not what is made: {stale:?}");
    let monitors = std::fs::read_dir(repository().join("deploy/opensearch/monitors")).unwrap();
    let made = files.iter().filter(|(path, _)| path.contains("/monitors/")).count();
    assert_eq!(monitors.count(), made, "a monitor is there that nothing makes");
}

#[test]
fn there_are_only_objects_whose_requests_can_be_tested() {
    for object in ours() {
        let is_known = match object.kind.as_str() {
            "index-pattern" | "dashboard" | "search" => true,
            "visualization" => !object.aggregations().is_empty(),
            _ => false,
        };
        assert!(is_known, "{} is a {}", object.id, object.kind);
    }
}

#[test]
fn ids_are_fixed_and_can_be_read() {
    let objects = ours();
    let ids: BTreeSet<&str> = objects.iter().map(|object| object.id.as_str()).collect();
    assert_eq!(ids.len(), objects.len(), "two objects have one id");
    for id in ids {
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(id.starts_with("weir-") && id.chars().all(is_plain), "{id}");
    }
}

#[test]
fn what_is_referred_to_stands_before_it() {
    let objects = ours();
    for (at, object) in objects.iter().enumerate() {
        for (kind, id) in &object.references {
            let is_there = |o: &Object| o.id == *id && o.kind == *kind;
            assert!(objects[..at].iter().any(is_there), "{} refers to {kind} {id}", object.id);
        }
    }
}

#[test]
fn every_panel_is_in_a_dashboard_and_none_lies_upon_another() {
    let objects = ours();
    let mut shown = BTreeSet::new();
    for dashboard in of_kind(&objects, "dashboard") {
        let panels = dashboard.json("/panelsJSON");
        let panels = panels.as_array().unwrap();
        assert_eq!(panels.len(), dashboard.references.len(), "{}", dashboard.id);
        let mut cells = BTreeSet::new();
        for (index, panel) in panels.iter().enumerate() {
            assert_eq!(panel["panelRefName"], format!("panel_{index}"));
            let at = |of: &str| panel["gridData"][of].as_u64().unwrap();
            assert!(at("x") + at("w") <= 48, "{}: a panel is too wide", dashboard.id);
            for x in at("x")..at("x") + at("w") {
                for y in at("y")..at("y") + at("h") {
                    assert!(cells.insert((x, y)), "{}: panels overlap", dashboard.id);
                }
            }
        }
        shown.extend(dashboard.references.iter().map(|(_, id)| id.clone()));
    }
    for object in objects.iter().filter(|o| ["visualization", "search"].contains(&&*o.kind)) {
        assert!(shown.contains(&object.id), "{} is in no dashboard", object.id);
    }
}

#[test]
fn every_panel_has_a_line_of_help() {
    let objects = ours();
    for object in objects.iter().filter(|object| object.kind != "index-pattern") {
        assert!(!object.title.is_empty() && object.help.ends_with('.'), "{}", object.id);
        assert!(object.help.len() <= 100, "{}: {}", object.id, object.help);
    }
    // A search has no tooltip: its help stands in the panel's title.
    for dashboard in of_kind(&objects, "dashboard") {
        let panels = dashboard.json("/panelsJSON");
        for (panel, (kind, id)) in panels.as_array().unwrap().iter().zip(&dashboard.references) {
            let help = &find(&objects, id).help;
            let title = panel["embeddableConfig"]["title"].as_str();
            let is_told = title.is_some_and(|title| title.contains(help.as_str()));
            assert_eq!(is_told, kind == "search", "{id}: {title:?}");
        }
    }
}

#[test]
fn links_lead_to_dashboards_and_every_dashboard_is_led_to() {
    let objects = ours();
    let formats = find(&objects, "weir-events").json("/fieldFormatMap");
    let mut linked = BTreeSet::new();
    for (field, format) in formats.as_object().unwrap() {
        assert_eq!(format["id"], "url", "{field}");
        let url = format["params"]["urlTemplate"].as_str().unwrap();
        let target = url.strip_prefix("../app/dashboards#/view/").unwrap();
        let (id, state) = target.split_once('?').unwrap_or((target, ""));
        assert_eq!(find(&objects, id).kind, "dashboard", "{field}: {url}");
        // What an event says must not become part of a link; a namespace's name is checked.
        assert!(!url.contains("{{") || field.starts_with("metadata.namespace"), "{field}: {url}");
        assert!(state.is_empty() || state.contains(r"metadata.namespace.keyword:%22{{value}}%22"));
        linked.insert(id.to_owned());
    }
    let dashboards: BTreeSet<String> =
        of_kind(&objects, "dashboard").map(|d| d.id.clone()).collect();
    assert_eq!(linked, dashboards);
}

#[test]
fn the_file_has_an_object_a_line_and_nothing_of_this_machine() {
    let text = text("deploy/opensearch/dashboards.ndjson");
    assert!(text.ends_with("}\n") && !text.contains("updated_at"), "it changes with each export");
    assert_eq!(objects::read(&text).len(), text.lines().count());
}
