//! The bodies of requests: a JSON object with the members that a route takes and no others, each at most once.

use serde_json::{Map, Value};

use crate::domain::people::identity::Status;
use crate::domain::people::request::{RequestKind, RequestState};
use crate::domain::time::period::LimitReset;
use crate::ports::json;

/// The members of an object that have not been read yet.
pub struct Members(Map<String, Value>);

impl Members {
    /// Returns `None` for anything that is not an object, or has a member twice.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        match json::parse(bytes)? {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    /// Removes a member and reads it. Returns `None` if it cannot be read as this type.
    pub fn take<T: FromMember>(&mut self, name: &str) -> Option<T> {
        T::of(self.0.remove(name))
    }

    /// Answers whether every member was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A type that a route reads from its body.
pub trait FromBody: Sized {
    /// Returns `None` if a member is missing or has another type.
    fn of(members: &mut Members) -> Option<Self>;
}

/// Declares a body: each field is read from the member of its name.
macro_rules! body {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$about:meta])* $own:vis $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$about])* $own $field: $type,)*
        }

        impl crate::http::server::body::FromBody for $name {
            fn of(members: &mut crate::http::server::body::Members) -> Option<Self> {
                Some(Self {
                    $($field: members.take(stringify!($field))?,)*
                })
            }
        }
    };
}

/// The body of an action without parameters: an empty object.
pub struct NoMembers;

impl FromBody for NoMembers {
    fn of(_: &mut Members) -> Option<Self> {
        Some(Self)
    }
}

/// A type that a member can be read as.
pub trait FromMember: Sized {
    /// Answers whether `null` has a meaning of its own for this type.
    const NULLABLE: bool = false;

    /// Returns `None` if the value has another type, or is missing and must not be.
    fn of(value: Option<Value>) -> Option<Self>;
}

/// The member may be missing. `null` counts as missing, unless it has a meaning of its own.
impl<T: FromMember> FromMember for Option<T> {
    fn of(value: Option<Value>) -> Option<Self> {
        match value {
            None => Some(None),
            Some(Value::Null) if !T::NULLABLE => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

/// Reads a member that must be present, though it may be `null`.
pub struct Nullable<T>(pub Option<T>);

impl<T: FromMember> FromMember for Nullable<T> {
    const NULLABLE: bool = true;

    fn of(value: Option<Value>) -> Option<Self> {
        match value? {
            Value::Null => Some(Self(None)),
            value => T::of(Some(value)).map(|value| Self(Some(value))),
        }
    }
}

impl FromMember for String {
    fn of(value: Option<Value>) -> Option<Self> {
        match value? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl FromMember for bool {
    fn of(value: Option<Value>) -> Option<Self> {
        value?.as_bool()
    }
}

impl FromMember for i64 {
    fn of(value: Option<Value>) -> Option<Self> {
        value?.as_i64()
    }
}

impl FromMember for u32 {
    fn of(value: Option<Value>) -> Option<Self> {
        value?.as_i64()?.try_into().ok()
    }
}

impl<T: FromMember> FromMember for Vec<T> {
    fn of(value: Option<Value>) -> Option<Self> {
        match value? {
            Value::Array(items) => items.into_iter().map(|item| T::of(Some(item))).collect(),
            _ => None,
        }
    }
}

/// The provider at which a person signs in, as administrators name it.
#[derive(Clone, Copy)]
pub enum BlockProvider {
    GitHub,
    Google,
}

impl FromMember for BlockProvider {
    fn of(value: Option<Value>) -> Option<Self> {
        match value?.as_str()? {
            "github" => Some(Self::GitHub),
            "google" => Some(Self::Google),
            _ => None,
        }
    }
}

impl BlockProvider {
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Google => "google",
        }
    }
}

/// Reads the words of a fixed list from a string. An object with the word as its member is refused, although serde
/// would accept it.
macro_rules! word {
    ($($type:ty),+ $(,)?) => {
        $(impl crate::http::server::body::FromMember for $type {
            fn of(value: Option<serde_json::Value>) -> Option<Self> {
                let word = value.filter(serde_json::Value::is_string)?;
                serde::Deserialize::deserialize(word).ok()
            }
        })+
    };
}

word!(RequestKind, LimitReset, RequestState, Status);

#[cfg(test)]
mod tests {
    use super::*;

    body! {
        struct TestBody {
            name: String,
            days: Option<u32>,
            place: Option<Nullable<String>>,
        }
    }

    fn read(text: &str) -> Option<TestBody> {
        let mut members = Members::parse(text.as_bytes())?;
        TestBody::of(&mut members).filter(|_| members.is_empty())
    }

    #[test]
    fn a_member_may_be_missing_or_null_where_that_means_something() {
        let place = |text| read(text).unwrap().place;
        assert!(place(r#"{"name":"n"}"#).is_none());
        assert!(place(r#"{"name":"n","place":null}"#).is_some_and(|place| place.0.is_none()));
        let named = place(r#"{"name":"n","place":"p","days":null}"#).and_then(|place| place.0);
        assert_eq!(named.as_deref(), Some("p"));
        let wanted = read(r#"{"days":3,"name":"n"}"#).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.days), ("n", Some(3)));
    }

    #[test]
    fn a_word_is_read_only_from_a_string() {
        let read = |value: Value| <Status as FromMember>::of(Some(value));
        assert_eq!(read("active".into()), Some(Status::Active));
        for other in [
            serde_json::json!({ "active": null }),
            serde_json::json!({ "active": {} }),
            serde_json::json!(["active"]),
            serde_json::json!("Active"),
            serde_json::json!(0),
            Value::Null,
        ] {
            assert_eq!(read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn a_body_that_is_not_exactly_the_expected_object_is_refused() {
        for text in [
            "",
            "null",
            "[]",
            r#"["n"]"#,
            "{}",
            r#"{"name":null}"#,
            r#"{"name":1}"#,
            r#"{"name":"n","name":"n"}"#,
            r#"{"name":"n","more":1}"#,
            r#"{"name":"n","days":"3"}"#,
            r#"{"name":"n","days":-1}"#,
            r#"{"name":"n","days":1.0}"#,
            r#"{"name":"n","days":4294967296}"#,
            r#"{"name":"n","place":1}"#,
            r#"{"name":"n"} x"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
