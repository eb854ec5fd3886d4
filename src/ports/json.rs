//! How JSON is read. Bodies of requests and answers of foreign services are serde's structs, which `members` reads. Rows
//! of our own database are read each field by its name.
//!
//! Plain functions read a row from the parsed value. They take a third of the code that a generic deserialiser makes for
//! the same struct, and at the edge the size of the code decides how long the start takes.

pub mod members;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::stray;
use crate::domain::money::NanoUsd;
use crate::domain::people::identity::Status;
use crate::domain::people::request;
use crate::domain::policy::switches;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// Reads JSON in which no object has a member twice, since readers differ about which of the two counts. Returns `None`
/// for any other text.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    let Unambiguous(value) = serde_json::from_slice(bytes).ok()?;
    Some(value)
}

/// Reads a `T` from JSON in which no object has a member twice. Returns `None` if the bytes are anything else.
pub fn read<T: FromJson>(bytes: &[u8]) -> Option<T> {
    T::of(&parse(bytes)?)
}

/// JSON in which no object has a member twice.
pub struct Unambiguous(pub Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(JsonReader).map(Self)
    }
}

struct JsonReader;

impl<'de> Visitor<'de> for JsonReader {
    type Value = Value;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unambiguous(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unambiguous(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a member twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

/// A type that can be read from a JSON value. In SQLite's JSON, booleans are 0 and 1, moments are seconds, and amounts
/// are nano-USD.
pub trait FromJson: Sized {
    /// Returns `None` if the value is anything else.
    fn of(value: &Value) -> Option<Self>;
}

/// Declares a struct that is read from an object. Each field is read from the member of its name. Each field after the
/// semicolon is read from the same object as a whole.
macro_rules! from_json {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$about:meta])* $own:vis $field:ident: $type:ty),* $(,)?
        $(; $($(#[$part_about:meta])* $part_own:vis $part:ident: $part_type:ty),+ $(,)?)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$about])* $own $field: $type,)*
            $($($(#[$part_about])* $part_own $part: $part_type,)+)?
        }

        impl crate::ports::json::FromJson for $name {
            fn of(value: &serde_json::Value) -> Option<Self> {
                Some(Self {
                    $($field: crate::ports::json::named(value, stringify!($field))?,)*
                    $($($part: crate::ports::json::FromJson::of(value)?,)+)?
                })
            }
        }
    };
}

/// Reads the member of this name. A missing member is read as `null`.
pub fn named<T: FromJson>(object: &Value, name: &str) -> Option<T> {
    T::of(object.get(name).unwrap_or(&Value::Null))
}

impl FromJson for Value {
    fn of(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl FromJson for bool {
    fn of(value: &Value) -> Option<Self> {
        value.as_bool().or_else(|| Some(value.as_i64()? != 0))
    }
}

impl FromJson for i64 {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

impl FromJson for u64 {
    fn of(value: &Value) -> Option<Self> {
        value.as_u64()
    }
}

impl FromJson for usize {
    fn of(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl FromJson for u32 {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64()?.try_into().ok()
    }
}

impl FromJson for String {
    fn of(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl FromJson for Timestamp {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64().map(Self::from_secs)
    }
}

impl FromJson for NanoUsd {
    fn of(value: &Value) -> Option<Self> {
        Self::from_nano(value.as_i64()?)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn of(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::of).collect()
    }
}

/// Reads enums that are stored as one word of a fixed list. The value must be a text. Without that check, serde would
/// also accept an object whose one member is the word.
macro_rules! words {
    ($($type:ty),+ $(,)?) => {
        $(impl crate::ports::json::FromJson for $type {
            fn of(value: &serde_json::Value) -> Option<Self> {
                let word = Some(value).filter(|value| value.is_string())?;
                serde::Deserialize::deserialize(word).ok()
            }
        })+
    };
}

words!(
    LimitReset,
    Reason,
    GenerationState,
    Status,
    request::RequestKind,
    request::RequestState,
    switches::Minting,
    switches::KeysSwitch,
    switches::Claims,
    switches::UpstreamTerms,
    switches::Restore,
    switches::AccountSwitch,
);

/// The domain derives the reader of this type with serde.
impl FromJson for stray::MarkedRow {
    fn of(value: &Value) -> Option<Self> {
        Self::deserialize(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    from_json! {
        #[derive(Debug, PartialEq)]
        struct Part {
            at: Timestamp,
        }
    }

    from_json! {
        #[derive(Debug, PartialEq)]
        struct Whole {
            name: String,
            on: bool,
            amount: Option<NanoUsd>,
            words: Vec<LimitReset>;
            part: Part,
        }
    }

    fn read(text: &str) -> Option<Whole> {
        Whole::of(&serde_json::from_str(text).ok()?)
    }

    #[test]
    fn json_with_a_member_twice_is_refused() {
        let text = r#"{"a":[1,-1,0.5,{"b":null,"c":"d\u0065"}],"e":true}"#;
        assert_eq!(parse(text.as_bytes()), serde_json::from_str(text).ok());
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"[{"b":{"a":1,"\u0061":2}}]"#,
            "{",
            "1 2",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_struct_is_read_by_its_members_names() {
        let whole =
            read(r#"{"at":60,"name":"n","on":1,"amount":null,"words":["daily","none"]}"#).unwrap();
        let expected = Whole {
            name: "n".to_owned(),
            on: true,
            amount: None,
            words: vec![LimitReset::Daily, LimitReset::None],
            part: Part {
                at: Timestamp::from_secs(60),
            },
        };
        assert_eq!(whole, expected);
    }

    #[test]
    fn a_missing_member_or_one_of_another_type_refuses_the_whole_struct() {
        for row in [
            r#"{"at":60,"on":1,"words":[]}"#,
            r#"{"at":60,"name":"n","words":[]}"#,
            r#"{"at":60,"name":1,"on":1,"words":[]}"#,
            r#"{"at":60,"name":"n","on":"yes","words":[]}"#,
            r#"{"at":60,"name":"n","on":1,"words":["never"]}"#,
            r#"{"at":60,"name":"n","on":1,"words":[],"amount":-1.5}"#,
            r#"{"name":"n","on":1,"words":[]}"#,
            "[]",
        ] {
            assert_eq!(read(row), None, "{row}");
        }
    }
}
