//! Connections to the API server: through a proxy where there is one. kube's own client asks the
//! environment itself, and in its own way; the layers of the request (credentials, headers, the
//! server's address) and TLS are kube's.
//!
//! A server with TLS is reached by a tunnel through the proxy (CONNECT). For one without, the proxy
//! is asked itself, as curl and Go do it: most proxies refuse tunnels to other ports than 443.
//!
//! Either way, a connection on which little comes often is read at a pace (`paced`).

mod forward;
mod paced;

use ::kube::client::{Body, ConfigExt};
use ::kube::{Client, Config, Error};
use http::header::PROXY_AUTHORIZATION;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use tower::{BoxError, Service, ServiceBuilder};

use self::forward::Forward;
use self::paced::PacedConnector;
use crate::proxy::Proxy;

/// A client that connects through `proxy`, or directly. Blocks this thread where a kubeconfig has
/// an `auth-provider` with a command.
pub(super) fn connect(mut config: Config, proxy: Option<&Proxy>) -> Result<Client, Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    let tcp = PacedConnector(tcp);
    let Some(proxy) = proxy else { return over(config, tcp) };
    let is_forwarded = config.cluster_url.scheme_str() == Some("http");
    if is_forwarded {
        let authorization = proxy.authorization().map(|value| (PROXY_AUTHORIZATION, value));
        config.headers.extend(authorization);
    }
    if !proxy.is_https() {
        return match is_forwarded {
            true => over(config, Forward::new(address(proxy), tcp)),
            false => over(config, tunnel(proxy, tcp)),
        };
    }
    // The proxy is known by the authorities that this machine trusts, not by the cluster's.
    let tls = Config::new(address(proxy)).rustls_https_connector_with_connector(tcp)?;
    match is_forwarded {
        true => over(config, Forward::new(address(proxy), tls)),
        false => over(config, tunnel(proxy, tls)),
    }
}

fn address(proxy: &Proxy) -> http::Uri {
    proxy.address().parse().unwrap_or_else(|error| unreachable!("it was parsed before: {error}"))
}

fn tunnel<C>(proxy: &Proxy, connector: C) -> Tunnel<C> {
    let tunnel = Tunnel::new(address(proxy), connector);
    match proxy.authorization() {
        Some(authorization) => tunnel.with_auth(authorization),
        None => tunnel,
    }
}

fn over<C>(config: Config, connector: C) -> Result<Client, Error>
where
    C: Service<http::Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + hyper::rt::Read + hyper::rt::Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: std::error::Error + Send + Sync + 'static,
{
    let mut connector =
        TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(config.connect_timeout);
    let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http.build::<_, Body>(connector));
    Ok(Client::new(service, config.default_namespace))
}
