//! Connections to the API server: through a proxy where there is one. kube's own client asks the
//! environment itself, and in its own way; the layers of the request (credentials, headers, the
//! server's address) and TLS are kube's.

use ::kube::client::{Body, ConfigExt};
use ::kube::{Client, Config, Error};
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use tower::{BoxError, Service, ServiceBuilder};

use crate::proxy::Proxy;

/// A client that connects through `proxy`, or directly. Runs the credential plugin, if the
/// configuration has one: it blocks this thread.
pub(super) fn connect(config: Config, proxy: Option<&Proxy>) -> Result<Client, Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    match proxy {
        None => over(config, tcp),
        Some(proxy) if proxy.is_https() => {
            // The proxy is known by the authorities that this machine trusts, not by the
            // cluster's.
            let tls = Config::new(address(proxy)).rustls_https_connector_with_connector(tcp)?;
            over(config, tunnel(proxy, tls))
        }
        Some(proxy) => over(config, tunnel(proxy, tcp)),
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
