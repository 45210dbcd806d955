//! Basic authentication, whose password may change while weir runs: when it is refused it is read
//! again.

use parking_lot::Mutex;

use super::settings::Settings;
use crate::secret::{Secret, SecretError};

/// A user, and the password as it was last read.
#[derive(Debug)]
pub(super) struct Authentication {
    username: String,
    secret: Option<Secret>,
    password: Mutex<Password>,
}

/// A password that does not show itself.
struct Password(Option<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Authentication {
    /// Reads the password; `None` without a username.
    pub(super) fn new(settings: &Settings) -> Result<Option<Authentication>, SecretError> {
        let Some(username) = settings.username.clone() else { return Ok(None) };
        let secret = settings.password.clone();
        let password = Mutex::new(Password(secret.as_ref().map(Secret::read).transpose()?));
        Ok(Some(Authentication { username, secret, password }))
    }

    /// Reads the password again, because it was refused.
    pub(super) fn reread(&self) -> Result<(), SecretError> {
        if let Some(secret) = &self.secret {
            let new = secret.read()?;
            self.password.lock().0 = Some(new);
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn password(&self) -> String {
        self.password.lock().0.clone().unwrap()
    }

    /// Puts the credentials into `request`.
    pub(super) fn apply(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let password = self.password.lock().0.clone();
        request.basic_auth(&self.username, password)
    }
}
