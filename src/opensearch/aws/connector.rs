//! The HTTP of the credentials' chain: it goes through weir's own client, so that there is one TLS
//! in the process, which believes whom the system believes, and proxies are what the environment
//! says.
//!
//! Constraints: a request by plain http goes through no proxy, whatever the environment says: it is
//! for an endpoint of this very machine or container, and a proxy would ask its own. Answers are
//! bounded.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::proxy::{Environment, Proxy};
use crate::tls;

/// An endpoint that is not there may swallow what is sent to it, and the chain tries it more than
/// once.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Where the chain does not say what it grants.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Credentials are some KiB.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// Makes the requests of a chain.
#[derive(Clone, Debug)]
pub(super) struct Http {
    direct: reqwest::Client,
    environment: Environment,
}

impl Http {
    pub(super) fn new() -> Result<Http, String> {
        tls::install_crypto_provider();
        Ok(Http { direct: client(None)?, environment: Environment::of_process() })
    }

    fn client_for(&self, request: &HttpRequest) -> Result<reqwest::Client, String> {
        let uri: http::Uri = request.uri().parse().map_err(|_| "it has no URL".to_owned())?;
        if uri.scheme_str() != Some("https") {
            return Ok(self.direct.clone());
        }
        match self.environment.proxy_for(&uri).map_err(|error| error.to_string())? {
            None => Ok(self.direct.clone()),
            // Once in an hour or so.
            Some(proxy) => client(Some(&proxy)),
        }
    }

    async fn send(
        &self,
        request: HttpRequest,
        timeout: Duration,
    ) -> Result<HttpResponse, ConnectorError> {
        let unusable = |error: String| ConnectorError::user(error.into());
        let client = self.client_for(&request).map_err(unusable)?;
        let request = request.try_into_http1x().map_err(|error| unusable(error.to_string()))?;
        // What the chain sends is in memory.
        let request =
            request.map(|body| body.bytes().map(Bytes::copy_from_slice).unwrap_or_default());
        let mut request = reqwest::Request::try_from(request)
            .map_err(|error| unusable(error.without_url().to_string()))?;
        *request.timeout_mut() = Some(timeout);
        let mut answer = client.execute(request).await.map_err(failed)?;
        let mut response = http::Response::new(());
        (*response.status_mut(), *response.headers_mut()) =
            (answer.status(), answer.headers().clone());
        let mut body = Vec::new();
        while let Some(bytes) = answer.chunk().await.map_err(failed)? {
            if body.len() + bytes.len() > ANSWER_BYTES_MAX {
                let text = format!("the answer has more than {} KiB", ANSWER_BYTES_MAX >> 10);
                return Err(ConnectorError::other(text.into(), None));
            }
            body.extend_from_slice(&bytes);
        }
        HttpResponse::try_from(response.map(|()| SdkBody::from(body)))
            .map_err(|error| ConnectorError::other(error.into(), None))
    }
}

fn client(proxy: Option<&Proxy>) -> Result<reqwest::Client, String> {
    let names = proxy.and_then(Proxy::tls_name).into_iter().collect();
    let tls = tls::client_config(None, None, names).map_err(|error| error.to_string())?;
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .no_proxy()
        .tls_backend_preconfigured(tls);
    if let Some(proxy) = proxy {
        let through = reqwest::Proxy::https(proxy.address()).map_err(|error| error.to_string())?;
        builder = builder.proxy(match proxy.authorization() {
            Some(authorization) => through.custom_http_auth(authorization),
            None => through,
        });
    }
    builder.build().map_err(|error| error.to_string())
}

fn failed(error: reqwest::Error) -> ConnectorError {
    let is_timeout = error.is_timeout();
    // The URL may hold what is none of the log's business.
    let error = error.without_url();
    if is_timeout {
        ConnectorError::timeout(error.into())
    } else {
        ConnectorError::io(error.into())
    }
}

/// [`Http`] with the time that a request may take.
#[derive(Clone, Debug)]
struct Connector {
    http: Http,
    timeout: Duration,
}

impl HttpClient for Http {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connect = settings.connect_timeout().unwrap_or(CONNECT_TIMEOUT);
        let timeout = settings.read_timeout().map_or(TIMEOUT, |read| connect + read);
        SharedHttpConnector::new(Connector { http: self.clone(), timeout })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Connector { http, timeout } = self.clone();
        HttpConnectorFuture::new(async move { http.send(request, timeout).await })
    }
}
