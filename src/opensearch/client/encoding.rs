//! Compressing what is sent, and reading what is answered compressed. Pure.

use std::io::{Read, Write};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

/// Level 1: events are so repetitive that more saves little.
pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 6), flate2::Compression::fast());
    // Writing to memory does not fail.
    let _ = out.write_all(body);
    out.finish().unwrap_or_default()
}

/// Why an answer's body is none, with what of it could be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DecodeError {
    TooLong(Vec<u8>),
    /// In words.
    Damaged(String, Vec<u8>),
}

/// A body as its `Content-Encoding` says, of at most so many bytes.
pub(super) fn decode(
    body: Vec<u8>,
    encoding: &str,
    bytes_max: usize,
) -> Result<Vec<u8>, DecodeError> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => {
            let mut out = Vec::new();
            let mut unpacked = MultiGzDecoder::new(&body[..]).take(bytes_max as u64 + 1);
            match unpacked.read_to_end(&mut out) {
                Ok(_) if out.len() > bytes_max => {
                    out.truncate(bytes_max);
                    Err(DecodeError::TooLong(out))
                }
                Ok(_) => Ok(out),
                Err(error) => {
                    let detail = format!("the gzip of its answer is damaged: {error}");
                    Err(DecodeError::Damaged(detail, out))
                }
            }
        }
        other => {
            let detail =
                format!("its answer is compressed with {other:.20?}, which was not asked for");
            Err(DecodeError::Damaged(detail, Vec::new()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_is_small_and_reads_as_before() {
        let body = b"{\"create\":{}}\n".repeat(1000);
        let packed = gzip(&body);
        assert!(packed.len() < body.len() / 20);
        assert_eq!(decode(packed.clone(), "GZIP", body.len()).unwrap(), body);
        let cut = decode(packed.clone(), "gzip", 10);
        assert_eq!(cut, Err(DecodeError::TooLong(body[..10].to_vec())));
        assert_eq!(decode(packed.clone(), "identity", 1).unwrap(), packed);
        assert!(matches!(decode(packed[..9].to_vec(), "gzip", 99), Err(DecodeError::Damaged(..))));
        let Err(DecodeError::Damaged(other, _)) = decode(packed, "br", 99) else { panic!() };
        insta::assert_snapshot!(other, @r#"its answer is compressed with "br", which was not asked for"#);
    }
}
