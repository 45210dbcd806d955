//! How requests say who sends them: a user and a password, or an `Authorization` header as it is
//! configured. Either may change while weir runs: when it is refused it is read again.

use http::HeaderValue;
use parking_lot::Mutex;

use super::aws::{CredentialsError, Signed, Signer};
use super::settings::{ClientError, Settings, Username};
use crate::secret::Secret;

/// Credentials, as they were last read.
#[derive(Debug)]
pub(super) enum Authentication {
    /// Basic auth.
    Basic { username: Username, secret: Option<Secret>, read: Mutex<Hidden<Pair>> },
    /// Whatever the header is to be.
    Header { secret: Secret, value: Mutex<HeaderValue> },
    /// A signature of each request.
    Aws(Box<Signer>),
}

/// A user's name and password.
type Pair = (String, Option<String>);

/// A value that does not show itself.
pub(super) struct Hidden<T>(T);

impl<T> std::fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Authentication {
    /// Reads the credentials; `None` where none are configured.
    pub(super) fn new(settings: &Settings) -> Result<Option<Authentication>, ClientError> {
        if let Some(aws) = &settings.aws {
            let signer = Signer::new(aws).map_err(ClientError::Aws)?;
            return Ok(Some(Authentication::Aws(Box::new(signer))));
        }
        if let Some(secret) = settings.authorization.clone() {
            let value = Mutex::new(header(&secret)?);
            return Ok(Some(Authentication::Header { secret, value }));
        }
        let Some(username) = settings.username.clone() else { return Ok(None) };
        let secret = settings.password.clone();
        let read = Mutex::new(Hidden(pair(&username, secret.as_ref())?));
        Ok(Some(Authentication::Basic { username, secret, read }))
    }

    /// Reads them again, because they were refused.
    pub(super) fn reread(&self) -> Result<(), ClientError> {
        match self {
            Authentication::Basic { username, secret, read } => {
                // Both or neither: half of an old pair fits nothing.
                let new = pair(username, secret.as_ref())?;
                read.lock().0 = new;
            }
            Authentication::Header { secret, value } => *value.lock() = header(secret)?,
            Authentication::Aws(signer) => signer.forget(),
        }
        Ok(())
    }

    /// What does not depend on the rest of a request.
    pub(super) fn apply(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Authentication::Basic { read, .. } => {
                let (username, password) = read.lock().0.clone();
                request.basic_auth(username, password)
            }
            Authentication::Header { value, .. } => {
                request.header(http::header::AUTHORIZATION, value.lock().clone())
            }
            Authentication::Aws(_) => request,
        }
    }

    /// What does: a request that is complete otherwise, and is sent as it is now.
    pub(super) async fn sign(
        &self,
        request: &mut reqwest::Request,
    ) -> Result<Option<Signed>, CredentialsError> {
        match self {
            Authentication::Basic { .. } | Authentication::Header { .. } => Ok(None),
            Authentication::Aws(signer) => signer.sign(request).await.map(Some),
        }
    }

    /// Whether a request that was refused so is to be signed with other credentials, and sent once
    /// more.
    pub(super) fn is_outdated(&self, signed: Option<Signed>, body: &[u8]) -> bool {
        match (self, signed) {
            (Authentication::Aws(signer), Some(signed)) => signer.is_outdated(signed, body),
            _ => false,
        }
    }

    #[cfg(test)]
    pub(super) fn password(&self) -> String {
        match self {
            Authentication::Basic { .. } => self.pair().1,
            Authentication::Header { value, .. } => value.lock().to_str().unwrap().to_owned(),
            Authentication::Aws(_) => unreachable!("it has none"),
        }
    }

    #[cfg(test)]
    pub(super) fn pair(&self) -> (String, String) {
        match self {
            Authentication::Basic { read, .. } => {
                let (username, password) = read.lock().0.clone();
                (username, password.unwrap())
            }
            Authentication::Header { .. } | Authentication::Aws(_) => panic!("it is no pair"),
        }
    }
}

fn pair(username: &Username, secret: Option<&Secret>) -> Result<Pair, ClientError> {
    let password = secret.map(Secret::read).transpose().map_err(ClientError::Password)?;
    Ok((username.read()?, password))
}

/// It does not show itself.
fn header(secret: &Secret) -> Result<HeaderValue, ClientError> {
    let text = secret.read().map_err(ClientError::AuthorizationSecret)?;
    let mut value = HeaderValue::try_from(text).map_err(|_| ClientError::Authorization)?;
    value.set_sensitive(true);
    Ok(value)
}
