//! A SHA-256 by which a registry names what it has: whoever knows it can tell whether they got it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Sha256;

const ALGORITHM: &str = "sha256:";
/// Hexadecimal digits of a SHA-256.
const DIGITS: usize = 64;

/// `sha256:…`
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest {
    hex: String,
}

/// What is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 hexadecimal digits in lower case")]
pub struct NoDigest;

impl Digest {
    /// Of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Digest {
        Digest { hex: format!("{:x}", <Sha256 as sha2::Digest>::digest(bytes)) }
    }

    /// Reads `sha256:…`. No other algorithm is in use for what modules are.
    pub(crate) fn parse(text: &str) -> Result<Digest, NoDigest> {
        let hex = text.strip_prefix(ALGORITHM).ok_or(NoDigest)?;
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if hex.len() == DIGITS && hex.bytes().all(is_digit) {
            return Ok(Digest { hex: hex.to_owned() });
        }
        Err(NoDigest)
    }

    /// Without the algorithm: fit for a file's name.
    pub(crate) fn hex(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Digest, NoDigest> {
        Digest::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sha256_is_a_digest() {
        let of = Digest::of(b"").to_string();
        assert_eq!(of, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::parse(&of), Ok(Digest::of(b"")));
        let upper = format!("sha256:{}", of["sha256:".len()..].to_uppercase());
        for text in ["", "sha256:", &of[7..], &of[..70], &format!("{of}0"), &upper, "sha512:ab"] {
            assert_eq!(Digest::parse(text), Err(NoDigest), "{text}");
        }
    }
}
