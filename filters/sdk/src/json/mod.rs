//! JSON text as a type of the module's own: a deserializer for `serde`.
//!
//! Not serde_json's, for size: that is 60 KiB of a module, most of it the reading and showing of
//! floats and the positions of errors, which a configuration that weir made of `pipeline.toml` has
//! no use for. Here an error names the member instead (`routes[1].to`), and what a type does not
//! ask for is not in the module. Text comes from weir, so it is JSON; where it is not, that is an
//! error and never a panic.

mod access;
mod error;
mod text;

use serde_core::de::{Deserialize, Deserializer, Unexpected, Visitor};

use self::{
    access::{Members, Variant},
    error::Error,
    text::{Number, Text},
};

/// How deep containers may be nested, so that no text exhausts the stack.
const DEPTH_MAX: u32 = 128;

/// `json` as a `T`; the error names the member that is wrong.
pub(crate) fn from_str<'de, T: Deserialize<'de>>(json: &'de str) -> Result<T, String> {
    let mut text = Text::new(json);
    let value = T::deserialize(Value { text: &mut text, depth: DEPTH_MAX });
    value.and_then(|value| text.end().map(|()| value)).map_err(|error| error.to_string())
}

/// The value that comes next in a text.
struct Value<'a, 'de> {
    text: &'a mut Text<'de>,
    /// How much deeper it may nest.
    depth: u32,
}

/// What a value begins with.
fn is_number(first: u8) -> bool {
    first == b'-' || first.is_ascii_digit()
}

impl<'a, 'de> Value<'a, 'de> {
    /// An error that says what is there instead.
    fn instead(self, expected: &dyn serde_core::de::Expected) -> Error {
        let string;
        let found = match self.text.peek() {
            Some(b'"') => match self.text.string() {
                Ok(found) => {
                    string = found;
                    Unexpected::Str(&string)
                }
                Err(error) => return error,
            },
            Some(b'{') => Unexpected::Map,
            Some(b'[') => Unexpected::Seq,
            Some(b't') => Unexpected::Bool(true),
            Some(b'f') => Unexpected::Bool(false),
            Some(b'n') => Unexpected::Unit,
            _ => match self.text.number() {
                Ok(Number::Unsigned(number)) => Unexpected::Unsigned(number),
                Ok(Number::Signed(number)) => Unexpected::Signed(number),
                Ok(Number::Other(digits)) => Unexpected::Other(digits),
                Err(error) => return error,
            },
        };
        serde_core::de::Error::invalid_type(found, expected)
    }

    fn is_next(&mut self, first: u8) -> bool {
        self.text.peek() == Some(first)
    }

    fn members(self, open: u8) -> Result<Members<'a, 'de>, Error> {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(Error::too_deep()) };
        self.text.expect(open)?;
        Ok(Members { text: self.text, depth, is_first: true })
    }

    fn seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut elements = access::Elements { members: self.members(b'[')?, index: 0 };
        let value = visitor.visit_seq(&mut elements)?;
        elements.members.close(b']').map(|()| value)
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut members = access::Entries { members: self.members(b'{')?, key: None };
        let value = visitor.visit_map(&mut members)?;
        members.members.close(b'}').map(|()| value)
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.text.peek().is_some_and(is_number) {
            return Err(self.instead(&visitor));
        }
        let start = self.text.clone();
        match self.text.number()? {
            Number::Unsigned(number) => visitor.visit_u64(number),
            Number::Signed(number) => visitor.visit_i64(number),
            Number::Other(_) => {
                *self.text = start;
                Err(self.instead(&visitor))
            }
        }
    }

    fn float<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if !self.text.peek().is_some_and(is_number) {
            return Err(self.instead(&visitor));
        }
        match self.text.number()? {
            Number::Unsigned(number) => visitor.visit_u64(number),
            Number::Signed(number) => visitor.visit_i64(number),
            Number::Other(digits) => match digits.parse() {
                Ok(number) if f64::is_finite(number) => visitor.visit_f64(number),
                _ => Err(self.text.not_json()),
            },
        }
    }

    fn string<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if !self.is_next(b'"') {
            return Err(self.instead(&visitor));
        }
        match self.text.string()? {
            std::borrow::Cow::Borrowed(string) => visitor.visit_borrowed_str(string),
            std::borrow::Cow::Owned(string) => visitor.visit_string(string),
        }
    }
}

macro_rules! all_as {
    ($how:ident: $($method:ident)*) => { $(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$how(visitor)
        }
    )* };
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = Error;

    all_as! { integer: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    deserialize_u128 }
    all_as! { float: deserialize_f32 deserialize_f64 }
    all_as! { string: deserialize_char deserialize_str deserialize_string deserialize_bytes
    deserialize_byte_buf deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.text.peek() {
            Some(b'{') => self.map(visitor),
            Some(b'[') => self.seq(visitor),
            Some(b'"') => self.string(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_unit(visitor),
            _ => self.float(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.text.peek() {
            Some(b't') => self.text.word("true").and_then(|()| visitor.visit_bool(true)),
            Some(b'f') => self.text.word("false").and_then(|()| visitor.visit_bool(false)),
            _ => Err(self.instead(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.is_next(b'n') {
            return self.text.word("null").and_then(|()| visitor.visit_none());
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.is_next(b'n') {
            return self.text.word("null").and_then(|()| visitor.visit_unit());
        }
        Err(self.instead(&visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.is_next(b'[') { self.seq(visitor) } else { Err(self.instead(&visitor)) }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        if self.is_next(b'{') { self.map(visitor) } else { Err(self.instead(&visitor)) }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.text.peek() {
            Some(b'"') => {
                let name = self.text.string()?;
                visitor.visit_enum(Variant { name, value: None })
            }
            Some(b'{') => {
                let mut members = self.members(b'{')?;
                let Some(name) = members.key()? else { return Err(members.text.not_json()) };
                let value = Value { text: members.text, depth: members.depth };
                let made = visitor.visit_enum(Variant { name, value: Some(value) })?;
                members.is_first = false;
                members.close(b'}').map(|()| made)
            }
            _ => Err(self.instead(&"a string or an object with one member")),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.text.skip()?;
        visitor.visit_unit()
    }
}

#[cfg(test)]
mod tests;
