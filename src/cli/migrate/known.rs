//! Every key that kubernetes-event-exporter v1.6.1 reads, so that those can be told that it does
//! not: it says nothing of them, and a misspelt one has no effect.
//! <https://github.com/resmoio/kubernetes-event-exporter/tree/v1.6.1/pkg>

use serde_json::Value;

use crate::config::nearest;

/// What stands under a key.
pub(super) enum Shape {
    /// A value, or anything whose keys are the user's.
    Leaf,
    /// A table of these.
    Table(&'static [Key]),
    /// A list of such tables.
    List(&'static [Key]),
}

type Key = (&'static str, Shape);

use Shape::{Leaf, List, Table};

const fn leaf(name: &'static str) -> Key {
    (name, Leaf)
}

pub(super) static CONFIG: [Key; 14] = [
    leaf("logLevel"),
    leaf("logFormat"),
    leaf("throttlePeriod"),
    leaf("maxEventAgeSeconds"),
    leaf("clusterName"),
    leaf("namespace"),
    ("leaderElection", Table(&[leaf("enabled"), leaf("leaderElectionID")])),
    ("route", Table(&ROUTE)),
    ("receivers", List(&RECEIVER)),
    leaf("kubeQPS"),
    leaf("kubeBurst"),
    leaf("metricsNamePrefix"),
    leaf("omitLookup"),
    leaf("cacheSize"),
];

static ROUTE: [Key; 3] = [("drop", List(&RULE)), ("match", List(&RULE)), ("routes", List(&ROUTE))];

static RULE: [Key; 12] = [
    leaf("labels"),
    leaf("annotations"),
    leaf("message"),
    leaf("apiVersion"),
    leaf("kind"),
    leaf("namespace"),
    leaf("reason"),
    leaf("type"),
    leaf("minCount"),
    leaf("component"),
    leaf("host"),
    leaf("receiver"),
];

/// Of the receivers that have no counterpart only the names are known: whatever stands in them is
/// not mapped.
static RECEIVER: [Key; 22] = [
    leaf("name"),
    leaf("inMemory"),
    leaf("webhook"),
    ("file", Table(&FILE)),
    leaf("syslog"),
    ("stdout", Table(&[leaf("deDot"), leaf("layout")])),
    ("elasticsearch", Table(&ELASTICSEARCH)),
    leaf("kinesis"),
    leaf("firehose"),
    ("opensearch", Table(&OPENSEARCH)),
    leaf("opsgenie"),
    leaf("loki"),
    leaf("sqs"),
    leaf("sns"),
    leaf("slack"),
    leaf("kafka"),
    leaf("pubsub"),
    leaf("opscenter"),
    leaf("teams"),
    leaf("bigquery"),
    leaf("eventbridge"),
    leaf("pipe"),
];

static FILE: [Key; 6] = [
    leaf("path"),
    leaf("layout"),
    leaf("maxsize"),
    leaf("maxage"),
    leaf("maxbackups"),
    leaf("deDot"),
];

static OPENSEARCH: [Key; 10] = [
    leaf("hosts"),
    leaf("username"),
    leaf("password"),
    leaf("useEventID"),
    leaf("deDot"),
    leaf("index"),
    leaf("indexFormat"),
    leaf("type"),
    ("tls", Table(&TLS)),
    leaf("layout"),
];

static ELASTICSEARCH: [Key; 13] = [
    leaf("hosts"),
    leaf("username"),
    leaf("password"),
    leaf("cloudID"),
    leaf("apiKey"),
    leaf("headers"),
    leaf("useEventID"),
    leaf("deDot"),
    leaf("index"),
    leaf("indexFormat"),
    leaf("type"),
    ("tls", Table(&TLS)),
    leaf("layout"),
];

static TLS: [Key; 5] = [
    leaf("insecureSkipVerify"),
    leaf("serverName"),
    leaf("caFile"),
    leaf("keyFile"),
    leaf("certFile"),
];

/// A key that the exporter does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unread {
    /// `route.routes[0].drop[1].namespaces`
    pub(super) path: String,
    /// What was probably meant.
    pub(super) meant: Option<&'static str>,
}

/// All keys of a configuration that the exporter does not read.
pub(super) fn unread(config: &Value) -> Vec<Unread> {
    let mut found = Vec::new();
    walk(config, &CONFIG, "", &mut found);
    found
}

fn walk(value: &Value, keys: &'static [Key], path: &str, found: &mut Vec<Unread>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        let path = format!("{path}{dot}{name}");
        match keys.iter().find(|(known, _)| known == name).map(|(_, shape)| shape) {
            None => {
                let names = keys.iter().map(|(known, _)| *known);
                found.push(Unread { path, meant: near(name, names) });
            }
            Some(Leaf) => {}
            Some(Table(inner)) => walk(value, inner, &path, found),
            Some(List(inner)) => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    walk(item, inner, &format!("{path}[{at}]"), found);
                }
            }
        }
    }
}

/// The exporter's names are in camel case, which a misspelling often is not.
fn near(name: &str, names: impl Iterator<Item = &'static str> + Clone) -> Option<&'static str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let same = names.clone().find(|known| plain(known) == plain(name));
    same.or_else(|| nearest(name, names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_exporter_does_not_read_is_found_wherever_it_stands() {
        let config = json!({
            "loglevel": "debug",
            "route": {"routes": [{"drops": [], "match": [{"reciever": "a", "labels": {"any": "x"}}],
                "routes": [{"drop": [{"namespaces": "b"}]}]}]},
            "receivers": [{"name": "a", "opensearch": {"useEventId": true, "tls": {"enable": true},
                "layout": {"anything": 1}}}, {"name": "b", "openSearch": {}}, {"slack": {"x": 1}}],
            "xyzzy": 1,
        });
        let found: Vec<String> = unread(&config)
            .into_iter()
            .map(|unread| format!("{} -> {:?}", unread.path, unread.meant))
            .collect();
        insta::assert_snapshot!(found.join("\n"), @r#"
        loglevel -> Some("logLevel")
        receivers[0].opensearch.tls.enable -> None
        receivers[0].opensearch.useEventId -> Some("useEventID")
        receivers[1].openSearch -> Some("opensearch")
        route.routes[0].drops -> Some("drop")
        route.routes[0].match[0].reciever -> Some("receiver")
        route.routes[0].routes[0].drop[0].namespaces -> Some("namespace")
        xyzzy -> None
        "#);
    }
}
