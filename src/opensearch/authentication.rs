//! How requests say who sends them: a user and a password, or an `Authorization` header as it is
//! configured. Either may change while weir runs: when it is refused it is read again.

use http::HeaderValue;
use parking_lot::Mutex;

use super::settings::{ClientError, Settings};
use crate::secret::Secret;

/// Credentials, as they were last read.
#[derive(Debug)]
pub(super) enum Authentication {
    /// Basic auth.
    Basic { username: String, secret: Option<Secret>, password: Mutex<Hidden<Option<String>>> },
    /// Whatever the header is to be.
    Header { secret: Secret, value: Mutex<HeaderValue> },
}

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
        if let Some(secret) = settings.authorization.clone() {
            let value = Mutex::new(header(&secret)?);
            return Ok(Some(Authentication::Header { secret, value }));
        }
        let Some(username) = settings.username.clone() else { return Ok(None) };
        let secret = settings.password.clone();
        let password = secret.as_ref().map(Secret::read).transpose();
        let password = Mutex::new(Hidden(password.map_err(ClientError::Password)?));
        Ok(Some(Authentication::Basic { username, secret, password }))
    }

    /// Reads them again, because they were refused.
    pub(super) fn reread(&self) -> Result<(), ClientError> {
        match self {
            Authentication::Basic { secret: Some(secret), password, .. } => {
                let new = secret.read().map_err(ClientError::Password)?;
                password.lock().0 = Some(new);
            }
            Authentication::Basic { secret: None, .. } => {}
            Authentication::Header { secret, value } => *value.lock() = header(secret)?,
        }
        Ok(())
    }

    pub(super) fn apply(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match self {
            Authentication::Basic { username, password, .. } => {
                let password = password.lock().0.clone();
                request.basic_auth(username, password)
            }
            Authentication::Header { value, .. } => {
                request.header(http::header::AUTHORIZATION, value.lock().clone())
            }
        }
    }

    #[cfg(test)]
    pub(super) fn password(&self) -> String {
        match self {
            Authentication::Basic { password, .. } => password.lock().0.clone().unwrap(),
            Authentication::Header { value, .. } => value.lock().to_str().unwrap().to_owned(),
        }
    }
}

/// It does not show itself.
fn header(secret: &Secret) -> Result<HeaderValue, ClientError> {
    let text = secret.read().map_err(ClientError::AuthorizationSecret)?;
    let mut value = HeaderValue::try_from(text).map_err(|_| ClientError::Authorization)?;
    value.set_sensitive(true);
    Ok(value)
}
