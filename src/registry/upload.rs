//! Bringing to a registry what makes a reference: first the blobs, then the manifests that name
//! them, the one that the tag leads to last. So a tag never leads to what is not there.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::artifact::Artifact;
use super::client::{Client, Request, Right, may_lead};
use super::digest::Digest;
use super::error::RegistryError;
use super::reference::Reference;
use super::transport::{body, host_of};

/// What is read of an answer that says that something was taken: nothing of it is used.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

impl Client {
    /// Brings an artifact there. Answers the reference with its digest.
    ///
    /// # Errors
    ///
    /// When the registry does not take it; what it has taken by then leads nowhere.
    pub(crate) async fn push(
        &self,
        to: &Reference,
        artifact: &Artifact,
    ) -> Result<Reference, RegistryError> {
        for (digest, blob) in &artifact.blobs {
            if !self.has_blob(to, digest).await? {
                self.put_blob(to, digest, blob.clone()).await?;
            }
        }
        let last = artifact.manifests.len().saturating_sub(1);
        for (number, (media_type, manifest)) in artifact.manifests.iter().enumerate() {
            let tag = to.tag().filter(|_| number == last);
            self.put_manifest(to, tag, media_type, manifest.clone()).await?;
        }
        Ok(to.at(artifact.digest()))
    }

    async fn has_blob(&self, of: &Reference, digest: &Digest) -> Result<bool, RegistryError> {
        let what = format!("the question whether it has {digest}");
        let request = self.request(Method::HEAD, of, &format!("blobs/{digest}"), &what)?;
        let response = self.send(of, Right::Push, request).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            status if status == StatusCode::NOT_FOUND || status.is_redirection() => Ok(false),
            _ => body(response, &what, &[], ANSWER_BYTES_MAX).await.map(|_| false),
        }
    }

    /// <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#post-then-put>
    async fn put_blob(
        &self,
        of: &Reference,
        digest: &Digest,
        blob: Bytes,
    ) -> Result<(), RegistryError> {
        let what = format!("an upload to {}", of.repository());
        let request = self.request(Method::POST, of, "blobs/uploads/", &what)?;
        let from = request.url.clone();
        let response = self.send(of, Right::Push, request).await?;
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.and_then(|location| from.join(location).ok());
        body(response, &what, &[StatusCode::ACCEPTED], ANSWER_BYTES_MAX).await?;
        let Some(mut url) = location.filter(|to| may_lead(&from, to)) else {
            let (host, found) = (host_of(&from), "no place to upload to".to_owned());
            return Err(RegistryError::Odd { host, what, found });
        };
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let request = Request { method: Method::PUT, url, headers, body: blob, what: what.clone() };
        let response = self.send(of, Right::Push, request).await?;
        body(response, &what, &[StatusCode::CREATED], ANSWER_BYTES_MAX).await?;
        Ok(())
    }

    async fn put_manifest(
        &self,
        of: &Reference,
        tag: Option<&str>,
        media_type: &str,
        manifest: Bytes,
    ) -> Result<(), RegistryError> {
        let digest = Digest::of(&manifest).to_string();
        let path = format!("manifests/{}", tag.unwrap_or(&digest));
        let what = format!("the manifest of {of}");
        let mut request = self.request(Method::PUT, of, &path, &what)?;
        if let Ok(media_type) = HeaderValue::try_from(media_type) {
            request.headers.insert(CONTENT_TYPE, media_type);
        }
        request.body = manifest;
        let response = self.send(of, Right::Push, request).await?;
        body(response, &what, &[StatusCode::CREATED], ANSWER_BYTES_MAX).await?;
        Ok(())
    }

    fn request(
        &self,
        method: Method,
        of: &Reference,
        path: &str,
        what: &str,
    ) -> Result<Request, RegistryError> {
        let (url, headers) = (self.url(of, path)?, HeaderMap::new());
        Ok(Request { method, url, headers, body: Bytes::new(), what: what.to_owned() })
    }
}
