//! Index State Management before a real node, which the tests' OpenSearch lacks: it answers the
//! paths of ISM as the plugin does, and passes everything else on to the node.
//!
//! What it does is the plugin's (opensearch-project/index-management):
//!
//! - A policy is written with `create`, or for the edition that is named by number and term. It
//!   gets a time when it is written by the API, and none when it is [planted](Ism::plant). Two
//!   whose patterns overlap may not have one priority.
//! - It takes in an index that is made after that time, by the name of its data stream, if none of
//!   a higher priority does.
//! - An index follows the edition that it began with until it is told of another, and shows it from
//!   the first [look](Ism::look) on. One that it has [failed](Ism::fail) on stays as it is.
//! - What the user has no [right](Ism::hide) to is left out of an answer, and counted nowhere.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Which the user has no right to.
    hidden: BTreeSet<String>,
    /// What is answered to some requests, in place of what would be.
    refusals: Vec<(String, u16, Value)>,
}

#[derive(Clone)]
struct Policy {
    edition: i64,
    body: Value,
}

impl Policy {
    fn patterns(&self) -> impl Iterator<Item = &str> {
        let patterns = self.body["ism_template"][0]["index_patterns"].as_array().unwrap();
        patterns.iter().map(|pattern| pattern.as_str().unwrap())
    }

    fn priority(&self) -> i64 {
        self.body["ism_template"][0]["priority"].as_i64().unwrap()
    }
}

#[derive(Clone, Default)]
struct Managed {
    policy: String,
    /// Which it follows from the next look on.
    edition: i64,
    shown: Option<i64>,
    has_failed: bool,
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

    /// Writes a policy of somebody else's by the API: for these names, and with one state.
    pub(crate) fn write(&self, name: &str, pattern: &str, priority: u32) {
        let template = json!({ "index_patterns": [pattern], "priority": priority, "last_updated_time": now() });
        let states = json!([{ "name": "hot", "actions": [], "transitions": [] }]);
        self.plant(
            name,
            json!({ "ism_template": [template], "default_state": "hot", "states": states }),
        );
    }

    /// The policy of an index fails on it.
    pub(crate) fn fail(&self, index: &str) {
        self.state.lock().unwrap().managed.get_mut(index).unwrap().has_failed = true;
    }

    /// The user has no right to an index from now on.
    pub(crate) fn hide(&self, index: &str) {
        self.state.lock().unwrap().hidden.insert(index.to_owned());
    }

    /// What is asked so, such as `PUT /_plugins/_ism/policies/*`, is answered so from now on.
    pub(crate) fn refuse(&self, asked: &str, status: u16, body: Value) {
        self.state.lock().unwrap().refusals.push((asked.to_owned(), status, body));
    }

    /// As the security plugin refuses it.
    pub(crate) fn forbid(&self, asked: &str) {
        let error = json!({ "type": "security_exception", "reason": "no permissions for it" });
        self.refuse(asked, 403, json!({ "error": error, "status": 403 }));
    }

    /// Puts an index under a policy by hand.
    pub(crate) fn manage(&self, index: &str, policy: &str) {
        let mut known = self.state.lock().unwrap();
        let managed =
            Managed { policy: policy.to_owned(), edition: 1, shown: Some(1), has_failed: false };
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
        let mut known = self.state.lock().unwrap();
        for managed in known.managed.values_mut().filter(|managed| !managed.has_failed) {
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
        let is_for = |policy: &&Policy| {
            let template = &policy.body["ism_template"][0];
            let time = template["last_updated_time"].as_i64().unwrap_or(i64::MAX);
            time < made && policy.patterns().any(|one| matches(one, name))
        };
        let all = self.policies.iter().filter(|(_, policy)| is_for(policy));
        let found = all.max_by_key(|(_, policy)| policy.priority());
        if let Some((policy, Policy { edition, .. })) = found {
            let managed = Managed {
                policy: policy.clone(),
                edition: *edition,
                shown: None,
                has_failed: false,
            };
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
        let asked = format!("{method} {}", uri.path());
        let refusal = known.refusals.iter().find(|(refused, ..)| matches(refused, &asked));
        if let Some((_, status, body)) = refusal {
            return reply(*status, body);
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
        ("GET", ("policies", "")) => list_policies(&known, uri.query()),
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

/// As many as are asked for, or 20.
fn list_policies(known: &Known, query: Option<&str>) -> Response {
    let query = query.unwrap_or_default();
    let size = query.split('&').find_map(|part| part.strip_prefix("size=")?.parse().ok());
    let of = |(name, policy): (&String, &Policy)| {
        let policy = json!({ "ism_template": policy.body["ism_template"] });
        json!({ "_id": name, "policy": policy })
    };
    let policies: Vec<Value> = known.policies.iter().take(size.unwrap_or(20)).map(of).collect();
    // filter_path leaves nothing of an empty list.
    let answer = if policies.is_empty() { json!({}) } else { json!({ "policies": policies }) };
    reply(200, &answer)
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
    let query = query.unwrap_or_default();
    let of = |key: &str| query.split('&').find_map(|part| part.strip_prefix(key));
    // Without both it is to be made.
    let named = of("if_seq_no=").zip(of("if_primary_term="));
    let wanted_named = wanted.map(|edition| edition.to_string());
    if wanted_named.as_deref().map(|edition| (edition, "1")) != named {
        let reason = format!("[{name}]: version conflict");
        return refuse(409, "version_conflict_engine_exception", &reason);
    }
    let new = Policy { edition: 0, body: policy.clone() };
    let overlaps = |other: &Policy| {
        let is_for = |one: &str| {
            new.patterns().any(|pattern| matches(pattern, one) || matches(one, pattern))
        };
        other.priority() == new.priority() && other.patterns().any(is_for)
    };
    if known.policies.iter().any(|(other, policy)| other != name && overlaps(policy)) {
        let reason = format!(
            "New policy {name} has an ISM template with index pattern matching existing policy templates, please use a different priority than {}",
            new.priority()
        );
        return refuse(400, "illegal_argument_exception", &reason);
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
        if known.hidden.contains(name) {
            continue;
        }
        let managed = known.managed.get(name);
        let policy = managed.map(|managed| managed.policy.as_str());
        let mut said = json!({
            "index.plugins.index_state_management.policy_id": policy,
            "index.opendistro.index_state_management.policy_id": policy,
            "enabled": managed.map(|managed| !managed.has_failed),
        });
        if managed.is_some_and(|managed| managed.has_failed) {
            said["action"] = json!({ "name": "delete", "failed": true });
            said["info"] = json!({ "message": "no permissions for [indices:admin/delete]" });
        }
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
    if names.split(',').all(|index| known.hidden.contains(index)) {
        return reply(
            200,
            &json!({ "updated_indices": 0, "failures": false, "failed_indices": [] }),
        );
    }
    let policy = body["policy_id"].as_str().unwrap();
    let Some(edition) = known.policies.get(policy).map(|policy| policy.edition) else {
        return refuse(404, "status_exception", &format!("Could not find policy={policy}"));
    };
    let (mut updated, mut failed) = (0, Vec::new());
    let hidden = known.hidden.clone();
    for index in names.split(',').filter(|index| !hidden.contains(*index)) {
        if known.managed.contains_key(index) {
            failed.push(json!({ "index_name": index, "index_uuid": "u", "reason": "This index already has a policy, use the update policy API to update index policies" }));
            continue;
        }
        let managed =
            Managed { policy: policy.to_owned(), edition, shown: None, has_failed: false };
        known.managed.insert(index.to_owned(), managed);
        updated += 1;
    }
    reply(
        200,
        &json!({ "updated_indices": updated, "failures": !failed.is_empty(), "failed_indices": failed }),
    )
}

fn change(known: &mut Known, names: &str, body: &Value) -> Response {
    // All or nothing.
    if names.split(',').any(|index| known.hidden.contains(index)) {
        let reason = "User doesn't have required index permissions on one or more requested indices: no permissions for [indices:admin/opensearch/ism/managedindex]";
        return refuse(403, "status_exception", reason);
    }
    let policy = body["policy_id"].as_str().unwrap();
    let edition = known.policies[policy].edition;
    let mut updated = 0;
    for index in names.split(',') {
        // One that has failed goes on as it was, although it is counted.
        if let Some(managed) = known.managed.get_mut(index) {
            updated += 1;
            if managed.has_failed {
                continue;
            }
            managed.policy = policy.to_owned();
            managed.edition = edition;
        }
    }
    reply(200, &json!({ "updated_indices": updated, "failures": false, "failed_indices": [] }))
}
