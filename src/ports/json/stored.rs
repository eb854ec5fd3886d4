//! JSON that we wrote ourselves, as a value that borrows its texts: rows of the database, and what we stored. One parser
//! serves all types that are read from it. If serde made a parser for each of them, they would be an eighth of the
//! Worker.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value. A text without escapes is a part of what was parsed.
#[derive(Debug)]
pub enum StoredJson<'a> {
    Null,
    Flag(bool),
    Whole(i64),
    /// A number that is no `i64`.
    Real(f64),
    Text(Cow<'a, str>),
    List(Vec<StoredJson<'a>>),
    Object(StoredMembers<'a>),
}

/// The members of an object that were not taken yet.
#[derive(Debug, Default)]
pub struct StoredMembers<'a> {
    members: Vec<(Cow<'a, str>, Option<StoredJson<'a>>)>,
    /// Where the next member is looked for first: SQL names them mostly in the order in which they are read.
    next: usize,
}

impl<'a> StoredMembers<'a> {
    /// Takes a member out. `None` if there is none of that name, or it was taken before.
    pub fn take(&mut self, name: &str) -> Option<StoredJson<'a>> {
        let all = self.members.len();
        let (tried, later) = self.members.split_at_mut_checked(self.next)?;
        let mut nth = self.next;
        for (member, value) in later.iter_mut().chain(tried) {
            nth = nth.saturating_add(1);
            if value.is_some() && member == name {
                self.next = nth.checked_rem(all).unwrap_or(0);
                return value.take();
            }
        }
        None
    }
}

impl StoredJson<'_> {
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            _ => None,
        }
    }

    /// The same value, which borrows nothing.
    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Flag(value) => Value::Bool(value),
            Self::Whole(number) => number.into(),
            Self::Real(number) => number.into(),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::List(items) => items.into_iter().map(Self::into_value).collect(),
            Self::Object(StoredMembers { members, .. }) => {
                let left = members
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.into_owned(), value?.into_value())));
                Value::Object(left.collect::<Map<_, _>>())
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StoredJson<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(StoredReader)
    }
}

/// The name of a member.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct NameReader;

        impl<'de> Visitor<'de> for NameReader {
            type Value = Name<'de>;

            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                to.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }

        from.deserialize_str(NameReader)
    }
}

struct StoredReader;

impl<'de> Visitor<'de> for StoredReader {
    type Value = StoredJson<'de>;

    fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(StoredJson::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(StoredJson::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(StoredJson::Whole(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        let value = i64::try_from(value).map_err(|_| E::custom("a number above an i64"))?;
        Ok(StoredJson::Whole(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(StoredJson::Real(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(StoredJson::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(StoredJson::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(StoredJson::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = from.next_entry()? {
            members.push((name, Some(value)));
        }
        Ok(StoredJson::Object(StoredMembers { members, next: 0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_in_any_order_and_taken_once() {
        let text = r#"{"a":1,"b":"\u0062","c":[null,true,0.5],"d":{"e":-2}}"#;
        let whole: Value = serde_json::from_str(text).unwrap();
        let read: StoredJson = serde_json::from_str(text).unwrap();
        assert_eq!(read.into_value(), whole);

        let StoredJson::Object(mut members) = serde_json::from_str(text).unwrap() else {
            unreachable!("an object")
        };
        for (name, value) in [("c", "[null,true,0.5]"), ("a", "1"), ("b", "\"b\"")] {
            let value: Value = serde_json::from_str(value).unwrap();
            assert_eq!(members.take(name).map(StoredJson::into_value), Some(value));
            assert!(members.take(name).is_none(), "{name} is taken");
        }
        assert!(members.take("e").is_none());
        assert!(members.take("d").is_some());
        assert!(StoredMembers::default().take("a").is_none());
    }
}
