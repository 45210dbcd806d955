//! Requests to a registry, as the [distribution specification][spec] has them: who asks, and where
//! redirects lead.
//!
//! Constraints:
//!
//! - A registry is asked by https; by plain http only one on this machine, and that unless `ca` is
//!   set.
//! - Who weir is, is told to the registry itself, and to the token service that it names; nobody
//!   that a redirect leads to is told.
//! - What is named by a digest is what has this digest, or nothing.
//!
//! [spec]: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md

use std::collections::HashMap;

use base64::Engine;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use parking_lot::Mutex;
use reqwest::{Response, Url};

use super::Settings;
use super::challenge::{Challenge, Token};
use super::digest::Digest;
use super::docker::{self, Login};
use super::error::RegistryError;
use super::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, INDEX, MANIFEST};
use super::reference::{Reference, is_loopback};
use super::transport::{body, client, failure, host_of};
use crate::files::read_small;

/// A module's is some hundred bytes, and an image with many layers has some thousand.
pub(super) const MANIFEST_BYTES_MAX: u64 = 1 << 20;
const TOKEN_BYTES_MAX: u64 = 64 << 10;
/// Those of some hundred registries.
const CREDENTIALS_BYTES_MAX: u64 = 1 << 20;
/// A registry leads to its store, and that perhaps to the one of a region.
const REDIRECTS_MAX: usize = 5;
/// Docker's registry has another name than its references.
const DOCKER: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What weir wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Right {
    Pull,
    Push,
}

impl Right {
    fn actions(self) -> &'static str {
        match self {
            Right::Pull => "pull",
            Right::Push => "pull,push",
        }
    }
}

/// One request, before it is known who asks.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// For people.
    pub(super) what: String,
}

/// Who asks for what: registry, repository and right.
type Grant = (String, String, Right);

/// A client of all registries.
pub(crate) struct Client {
    http: reqwest::Client,
    settings: Settings,
    /// What was granted before, to be shown with the next request.
    granted: Mutex<HashMap<Grant, HeaderValue>>,
}

impl Client {
    /// Reads the certificates that are to be trusted; asks nobody.
    ///
    /// # Errors
    ///
    /// When they cannot be used.
    pub(crate) fn new(settings: &Settings) -> Result<Client, RegistryError> {
        let (http, settings) = (client(settings)?, settings.clone());
        Ok(Client { http, settings, granted: Mutex::default() })
    }

    /// The manifest of a reference, and its digest.
    pub(super) async fn manifest(&self, of: &Reference) -> Result<(Digest, Bytes), RegistryError> {
        let mut request = self.get(of, &format!("manifests/{}", of.asked_by()), of.to_string())?;
        let types = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX].join(", ");
        if let Ok(types) = HeaderValue::try_from(types) {
            request.headers.insert(ACCEPT, types);
        }
        let bytes = self.fetch(of, request, MANIFEST_BYTES_MAX).await?;
        let came = Digest::of(&bytes);
        match of.digest() {
            Some(asked) if *asked != came => Err(self.other(of, asked, came)),
            _ => Ok((came, bytes)),
        }
    }

    /// A blob of what a reference names.
    pub(super) async fn blob(
        &self,
        of: &Reference,
        digest: &Digest,
        bytes_max: u64,
    ) -> Result<Bytes, RegistryError> {
        let request = self.get(of, &format!("blobs/{digest}"), format!("{digest} of {of}"))?;
        let bytes = self.fetch(of, request, bytes_max).await?;
        let came = Digest::of(&bytes);
        if came == *digest { Ok(bytes) } else { Err(self.other(of, digest, came)) }
    }

    async fn fetch(
        &self,
        of: &Reference,
        request: Request,
        bytes_max: u64,
    ) -> Result<Bytes, RegistryError> {
        let what = request.what.clone();
        let response = self.send(of, Right::Pull, request).await?;
        body(response, &what, &[StatusCode::OK], bytes_max).await
    }

    fn get(&self, of: &Reference, path: &str, what: String) -> Result<Request, RegistryError> {
        let (url, headers) = (self.url(of, path)?, HeaderMap::new());
        Ok(Request { method: Method::GET, url, headers, body: Bytes::new(), what })
    }

    /// Of something of the repository.
    pub(super) fn url(&self, of: &Reference, path: &str) -> Result<Url, RegistryError> {
        let registry = if of.registry() == DOCKER.0 { DOCKER.1 } else { of.registry() };
        let is_plain = of.is_loopback() && self.settings.ca.is_none();
        let scheme = if is_plain { "http" } else { "https" };
        let url = format!("{scheme}://{registry}/v2/{}/{path}", of.repository());
        url.parse().map_err(|error| RegistryError::Client(format!("{of} has no URL: {error}")))
    }

    /// Sends a request to the registry, and once more with what it wants to be shown; then to where
    /// it leads.
    pub(super) async fn send(
        &self,
        of: &Reference,
        right: Right,
        request: Request,
    ) -> Result<Response, RegistryError> {
        let grant = (of.registry().to_owned(), of.repository().to_owned(), right);
        let registry = self.url(of, "")?.origin();
        let (mut url, mut has_asked, mut redirects) = (request.url.clone(), false, 0);
        loop {
            let is_registry = url.origin() == registry;
            let shown = self.granted.lock().get(&grant).cloned().filter(|_| is_registry);
            let mut sent = self.http.request(request.method.clone(), url.clone());
            sent = sent.headers(request.headers.clone());
            if !request.body.is_empty() {
                sent = sent.body(request.body.clone());
            }
            if let Some(shown) = shown {
                sent = sent.header(AUTHORIZATION, shown);
            }
            let response = sent.send().await.map_err(|error| failure(&host_of(&url), &error))?;
            let status = response.status();
            if status == StatusCode::UNAUTHORIZED && is_registry && !has_asked {
                has_asked = true;
                let asked = response.headers().get_all(WWW_AUTHENTICATE).into_iter();
                let challenge = Challenge::of(asked.filter_map(|value| value.to_str().ok()));
                match self.granted_for(of, right, challenge, &url).await? {
                    Some(shown) => self.granted.lock().insert(grant.clone(), shown),
                    None => return Ok(response),
                };
            } else if status.is_redirection() && request.method == Method::GET {
                redirects += 1;
                url = next(&response, &request.what, redirects)?;
            } else {
                return Ok(response);
            }
        }
    }

    /// What a registry that asks who weir is wants to be shown; `None`: what weir has not.
    async fn granted_for(
        &self,
        of: &Reference,
        right: Right,
        challenge: Option<Challenge>,
        url: &Url,
    ) -> Result<Option<HeaderValue>, RegistryError> {
        let login = self.login(of)?;
        let shown = match (challenge, login) {
            (Some(Challenge::Bearer { realm, service, scope }), login) => {
                let scope = scope.unwrap_or_else(|| {
                    format!("repository:{}:{}", of.repository(), right.actions())
                });
                let realm = token_url(&realm, service.as_deref(), &scope, url)?;
                Some(format!("Bearer {}", self.token(realm, login).await?))
            }
            (Some(Challenge::Basic), Some(login)) => Some(basic(&login)),
            (Some(Challenge::Basic), None) | (None, _) => None,
        };
        Ok(shown.and_then(|shown| HeaderValue::try_from(shown).ok()).map(|mut shown| {
            shown.set_sensitive(true);
            shown
        }))
    }

    async fn token(&self, url: Url, login: Option<Login>) -> Result<String, RegistryError> {
        let host = host_of(&url);
        let mut sent = self.http.get(url);
        if let Some(login) = login {
            sent = sent.header(AUTHORIZATION, basic(&login));
        }
        let response = sent.send().await.map_err(|error| failure(&host, &error))?;
        let what = "a request for a token";
        let answer = body(response, what, &[StatusCode::OK], TOKEN_BYTES_MAX).await?;
        Token::of(&answer).ok_or_else(|| RegistryError::Odd {
            host,
            what: what.to_owned(),
            found: "no token".to_owned(),
        })
    }

    /// Who weir is to this registry, as the file says now.
    fn login(&self, of: &Reference) -> Result<Option<Login>, RegistryError> {
        let Some(path) = &self.settings.credentials else { return Ok(None) };
        let path = path.clone();
        match read_small(&path, CREDENTIALS_BYTES_MAX) {
            Ok(config) => {
                docker::login(&config, of).map_err(|error| RegistryError::Login { path, error })
            }
            Err(error) => Err(RegistryError::Credentials { path, error }),
        }
    }

    fn other(&self, of: &Reference, asked: &Digest, came: Digest) -> RegistryError {
        let (host, asked) = (of.registry().to_owned(), asked.clone());
        RegistryError::OtherDigest { host, asked, came }
    }
}

/// Whether the file of logins can be read at all.
///
/// # Errors
///
/// Why not.
pub(crate) fn check_credentials(path: &std::path::Path) -> Result<(), RegistryError> {
    let path = path.to_owned();
    match read_small(&path, CREDENTIALS_BYTES_MAX) {
        Ok(config) => docker::check(&config).map_err(|error| RegistryError::Login { path, error }),
        Err(error) => Err(RegistryError::Credentials { path, error }),
    }
}

fn basic(Login { username, password }: &Login) -> String {
    let text = format!("{username}:{password}");
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

/// Where a token is to be had.
fn token_url(
    realm: &str,
    service: Option<&str>,
    scope: &str,
    registry: &Url,
) -> Result<Url, RegistryError> {
    let odd = |found: String| RegistryError::Odd {
        host: host_of(registry),
        what: "a request without a token".to_owned(),
        found,
    };
    let mut url: Url = realm.parse().map_err(|_| odd("a token service that is no URL".into()))?;
    if !may_lead(registry, &url) {
        return Err(odd("a token service that is not asked by https".into()));
    }
    let service = service.map(|service| ("service", service));
    url.query_pairs_mut().extend_pairs(service).append_pair("scope", scope);
    Ok(url)
}

/// Where a redirect leads, if it is one to follow.
fn next(response: &Response, what: &str, redirects: usize) -> Result<Url, RegistryError> {
    let from = response.url();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let refused = |to: String, why| RegistryError::Redirect {
        host: host_of(from),
        what: what.to_owned(),
        to,
        why,
    };
    let to = location.and_then(|location| from.join(location).ok());
    let to = to.ok_or_else(|| refused("nowhere".into(), "it names no URL"))?;
    match () {
        () if !may_lead(from, &to) => Err(refused(host_of(&to), "it is not by https")),
        () if redirects > REDIRECTS_MAX => Err(refused(host_of(&to), "there were too many before")),
        () => Ok(to),
    }
}

/// Whether somebody may send weir on: to https, or from this machine to this machine.
pub(super) fn may_lead(from: &Url, to: &Url) -> bool {
    let is_here = |url: &Url| url.host_str().is_some_and(is_loopback);
    to.scheme() == "https" || (to.scheme() == "http" && is_here(from) && is_here(to))
}
