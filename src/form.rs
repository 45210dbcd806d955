//! What a text is written in, by its first bytes: text that people save is not always plain UTF-8.
//!
//! Invariant: what begins as JSON, TOML, PEM or a password does is UTF-8, at its first byte or soon
//! behind it.

use std::io;

/// What some editors put before UTF-8 text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// With a mark or without, or anything that is not known.
    Utf8,
    /// Little-endian, with a mark.
    Utf16Le,
    /// Big-endian, with a mark.
    Utf16Be,
    /// <https://www.rfc-editor.org/rfc/rfc1952>
    Gzip,
    /// <https://www.rfc-editor.org/rfc/rfc8878>
    Zstd,
}

impl Form {
    /// What begins with these bytes; `None` where more of them are needed to tell.
    pub(crate) fn of(first: &[u8]) -> Option<Form> {
        const MARKS: &[(&[u8], Form)] = &[
            (b"\xff\xfe", Form::Utf16Le),
            (b"\xfe\xff", Form::Utf16Be),
            (b"\x1f\x8b", Form::Gzip),
            (b"\x28\xb5\x2f\xfd", Form::Zstd),
        ];
        if let Some((_, form)) = MARKS.iter().find(|(mark, _)| first.starts_with(mark)) {
            return Some(*form);
        }
        if MARKS.iter().any(|(mark, _)| mark.starts_with(first)) {
            return None;
        }
        // A frame of zstd that is to be skipped.
        const SKIPPED: &[u8] = b"\x2a\x4d\x18";
        match first {
            [0x50..=0x5f, rest @ ..] if rest.starts_with(SKIPPED) => Some(Form::Zstd),
            [0x50..=0x5f, rest @ ..] if SKIPPED.starts_with(rest) => None,
            _ => Some(Form::Utf8),
        }
    }

    pub(crate) fn is_compressed(self) -> bool {
        match self {
            Form::Gzip | Form::Zstd => true,
            Form::Utf8 | Form::Utf16Le | Form::Utf16Be => false,
        }
    }

    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Form::Utf8 => "UTF-8",
            Form::Utf16Le | Form::Utf16Be => "UTF-16",
            Form::Gzip => "gzip",
            Form::Zstd => "zstd",
        }
    }
}

/// The bytes of a small file that must be UTF-8, without a mark.
///
/// # Errors
///
/// That it is something else, and what.
pub(crate) fn utf8(mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    match Form::of(&bytes).unwrap_or(Form::Utf8) {
        Form::Utf8 => {
            if bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
            Ok(bytes)
        }
        Form::Utf16Le | Form::Utf16Be => Err(io::Error::other("it is UTF-16: save it as UTF-8")),
        form => Err(io::Error::other(format!(
            "it is compressed ({form}): unpack it (`{form} -d`)",
            form = form.as_str()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_a_text_is_written_in() {
        for (first, form) in [
            (&b"{}"[..], Some(Form::Utf8)),
            (b"\xef\xbb\xbf{", Some(Form::Utf8)),
            (b"\xff\xfe{\0", Some(Form::Utf16Le)),
            (b"\xfe\xff\0{", Some(Form::Utf16Be)),
            (b"\x1f\x8b\x08", Some(Form::Gzip)),
            (b"\x28\xb5\x2f\xfd", Some(Form::Zstd)),
            (b"\x5b\x2a\x4d\x18", Some(Form::Zstd)),
            (b"[{", Some(Form::Utf8)),
            (b"Ping", Some(Form::Utf8)),
            (b"(\xb5//", Some(Form::Utf8)),
            (b"", None),
            (b"[", None),
            (b"\x1f", None),
            (b"\x28\xb5\x2f", None),
            (b"\x5b\x2a\x4d", None),
        ] {
            assert_eq!(Form::of(first), form, "{first:x?}");
        }
    }

    #[test]
    fn a_mark_is_skipped_and_what_else_a_file_is_written_in_is_named() {
        assert_eq!(utf8(b"\xef\xbb\xbfx".to_vec()).unwrap(), b"x");
        assert_eq!(utf8(b"(".to_vec()).unwrap(), b"(");
        let said = |bytes: &[u8]| utf8(bytes.to_vec()).unwrap_err().to_string();
        assert_eq!(said(b"\xff\xfex\0"), "it is UTF-16: save it as UTF-8");
        assert_eq!(said(b"\x1f\x8b\x08"), "it is compressed (gzip): unpack it (`gzip -d`)");
        assert_eq!(said(b"\x28\xb5\x2f\xfd"), "it is compressed (zstd): unpack it (`zstd -d`)");
    }
}
