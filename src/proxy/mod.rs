//! Which proxy a request goes through, as the environment says: `HTTPS_PROXY`, `HTTP_PROXY` and
//! `NO_PROXY`, in either case, lower case first. Pure but for reading the variables.
//!
//! Constraint: a password never shows. What is printed of a proxy is its address alone.
//!
//! The list in `NO_PROXY` is read as Go's `net/http` reads it, which is what kubectl and most of a
//! cluster's programs use: <https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config>. One
//! difference: Go never uses a proxy for this machine's own addresses, weir does unless the list
//! names them, because a test or a sidecar may be there.

mod exceptions;

use std::fmt;

use base64::Engine;
use http::{HeaderValue, Uri};
use rustls::pki_types::ServerName;

use self::exceptions::Exceptions;

/// Longer schemes are none: `socks5h` has 7 characters.
const SCHEME_MAX: usize = 10;

/// A proxy to go through.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http` or `https`, host and port; no credentials.
    address: String,
    /// What its `Proxy-Authorization` says.
    authorization: Option<String>,
}

/// Why a text names no proxy. It holds nothing of the text: there may be a password in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Another scheme.
    #[error("only http:// and https:// proxies are supported, not {0}://")]
    Scheme(String),
    /// It does not parse.
    #[error(
        "it is no URL of a proxy: write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with \
         percent-encoded special characters"
    )]
    NoUrl,
}

/// A variable that names no proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable}: {error}")]
pub struct VariableError {
    /// Which one.
    pub variable: &'static str,
    /// What is wrong with it.
    pub error: ProxyError,
}

impl Proxy {
    /// Reads `URL` or `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// [`ProxyError`]
    pub(crate) fn parse(text: &str) -> Result<Proxy, ProxyError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if !["http", "https"].contains(&scheme.as_str()) {
            // Anything else may be half of a password with a `://` in it.
            let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
            let is_known = scheme.len() <= SCHEME_MAX && scheme.bytes().all(is_scheme);
            return Err(if is_known { ProxyError::Scheme(scheme) } else { ProxyError::NoUrl });
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold an `@` that nobody has encoded: the last one is in front of the host.
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let uri: Uri = format!("{scheme}://{host}/").parse().map_err(|_| ProxyError::NoUrl)?;
        let name = uri.host().filter(|name| !name.is_empty()).ok_or(ProxyError::NoUrl)?;
        let port = match host.strip_prefix(name) {
            Some("") => {
                if scheme == "https" {
                    443
                } else {
                    80
                }
            }
            _ => uri.port_u16().filter(|port| *port > 0).ok_or(ProxyError::NoUrl)?,
        };
        let authorization = user.map(basic);
        Ok(Proxy { address: format!("{scheme}://{name}:{port}"), authorization })
    }

    /// Its URL, without credentials.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is spoken to by TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.address.starts_with("https:")
    }

    /// What its certificate must be for, if it is spoken to by TLS.
    pub(crate) fn tls_name(&self) -> Option<ServerName<'static>> {
        let uri: Uri = self.address.parse().ok()?;
        let name = uri.host()?.trim_matches(['[', ']']).to_owned();
        ServerName::try_from(name).ok().filter(|_| self.is_https())
    }

    /// What its `Proxy-Authorization` says, if it needs one.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(self.authorization.as_deref()?).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address.split_once("://") {
            Some((scheme, host)) if self.authorization.is_some() => {
                write!(f, "{scheme}://***@{host}")
            }
            _ => f.write_str(&self.address),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `Basic …` of `USER:PASSWORD`, percent-decoded; without a password it is empty.
fn basic(user: &str) -> String {
    let mut plain = percent_decoded(user);
    if !user.contains(':') {
        plain.push(b':');
    }
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(plain))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let is_hex = |two: &&str| two.bytes().all(|b| b.is_ascii_hexdigit());
        match digits.filter(is_hex).and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.push(byte);
                rest = &after[2..];
            }
            _ => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

/// What the environment says about proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    https: Option<Result<Proxy, VariableError>>,
    http: Option<Result<Proxy, VariableError>>,
    exceptions: Exceptions,
}

impl Environment {
    /// This process's.
    pub(crate) fn of_process() -> Environment {
        Environment::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Environment {
        let either = |names: [&'static str; 2]| {
            let given = |name| Some((name, variable(name)?.trim().to_owned()));
            names.into_iter().filter_map(given).find(|(_, text)| !text.is_empty())
        };
        let proxy = |names| {
            let (variable, text) = either(names)?;
            Some(Proxy::parse(&text).map_err(|error| VariableError { variable, error }))
        };
        let exceptions = either(["no_proxy", "NO_PROXY"]);
        Environment {
            https: proxy(["https_proxy", "HTTPS_PROXY"]),
            http: proxy(["http_proxy", "HTTP_PROXY"]),
            exceptions: exceptions
                .map_or_else(Exceptions::default, |(_, text)| Exceptions::parse(&text)),
        }
    }

    /// The proxies that it names, each with the scheme of the requests that go through it, where
    /// they are no [exceptions](Environment::proxy_for).
    ///
    /// # Errors
    ///
    /// When a variable names no proxy.
    pub(crate) fn proxies(&self) -> Result<Vec<(&'static str, Proxy)>, VariableError> {
        let named = [("https", &self.https), ("http", &self.http)];
        let named = named.into_iter().filter_map(|(scheme, proxy)| Some((scheme, proxy.as_ref()?)));
        named.map(|(scheme, proxy)| Ok((scheme, proxy.clone()?))).collect()
    }

    /// The proxy for requests to this URL; `None`: directly.
    ///
    /// # Errors
    ///
    /// When the variable for it names no proxy.
    pub(crate) fn proxy_for(&self, url: &Uri) -> Result<Option<Proxy>, VariableError> {
        let is_https = url.scheme_str() == Some("https");
        let proxy = if is_https { &self.https } else { &self.http };
        let Some(host) = url.host() else { return Ok(None) };
        let port = url.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        match proxy {
            Some(proxy) if !self.exceptions.has(host, port) => proxy.clone().map(Some),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
