//! Names whose values are secrets.

use weir_filter::Error;

use crate::words::find;

/// Parts of a name that make its value a secret, in small letters and without `_`, `-` and `.`:
/// `DB_PASSWORD`, `client-secret` and `X-Api-Key` have one.
const PARTS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secretkey",
    "accesskey",
    "apikey",
    "privatekey",
    "signingkey",
    "encryptionkey",
    "accountkey",
    "clientsecret",
    "authtoken",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "bearertoken",
    "sessiontoken",
    "securitytoken",
];

/// The whole of a name, or its last word: `pwd`, `DB_PWD`.
const WORDS: &[&str] = &["pwd", "token", "secret", "credential", "credentials", "authorization"];

/// No name is longer: what is, is no name.
const BYTES_MAX: usize = 64;
/// Of the configuration.
const NAMES_MAX: usize = 64;

/// The usual names, and those of the configuration.
pub(crate) struct Names(Vec<String>);

impl Names {
    pub(crate) fn new(names: &[String]) -> Result<Self, Error> {
        if names.len() > NAMES_MAX {
            Err(format!("`names`: there are more than {NAMES_MAX}"))?;
        }
        let plain = |name: &String| match plain(name) {
            Some(plain) if !plain.is_empty() && name.bytes().all(is_of_a_name) => Ok(plain),
            _ => Err(Error::from(format!(
                "`names`: `{name}` is no name: letters, digits, `_`, `-` and `.`, at most \
                 {BYTES_MAX}"
            ))),
        };
        names.iter().map(plain).collect::<Result<_, _>>().map(Self)
    }

    /// Whether what stands behind such a name is a secret.
    pub(crate) fn has(&self, name: &str) -> bool {
        let Some(plain) = plain(name) else { return false };
        let is_sign = |byte: &u8| !byte.is_ascii_alphanumeric();
        let word = name.bytes().rposition(|byte| is_sign(&byte)).map_or(0, |at| at + 1);
        let last = name.get(word..).unwrap_or_default();
        PARTS.iter().any(|part| find(&plain, 0, part).is_some())
            || WORDS.iter().any(|word| word.eq_ignore_ascii_case(last))
            || self.0.contains(&plain)
    }
}

pub(crate) fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// A name as it is compared; `None` for one that is too long.
fn plain(name: &str) -> Option<String> {
    let letters = || name.bytes().filter(u8::is_ascii_alphanumeric);
    (name.len() <= BYTES_MAX)
        .then(|| letters().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}
