//! Asks an API server what a run will need: its version, its clock, and what this user may do. It
//! writes nothing: a review is an answer, and is kept nowhere.

use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use http::{Method, Request, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Value, json};

use super::answer::{message_of, read};
use super::{ClientError, client_and_place, with_causes};
use crate::reload::Reload;
use crate::text::{self, REASON_BYTES_MAX};

/// The API server may be silent for this long.
const TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Something that a user may do, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    /// The core group is the empty one.
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: &'static str,
    /// None: in all namespaces.
    pub(crate) namespace: Option<String>,
    /// None: whichever it is.
    pub(crate) name: Option<String>,
}

/// One server.
pub(crate) struct Examiner {
    client: Client,
    /// Its URL, and where that is from.
    pub(crate) place: String,
}

/// What `/version` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) number: String,
    /// The server's time, where its answer has one.
    pub(crate) time: Option<Timestamp>,
}

impl Examiner {
    /// Contacts nobody.
    pub(crate) async fn new() -> Result<Examiner, ClientError> {
        let (client, place) = client_and_place(&Reload::default()).await?;
        Ok(Examiner { client, place })
    }

    /// The namespace that is meant where none is named.
    pub(crate) fn default_namespace(&self) -> &str {
        self.client.default_namespace()
    }

    /// Which version it is.
    pub(crate) async fn version(&self) -> Result<Version, String> {
        let (answer, time) = self.ask(Method::GET, "/version", None).await?;
        let number = answer["gitVersion"].as_str().unwrap_or("of unknown version");
        Ok(Version { number: text::words(number, REASON_BYTES_MAX), time })
    }

    /// Whom the server takes this process for; `None`: it does not say.
    pub(crate) async fn user(&self) -> Option<String> {
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        let review =
            json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
        let (answer, _) = self.ask(Method::POST, path, Some(review)).await.ok()?;
        answer["status"]["userInfo"]["username"].as_str().map(str::to_owned)
    }

    /// Whether this user may.
    pub(crate) async fn may(&self, right: &Right) -> Result<bool, String> {
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "group": right.group,
                "resource": right.resource,
                "verb": right.verb,
                "namespace": right.namespace,
                "name": right.name,
            } },
        });
        let (answer, _) = self.ask(Method::POST, path, Some(review)).await?;
        answer["status"]["allowed"].as_bool().ok_or_else(|| "the answer is no review".to_owned())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(Value, Option<Timestamp>), String> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .header(http::header::ACCEPT, "application/json")
            .body(Body::from(body))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self.client.send(request).await.map_err(|error| with_causes(&error))?;
            let (head, body) = answer.into_parts();
            let body = read(body, ANSWER_BYTES_MAX).await.map_err(|error| error.to_string())?;
            Ok::<_, String>((head, body))
        };
        let (head, body) = tokio::time::timeout(TIMEOUT, exchange)
            .await
            .map_err(|_| format!("it did not answer within {} s", TIMEOUT.as_secs()))??;
        if !head.status.is_success() {
            return Err(refusal(head.status, &body));
        }
        let date = head.headers.get(http::header::DATE).and_then(|date| date.to_str().ok());
        let time = date.and_then(|date| rfc2822::parse(date).ok()).map(|time| time.timestamp());
        let answer = serde_json::from_slice(&body).map_err(|_| {
            format!("the answer is no JSON ({}): is there a proxy before it?", message_of(&body))
        })?;
        Ok((answer, time))
    }
}

fn refusal(status: StatusCode, body: &[u8]) -> String {
    format!("it answers {}: {}", status.as_u16(), message_of(body))
}
