//! The settled mark of a Lease that nobody holds, for a person to inspect and to change.

use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use kube::api::{GetParams, PostParams};
use serde_json::Value;

use super::LeaseSettings;
use super::record::Record;
use crate::kube::{ClientError, with_causes};
use crate::reload::Reload;

/// The API server may be silent for this long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// A holder that has not renewed for this many durations is gone, whatever the clocks of the two
/// machines say of each other.
const GONE_AFTER: u32 = 2;

/// A Lease, as far as it matters to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marked {
    /// Namespace and name.
    pub lease: String,
    /// Who holds it and renews it; `None`: nobody.
    pub holder: Option<String>,
    /// The settled mark; `None`: there is none yet.
    pub mark: Option<String>,
}

/// Why a Lease's mark cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// Somebody leads, and would write his own again.
    #[error(
        "{holder} holds the Lease {lease}: stop the replicas first, and start them again afterwards"
    )]
    Held {
        /// Namespace and name.
        lease: String,
        /// Who.
        holder: String,
    },
    /// It is another tool's, or no Lease at all.
    #[error("{0} is not a Lease of weir's: set lease.name to another name")]
    NotOurs(String),
    /// There is no usable API server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The API server refused, or was not there.
    #[error("the Lease {lease}: {why}")]
    Failed {
        /// Namespace and name.
        lease: String,
        /// What it says.
        why: String,
    },
}

/// Reads the Lease. `None`: there is none yet.
///
/// # Errors
///
/// When it cannot be read, or is not weir's.
pub(crate) async fn read(settings: &LeaseSettings) -> Result<Option<Marked>, MarkError> {
    let client = crate::kube::client(&Reload::default()).await?;
    let of = Of::new(settings, &client);
    let found = of.get().await?;
    Ok(found.map(|record| Marked {
        lease: of.name(),
        holder: of.live_holder(&record),
        mark: record.mark().map(str::to_owned),
    }))
}

/// Writes the mark of a Lease that nobody holds; the empty one: there is none. Without a Lease
/// there is nothing to do.
///
/// # Errors
///
/// When somebody holds it, it cannot be written, or it is not weir's.
pub(crate) async fn write(settings: &LeaseSettings, mark: &str) -> Result<(), MarkError> {
    let client = crate::kube::client(&Reload::default()).await?;
    let of = Of::new(settings, &client);
    let Some(record) = of.get().await? else { return Ok(()) };
    if let Some(holder) = of.live_holder(&record) {
        return Err(MarkError::Held { lease: of.name(), holder });
    }
    let object = record.marked(mark);
    let params = PostParams { field_manager: Some("weir".to_owned()), ..PostParams::default() };
    let request = of.url().replace(&settings.name, &params, object.to_string().into_bytes());
    of.send(request.map_err(|error| of.failed(error.to_string()))?).await?;
    Ok(())
}

/// One Lease on one server.
struct Of<'a> {
    settings: &'a LeaseSettings,
    client: &'a Client,
    namespace: &'a str,
}

impl<'a> Of<'a> {
    fn new(settings: &'a LeaseSettings, client: &'a Client) -> Of<'a> {
        let namespace = settings.namespace.as_deref().unwrap_or_else(|| client.default_namespace());
        Of { settings, client, namespace }
    }

    /// Namespace and name.
    fn name(&self) -> String {
        format!("{}/{}", self.namespace, self.settings.name)
    }

    fn failed(&self, why: String) -> MarkError {
        MarkError::Failed { lease: self.name(), why }
    }

    fn url(&self) -> kube::core::Request {
        let namespace = self.namespace;
        kube::core::Request::new(format!(
            "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        ))
    }

    async fn get(&self) -> Result<Option<Record>, MarkError> {
        let request = self.url().get(&self.settings.name, &GetParams::default());
        let Some(object) =
            self.send(request.map_err(|error| self.failed(error.to_string()))?).await?
        else {
            return Ok(None);
        };
        match Record::parse(object) {
            Some(record) if record.is_weirs() => Ok(Some(record)),
            _ => Err(MarkError::NotOurs(self.name())),
        }
    }

    /// `None`: there is none.
    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Option<Value>, MarkError> {
        match tokio::time::timeout(TIMEOUT, self.client.request::<Value>(request)).await {
            Err(_) => Err(self.failed("the API server does not answer".to_owned())),
            Ok(Ok(object)) => Ok(Some(object)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Ok(None),
            Ok(Err(error)) => Err(self.failed(with_causes(&error))),
        }
    }

    fn live_holder(&self, record: &Record) -> Option<String> {
        let holder = Some(record.holder()).filter(|holder| !holder.is_empty())?;
        let duration = record.duration().unwrap_or(self.settings.duration);
        let is_gone = record.renewed_at().is_some_and(|at| {
            Timestamp::now().duration_since(at).unsigned_abs() > duration.saturating_mul(GONE_AFTER)
        });
        (!is_gone).then(|| holder.to_owned())
    }
}
