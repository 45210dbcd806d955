//! From one of the exporter's receivers to `[sink]`: weir has one sink.

use std::collections::BTreeSet;

use serde_json::Value;

use super::notes::Notes;
use super::routes::lead_to;
use super::translate::{flag, text};
use super::variables;
use super::written::{list, quoted, refusal};

/// What a receiver writes to, of what weir has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    OpenSearch,
    Elasticsearch,
    File,
    Stdout,
}

/// In the order in which one is chosen.
const KINDS: [(&str, Kind); 4] = [
    ("opensearch", Kind::OpenSearch),
    ("elasticsearch", Kind::Elasticsearch),
    ("file", Kind::File),
    ("stdout", Kind::Stdout),
];

/// All kinds. Of those that a receiver has, the exporter takes the first one here.
const PRECEDENCE: [&str; 21] = [
    "inMemory",
    "pipe",
    "webhook",
    "file",
    "syslog",
    "stdout",
    "elasticsearch",
    "kinesis",
    "firehose",
    "opensearch",
    "opsgenie",
    "sqs",
    "sns",
    "slack",
    "kafka",
    "pubsub",
    "opscenter",
    "teams",
    "bigquery",
    "eventbridge",
    "loki",
];

/// The receiver that becomes the sink.
pub(super) struct Receiver<'v> {
    pub(super) name: String,
    kind: Kind,
    pub(super) settings: &'v Value,
    /// Where its settings stand.
    path: String,
}

/// The receiver to map, and notes of all others: one that gets events, if there is such a one.
pub(super) fn choose<'v>(config: &'v Value, notes: &mut Notes) -> Option<Receiver<'v>> {
    let receivers = config.get("receivers").and_then(Value::as_array);
    let receivers: Vec<&Value> = receivers.into_iter().flatten().collect();
    let all: Vec<Receiver<'v>> = receivers.iter().copied().enumerate().filter_map(of).collect();
    let route = config.get("route").unwrap_or(&Value::Null);
    let first = |is_led_to: bool| {
        let is_good = |of: &Receiver<'_>| !is_led_to || lead_to(route, &of.name);
        let of_kind = |kind: Kind| all.iter().position(|of| of.kind == kind && is_good(of));
        KINDS.iter().find_map(|(_, kind)| of_kind(*kind))
    };
    let chosen = first(true).or_else(|| first(false));
    let chosen_path = chosen.map(|chosen| all[chosen].path.clone()).unwrap_or_default();
    for (at, receiver) in receivers.iter().enumerate() {
        let path = format!("receivers[{at}]");
        let name = text(receiver, "name").unwrap_or_default();
        let mut kinds = kinds_of(receiver);
        match kinds.next() {
            Some(kind) if chosen_path == format!("{path}.{kind}") => {}
            Some(kind) if KINDS.iter().any(|(known, _)| *known == kind) => {
                let text = format!("weir has one sink: run another one for \"{name}\" ({kind})");
                notes.not_mapped(&path, text);
            }
            Some(kind) => {
                notes.not_mapped(&path, format!("weir has no sink {kind}, for \"{name}\""));
            }
            None => notes.ignored(&path, format!("\"{name}\" is no receiver of any kind")),
        }
        for other in kinds {
            let text = "a receiver has one kind, and the exporter took another one that it has";
            notes.ignored(&format!("{path}.{other}"), text);
        }
    }
    all.into_iter().nth(chosen?)
}

/// The kinds that a receiver has, the one that the exporter takes first.
fn kinds_of(receiver: &Value) -> impl Iterator<Item = &'static str> {
    let has = |kind: &&str| receiver.get(*kind).is_some_and(|settings| !settings.is_null());
    PRECEDENCE.into_iter().filter(has)
}

fn of((at, receiver): (usize, &Value)) -> Option<Receiver<'_>> {
    let name = text(receiver, "name").unwrap_or_default();
    let key = kinds_of(receiver).next()?;
    let (_, kind) = KINDS.iter().find(|(known, _)| *known == key)?;
    let settings = receiver.get(key)?;
    Some(Receiver { name, kind: *kind, settings, path: format!("receivers[{at}].{key}") })
}

/// Notes names of receivers that have no effect.
pub(super) fn check_names(config: &Value, route: &Value, notes: &mut Notes) {
    let receivers = config.get("receivers").and_then(Value::as_array).into_iter().flatten();
    let names: BTreeSet<String> = receivers.filter_map(|receiver| text(receiver, "name")).collect();
    check_route(route, "route", &names, notes);
}

fn check_route(route: &Value, path: &str, names: &BTreeSet<String>, notes: &mut Notes) {
    for key in ["drop", "match"] {
        let rules = route.get(key).and_then(Value::as_array).into_iter().flatten();
        for (at, rule) in rules.enumerate() {
            let Some(name) = text(rule, "receiver") else { continue };
            let place = format!("{path}.{key}[{at}].receiver");
            if key == "drop" {
                notes.ignored(&place, "a rule that drops sends nothing");
            } else if variables::are_in(&name) && !names.contains(&name) {
                notes.not_mapped(&place, "weir knows no variables, and takes it for any receiver");
            } else if !names.contains(&name) {
                notes.ignored(&place, format!("there is no receiver \"{name}\""));
            }
        }
    }
    let below = route.get("routes").and_then(Value::as_array).into_iter().flatten();
    for (at, below) in below.enumerate() {
        check_route(below, &format!("{path}.routes[{at}]"), names, notes);
    }
}

/// `[sink]`, and `[dead_letter]` where it is in the sink's OpenSearch.
pub(super) fn sink(chosen: Option<&Receiver<'_>>, notes: &mut Notes) -> String {
    let Some(receiver) = chosen else {
        notes.not_mapped(
            "receivers",
            "there is none that weir has a sink for: documents go to stdout",
        );
        return "\n[sink]\nkind = \"stdout\"\n".to_owned();
    };
    let Receiver { kind, settings, path, .. } = receiver;
    if settings.get("layout").is_some_and(|layout| !layout.is_null()) {
        let text = "weir stores the whole event; a module can rearrange it";
        notes.not_mapped(&format!("{path}.layout"), text);
    }
    match kind {
        Kind::Stdout => "\n[sink]\nkind = \"stdout\"\n".to_owned(),
        Kind::File => {
            for key in ["maxsize", "maxage", "maxbackups"] {
                if settings.get(key).is_some() {
                    let text = "rotate the file with logrotate: weir follows that";
                    notes.not_mapped(&format!("{path}.{key}"), text);
                }
            }
            let named = text(settings, "path").unwrap_or_else(|| "events.ndjson".into());
            let mut sink = Sink::new("file", &format!("path = {}", quoted(&named)), path, notes);
            if sink.is_refused() {
                sink.required = "path = \"events.ndjson\"".into();
            }
            sink.written()
        }
        Kind::OpenSearch | Kind::Elasticsearch => opensearch(receiver, notes),
    }
}

/// A `[sink]` in the making: each key is tried before it is taken.
struct Sink<'n> {
    kind: &'static str,
    /// What its kind requires.
    required: String,
    keys: Vec<String>,
    path: String,
    notes: &'n mut Notes,
}

impl<'n> Sink<'n> {
    fn new(kind: &'static str, required: &str, path: &str, notes: &'n mut Notes) -> Sink<'n> {
        let (required, path) = (required.to_owned(), path.to_owned());
        Sink { kind, required, keys: Vec::new(), path, notes }
    }

    /// Whether weir refuses what is required; notes why.
    fn is_refused(&mut self) -> bool {
        let Some(why) = self.refusal(&[]) else { return false };
        let key = self.required.split(' ').next().unwrap_or_default().to_owned();
        self.notes.not_mapped(&format!("{}.{key}", self.path), why);
        true
    }

    /// Why weir refuses what there is, with `more`.
    fn refusal(&self, more: &[String]) -> Option<String> {
        let keys: Vec<&str> = [&self.required]
            .into_iter()
            .chain(&self.keys)
            .chain(more)
            .map(String::as_str)
            .collect();
        let (kind, keys) = (self.kind, keys.join(", "));
        refusal(&format!(
            "name = 'p'\nsource.kind = 'kubernetes'\nsink = {{ kind = '{kind}', {keys} }}\n"
        ))
    }

    /// Takes keys that belong together, mapped from the exporter's `theirs`; answers whether weir
    /// does.
    fn take(&mut self, theirs: &str, keys: &[String]) -> bool {
        match self.refusal(keys) {
            None => {
                self.keys.extend(keys.iter().cloned());
                true
            }
            Some(why) => {
                self.notes.not_mapped(&format!("{}.{theirs}", self.path), why);
                false
            }
        }
    }

    fn written(&self) -> String {
        let keys: String = self.keys.iter().map(|key| format!("{key}\n")).collect();
        format!("\n[sink]\nkind = \"{}\"\n{}\n{keys}", self.kind, self.required)
    }
}

/// Where a file names no hosts, the exporter's client asks this one.
const DEFAULT_HOST: &str = "http://localhost:9200";
const EXAMPLE_HOST: &str = "https://opensearch.example:9200";

fn opensearch(receiver: &Receiver<'_>, notes: &mut Notes) -> String {
    let Receiver { kind, settings, path, .. } = receiver;
    if *kind == Kind::Elasticsearch {
        notes.note(path, "weir writes to OpenSearch; Elasticsearch is not tested");
    }
    let hosts: Vec<&str> = settings
        .get("hosts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let hosts = if hosts.is_empty() { vec![DEFAULT_HOST] } else { hosts };
    let mut sink = Sink::new("opensearch", &format!("hosts = {}", list(&hosts)), path, notes);
    if sink.is_refused() {
        sink.required = format!("hosts = {}", list(&[EXAMPLE_HOST]));
    }
    credentials(settings, &mut sink);
    tls(settings.get("tls").unwrap_or(&Value::Null), &mut sink);
    let dated = index(settings, &mut sink);
    if flag(settings, "useEventID") {
        match dated {
            false => {
                sink.take("useEventID", &["mode = \"latest\"".to_owned()]);
            }
            true => sink.notes.note(
                &format!("{path}.useEventID"),
                "with a date in the index, weir stores each version of an event (mode = \
                 \"history\"); one document an event needs an index without a date, and mode = \
                 \"latest\"",
            ),
        }
    }
    if text(settings, "type").is_some() {
        let text = "weir writes no type of document: OpenSearch has none since 2.0";
        sink.notes.note(&format!("{path}.type"), text);
    }
    for (key, why) in [
        ("headers", "weir sends no headers of its own; `authorization` sets that one"),
        ("cloudID", "name the hosts themselves"),
    ] {
        if settings.get(key).is_some_and(|value| !value.is_null()) {
            sink.notes.not_mapped(&format!("{path}.{key}"), why);
        }
    }
    sink.take("hosts", &["last_timestamp = \"filled\"".to_owned()]);
    sink.written() + "\n[dead_letter]\nkind = \"index\"\n"
}

fn credentials(settings: &Value, sink: &mut Sink<'_>) {
    if let Some(username) = text(settings, "username") {
        let password = text(settings, "password").unwrap_or_default();
        let keys = [
            format!("username = {}", named(&username)),
            format!("password = {}", secret("password", &password, sink)),
        ];
        sink.take("username", &keys);
    }
    if let Some(key) = text(settings, "apiKey") {
        if let Some(variable) = variables::one(&key) {
            let text = format!(
                "set a variable to \"ApiKey\" and the key, not to ${variable} alone, and name it: \
                 authorization = {{ env = \"…\" }}"
            );
            sink.notes.not_mapped(&format!("{}.apiKey", sink.path), text);
        } else {
            sink.take("apiKey", &[format!("authorization = {}", quoted(&format!("ApiKey {key}")))]);
        }
    }
}

/// A user's name: the variable that the exporter would put in its place, or the text.
fn named(text: &str) -> String {
    variables::one(text)
        .map_or_else(|| quoted(text), |name| format!("{{ env = {} }}", quoted(name)))
}

/// A secret: the variable that the exporter would put in its place, or the text.
fn secret(key: &str, text: &str, sink: &mut Sink<'_>) -> String {
    let place = format!("{}.{key}", sink.path);
    match variables::one(text) {
        Some(variable) => format!("{{ env = {} }}", quoted(variable)),
        None if variables::are_in(text) => {
            let text_ = "a variable in it: set one to all of it, and name it, { env = \"…\" }";
            sink.notes.not_mapped(&place, text_);
            quoted(text)
        }
        None => {
            let text_ = "a secret in the configuration: better in a file, { file = \"…\" }";
            sink.notes.note(&place, text_);
            quoted(text)
        }
    }
}

fn tls(tls: &Value, sink: &mut Sink<'_>) {
    if let Some(ca) = text(tls, "caFile") {
        sink.take("tls.caFile", &[format!("ca = {}", quoted(&ca))]);
    }
    if let (Some(certificate), Some(key)) = (text(tls, "certFile"), text(tls, "keyFile")) {
        let keys =
            [format!("certificate = {}", quoted(&certificate)), format!("key = {}", quoted(&key))];
        sink.take("tls.certFile", &keys);
    }
    let path = sink.path.clone();
    if flag(tls, "insecureSkipVerify") {
        let text = "weir always verifies: name the authority's certificate in `ca`";
        sink.notes.not_mapped(&format!("{path}.tls.insecureSkipVerify"), text);
    }
    if text(tls, "serverName").is_some() {
        let text = "weir expects the name that `hosts` has";
        sink.notes.not_mapped(&format!("{path}.tls.serverName"), text);
    }
}

/// Go's layouts of dates, and weir's.
const DATES: [(&str, &str); 5] = [
    ("2006.01.02", "{yyyy.MM.dd}"),
    ("2006-01-02", "{yyyy-MM-dd}"),
    ("2006.01", "{yyyy.MM}"),
    ("2006-01", "{yyyy-MM}"),
    ("2006", "{yyyy}"),
];

/// Takes the index's name; answers whether it has a date.
fn index(settings: &Value, sink: &mut Sink<'_>) -> bool {
    let (key, name) = match (text(settings, "indexFormat"), text(settings, "index")) {
        (Some(format), _) => ("indexFormat", format),
        (None, Some(index)) => ("index", index),
        (None, None) => {
            let path = sink.path.clone();
            let text = "it names no index, and every document would be refused; here it is weir's \
                        default, kube-events-{yyyy.MM.dd}";
            sink.notes.ignored(&path, text);
            return true;
        }
    };
    let name = match key {
        "indexFormat" => with_our_date(&name),
        _ => Some(name),
    };
    let Some(name) = name else {
        let place = format!("{}.{key}", sink.path);
        let text = "the date in it is none that weir has: {yyyy.MM.dd}, {yyyy.MM}, {yyyy}, or with \
                    dashes; here it is weir's default, kube-events-{yyyy.MM.dd}";
        sink.notes.not_mapped(&place, text);
        return true;
    };
    let is_taken = sink.take(key, &[format!("index = {}", quoted(&name))]);
    !is_taken || name.contains('{')
}

/// What stands between the first and the last brace is Go's layout.
fn with_our_date(format: &str) -> Option<String> {
    let (Some(open), Some(close)) = (format.find('{'), format.rfind('}')) else {
        return Some(format.to_owned());
    };
    let layout = format.get(open + 1..close)?;
    let (_, ours) = DATES.iter().find(|(theirs, _)| *theirs == layout)?;
    Some(format!("{}{ours}{}", &format[..open], &format[close + 1..]))
}
