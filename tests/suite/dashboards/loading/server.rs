//! A server that takes saved objects and monitors as OpenSearch Dashboards and OpenSearch Alerting
//! do, for one user.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use serde_json::{Value, json};

use super::{PASSWORD, USERNAME};

const COOKIE: &str = "security_authentication=granted";

/// What the server has: each tenant's objects by id, and the names of monitors.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) objects: BTreeMap<String, BTreeMap<String, Value>>,
    pub(super) monitors: Vec<String>,
}

pub(super) type Shared = Arc<Mutex<Stored>>;

/// Dashboards and Alerting, for the user `ada`, in a thread of its own until the process ends.
pub(super) fn server() -> (String, Shared) {
    let stored = Shared::default();
    let routes = Router::new()
        .route("/auth/login", post(login))
        .route("/api/saved_objects/_import", post(import))
        .route("/_plugins/_alerting/monitors", post(monitor))
        .with_state(stored.clone());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, routes).await.unwrap();
        });
    });
    (url, stored)
}

fn text_of(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// Dashboards answers nothing that another site's page could have sent.
fn is_from_another_site(headers: &HeaderMap) -> bool {
    !headers.contains_key("osd-xsrf")
}

fn has_basic(headers: &HeaderMap) -> bool {
    use base64::Engine as _;
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{USERNAME}:{PASSWORD}"));
    text_of(headers, "authorization") == format!("Basic {pair}")
}

async fn login(headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let pair: Value = serde_json::from_slice(&body).unwrap_or_default();
    let is_known = pair["username"] == USERNAME && pair["password"] == "simple";
    if is_from_another_site(&headers) || !is_known {
        return (StatusCode::UNAUTHORIZED, [(header::SET_COOKIE, String::new())], "");
    }
    // The tenant is chosen here, and is in the cookie from then on.
    let tenant = text_of(&headers, "securitytenant");
    (StatusCode::OK, [(header::SET_COOKIE, format!("{COOKIE}-{tenant}; Path=/"))], "{}")
}

async fn import(
    State(stored): State<Shared>,
    Query(parameters): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let tenant = text_of(&headers, "securitytenant");
    if is_from_another_site(&headers) {
        return (StatusCode::BAD_REQUEST, "Request must contain the osd-xsrf header".to_owned());
    }
    let has_cookie = text_of(&headers, "cookie") == format!("{COOKIE}-{tenant}");
    if !has_cookie && !has_basic(&headers) {
        return (StatusCode::UNAUTHORIZED, "Authentication required".to_owned());
    }
    let overwrites = parameters.get("overwrite").is_some_and(|value| value == "true");
    let mut stored = stored.lock().unwrap();
    let objects = stored.objects.entry(tenant).or_default();
    let (mut count, mut errors) = (0, Vec::new());
    for line in String::from_utf8(body.to_vec()).unwrap().lines().filter(|l| l.starts_with('{')) {
        let object: Value = serde_json::from_str(line).unwrap();
        let id = object["id"].as_str().unwrap().to_owned();
        if objects.contains_key(&id) && !overwrites {
            errors.push(json!({ "id": id, "type": object["type"], "error": {"type": "conflict"} }));
        } else {
            objects.insert(id, object);
            count += 1;
        }
    }
    let mut answer = json!({ "successCount": count, "success": errors.is_empty() });
    if !errors.is_empty() {
        answer["errors"] = Value::from(errors);
    }
    (StatusCode::OK, answer.to_string())
}

async fn monitor(
    State(stored): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let monitor: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(name) = monitor["name"].as_str().filter(|_| has_basic(&headers)) else {
        return (StatusCode::UNAUTHORIZED, String::new());
    };
    let mut stored = stored.lock().unwrap();
    stored.monitors.push(name.to_owned());
    (StatusCode::CREATED, json!({ "_id": stored.monitors.len().to_string() }).to_string())
}
