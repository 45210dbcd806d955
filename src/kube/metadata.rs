//! Reads the metadata of single objects, and nothing else of them: the API server is asked for a
//! [PartialObjectMetadata][partial], so what is in a spec or a status never gets here.
//!
//! [partial]: https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches

use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use bytes::Bytes;
use http::header::{ACCEPT, RETRY_AFTER};

use super::{message_of, read, read_refusal, with_causes};

/// Annotations are 256 KiB at most, and `managedFields` of the same order.
const OBJECT_BYTES_MAX: usize = 1 << 20;
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Asks for metadata; clones are one.
#[derive(Clone)]
pub(crate) struct MetadataReader(Client);

/// What is answered.
#[derive(Debug)]
pub(crate) enum MetadataAnswer {
    /// The object, as JSON.
    Object(Bytes),
    /// There is none.
    Absent,
    /// It may not be read, and why.
    Forbidden(String),
    /// The API server has too much to do.
    Busy {
        /// How long it wants to be left alone, if it says so.
        retry_after: Option<Duration>,
        /// What it says.
        why: String,
    },
    /// No answer, or none of use.
    Failed(String),
}

impl MetadataReader {
    /// One that asks this client's API server.
    pub(crate) fn new(client: Client) -> MetadataReader {
        MetadataReader(client)
    }

    /// Asks for the object at a path, once.
    pub(crate) async fn metadata(&self, path: &str) -> MetadataAnswer {
        let request = http::Request::get(path).header(ACCEPT, METADATA_ONLY).body(Body::empty());
        let answer = match request {
            Ok(request) => self.0.send(request).await,
            Err(error) => return MetadataAnswer::Failed(error.to_string()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return MetadataAnswer::Failed(with_causes(&error)),
        };
        let status = answer.status().as_u16();
        if status == 200 {
            return match read(answer.into_body(), OBJECT_BYTES_MAX).await {
                Ok(json) => MetadataAnswer::Object(json),
                Err(error) => MetadataAnswer::Failed(error.to_string()),
            };
        }
        let retry_after = answer.headers().get(RETRY_AFTER);
        let retry_after = retry_after
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut text = Vec::new();
        read_refusal(answer.into_body(), &mut text).await;
        let why = message_of(&text);
        match status {
            404 => MetadataAnswer::Absent,
            403 => MetadataAnswer::Forbidden(why),
            429 | 503 => MetadataAnswer::Busy { retry_after, why: format!("{status}: {why}") },
            _ => MetadataAnswer::Failed(format!("the API server answered {status}: {why}")),
        }
    }
}
