//! The members of containers, one after the other.

use std::borrow::Cow;

use serde_core::de::{
    DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::CowStrDeserializer,
};

use super::{Deserializer, Error, Text, Value};

/// What is left of an object or an array.
pub(super) struct Members<'a, 'de> {
    pub(super) text: &'a mut Text<'de>,
    /// How much deeper its members may nest.
    pub(super) depth: u32,
    pub(super) is_first: bool,
}

impl<'de> Members<'_, 'de> {
    /// Whether there is a member more, at which the text then stands.
    fn more(&mut self, close: u8) -> Result<bool, Error> {
        if self.text.peek() == Some(close) {
            return Ok(false);
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.text.expect(b',')?;
        }
        Ok(true)
    }

    /// The key of the next member; the text then stands at its value.
    pub(super) fn key(&mut self) -> Result<Option<Cow<'de, str>>, Error> {
        if !self.more(b'}')? {
            return Ok(None);
        }
        self.text.peek();
        let key = self.text.string()?;
        self.text.expect(b':').map(|()| Some(key))
    }

    pub(super) fn close(mut self, close: u8) -> Result<(), Error> {
        if self.more(close)? {
            return Err(Error::new("there are more elements than expected".to_owned()));
        }
        self.text.expect(close)
    }

    fn value(&mut self) -> Value<'_, 'de> {
        Value { text: self.text, depth: self.depth }
    }
}

pub(super) struct Elements<'a, 'de> {
    pub(super) members: Members<'a, 'de>,
    pub(super) index: usize,
}

impl<'de> SeqAccess<'de> for &mut Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if !self.members.more(b']')? {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        seed.deserialize(self.members.value()).map(Some).map_err(|error| error.in_element(index))
    }
}

pub(super) struct Entries<'a, 'de> {
    pub(super) members: Members<'a, 'de>,
    /// Of the value that comes next.
    pub(super) key: Option<Cow<'de, str>>,
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        self.key = self.members.key()?;
        let Some(key) = &self.key else { return Ok(None) };
        let key: CowStrDeserializer<'_, Error> = Cow::Borrowed(&**key).into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.members.value())
            .map_err(|error| error.in_member(self.key.as_deref().unwrap_or_default()))
    }
}

/// A case of an enum: a string, or an object with one member.
pub(super) struct Variant<'a, 'de> {
    pub(super) name: Cow<'de, str>,
    pub(super) value: Option<Value<'a, 'de>>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: CowStrDeserializer<'_, Error> = Cow::Borrowed(&*self.name).into_deserializer();
        seed.deserialize(name).map(|case| (case, self))
    }
}

impl<'a, 'de> Variant<'a, 'de> {
    /// The value of a case that has one.
    fn value(self) -> Result<(Cow<'de, str>, Value<'a, 'de>), Error> {
        match self.value {
            Some(value) => Ok((self.name, value)),
            None => Err(Error::new(format!("`{}` needs a value", self.name))),
        }
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(Error::new(format!("`{}` has no value", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let (name, value) = self.value()?;
        seed.deserialize(value).map_err(|error| error.in_member(&name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let (name, value) = self.value()?;
        value.deserialize_seq(visitor).map_err(|error| error.in_member(&name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let (name, value) = self.value()?;
        value.deserialize_map(visitor).map_err(|error| error.in_member(&name))
    }
}
