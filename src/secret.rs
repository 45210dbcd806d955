//! A secret's setting: where it comes from, and never its value in anything that is shown.

use std::fmt;
use std::path::PathBuf;

use crate::files::read_small;

/// Passwords and tokens are far smaller: what is larger is another file.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Where a secret is to be had.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file, read again whenever the value was refused, so that rotation works. One trailing line
    /// break is cut off.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// The value itself.
    Inline(String),
}

/// Why a secret could not be read. No message holds anything of what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error(
        "cannot read the secret file {path}: {error}: it must be there, and weir's user must have \
         the right to read it"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file holds something else than text.
    #[error("the secret file {0} is not UTF-8 text: it must hold the secret and nothing else")]
    FileNotText(PathBuf),
    /// The file holds nothing.
    #[error("the secret file {0} is empty: it must hold the secret, on its only line")]
    FileEmpty(PathBuf),
    /// The variable is not set.
    #[error("the environment variable {0}, which should hold the secret, is not set")]
    Env(String),
    /// The variable is not UTF-8.
    #[error("the environment variable {0}, which should hold the secret, is not UTF-8 text")]
    EnvNotText(String),
    /// The variable is set to nothing.
    #[error("the environment variable {0}, which should hold the secret, is empty")]
    EnvEmpty(String),
}

impl Secret {
    /// Reads the value now; it is never empty.
    ///
    /// # Errors
    ///
    /// That it is not there, cannot be read, or is no text.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Secret::File(path) => {
                let failed = |error| SecretError::File { path: path.clone(), error };
                let bytes = read_small(path, FILE_BYTES_MAX).map_err(failed)?;
                let text =
                    String::from_utf8(bytes).map_err(|_| SecretError::FileNotText(path.clone()))?;
                let text = without_line_break(text);
                if text.is_empty() { Err(SecretError::FileEmpty(path.clone())) } else { Ok(text) }
            }
            Secret::Env(name) => match std::env::var(name) {
                Ok(text) => match without_line_break(text) {
                    text if text.is_empty() => Err(SecretError::EnvEmpty(name.clone())),
                    text => Ok(text),
                },
                Err(std::env::VarError::NotPresent) => Err(SecretError::Env(name.clone())),
                Err(std::env::VarError::NotUnicode(_)) => {
                    Err(SecretError::EnvNotText(name.clone()))
                }
            },
            Secret::Inline(text) => Ok(text.clone()),
        }
    }
}

/// Editors and `echo` put a line break behind a secret, and nobody means it.
fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_without_its_last_line_break_and_again_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let secret = Secret::File(path.clone());
        for (text, value) in
            [("one", "one"), ("two\n", "two"), ("three\r\n", "three"), ("four\n\n", "four\n")]
        {
            std::fs::write(&path, text).unwrap();
            assert_eq!(secret.read().unwrap(), value);
        }
    }

    #[test]
    fn a_variables_last_line_break_is_no_part_of_it() {
        for (text, value) in
            [("one", "one"), ("two\n", "two"), ("three\r\n", "three"), ("four\n\n", "four\n")]
        {
            assert_eq!(without_line_break(text.to_owned()), value);
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let said = |secret: &Secret| {
            secret
                .read()
                .unwrap_err()
                .to_string()
                .replace(&folder.path().display().to_string(), "DIR")
        };
        let file = Secret::File(path.clone());
        insta::assert_snapshot!(said(&file), @"cannot read the secret file DIR/password: No such file or directory (os error 2): it must be there, and weir's user must have the right to read it");
        insta::assert_snapshot!(said(&Secret::File(folder.path().into())), @"cannot read the secret file DIR: it is a folder: it must be there, and weir's user must have the right to read it");
        for empty in ["", "\n", "\r\n"] {
            std::fs::write(&path, empty).unwrap();
            insta::allow_duplicates! {
                insta::assert_snapshot!(said(&file), @"the secret file DIR/password is empty: it must hold the secret, on its only line");
            }
        }
        std::fs::write(&path, b"hunter\xff").unwrap();
        insta::assert_snapshot!(said(&file), @"the secret file DIR/password is not UTF-8 text: it must hold the secret and nothing else");
        insta::assert_snapshot!(said(&Secret::Env("WEIR_NO_SUCH_VARIABLE".into())), @"the environment variable WEIR_NO_SUCH_VARIABLE, which should hold the secret, is not set");
    }
}
