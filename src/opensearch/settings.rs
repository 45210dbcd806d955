//! Where an OpenSearch is, and why no client can be made of that.

use std::path::PathBuf;

use super::aws::{Aws, Service};
use crate::proxy::{Environment, Proxy, ProxyError, VariableError};
use crate::secret::{Secret, SecretError};
use crate::tls::{CaError, IdentityError};
use crate::words::words;

/// Where an OpenSearch is, and how to get in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Base URLs, `http://` or `https://`, of nodes of one cluster. At least one.
    pub hosts: Vec<String>,
    /// Basic auth.
    pub username: Option<Username>,
    /// Basic auth.
    pub password: Option<Secret>,
    /// The `Authorization` header, instead of basic auth.
    pub authorization: Option<Secret>,
    /// Requests are signed for AWS, instead of both.
    pub aws: Option<Aws>,
    /// PEM file with the certificates to trust, instead of the system's.
    pub ca: Option<PathBuf>,
    /// PEM files of the client's certificate and of its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// What to go through.
    pub proxy: ProxySetting,
    /// How requests are compressed.
    pub compression: Compression,
}

impl Settings {
    /// The hosts that are reached through a proxy, each with its own.
    ///
    /// # Errors
    ///
    /// When the environment names a proxy that is none.
    pub(crate) fn proxies(&self) -> Result<Vec<(String, Proxy)>, VariableError> {
        let environment = Environment::of_process();
        let mut proxies = Vec::new();
        for host in &self.hosts {
            let proxy = match &self.proxy {
                ProxySetting::Direct => None,
                ProxySetting::Use(proxy) => Some(proxy.clone()),
                ProxySetting::Environment => match host.parse() {
                    Ok(url) => environment.proxy_for(&url)?,
                    Err(_) => None,
                },
            };
            proxies.extend(proxy.map(|proxy| (host.clone(), proxy)));
        }
        Ok(proxies)
    }

    /// What stands for the identity of a collection of OpenSearch Serverless, which does not tell
    /// one: the name of its host.
    pub(crate) fn collection(&self) -> Option<String> {
        let aws = self.aws.as_ref()?;
        let uri: http::Uri = self.hosts.first()?.parse().ok()?;
        (aws.service == Service::Serverless).then(|| uri.host().unwrap_or_default().to_owned())
    }

    /// What is to be said of credentials that everybody on the way can read: they go to another
    /// machine by plain http.
    pub(crate) fn readable_credentials(&self) -> Option<String> {
        let what = match (&self.password, &self.authorization) {
            (Some(_), _) => "the password",
            (None, Some(_)) => "the Authorization header",
            (None, None) => return None,
        };
        let is_readable = |host: &&String| host.starts_with("http://") && !is_loopback(host);
        let host = self.hosts.iter().find(is_readable)?;
        Some(format!(
            "{what} goes to {host} unencrypted, for everybody on the way to read: use https"
        ))
    }
}

/// Whose password it is. A name is no secret, but a Secret of Kubernetes often holds it beside the
/// password, and both are then rotated together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Username {
    /// This text.
    Is(String),
    /// What a file or a variable holds.
    From(Secret),
}

impl Username {
    /// Reads the name now.
    ///
    /// # Errors
    ///
    /// That it cannot be read, or cannot be sent.
    pub(crate) fn read(&self) -> Result<String, UsernameError> {
        let name = match self {
            Username::Is(name) => name.clone(),
            Username::From(secret) => secret.read()?,
        };
        if is_username(&name) { Ok(name) } else { Err(UsernameError::Unfit) }
    }
}

impl std::fmt::Display for Username {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Username::Is(name) => write!(f, "{name:?}"),
            Username::From(Secret::File(path)) => write!(f, "of {}", path.display()),
            Username::From(Secret::Env(name)) => write!(f, "of ${name}"),
            Username::From(secret @ Secret::Inline(_)) => write!(f, "{secret:?}"),
        }
    }
}

impl From<&str> for Username {
    fn from(name: &str) -> Username {
        Username::Is(name.to_owned())
    }
}

/// Whether basic auth can carry a name, which ends at the first colon:
/// <https://www.rfc-editor.org/rfc/rfc7617#section-2>
pub(crate) fn is_username(text: &str) -> bool {
    !text.is_empty() && !text.contains(':') && !text.chars().any(char::is_control)
}

/// Why there is no user's name.
#[derive(Debug, thiserror::Error)]
pub enum UsernameError {
    /// It could not be read.
    #[error("{0}")]
    Unread(#[from] SecretError),
    /// It is none.
    #[error(
        "what was read is no name: it must hold a name without `:` and control characters, on its \
         only line"
    )]
    Unfit,
}

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let uri = url.parse::<http::Uri>().unwrap_or_default();
    let name = uri.host().unwrap_or_default();
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// `proxy`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxySetting {
    /// What the environment says.
    #[default]
    Environment,
    /// `"none"`
    Direct,
    /// This one.
    Use(Proxy),
}

impl ProxySetting {
    pub(crate) fn parse(text: &str) -> Result<ProxySetting, ProxyError> {
        match text {
            "none" => Ok(ProxySetting::Direct),
            text => Proxy::parse(text).map(ProxySetting::Use),
        }
    }
}

words! {
    /// `compression`: how requests are compressed.
    #[derive(Default)]
    pub enum Compression {
        #[default]
        Gzip = "gzip": "gzip, for all but small requests and hosts on this machine",
        None = "none": "not at all",
    }
}

/// Why there is no client. Nothing here is mended by trying again.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The user's name could not be read at the start.
    #[error("sink.username: {0}")]
    Username(#[from] UsernameError),
    /// The password could not be read at the start.
    #[error("sink.password: {0}")]
    Password(SecretError),
    /// Nor could the header.
    #[error("sink.authorization: {0}")]
    AuthorizationSecret(SecretError),
    /// The CA file could not be used.
    #[error("sink.ca: {0}")]
    Ca(#[from] CaError),
    /// The header cannot be one.
    #[error(
        "sink.authorization: it holds a character that no HTTP header may have: it must be the \
         header's value, such as `ApiKey …` or `Bearer …`, on one line"
    )]
    Authorization,
    /// No client can be made that asks for credentials.
    #[error("sink.aws: {0}")]
    Aws(String),
    /// The client's certificate or its key could not be used.
    #[error("sink.{what}: {0}", what = .0.what)]
    Identity(#[from] IdentityError),
    /// The environment names a proxy that is none.
    #[error("{0}")]
    Proxy(#[from] VariableError),
    /// The hosts or the certificates are of no use.
    #[error("sink.hosts: {0}")]
    Http(String),
}
