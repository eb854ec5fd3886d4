//! Reads serde's structs from parsed JSON: the bodies of requests, and the answers of foreign services.
//!
//! serde_json's own errors repeat the value that they refuse. It may be a secret in the wrong place, so the structs are
//! read with the error type of this file. It says which member is wrong and what it has to be, and never what it was.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::vec;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Reads a `T` from JSON. Nothing but an object is a struct.
pub fn read_typed<T: DeserializeOwned>(value: Value) -> Result<T, MemberError> {
    T::deserialize(MemberValue(value))
}

/// Reads a `T` from the members of an object. They may have a name twice: a struct refuses the second one.
pub fn read_members<T: DeserializeOwned>(members: Vec<(String, Value)>) -> Result<T, MemberError> {
    T::deserialize(MapAccessDeserializer::new(MemberReader::new(members)))
}

/// Reads a member that counts as missing if it has another type than it should have. The field also needs
/// `#[serde(default)]`.
pub fn if_fitting<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    Ok(T::deserialize(from).ok())
}

/// The value of a member. It is read as the type that is asked for, and as no other. Texts are moved and not copied, so
/// that no second copy of a secret remains.
struct MemberValue(Value);

impl MemberValue {
    fn number<T>(&self, number: impl Fn(&Value) -> Option<T>) -> Result<T, MemberError> {
        number(&self.0).ok_or(MemberError::expected("must be a whole number"))
    }
}

impl<'de> Deserializer<'de> for MemberValue {
    type Error = MemberError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => self.deserialize_i64(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(ItemReader(items.into_iter().enumerate())),
            Value::Object(members) => {
                visitor.visit_map(MemberReader::new(members.into_iter().collect()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            value => visitor.visit_some(Self(value)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, MemberError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        let value = self.0.as_bool();
        visitor.visit_bool(value.ok_or(MemberError::expected("must be true or false"))?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        visitor.visit_i64(self.number(Value::as_i64)?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        visitor.visit_u64(self.number(Value::as_u64)?)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        let value = self.0.as_f64();
        visitor.visit_f64(value.ok_or(MemberError::expected("must be a number"))?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            _ => Err(MemberError::expected("must be a text")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Array(items) => visitor.visit_seq(ItemReader(items.into_iter().enumerate())),
            _ => Err(MemberError::expected("must be a list")),
        }
    }

    /// serde would also take a list for a struct, and read the members by their order.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Object(members) => {
                visitor.visit_map(MemberReader::new(members.into_iter().collect()))
            }
            _ => Err(MemberError::expected("must be an object")),
        }
        .map_err(|error| error.of(name))
    }

    /// A word of a fixed list is a text. An object with the word as its member is not: serde_json would take it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(word.into_deserializer()),
            _ => Err(MemberError::one_of(words)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u128 f32 char str bytes byte_buf unit unit_struct tuple tuple_struct map identifier
    }
}

/// The members of an object in their order.
struct MemberReader {
    left: vec::IntoIter<(String, Value)>,
    /// The member whose name was read, and whose value is read next.
    begun: Option<(String, Value)>,
}

impl MemberReader {
    fn new(members: Vec<(String, Value)>) -> Self {
        Self {
            left: members.into_iter(),
            begun: None,
        }
    }
}

impl<'de> MapAccess<'de> for MemberReader {
    type Error = MemberError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, MemberError> {
        let Some((name, value)) = self.left.next() else {
            return Ok(None);
        };
        let key = seed.deserialize(name.as_str().into_deserializer());
        let key = key.map_err(|error: MemberError| error.within(Segment::Member(name.clone())))?;
        self.begun = Some((name, value));
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, MemberError> {
        let (name, value) = self.begun.take().unwrap_or_default();
        seed.deserialize(MemberValue(value))
            .map_err(|error| error.within(Segment::Member(name)))
    }
}

/// The items of a list, with their numbers.
struct ItemReader(std::iter::Enumerate<vec::IntoIter<Value>>);

impl<'de> SeqAccess<'de> for ItemReader {
    type Error = MemberError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, MemberError> {
        let Some((n, item)) = self.0.next() else {
            return Ok(None);
        };
        let item = seed.deserialize(MemberValue(item));
        item.map(Some)
            .map_err(|error| error.within(Segment::Item(n)))
    }
}

/// A step from an object or a list to a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    Member(String),
    Item(usize),
}

/// Why a member cannot be read.
#[derive(Debug)]
pub struct MemberError {
    pub detail: Cow<'static, str>,
    /// The innermost struct around the member, and how many of the first segments are within it.
    owner: Option<(&'static str, usize)>,
    /// The way to the member, from its end.
    path: Vec<Segment>,
}

impl MemberError {
    const fn new(detail: Cow<'static, str>) -> Self {
        Self {
            detail,
            owner: None,
            path: Vec::new(),
        }
    }

    const fn expected(detail: &'static str) -> Self {
        Self::new(Cow::Borrowed(detail))
    }

    fn one_of(words: &[&str]) -> Self {
        Self::new(match words {
            [one] => Cow::Owned(format!("must be the word {one}")),
            _ => Cow::Owned(format!("must be one of {}", words.join(", "))),
        })
    }

    fn within(mut self, segment: Segment) -> Self {
        self.path.push(segment);
        self
    }

    fn of(mut self, name: &'static str) -> Self {
        self.owner = self.owner.or(Some((name, self.path.len())));
        self
    }

    /// The way from the outermost value to the member.
    pub fn path(&self) -> impl Iterator<Item = &Segment> {
        self.path.iter().rev()
    }
}

impl de::Error for MemberError {
    /// No type has errors of its own, and what they might repeat is not known here.
    fn custom<T: Display>(_: T) -> Self {
        Self::expected("has a value that is not possible here")
    }

    fn unknown_variant(_: &str, words: &'static [&'static str]) -> Self {
        Self::one_of(words)
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self::expected("is not known here")
    }

    fn missing_field(name: &'static str) -> Self {
        Self::expected("is required").within(Segment::Member(name.to_owned()))
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self::expected("may be there only once").within(Segment::Member(name.to_owned()))
    }
}

/// The innermost struct, the member of it, and what that has to be: `Listed.hash must be a text`.
impl Display for MemberError {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let (name, own) = self.owner.unwrap_or(("", self.path.len()));
        to.write_str(name)?;
        for segment in self.path.iter().take(own).rev() {
            match segment {
                Segment::Member(name) => write!(to, ".{name}")?,
                Segment::Item(n) => write!(to, "[{n}]")?,
            }
        }
        write!(to, " {}", self.detail)
    }
}

impl std::error::Error for MemberError {}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    struct TestRow {
        limit: Option<f64>,
        name: String,
        #[serde(default, deserialize_with = "if_fitting")]
        count: Option<u64>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct TestAnswer {
        data: Vec<TestRow>,
    }

    #[test]
    fn members_that_nobody_reads_are_ignored_whatever_they_are() {
        let row =
            json!({ "name": "n", "limit": 1, "count": 2, "0.5": 0.5, "b": { "c": [-1, null] } });
        let expected = TestRow {
            limit: Some(1.0),
            name: String::from("n"),
            count: Some(2),
        };
        assert_eq!(read_typed::<TestRow>(row).unwrap(), expected);
        for count in [json!("2"), json!(-2), json!(2.5), Value::Null, json!([])] {
            let row: TestRow = read_typed(json!({ "name": "n", "count": count })).unwrap();
            assert_eq!((row.limit, row.count), (None, None), "{count}");
        }
    }

    #[test]
    fn one_broken_row_is_an_error_that_names_its_struct_and_member_and_never_the_value() {
        let secret = "sk-or-v1-0123456789";
        for (row, error) in [
            (
                json!({ "name": "n", "limit": secret }),
                "TestRow.limit must be a number",
            ),
            (
                json!({ "name": "n", "limit": true }),
                "TestRow.limit must be a number",
            ),
            (json!({ "name": [secret] }), "TestRow.name must be a text"),
            (
                json!({ "limit": 1, (secret): secret }),
                "TestRow.name is required",
            ),
            (json!({ "name": null }), "TestRow.name must be a text"),
            (json!([null, secret]), "TestRow must be an object"),
            (json!(secret), "TestRow must be an object"),
            (Value::Null, "TestRow must be an object"),
        ] {
            let answer = json!({ "data": [{ "name": "whole" }, row] });
            let told = read_typed::<TestAnswer>(answer).unwrap_err();
            assert_eq!(told.to_string(), error, "{row}");
            let place = [Segment::Member(String::from("data")), Segment::Item(1)];
            assert!(told.path().take(2).eq(&place), "{told:?}");
        }
        for (answer, error) in [
            (json!({ "data": {} }), "TestAnswer.data must be a list"),
            (json!({ "error": secret }), "TestAnswer.data is required"),
            (json!([[]]), "TestAnswer must be an object"),
        ] {
            let told = read_typed::<TestAnswer>(answer).unwrap_err();
            assert_eq!(told.to_string(), error);
        }
    }
}
