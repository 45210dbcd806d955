//! Every visualization and every search of ours, asked of the real node.

use serde_json::Value;

use super::about::{
    About, crash_loops, everything, evictions, gpu, image_pulls, missing_configuration, nodes,
    not_created, probes, unschedulable, warnings,
};
use super::documents::{ALL, DEMO, Loaded, loaded, mapped_dynamically};
use super::expected::{Panel, about, answered, distinct, observed, rows};
use super::objects::{self, Object};
use super::request::{self, Time};

const fn panel(id: &'static str, about: About, versions: usize, events: usize) -> Panel {
    Panel { id, about, versions, events }
}

/// The panels of the dashboards: what each is about, and how many versions of how many events of
/// the recordings that are, by hand.
const PANELS: [Panel; 25] = [
    panel("weir-events-over-time", everything, 308, 113),
    panel("weir-failures-by-kind", everything, 308, 113),
    panel("weir-warnings-by-namespace", warnings, 214, 62),
    panel("weir-top-reasons", everything, 308, 113),
    panel("weir-by-node", everything, 308, 113),
    panel("weir-by-cluster", everything, 308, 113),
    panel("weir-image-pulls", image_pulls, 54, 12),
    panel("weir-unschedulable", unschedulable, 15, 12),
    panel("weir-crash-loops", crash_loops, 11, 3),
    panel("weir-missing-configuration", missing_configuration, 40, 5),
    panel("weir-probes", probes, 41, 4),
    panel("weir-not-created", not_created, 17, 10),
    panel("weir-evictions", evictions, 3, 3),
    panel("weir-gpu-over-time", gpu, 22, 16),
    panel("weir-gpu-by-resource", gpu, 22, 16),
    panel("weir-gpu-by-node", gpu, 22, 16),
    panel("weir-reasons-over-time", everything, 308, 113),
    panel("weir-objects", warnings, 214, 62),
    panel("weir-node-conditions", nodes, 21, 15),
    panel("weir-warnings", warnings, 214, 62),
    panel("weir-unschedulable-messages", unschedulable, 15, 12),
    panel("weir-image-pull-messages", image_pulls, 54, 12),
    panel("weir-gpu-messages", gpu, 22, 16),
    panel("weir-all", everything, 308, 113),
    panel("weir-node-messages", nodes, 21, 15),
];

fn pattern(objects: &[Object]) -> &Object {
    objects::find(objects, "weir-events")
}

/// Asks for an object as Dashboards would, and answers what came.
async fn ask(index: &Loaded, object: &Object, objects: &[Object], time: Time) -> Value {
    let answer = index.ask(request::body(object, pattern(objects), time)).await;
    assert_eq!(answer["_shards"]["failed"], 0, "{}: {answer}", object.id);
    answer
}

fn total(answer: &Value) -> usize {
    answer["hits"]["total"]["value"].as_u64().unwrap() as usize
}

#[test]
fn there_is_an_expectation_for_every_panel() {
    let objects = objects::ours();
    let panels = objects.iter().filter(|o| ["visualization", "search"].contains(&&*o.kind));
    let ids: Vec<&str> = panels.map(|object| object.id.as_str()).collect();
    assert_eq!(ids, PANELS.map(|panel| panel.id));
}

#[test]
fn what_is_expected_is_what_the_recordings_hold() {
    for Panel { id, about: is_about, versions, events } in PANELS {
        let found = about(&loaded().events, is_about, ALL);
        assert_eq!((found.len(), distinct(&found)), (versions, events), "{id}");
    }
}

#[tokio::test]
async fn every_visualization_shows_what_the_events_say() {
    assert_that_visualizations_are_right(loaded()).await;
}

/// As on an index that was there before weir, or that another tool made.
#[tokio::test]
async fn every_visualization_shows_the_same_on_an_index_that_is_mapped_dynamically() {
    assert_that_visualizations_are_right(mapped_dynamically()).await;
}

async fn assert_that_visualizations_are_right(index: &Loaded) {
    let objects = objects::ours();
    for Panel { id, about: is_about, .. } in &PANELS {
        let object = objects::find(&objects, id);
        if object.kind != "visualization" {
            continue;
        }
        for time in [ALL, DEMO] {
            let answer = ask(index, object, &objects, time).await;
            let events = about(&index.events, *is_about, time);
            assert_eq!(total(&answer), events.len(), "{id}: {answer}");
            let mut shown = answered(object, &answer);
            let mut expected = rows(object, &events, time);
            // Filters come in the order of their names.
            if object.aggregations().iter().any(|agg| agg["type"] == "filters") {
                shown.sort_by(|a, b| a.0.cmp(&b.0));
                expected.sort_by(|a, b| a.0.cmp(&b.0));
            }
            assert!(!shown.is_empty(), "{id} shows nothing");
            assert_eq!(shown, expected, "{id}");
        }
    }
}

#[tokio::test]
async fn every_search_finds_the_documents_and_the_newest_first() {
    let objects = objects::ours();
    for Panel { id, about: is_about, versions, .. } in &PANELS {
        let object = objects::find(&objects, id);
        if object.kind != "search" {
            continue;
        }
        let answer = ask(loaded(), object, &objects, ALL).await;
        assert_eq!(total(&answer), *versions, "{id}");
        let hits = answer["hits"]["hits"].as_array().unwrap();
        assert_eq!(hits.len(), *versions, "{id}");
        let newest = about(&loaded().events, *is_about, ALL).into_iter().map(observed).max();
        assert_eq!(Some(observed(&hits[0]["_source"])), newest, "{id}");
        let times: Vec<u64> = hits.iter().map(|hit| observed(&hit["_source"])).collect();
        assert!(times.is_sorted_by(|a, b| a >= b), "{id}: {times:?}");
        for column in object.attributes["columns"].as_array().unwrap() {
            let pointer = format!("/_source/{}", column.as_str().unwrap().replace('.', "/"));
            let filled = hits.iter().filter(|hit| hit.pointer(&pointer).is_some()).count();
            assert!(filled > 0, "{id}: no document has {column}");
        }
    }
}

/// What a person reads off the most important panels, in plain numbers.
#[tokio::test]
async fn the_panels_say_what_went_wrong_in_the_recorded_clusters() {
    let objects = objects::ours();
    let shown = async |id: &str| {
        let object = objects::find(&objects, id);
        answered(object, &ask(loaded(), object, &objects, ALL).await)
    };
    let row = |rows: &[(Vec<String>, Vec<Option<f64>>)], values: &[&str]| {
        let found = rows.iter().find(|(of, _)| of == values);
        found.unwrap_or_else(|| panic!("no row {values:?}: {rows:?}")).1.clone()
    };
    let numbers = shown("weir-failures-by-kind").await;
    assert_eq!(row(&numbers, &["GPU failures"]), [Some(16.0)]);
    assert_eq!(row(&numbers, &["Not created"]), [Some(10.0)]);
    let causes = shown("weir-gpu-by-resource").await;
    assert_eq!(row(&causes, &["nvidia.com/mig-1g.5gb", "admission"])[0], Some(1.0));
    let loops = shown("weir-crash-loops").await;
    assert_eq!(row(&loops, &["default", "crash"])[0], Some(3.0));
}

/// What a person sees who clicks on `shop` in a table.
#[tokio::test]
async fn the_link_of_a_namespace_leads_to_the_events_of_that_namespace() {
    let objects = objects::ours();
    let formats = pattern(&objects).json("/fieldFormatMap");
    let url = formats["metadata.namespace.keyword"]["params"]["urlTemplate"].as_str().unwrap();
    // A name of a namespace is the same in a URL.
    let url = url.replace("{{value}}", "shop").replace("%22", "\"");
    let (dashboard, state) = url.split_once("/view/").unwrap().1.split_once("?_a=").unwrap();
    let query = state.strip_prefix("(query:(language:lucene,query:'").unwrap();
    let query = query.strip_suffix("'))").unwrap();
    let dashboard = objects::find(&objects, dashboard);
    for (_, id) in &dashboard.references {
        let object = objects::find(&objects, id);
        let body = request::within(request::body(object, pattern(&objects), ALL), query);
        let about = PANELS.iter().find(|panel| panel.id == *id).unwrap().about;
        let events = &loaded().events;
        let of_shop = events.iter().filter(|e| e["metadata"]["namespace"] == "shop");
        let expected = of_shop.filter(|event| about(event)).count();
        assert!(expected > 0 && expected < events.len());
        assert_eq!(total(&loaded().ask(body).await), expected, "{id}");
    }
}

/// A document is a version of an event, and `count` is cumulative.
#[test]
fn no_panel_sums_anything() {
    let objects = objects::ours();
    for object in objects::of_kind(&objects, "visualization") {
        for agg in object.aggregations().iter().filter(|agg| request::is_metric(agg)) {
            let kind = agg["type"].as_str().unwrap();
            assert!(["cardinality", "max"].contains(&kind), "{}: {kind}", object.id);
        }
    }
}
