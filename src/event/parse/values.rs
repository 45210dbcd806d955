//! One member's value, and what can be wrong with it: the parts that [`Pass`]'s members are made
//! of.

use std::borrow::Cow;

use super::{Key, Pass, Scan};
use crate::event::chunk::RejectionKind;
use crate::event::json::{decode, decode_bytes};
use crate::event::keys::Seen;
use crate::event::span::Span;

impl<'a> Pass<'a, '_> {
    #[inline(always)]
    pub(super) fn object_or_null(
        &mut self,
        name: &'static str,
        member: impl FnMut(&mut Self, Key) -> Scan,
    ) -> Scan {
        match self.scan.peek()? {
            b'{' => self.object(member),
            _ => self.expect_null(name, "an object"),
        }
    }

    /// An object whose members `member` takes, each from behind its colon.
    #[inline(always)]
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, Key) -> Scan) -> Scan {
        self.scan.take(b'{', "expected `{`")?;
        if self.scan.peek()? == b'}' {
            return self.scan.take(b'}', "");
        }
        let mut from = self.scan.position();
        let mut is_first = true;
        loop {
            let span = self.scan.key()?;
            member(self, Key { span, from, is_first })?;
            is_first = false;
            if self.scan.peek()? == b'}' {
                return self.scan.take(b'}', "");
            }
            from = self.scan.position();
            self.scan.take(b',', "expected `,` or `}`")?;
        }
    }

    /// A string; the default where it is null, or where it is something else, which is a fault.
    #[inline(always)]
    pub(super) fn text(&mut self, name: &'static str) -> Scan<Span> {
        Ok(self.given_text(name)?.unwrap_or_default())
    }

    /// The same for where `""` is not the same as nothing.
    #[inline(always)]
    pub(super) fn given_text(&mut self, name: &'static str) -> Scan<Option<Span>> {
        if self.scan.peek()? == b'"' {
            return self.scan.string().map(Some);
        }
        self.expect_null(name, "a string")?;
        Ok(None)
    }

    /// A number; `None` where it is null, or no integer that a counter can hold.
    pub(super) fn count(&mut self, name: &'static str) -> Scan<Option<u32>> {
        if !matches!(self.scan.peek()?, b'-' | b'0'..=b'9') {
            self.expect_null(name, "a number")?;
            return Ok(None);
        }
        let text = self.scan.value()?.range();
        Ok(std::str::from_utf8(&self.bytes[text]).ok().and_then(|text| text.parse().ok()))
    }

    #[cold]
    pub(super) fn expect_null(&mut self, name: &'static str, expected: &'static str) -> Scan {
        let first = self.scan.peek()?;
        if first != b'n' {
            let found = match first {
                b'{' => "an object",
                b'[' => "an array",
                b'"' => "a string",
                b't' | b'f' => "a boolean",
                _ => "a number",
            };
            let at = self.scan.position();
            self.error(at, RejectionKind::WrongType, || {
                format!("{name} is {found}, not {expected}")
            });
        }
        self.skip(1)
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, depth: usize) -> Scan {
        self.scan.value_within(depth).map(|_| ())
    }

    /// A key or other short text, decoded: `"\u006bind"` is `kind`.
    #[inline(always)]
    pub(super) fn key_text(&self, span: Span) -> Cow<'a, [u8]> {
        decode_bytes(self.bytes, span)
    }

    #[inline(always)]
    pub(super) fn check_unknown(&mut self, seen: Seen, whose: &'static str) {
        if let Some(key) = seen.duplicate(self.bytes) {
            self.duplicate(key, whose);
        }
    }

    #[cold]
    pub(super) fn duplicate(&mut self, key: Span, whose: &'static str) {
        let name = decode(self.bytes, key);
        self.error(key.range().start, RejectionKind::DuplicateKey, || {
            format!("the key `{name}` stands twice in {whose}")
        });
    }

    pub(super) fn error(
        &mut self,
        at: usize,
        kind: RejectionKind,
        detail: impl FnOnce() -> String,
    ) {
        if self.error.is_none() {
            self.error = Some((at, kind, detail()));
        }
    }
}
