//! Index State Management before a real node, which the tests' OpenSearch lacks: it answers the
//! paths of ISM as the plugin does, and passes everything else on to the node.
//!
//! What it does is the plugin's (opensearch-project/index-management): a policy is written with
//! `create`, or for the edition that is named; it gets a time when it is written by the API, and
//! none when it is [planted](Ism::plant); it takes in an index that is made after that time, by the
//! name of its data stream; an index follows the edition that it began with until it is told of
//! another, and shows it from the first [look](Ism::look) on.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};

use super::Search;

/// One before a node.
pub(crate) struct Ism {
    pub(crate) url: String,
    state: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    node: String,
    policies: BTreeMap<String, Policy>,
    managed: BTreeMap<String, Managed>,
    edition: i64,
    /// What was asked to be written, in the order in which it came.
    writes: Vec<String>,
    /// Whether nobody hears what came of a `_bulk`.
    keeps_answers: bool,
    /// How many were kept.
    kept_answers: usize,
}

#[derive(Clone)]
struct Policy {
    edition: i64,
    body: Value,
}

#[derive(Clone, Default)]
struct Managed {
    policy: String,
    /// Which it follows from the next look on.
    edition: i64,
    shown: Option<i64>,
}

const PATH: &str = "/_plugins/_ism/";

impl Ism {
    /// Begins to answer, on a thread of its own: a test may wait for a process meanwhile.
    pub(crate) fn before(search: &Search) -> Ism {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let known = Known { node: search.url.clone(), ..Known::default() };
        let state = Arc::new(Mutex::new(known));
        let served = state.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let routes = axum::Router::new().fallback(answer).with_state(served);
                axum::serve(listener, routes).await.unwrap();
            });
        });
        Ism { url, state }
    }

    /// A policy as it stands.
    pub(crate) fn policy(&self, name: &str) -> Value {
        self.state.lock().unwrap().policies[name].body.clone()
    }

    /// Changes a policy as a person does in a dashboard: by the API.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut known = self.state.lock().unwrap();
        let mut body = known.policies[name].body.clone();
        change(&mut body);
        body["ism_template"][0]["last_updated_time"] = json!(now());
        known.write(name, body);
    }

    /// Puts a policy where ISM keeps them, past its API.
    pub(crate) fn plant(&self, name: &str, body: Value) {
        self.state.lock().unwrap().write(name, body);
    }

    /// Puts an index under a policy by hand.
    pub(crate) fn manage(&self, index: &str, policy: &str) {
        let mut known = self.state.lock().unwrap();
        let managed = Managed { policy: policy.to_owned(), edition: 1, shown: Some(1) };
        known.managed.insert(index.to_owned(), managed);
    }

    /// Which policy manages an index, and the edition that it follows.
    pub(crate) fn managed(&self, index: &str) -> Option<(String, i64)> {
        let known = self.state.lock().unwrap();
        known.managed.get(index).map(|managed| (managed.policy.clone(), managed.edition))
    }

    pub(crate) fn edition(&self, name: &str) -> i64 {
        self.state.lock().unwrap().policies[name].edition
    }

    /// What ISM does every five minutes.
    pub(crate) fn look(&self) {
        for managed in self.state.lock().unwrap().managed.values_mut() {
            managed.shown = Some(managed.edition);
        }
    }

    /// From now on the node carries out what a `_bulk` asks for, and no answer comes; or one does.
    pub(crate) fn keep_answers(&self, keeps: bool) {
        self.state.lock().unwrap().keeps_answers = keeps;
    }

    /// How many answers were kept.
    pub(crate) fn kept_answers(&self) -> usize {
        self.state.lock().unwrap().kept_answers
    }

    /// What was written since the last time: `METHOD path`.
    pub(crate) fn writes(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().writes)
    }
}

impl Known {
    fn write(&mut self, name: &str, body: Value) -> i64 {
        self.edition += 1;
        let edition = self.edition;
        self.policies.insert(name.to_owned(), Policy { edition, body });
        edition
    }

    /// A policy takes in what was made after it.
    fn take_in(&mut self, index: &str, made: i64) {
        if self.managed.contains_key(index) {
            return;
        }
        let stream = index.strip_prefix(".ds-").and_then(|name| name.rsplit_once('-'));
        let name = stream.map_or(index, |(name, _)| name);
        let found = self.policies.iter().find(|(_, policy)| {
            let template = &policy.body["ism_template"][0];
            let time = template["last_updated_time"].as_i64().unwrap_or(i64::MAX);
            let patterns = template["index_patterns"].as_array().unwrap();
            time < made && patterns.iter().any(|one| matches(one.as_str().unwrap(), name))
        });
        if let Some((policy, Policy { edition, .. })) = found {
            let managed = Managed { policy: policy.clone(), edition: *edition, shown: None };
            self.managed.insert(index.to_owned(), managed);
        }
    }
}

fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|text| {
            (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }),
    }
}

fn reply(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let body = Body::from(body.to_string());
    Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=UTF-8")
        .body(body)
        .unwrap()
}

fn refuse(status: u16, kind: &str, reason: &str) -> Response {
    let error = json!({ "type": kind, "reason": reason });
    let body = json!({ "error": { "root_cause": [error], "type": kind, "reason": reason }, "status": status });
    reply(status, &body)
}

async fn answer(
    State(state): State<Arc<Mutex<Known>>>,
    method: Method,
    uri: Uri,
    headers: axum::http::HeaderMap,
    body: Bytes,
) -> Response {
    let path_and_query = uri.path_and_query().unwrap().as_str();
    let node = {
        let mut known = state.lock().unwrap();
        if method == Method::PUT || uri.path().starts_with(PATH) && method == Method::POST {
            known.writes.push(format!("{method} {}", uri.path()));
        }
        known.node.clone()
    };
    let client = reqwest::Client::new();
    let Some(path) = uri.path().strip_prefix(PATH) else {
        let url = format!("{node}{path_and_query}");
        let mut request = client.request(method, url).body(body.to_vec());
        for name in ["content-type", "content-encoding", "authorization"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.unwrap();
        let builder = Response::builder().status(answer.status());
        let answer = builder.body(Body::from(answer.bytes().await.unwrap())).unwrap();
        let is_kept = {
            let mut known = state.lock().unwrap();
            let is_kept = known.keeps_answers && uri.path().ends_with("/_bulk");
            known.kept_answers += usize::from(is_kept);
            is_kept
        };
        return if is_kept { std::future::pending().await } else { answer };
    };
    // ISM sees the cluster change; here that is looked up before it is asked anything.
    let made = made_at(&client, &node).await;
    let mut known = state.lock().unwrap();
    for (index, at) in &made {
        known.take_in(index, *at);
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (method.as_str(), path.split_once('/').unwrap_or((path, ""))) {
        ("GET", ("policies", name)) => get_policy(&known, name),
        ("PUT", ("policies", name)) => put_policy(&mut known, name, uri.query(), body),
        ("GET", ("explain", names)) => explain(&known, names, &made),
        ("POST", ("add", names)) => add(&mut known, names, &body),
        ("POST", ("change_policy", names)) => change(&mut known, names, &body),
        _ => refuse(400, "illegal_argument_exception", "no handler found for uri"),
    }
}

/// When each index was made.
async fn made_at(client: &reqwest::Client, node: &str) -> BTreeMap<String, i64> {
    let url = format!("{node}/_all/_settings/index.creation_date?expand_wildcards=all");
    let text = client.get(url).send().await.unwrap().text().await.unwrap();
    let answer: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let date = |settings: &Value| settings["settings"]["index"]["creation_date"].clone();
    answer
        .into_iter()
        .filter_map(|(index, settings)| Some((index, date(&settings).as_str()?.parse().ok()?)))
        .collect()
}

fn get_policy(known: &Known, name: &str) -> Response {
    let Some(Policy { edition, body }) = known.policies.get(name) else {
        return refuse(404, "status_exception", "Policy not found");
    };
    let mut policy = body.clone();
    policy["policy_id"] = json!(name);
    policy["schema_version"] = json!(21);
    policy["error_notification"] = Value::Null;
    for template in policy["ism_template"].as_array_mut().into_iter().flatten() {
        if template["last_updated_time"].is_null() {
            template["last_updated_time"] = json!(now());
        }
    }
    for state in policy["states"].as_array_mut().unwrap() {
        for action in state["actions"].as_array_mut().into_iter().flatten() {
            let retry = json!({ "count": 3, "backoff": "exponential", "delay": "1m" });
            if action.get("retry").is_none() {
                action["retry"] = retry;
            }
            if let Some(rollover) = action.get_mut("rollover") {
                rollover["copy_alias"] = json!(false);
            }
        }
    }
    let answer = json!({
        "_id": name, "_version": 1, "_seq_no": edition, "_primary_term": 1, "policy": policy,
    });
    reply(200, &answer)
}

fn put_policy(known: &mut Known, name: &str, query: Option<&str>, body: Value) -> Response {
    let mut policy = body["policy"].clone();
    let known_fields = ["description", "default_state", "states", "ism_template"];
    let fields = policy.as_object().unwrap();
    if let Some(field) = fields.keys().find(|field| !known_fields.contains(&field.as_str())) {
        let reason = format!("Invalid field: [{field}] found in Policy.");
        return refuse(400, "illegal_argument_exception", &reason);
    }
    let wanted = known.policies.get(name).map(|policy| policy.edition);
    let named =
        query.unwrap_or_default().split('&').find_map(|part| part.strip_prefix("if_seq_no="));
    if wanted.map(|edition| edition.to_string()).as_deref() != named {
        let reason = format!("[{name}]: version conflict");
        return refuse(409, "version_conflict_engine_exception", &reason);
    }
    policy["last_updated_time"] = json!(now());
    for template in policy["ism_template"].as_array_mut().into_iter().flatten() {
        if template["last_updated_time"].is_null() {
            template["last_updated_time"] = json!(now());
        }
    }
    let edition = known.write(name, policy);
    let status = if wanted.is_none() { 201 } else { 200 };
    reply(status, &json!({ "_id": name, "_version": 1, "_primary_term": 1, "_seq_no": edition }))
}

fn explain(known: &Known, names: &str, made: &BTreeMap<String, i64>) -> Response {
    let mut answer = json!({});
    for name in names.split(',') {
        if !made.contains_key(name) {
            return refuse(404, "index_not_found_exception", &format!("no such index [{name}]"));
        }
        let managed = known.managed.get(name);
        let policy = managed.map(|managed| managed.policy.as_str());
        let mut said = json!({
            "index.plugins.index_state_management.policy_id": policy,
            "index.opendistro.index_state_management.policy_id": policy,
            "enabled": managed.map(|_| true),
        });
        if let Some(Managed { policy, shown: Some(edition), .. }) = managed {
            said["policy_id"] = json!(policy);
            said["policy_seq_no"] = json!(edition);
            said["policy_primary_term"] = json!(1);
        }
        answer[name] = said;
    }
    answer["total_managed_indices"] = json!(known.managed.len());
    reply(200, &answer)
}

fn add(known: &mut Known, names: &str, body: &Value) -> Response {
    let policy = body["policy_id"].as_str().unwrap();
    let Some(edition) = known.policies.get(policy).map(|policy| policy.edition) else {
        return refuse(404, "status_exception", &format!("Could not find policy={policy}"));
    };
    let (mut updated, mut failed) = (0, Vec::new());
    for index in names.split(',') {
        if known.managed.contains_key(index) {
            failed.push(json!({ "index_name": index, "index_uuid": "u", "reason": "This index already has a policy, use the update policy API to update index policies" }));
            continue;
        }
        let managed = Managed { policy: policy.to_owned(), edition, shown: None };
        known.managed.insert(index.to_owned(), managed);
        updated += 1;
    }
    reply(
        200,
        &json!({ "updated_indices": updated, "failures": !failed.is_empty(), "failed_indices": failed }),
    )
}

fn change(known: &mut Known, names: &str, body: &Value) -> Response {
    let policy = body["policy_id"].as_str().unwrap();
    let edition = known.policies[policy].edition;
    let mut updated = 0;
    for index in names.split(',') {
        if let Some(managed) = known.managed.get_mut(index) {
            managed.policy = policy.to_owned();
            managed.edition = edition;
            updated += 1;
        }
    }
    reply(200, &json!({ "updated_indices": updated, "failures": false, "failed_indices": [] }))
}
