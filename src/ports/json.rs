//! How JSON is read. Bodies of requests and answers of foreign services are serde's structs, which `members` reads. Rows
//! of our own database are read by serde straight from their text, in the forms that SQLite gives them.

pub mod members;

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::stray;
use crate::domain::money::NanoUsd;
use crate::domain::people::history;
use crate::domain::people::identity::Status;
use crate::domain::people::notice;
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

/// Reads a `T` from JSON of our own. Returns `None` if the bytes are anything else.
pub fn read<T: FromJson>(bytes: &[u8]) -> Option<T> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let read = T::from_json(&mut from).ok()?;
    from.end().ok()?;
    Some(read)
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

/// A type that is read from our own JSON: rows of the database, and what we stored ourselves. In SQLite's JSON, booleans
/// are 0 and 1, moments are seconds, and amounts are nano-USD.
pub trait FromJson: Sized {
    /// Fails if the value is anything else.
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>;
}

/// Declares a struct that is read from an object. Each field is read from the member of its name, which has to be
/// present, also if it may be null. Each field after the semicolon is read from the same object as a whole.
macro_rules! from_json {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$about:meta])* $own:vis $field:ident: $type:ty),* $(,)?
        $(; $($(#[$part_about:meta])* $part_own:vis $part:ident: $part_type:ty),+ $(,)?)?
    }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize)]
        $vis struct $name {
            $($(#[$about])* #[serde(deserialize_with = "crate::ports::json::FromJson::from_json")] $own $field: $type,)*
            $($($(#[$part_about])* #[serde(flatten)] $part_own $part: $part_type,)+)?
        }

        impl crate::ports::json::FromJson for $name {
            fn from_json<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                serde::Deserialize::deserialize(from)
            }
        }
    };
}

/// Types that serde reads in the same form.
macro_rules! same_form {
    ($($type:ty),+ $(,)?) => {
        $(impl FromJson for $type {
            fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::deserialize(from)
            }
        })+
    };
}

same_form!(
    Value,
    i64,
    u32,
    usize,
    String,
    LimitReset,
    Reason,
    GenerationState,
    Status,
    stray::MarkedRow,
    history::HistoryActor,
    history::HistoryEvent,
    notice::NoticeKind,
    request::RequestKind,
    request::RequestState,
    switches::Minting,
    switches::KeysSwitch,
    switches::Claims,
    switches::UpstreamTerms,
    switches::Restore,
    switches::AccountSwitch,
    switches::WorkspaceClosure,
);

impl FromJson for bool {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct FlagReader;

        impl Visitor<'_> for FlagReader {
            type Value = bool;

            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                to.write_str("a boolean, or 0 or 1")
            }

            fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
                Ok(value)
            }

            fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
                Ok(value != 0)
            }

            fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
                Ok(value != 0)
            }
        }

        from.deserialize_any(FlagReader)
    }
}

impl FromJson for Timestamp {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        i64::deserialize(from).map(Self::from_secs)
    }
}

impl FromJson for NanoUsd {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let amount = Self::from_nano(i64::deserialize(from)?);
        amount.ok_or(D::Error::custom("no amount"))
    }
}

/// A part of an `Option` or a list.
struct Part<T>(T);

impl<'de, T: FromJson> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::from_json(from).map(Self)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let part = Option::<Part<T>>::deserialize(from)?;
        Ok(part.map(|Part(value)| value))
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parts = Vec::<Part<T>>::deserialize(from)?;
        Ok(parts.into_iter().map(|Part(item)| item).collect())
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
        super::read(text.as_bytes())
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
            r#"{"at":60,"on":1,"amount":null,"words":[]}"#,
            r#"{"at":60,"name":"n","on":1,"words":[]}"#,
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
