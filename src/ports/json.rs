//! How JSON is read. Bodies of requests and answers of foreign services are serde's structs, which `members` reads. Rows
//! of our own database are read from a value that borrows their text (`stored`), in the forms that SQLite gives them.

pub mod members;
pub mod stored;

use std::fmt;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::stray::MarkedRow;
use crate::domain::money::NanoUsd;
use crate::domain::people::departure::WalkStep;
use crate::domain::people::device::DeviceState;
use crate::domain::people::handoff::HandoffState;
use crate::domain::people::history;
use crate::domain::people::identity::{Provider, Status};
use crate::domain::people::notice;
use crate::domain::people::request;
use crate::domain::policy::{gate, switches};
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::json::stored::{StoredJson, StoredMembers};

/// Reads JSON in which no object has a member twice, since readers differ about which of the two counts. Returns `None`
/// for any other text.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    let Unambiguous(value) = serde_json::from_slice(bytes).ok()?;
    Some(value)
}

/// Reads a `T` from JSON of our own. Returns `None` if the bytes are anything else.
pub fn read<T: FromJson>(bytes: &[u8]) -> Option<T> {
    T::from_json(stored(bytes)?)
}

fn stored(bytes: &[u8]) -> Option<StoredJson<'_>> {
    serde_json::from_slice(bytes).ok()
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
    /// Returns `None` if the value is anything else.
    fn from_json(value: StoredJson<'_>) -> Option<Self>;
}

/// A struct that is read from the members of an object, which may have further ones.
pub trait FromMembers: Sized {
    /// Returns `None` if a member is missing or is anything else.
    fn from_members(members: &mut StoredMembers<'_>) -> Option<Self>;
}

/// Reads the struct from an object. It is not inlined, so that each struct has one reader however often it is read.
#[inline(never)]
pub fn from_object<T: FromMembers>(value: StoredJson<'_>) -> Option<T> {
    match value {
        StoredJson::Object(mut members) => T::from_members(&mut members),
        _ => None,
    }
}

/// Declares a struct that is read from an object. Each field is read from the member of its name, which has to be
/// present, also if it may be null. Each field after the semicolon is read from the same object as a whole.
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

        from_members!($name { $($field),* $(; $($part),+)? });
    };
}

/// Reads a struct as [`from_json`] does, which is declared elsewhere.
macro_rules! from_members {
    ($name:ty { $($field:ident),* $(; $($part:ident),+)? }) => {
        impl crate::ports::json::FromMembers for $name {
            fn from_members(members: &mut crate::ports::json::stored::StoredMembers<'_>) -> Option<Self> {
                Some(Self {
                    $($field: crate::ports::json::FromJson::from_json(members.take(stringify!($field))?)?,)*
                    $($($part: crate::ports::json::FromMembers::from_members(members)?,)+)?
                })
            }
        }

        impl crate::ports::json::FromJson for $name {
            fn from_json(value: crate::ports::json::stored::StoredJson<'_>) -> Option<Self> {
                crate::ports::json::from_object(value)
            }
        }
    };
}

/// Enums of words, each of which serde reads from its word.
macro_rules! words {
    ($($type:ty),+ $(,)?) => {
        $(impl FromJson for $type {
            fn from_json(value: StoredJson<'_>) -> Option<Self> {
                match value {
                    StoredJson::Text(word) => from_word(&word),
                    _ => None,
                }
            }
        })+
    };
}

words!(
    LimitReset,
    Reason,
    GenerationState,
    Status,
    Provider,
    DeviceState,
    HandoffState,
    WalkStep,
    history::HistoryActor,
    history::HistoryEvent,
    notice::NoticeKind,
    request::RequestKind,
    request::RequestState,
    gate::WorkspaceChoice,
    switches::Minting,
    switches::KeysSwitch,
    switches::Claims,
    switches::UpstreamTerms,
    switches::Restore,
    switches::AccountSwitch,
    switches::WorkspaceClosure,
);

/// Reads a value of an enum from its word.
pub fn from_word<'de, T: Deserialize<'de>>(word: &'de str) -> Option<T> {
    T::deserialize(BorrowedStrDeserializer::<serde::de::value::Error>::new(
        word,
    ))
    .ok()
}

from_members!(MarkedRow {
    public_id,
    upstream_name,
    state,
    upstream_hash,
    erased,
    delivered,
    limit_nano
});

impl FromJson for Value {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        Some(value.into_value())
    }
}

impl FromJson for String {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        match value {
            StoredJson::Text(text) => Some(text.into_owned()),
            _ => None,
        }
    }
}

impl FromJson for i64 {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        value.whole()
    }
}

impl FromJson for u32 {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        value.whole()?.try_into().ok()
    }
}

impl FromJson for usize {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        value.whole()?.try_into().ok()
    }
}

impl FromJson for bool {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        match value {
            StoredJson::Flag(value) => Some(value),
            _ => value.whole().map(|number| number != 0),
        }
    }
}

impl FromJson for Timestamp {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        value.whole().map(Self::from_secs)
    }
}

impl FromJson for NanoUsd {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        Self::from_nano(value.whole()?)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        match value {
            StoredJson::Null => Some(None),
            value => T::from_json(value).map(Some),
        }
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: StoredJson<'_>) -> Option<Self> {
        match value {
            StoredJson::List(items) => items.into_iter().map(T::from_json).collect(),
            _ => None,
        }
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
