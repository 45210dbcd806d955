//! What one machine lists and watches, and the requests for it.

use std::time::Duration;

use kube::api::{ListParams, WatchParams};
use kube::client::Body;

use super::step::Request;
use crate::text::shell_word;

/// All namespaces, or one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All namespaces, in one watch.
    All,
    /// One namespace.
    Namespace(String),
}

impl Scope {
    /// The scopes of the setting `namespaces`: one for each, or one for all.
    pub(super) fn of(namespaces: &[String]) -> Vec<Scope> {
        if namespaces.is_empty() {
            return vec![Scope::All];
        }
        namespaces.iter().cloned().map(Scope::Namespace).collect()
    }

    /// Its name where positions are saved. No namespace is called `*`.
    pub(super) fn key(&self) -> &str {
        match self {
            Scope::All => "*",
            Scope::Namespace(name) => name,
        }
    }

    /// How `kubectl` is told.
    pub(super) fn kubectl_flag(&self) -> String {
        match self {
            Scope::All => "--all-namespaces".to_owned(),
            Scope::Namespace(name) => format!("--namespace {}", shell_word(name)),
        }
    }

    /// The HTTP request, for the events that the field selector selects; an error for what cannot
    /// be a URL, such as a namespace with a space.
    pub(super) fn request(
        &self,
        request: &Request,
        selector: Option<&str>,
    ) -> Result<http::Request<Body>, String> {
        let path = match self {
            Scope::All => "/api/v1/events".to_owned(),
            Scope::Namespace(name) => format!("/api/v1/namespaces/{name}/events"),
        };
        let url = kube::core::Request::new(path);
        let made = match request {
            Request::List { limit, token } => {
                let mut params = ListParams::default().limit(*limit);
                params.field_selector = selector.map(str::to_owned);
                params.continue_token.clone_from(token);
                url.list(&params)
            }
            Request::Watch { from, timeout } => {
                let mut params = watch_params(*timeout);
                params.field_selector = selector.map(str::to_owned);
                url.watch(&params, &from.to_string())
            }
            Request::Identity => return identity_request(),
        };
        Ok(with_headers(made.map_err(|e| e.to_string())?))
    }
}

/// The UID of `kube-system` is what the field takes for a cluster's identity: it is made once, and
/// never deleted.
fn identity_request() -> Result<http::Request<Body>, String> {
    let url = kube::core::Request::new("/api/v1/namespaces");
    let made =
        url.get("kube-system", &kube::api::GetParams::default()).map_err(|e| e.to_string())?;
    Ok(with_headers(made))
}

fn with_headers(request: http::Request<Vec<u8>>) -> http::Request<Body> {
    let mut request = request.map(Body::from);
    let headers = request.headers_mut();
    headers.insert(http::header::ACCEPT, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT));
    request
}

const USER_AGENT: &str = concat!("weir/", env!("CARGO_PKG_VERSION"));

fn watch_params(timeout: Duration) -> WatchParams {
    // An API server that keeps a watch cache for events sends bookmarks; others ignore the wish.
    WatchParams { bookmarks: true, ..WatchParams::default() }.timeout(timeout.as_secs() as u32)
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Scope::All => f.write_str("all namespaces"),
            Scope::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::version::Version;
    use super::*;

    fn url(scope: &Scope, request: &Request) -> String {
        scope.request(request, None).unwrap().uri().to_string()
    }

    #[test]
    fn lists_and_watches_select_and_a_selector_cannot_leave_its_parameter() {
        let selector = Some("metadata.namespace!=a,reason=x&limit=9#\\,+ \u{e9}");
        let url = |request| Scope::All.request(&request, selector).unwrap().uri().to_string();
        let from = Version::Number(41);
        insta::assert_snapshot!(url(Request::List { limit: 500, token: Some("next".into()) }), @"/api/v1/events?&fieldSelector=metadata.namespace%21%3Da%2Creason%3Dx%26limit%3D9%23%5C%2C%2B+%C3%A9&limit=500&continue=next");
        insta::assert_snapshot!(url(Request::Watch { from, timeout: Duration::from_secs(250) }), @"/api/v1/events?&watch=true&timeoutSeconds=250&fieldSelector=metadata.namespace%21%3Da%2Creason%3Dx%26limit%3D9%23%5C%2C%2B+%C3%A9&allowWatchBookmarks=true&resourceVersion=41");
        insta::assert_snapshot!(url(Request::Identity), @"/api/v1/namespaces/kube-system");
    }

    #[test]
    fn requests_ask_for_pages_and_for_watches_with_bookmarks() {
        let team = Scope::Namespace("team-a".into());
        let first = Request::List { limit: 500, token: None };
        insta::assert_snapshot!(url(&Scope::All, &first), @"/api/v1/events?&limit=500");
        let next = Request::List { limit: 500, token: Some("a+b=".into()) };
        insta::assert_snapshot!(url(&team, &next), @"/api/v1/namespaces/team-a/events?&limit=500&continue=a%2Bb%3D");
        let watch = Request::Watch { from: Version::Number(41), timeout: Duration::from_secs(250) };
        insta::assert_snapshot!(url(&Scope::All, &watch), @"/api/v1/events?&watch=true&timeoutSeconds=250&allowWatchBookmarks=true&resourceVersion=41");
    }

    #[test]
    fn a_namespace_that_cannot_stand_in_a_url_is_an_error_and_no_request() {
        assert!(
            Scope::Namespace("a b".into())
                .request(&Request::List { limit: 1, token: None }, None)
                .is_err()
        );
    }
}
