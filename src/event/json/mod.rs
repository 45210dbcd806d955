//! A validating JSON scanner (RFC 8259) that does not allocate: positions and spans only.
//!
//! Constraints: most of what weir spends on an event is spent here, so strings are looked at
//! sixteen bytes at a time, and containers that nobody asked for are skipped by one loop with a
//! stack of bits instead of by recursion.
//!
//! Invariant: what the scanner accepts is JSON but for its UTF-8. A `\ud800` without its other half
//! is accepted, as the grammar has it, and decodes to U+FFFD.

mod decode;
mod special;

pub(crate) use self::decode::decode;
pub(super) use self::decode::decode_bytes;
pub(crate) use self::decode::unescape;
use self::special::find_special;
use super::DEPTH_MAX;
use super::span::Span;

/// Why a scan stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// The bytes ended inside a value: more may follow.
    End,
    /// Not JSON, at this position.
    Syntax {
        /// Position in the scanned slice.
        at: usize,
        /// What was expected or wrong.
        what: &'static str,
    },
    /// Deeper than `DEPTH_MAX`, at this position.
    Depth {
        /// Position in the scanned slice.
        at: usize,
    },
}

/// Walks over JSON text. Structure, escapes, numbers and control characters are checked;
/// UTF-8 is not (check the whole event's bytes at once: that is far cheaper).
#[derive(Debug)]
pub struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    breaks: bool,
}

impl<'a> Scanner<'a> {
    /// Starts at position `at` of `bytes`.
    pub fn new(bytes: &'a [u8], at: usize) -> Scanner<'a> {
        Scanner { bytes, at, breaks: false }
    }

    /// Where it stands.
    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Whether it has passed a raw line break. (They stand between tokens only.)
    pub(crate) fn saw_line_breaks(&self) -> bool {
        self.breaks
    }

    /// Skips spaces, tabs and line breaks, and answers the next byte without taking it.
    #[inline(always)]
    pub(crate) fn peek(&mut self) -> Result<u8, ScanError> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_space(),
        }
    }

    #[inline(never)]
    fn peek_behind_space(&mut self) -> Result<u8, ScanError> {
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\t' => {}
                b'\n' | b'\r' => self.breaks = true,
                _ => return Ok(byte),
            }
            self.at += 1;
        }
        Err(ScanError::End)
    }

    /// Skips white space and takes exactly `byte`; `what` names it in the error.
    #[inline(always)]
    pub(crate) fn take(&mut self, byte: u8, what: &'static str) -> Result<(), ScanError> {
        if self.peek()? != byte {
            return Err(self.syntax(what));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a string (white space before its quote is skipped).
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<Span, ScanError> {
        if self.peek()? != b'"' {
            return Err(self.syntax("expected a string"));
        }
        let start = self.at + 1;
        match find_special(self.bytes, start) {
            // One store of the position for the whole string: each is read again by what comes
            // next.
            Some(end) if self.bytes[end] == b'"' => {
                self.at = end + 1;
                Ok(Span::plain(start, end))
            }
            at => self.string_with_specials(start, at),
        }
    }

    /// Takes a member's key and its colon.
    #[inline(always)]
    pub(super) fn key(&mut self) -> Result<Span, ScanError> {
        if self.bytes.get(self.at) == Some(&b'"') {
            let start = self.at + 1;
            if let Some(end) = find_special(self.bytes, start)
                && let Some([b'"', b':']) = self.bytes.get(end..end + 2)
            {
                self.at = end + 2;
                return Ok(Span::plain(start, end));
            }
        }
        self.key_with_specials()
    }

    #[inline(never)]
    fn key_with_specials(&mut self) -> Result<Span, ScanError> {
        if self.peek()? != b'"' {
            return Err(self.syntax("expected a key"));
        }
        let key = self.string()?;
        self.take(b':', "expected `:`")?;
        Ok(key)
    }

    /// Takes any one value, checked, and answers the span of its text, a string's quotes included.
    #[inline]
    pub fn value(&mut self) -> Result<Span, ScanError> {
        self.value_within(0)
    }

    /// Takes one value that stands inside `depth` open containers.
    #[inline]
    pub(super) fn value_within(&mut self, depth: usize) -> Result<Span, ScanError> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'"' => self.string().map(|_| ())?,
            b'{' | b'[' => self.container(depth)?,
            _ => self.scalar(first)?,
        }
        Ok(Span::plain(start, self.at))
    }

    #[cold]
    fn syntax(&self, what: &'static str) -> ScanError {
        ScanError::Syntax { at: self.at, what }
    }

    /// The rest of a string that begins at `start` and whose first special byte, at `at`, does not
    /// end it.
    #[inline(never)]
    fn string_with_specials(&mut self, start: usize, at: Option<usize>) -> Result<Span, ScanError> {
        self.at = at.ok_or(ScanError::End)?;
        loop {
            match self.bytes[self.at] {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(self.syntax("control character in a string")),
            }
            self.at = find_special(self.bytes, self.at).ok_or(ScanError::End)?;
        }
        self.at += 1;
        Ok(Span::escaped(start, self.at - 1))
    }

    /// One escape; `at` is at its backslash.
    fn escape(&mut self) -> Result<(), ScanError> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                self.at += 2;
                for _ in 0..4 {
                    match self.bytes.get(self.at) {
                        Some(byte) if byte.is_ascii_hexdigit() => self.at += 1,
                        Some(_) => {
                            return Err(self.syntax("expected four hexadecimal digits after `\\u`"));
                        }
                        None => return Err(ScanError::End),
                    }
                }
            }
            Some(_) => {
                self.at += 1;
                return Err(self.syntax("unknown escape in a string"));
            }
            None => return Err(ScanError::End),
        }
        Ok(())
    }

    /// A number or literal that begins with `first`.
    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Result<(), ScanError> {
        match first {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => Err(self.syntax("expected a value")),
        }
    }

    /// An object or array inside `depth` open containers; the scanner stands at its bracket.
    ///
    /// `open` holds one bit for each container that is open here: 1 for an object. `DEPTH_MAX` is
    /// its width. The position is kept in a register: stored and read back at each token, it is
    /// what everything waits for.
    fn container(&mut self, depth: usize) -> Result<(), ScanError> {
        let mut at = self.at;
        let mut open: u128 = 0;
        let mut levels = 0;
        loop {
            let first;
            (first, at) = self.peek_at(at)?;
            match first {
                b'"' => at = self.string_at(at)?,
                b'{' | b'[' => {
                    if depth + levels == DEPTH_MAX {
                        return Err(ScanError::Depth { at });
                    }
                    let is_object = first == b'{';
                    open = open << 1 | u128::from(is_object);
                    levels += 1;
                    let second;
                    (second, at) = self.peek_at(at + 1)?;
                    // The closing bracket stands two behind the opening one in ASCII.
                    if second != first + 2 {
                        if is_object {
                            at = self.key_at(at)?;
                        }
                        continue;
                    }
                }
                _ => at = self.scalar_at(at, first)?,
            }
            loop {
                let in_object = open & 1 == 1;
                let next;
                (next, at) = self.peek_at(at)?;
                at += 1;
                match next {
                    b',' if in_object => {
                        at = self.key_at(at)?;
                        break;
                    }
                    b',' => break,
                    b'}' if in_object => {}
                    b']' if !in_object => {}
                    _ if in_object => {
                        return Err(ScanError::Syntax { at: at - 1, what: "expected `,` or `}`" });
                    }
                    _ => return Err(ScanError::Syntax { at: at - 1, what: "expected `,` or `]`" }),
                }
                open >>= 1;
                levels -= 1;
                if levels == 0 {
                    self.at = at;
                    return Ok(());
                }
            }
        }
    }

    /// [`Scanner::peek`] from `at`, with where it came to.
    #[inline(always)]
    fn peek_at(&mut self, at: usize) -> Result<(u8, usize), ScanError> {
        match self.bytes.get(at) {
            Some(&byte) if byte > b' ' => Ok((byte, at)),
            _ => {
                self.at = at;
                let byte = self.peek_behind_space()?;
                Ok((byte, self.at))
            }
        }
    }

    /// Takes the string whose quote is at `at`, and answers the position behind it.
    #[inline(always)]
    fn string_at(&mut self, at: usize) -> Result<usize, ScanError> {
        match find_special(self.bytes, at + 1) {
            Some(end) if self.bytes[end] == b'"' => Ok(end + 1),
            end => {
                self.string_with_specials(at + 1, end)?;
                Ok(self.at)
            }
        }
    }

    /// [`Scanner::key`] from `at`, and answers the position behind it.
    #[inline(always)]
    fn key_at(&mut self, at: usize) -> Result<usize, ScanError> {
        if self.bytes.get(at) == Some(&b'"')
            && let Some(end) = find_special(self.bytes, at + 1)
            && let Some([b'"', b':']) = self.bytes.get(end..end + 2)
        {
            return Ok(end + 2);
        }
        self.at = at;
        self.key_with_specials()?;
        Ok(self.at)
    }

    /// [`Scanner::scalar`] from `at`, and answers the position behind it.
    #[inline(always)]
    fn scalar_at(&mut self, at: usize, first: u8) -> Result<usize, ScanError> {
        self.at = at;
        self.scalar(first)?;
        Ok(self.at)
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => {
                self.at += 1;
                if matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
                    return Err(self.syntax("a number does not begin with 0"));
                }
            }
            _ => self.digits()?,
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), ScanError> {
        match self.bytes.get(self.at) {
            Some(b'0'..=b'9') => {}
            Some(_) => return Err(self.syntax("expected a digit")),
            None => return Err(ScanError::End),
        }
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn literal(&mut self, literal: &'static [u8]) -> Result<(), ScanError> {
        if self.bytes[self.at..].starts_with(literal) {
            self.at += literal.len();
            return Ok(());
        }
        self.broken_literal(literal)
    }

    #[cold]
    fn broken_literal(&mut self, literal: &'static [u8]) -> Result<(), ScanError> {
        for expected in literal {
            match self.bytes.get(self.at) {
                Some(byte) if byte == expected => self.at += 1,
                Some(_) => return Err(self.syntax("expected a value")),
                None => return Err(ScanError::End),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
