//! Which fields a document has: docs/events.md#the-fields-of-an-event, the index pattern of the
//! dashboards and `wit/` say it, and the real mapping, after weir has stored documents, is what
//! they must agree with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::documents::loaded;
use super::objects::{find, ours, text};

/// A row of that table, by its cells.
struct Row {
    column: String,
    field: String,
    /// The document's field, and its type.
    document: (String, String),
    getters: Vec<String>,
}

fn table() -> Vec<Row> {
    let page = text("docs/events.md");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| kubectl"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 5, "{line}");
        let (name, kind) = cells[2].rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Row {
            column: cells[0].to_owned(),
            field: cells[1].to_owned(),
            document: (name.trim_matches('`').to_owned(), kind.to_owned()),
            getters: quoted(cells[3]),
        }
    })
    .collect()
}

/// Every field of the real index with its type, without the `.keyword` that go with others.
async fn mapped() -> BTreeMap<String, String> {
    let answer = loaded().get("_mapping").await;
    let index = answer.as_object().unwrap().values().next().unwrap();
    let mut fields = BTreeMap::new();
    flatten("", &index["mappings"]["properties"], &mut fields);
    fields
}

fn flatten(prefix: &str, properties: &Value, fields: &mut BTreeMap<String, String>) {
    for (name, mapping) in properties.as_object().unwrap() {
        let path = format!("{prefix}{name}");
        if mapping["properties"].is_object() {
            flatten(&format!("{path}."), &mapping["properties"], fields);
        } else {
            let kind = mapping["type"].as_str().unwrap_or("object");
            fields.insert(path, kind.to_owned());
        }
    }
}

#[tokio::test]
async fn the_table_has_every_field_of_a_document_with_the_type_that_it_has() {
    let told: BTreeMap<String, String> = table().into_iter().map(|row| row.document).collect();
    assert_eq!(told, mapped().await);
}

#[test]
fn the_table_has_every_getter_of_the_contract_and_no_other() {
    let wit = text("wit/event.wit");
    let getters = wit.lines().filter_map(|line| {
        let (name, signature) = line.trim().split_once(": func(")?;
        // Any member at all: it stands with its pointer.
        signature.starts_with(')').then(|| name.trim_start_matches('%').to_owned())
    });
    let told = table().into_iter().flat_map(|row| row.getters);
    let (of_lookup, told): (BTreeSet<String>, BTreeSet<String>) =
        told.filter(|getter| !getter.starts_with("get(")).partition(|of| of.starts_with("lookup."));
    let lookup = text("wit/lookup.wit");
    for getter in of_lookup {
        let declared = format!("    {}: func(", getter.trim_start_matches("lookup."));
        assert!(lookup.contains(&declared), "there is no {getter}");
    }
    assert_eq!(told, getters.collect());
}

/// A row that names one field of the Event names the same in the document, and by its pointer.
#[test]
fn the_table_means_one_member_in_a_row() {
    for Row { column: _, field, document, getters } in table() {
        let fields: Vec<&str> = field.split('`').skip(1).step_by(2).collect();
        if let [field] = fields[..] {
            assert_eq!(field, document.0);
        }
        for pointer in getters.iter().filter_map(|getter| getter.strip_prefix("get(\"/")) {
            let path = pointer.trim_end_matches("\")").replace('/', ".");
            assert_eq!(path, document.0);
        }
    }
}

#[tokio::test]
async fn the_table_has_every_column_of_kubectl() {
    let cluster = crate::support::Cluster::with_namespace().await;
    cluster.report("columns", "Normal", "Pulled", "image present", 1).await;
    let shown = std::process::Command::new(crate::support::variable("WEIR_TEST_KUBECTL"))
        .args(["--kubeconfig", &crate::support::variable("WEIR_TEST_KUBECONFIG")])
        .args(["get", "events", "--all-namespaces", "-o", "wide"])
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let header = shown.lines().next().unwrap();
    let columns = header.split("  ").map(str::trim).filter(|column| !column.is_empty());
    let told: BTreeSet<String> = table().into_iter().map(|row| row.column).collect();
    let told: BTreeSet<&str> = told.iter().map(String::as_str).filter(|c| !c.is_empty()).collect();
    assert_eq!(told, columns.collect());
}

/// Dashboards believes its pattern: a field with a wrong type, or that cannot be grouped by, would
/// break a panel.
#[tokio::test]
async fn the_index_pattern_says_of_every_field_what_the_index_says() {
    let objects = ours();
    let fields = find(&objects, "weir-events").json("/fields");
    let capabilities = loaded().get("_field_caps?fields=*").await;
    for field in fields.as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let of = capabilities["fields"][name].as_object();
        let (kind, can) = of.and_then(|of| of.iter().next()).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(field["esTypes"][0], *kind, "{name}");
        for ability in ["searchable", "aggregatable"] {
            assert_eq!(field[ability], can[ability], "{name}: {ability}");
        }
    }
}

#[test]
fn whatever_an_object_asks_for_is_a_field_of_the_index_pattern() {
    let objects = ours();
    let fields = find(&objects, "weir-events").json("/fields");
    let names: BTreeSet<&str> =
        fields.as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()).collect();
    let mut asked = BTreeSet::new();
    for object in &objects {
        if object.kind == "visualization" {
            let aggs = object.aggregations();
            let of = aggs.iter().filter_map(|agg| agg["params"]["field"].as_str());
            asked.extend(of.map(str::to_owned));
        }
        if object.kind == "search" {
            let columns = object.attributes["columns"].as_array().unwrap();
            asked.extend(columns.iter().map(|column| column.as_str().unwrap().to_owned()));
        }
        if matches!(object.kind.as_str(), "visualization" | "search") {
            let source = object.search_source();
            let query = source["query"]["query"].as_str().unwrap();
            let words = query.split([' ', '(', ')']).filter_map(|word| word.split_once(':'));
            asked.extend(words.map(|(field, _)| field.to_owned()));
        }
    }
    assert!(asked.len() > 10, "{asked:?}");
    for field in asked {
        assert!(names.contains(field.as_str()), "{field}");
    }
}
