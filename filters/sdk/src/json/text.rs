//! JSON text, read from its beginning to its end.
//!
//! By bytes and with `get`: slicing that can panic would bring the code that shows what was sliced.

use std::borrow::Cow;

use super::error::Error;

/// A text, and how far it was read: always to a character's beginning.
#[derive(Clone)]
pub(super) struct Text<'de> {
    json: &'de str,
    at: usize,
}

/// A number's digits, as the type that holds them.
pub(super) enum Number<'de> {
    Unsigned(u64),
    /// Below zero.
    Signed(i64),
    /// A fraction, an exponent, or more than 64 bits.
    Other(&'de str),
}

impl<'de> Text<'de> {
    pub(super) fn new(json: &'de str) -> Self {
        Self { json, at: 0 }
    }

    pub(super) fn not_json(&self) -> Error {
        Error::new("this is not JSON".to_owned())
    }

    fn byte(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    /// Goes past the bytes of a kind, and answers them.
    fn past(&mut self, is_of_them: impl Fn(u8) -> bool) -> &'de str {
        let start = self.at;
        while self.byte().is_some_and(&is_of_them) {
            self.at += 1;
        }
        self.json.get(start..self.at).unwrap_or_default()
    }

    /// The first byte of what comes next, behind the whitespace before it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.past(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.byte()
    }

    pub(super) fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.peek() != Some(byte) {
            return Err(self.not_json());
        }
        self.at += 1;
        Ok(())
    }

    pub(super) fn word(&mut self, word: &str) -> Result<(), Error> {
        if self.past(|byte| byte.is_ascii_alphanumeric()) == word {
            return Ok(());
        }
        Err(self.not_json())
    }

    pub(super) fn end(&mut self) -> Result<(), Error> {
        self.peek().map_or(Ok(()), |_| Err(self.not_json()))
    }

    /// A number by JSON's grammar.
    pub(super) fn number(&mut self) -> Result<Number<'de>, Error> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits()?;
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(self.not_json());
        }
        let mut is_whole = true;
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            is_whole = false;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
            is_whole = false;
        }
        let digits = self.json.get(start..self.at).unwrap_or_default();
        Ok(match (digits.parse(), digits.parse()) {
            (Ok(number), _) if is_whole => Number::Unsigned(number),
            (_, Ok(number)) if is_whole && digits != "-0" => Number::Signed(number),
            _ => Number::Other(digits),
        })
    }

    fn digits(&mut self) -> Result<&'de str, Error> {
        match self.past(|byte| byte.is_ascii_digit()) {
            "" => Err(self.not_json()),
            digits => Ok(digits),
        }
    }

    /// The string that stands next, without its quotes, and without its escapes.
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, Error> {
        if self.byte() != Some(b'"') {
            return Err(self.not_json());
        }
        self.at += 1;
        let mut string = Cow::Borrowed("");
        loop {
            let plain = self.past(|byte| byte != b'"' && byte != b'\\' && byte >= b' ');
            match string {
                Cow::Borrowed("") => string = Cow::Borrowed(plain),
                _ => string.to_mut().push_str(plain),
            }
            let end = self.byte();
            self.at += 1;
            match end {
                Some(b'"') => return Ok(string),
                Some(b'\\') => {
                    let Some(escaped) = self.escape() else { return Err(self.not_json()) };
                    string.to_mut().push(escaped);
                }
                _ => return Err(self.not_json()),
            }
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<char> {
        let escape = self.byte()?;
        self.at += 1;
        Some(match escape {
            b'"' | b'\\' | b'/' => escape.into(),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                if self.json.get(self.at..self.at + 2)? != "\\u" {
                    return None;
                }
                self.at += 2;
                let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.json.get(self.at..self.at + 4)?;
        self.at += 4;
        let digit = |number: u32, digit| Some(number << 4 | char::from(digit).to_digit(16)?);
        digits.bytes().try_fold(0, digit)
    }

    /// Goes past the value that stands next, however deep it is.
    pub(super) fn skip(&mut self) -> Result<(), Error> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => drop(self.string()?),
                Some(b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                }
                Some(b'}' | b']') if depth > 0 => {
                    self.at += 1;
                    depth -= 1;
                }
                Some(b',' | b':') if depth > 0 => self.at += 1,
                _ => {
                    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
                    if self.past(is_part).is_empty() {
                        return Err(self.not_json());
                    }
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }
}
