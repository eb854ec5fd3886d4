//! The bodies of requests: a JSON object with the members that a route takes and no others, each at most once.
//!
//! serde reads each body into a struct beside its handler. serde_json's own errors are texts that repeat what was sent,
//! so the members are read with the error type of this file. It says what a member has to be, and never what it was.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment, Track};

use crate::app::error::BodyError;
use crate::ports::json::Unambiguous;

/// The longest name of an unknown member that is repeated in the answer.
const NAME_CHARS: usize = 40;

/// The body of an action without parameters: an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct NoMembers {}

/// A member of a change: with `#[serde(default)]`, a missing one leaves what it names as it is. `null` is a value like
/// any other, so only `Patch<Option<T>>` takes it.
///
/// serde hands a missing member without that attribute to an `Option` as if it was `null`, but not to a newtype.
#[derive(Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Patch<T>(#[serde(deserialize_with = "some")] pub Option<T>);

impl<T> Default for Patch<T> {
    fn default() -> Self {
        Self(None)
    }
}

fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// A member that has to be present, though it may be `null`.
#[derive(Deserialize)]
pub struct Nullable<T>(pub Option<T>);

/// Gives a wrapper the schema of another type.
#[cfg(not(target_arch = "wasm32"))]
macro_rules! schema_of {
    ($wrapper:ident<$of:ident> = $type:ty) => {
        impl<$of: schemars::JsonSchema> schemars::JsonSchema for $wrapper<$of> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                <$type>::schema_name()
            }

            fn json_schema(schemas: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemas.subschema_for::<$type>()
            }
        }
    };
}

#[cfg(not(target_arch = "wasm32"))]
schema_of!(Patch<T> = T);
#[cfg(not(target_arch = "wasm32"))]
schema_of!(Nullable<T> = Option<T>);

/// The provider at which a person signs in, as administrators name it.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum BlockProvider {
    GitHub,
    Google,
}

impl BlockProvider {
    pub const fn name(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::Google => "google",
        }
    }
}

/// Reads a body, or says which member is wrong and what it has to be.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BodyError> {
    let Members(members) = serde_json::from_slice(bytes).map_err(|error| unreadable(&error))?;
    let members = members
        .into_iter()
        .map(|(name, value)| (name, MemberValue(value)));
    let mut track = Track::new();
    let from = serde_path_to_error::Deserializer::new(MapDeserializer::new(members), &mut track);
    T::deserialize(from).map_err(|error| error.at(&track.path()))
}

/// The error of a text that is no JSON object.
fn unreadable(error: &serde_json::Error) -> BodyError {
    match error.classify() {
        Category::Syntax | Category::Eof => BodyError {
            pointer: Cow::Borrowed(""),
            detail: Cow::Owned(format!(
                "is not JSON from line {}, column {} on",
                error.line(),
                error.column()
            )),
        },
        Category::Data | Category::Io => BodyError::new(
            "",
            "must be a JSON object, in which no object has a member twice",
        ),
    }
}

/// The members in their order, each as often as it stands there: the struct that reads them refuses a second one.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct ObjectReader;

        impl<'de> Visitor<'de> for ObjectReader {
            type Value = Members;

            fn expecting(&self, to: &mut fmt::Formatter) -> fmt::Result {
                to.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut all: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, Unambiguous(value))) = all.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        from.deserialize_map(ObjectReader)
    }
}

/// The value of a member.
struct MemberValue(Value);

impl MemberValue {
    fn integer(&self) -> Result<i64, MemberError> {
        let expected = || MemberError::expected("must be a whole number");
        self.0.as_i64().ok_or_else(expected)
    }
}

impl IntoDeserializer<'_, MemberError> for MemberValue {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Reads a member as the type that is asked for, and as no other.
impl<'de> Deserializer<'de> for MemberValue {
    type Error = MemberError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => visitor.visit_i64(self.integer()?),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(MemberValue)))
            }
            Value::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, Self(value)));
                visitor.visit_map(MapDeserializer::new(members))
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
        visitor.visit_i64(self.integer()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            _ => Err(MemberError::expected("must be a text")),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, MemberError> {
        match self.0 {
            Value::Array(_) => self.deserialize_any(visitor),
            _ => Err(MemberError::expected("must be a list")),
        }
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

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u32 u64 u128 f32 f64 char str bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// Why a member cannot be read.
#[derive(Debug)]
struct MemberError {
    /// The member within the object that is being read, where serde names it.
    member: Option<&'static str>,
    detail: Cow<'static, str>,
}

impl MemberError {
    const fn expected(detail: &'static str) -> Self {
        Self {
            member: None,
            detail: Cow::Borrowed(detail),
        }
    }

    fn one_of(words: &[&str]) -> Self {
        Self {
            member: None,
            detail: match words {
                [one] => Cow::Owned(format!("must be the word {one}")),
                _ => Cow::Owned(format!("must be one of {}", words.join(", "))),
            },
        }
    }

    /// The error with its place. An unknown member is named only if its name looks like one: anything else may be a
    /// secret in the wrong place, and the error is then that of the object.
    fn at(self, path: &Path) -> BodyError {
        let mut pointer = String::new();
        let mut detail = self.detail;
        for segment in path {
            match segment {
                Segment::Map { key } if is_name(key) => pointer.extend(["/", key]),
                Segment::Seq { index } => pointer.extend(["/", &index.to_string()]),
                Segment::Map { .. } => {
                    detail = Cow::Borrowed("has a member that is not known here")
                }
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        if let Some(member) = self.member {
            pointer.extend(["/", member]);
        }
        BodyError {
            pointer: Cow::Owned(pointer),
            detail,
        }
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl de::Error for MemberError {
    /// No type of a body has errors of its own, and what they might repeat is not known here.
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
        Self {
            member: Some(name),
            detail: Cow::Borrowed("is required"),
        }
    }

    fn duplicate_field(name: &'static str) -> Self {
        Self {
            member: Some(name),
            detail: Cow::Borrowed("may be there only once"),
        }
    }
}

impl Display for MemberError {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        to.write_str(&self.detail)
    }
}

impl std::error::Error for MemberError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum TestWord {
        Some,
        NotNow,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum OnlyWord {
        #[default]
        Lift,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TestBody {
        name: String,
        days: Option<i64>,
        is_on: Option<bool>,
        word: Option<TestWord>,
        only: Option<OnlyWord>,
        all: Option<Vec<String>>,
        #[serde(default)]
        place: Patch<Option<String>>,
        #[serde(default)]
        title: Patch<String>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NeededBody {
        limit: Nullable<String>,
    }

    /// The pointer and the words of the error.
    fn wrong<T: DeserializeOwned>(text: &str) -> (String, String) {
        match read::<T>(text.as_bytes()) {
            Ok(_) => panic!("{text} was taken"),
            Err(BodyError { pointer, detail }) => (pointer.into_owned(), detail.into_owned()),
        }
    }

    #[test]
    fn a_member_may_be_missing_or_null_where_that_means_something() {
        let place = |text: &str| read::<TestBody>(text.as_bytes()).unwrap().place.0;
        assert_eq!(place(r#"{"name":"n"}"#), None);
        assert_eq!(place(r#"{"name":"n","place":null}"#), Some(None));
        let named = place(r#"{"name":"n","place":"p","days":null}"#);
        assert_eq!(named, Some(Some(String::from("p"))));
        let whole = r#"{"days":3,"name":"n","is_on":false,"word":"not_now","only":"lift","all":["a"],"title":"t"}"#;
        let whole: TestBody = read(whole.as_bytes()).unwrap();
        assert_eq!((whole.name.as_str(), whole.days), ("n", Some(3)));
        assert_eq!(
            (whole.is_on, whole.word),
            (Some(false), Some(TestWord::NotNow))
        );
        assert_eq!(
            (whole.only, whole.all),
            (Some(OnlyWord::Lift), Some(vec![String::from("a")]))
        );
        assert_eq!(whole.title.0.as_deref(), Some("t"));
        let limit = |text: &str| read::<NeededBody>(text.as_bytes()).unwrap().limit.0;
        assert_eq!(limit(r#"{"limit":null}"#), None);
        assert_eq!(limit(r#"{"limit":"1"}"#).as_deref(), Some("1"));
        assert_eq!(wrong::<NeededBody>("{}").0, "/limit");
    }

    #[test]
    fn an_error_names_the_member_and_what_it_has_to_be() {
        for (text, pointer, detail) in [
            ("{}", "/name", "is required"),
            (r#"{"name":null}"#, "/name", "must be a text"),
            (r#"{"name":1}"#, "/name", "must be a text"),
            (r#"{"name":["n"]}"#, "/name", "must be a text"),
            (
                r#"{"name":"n","name":"n"}"#,
                "/name",
                "may be there only once",
            ),
            (
                r#"{"name":"n","\u006eame":"n"}"#,
                "/name",
                "may be there only once",
            ),
            (
                r#"{"name":"n","limitUsd":1}"#,
                "/limitUsd",
                "is not known here",
            ),
            (
                r#"{"name":"n","days":"3"}"#,
                "/days",
                "must be a whole number",
            ),
            (
                r#"{"name":"n","days":1.0}"#,
                "/days",
                "must be a whole number",
            ),
            (
                r#"{"name":"n","days":9223372036854775808}"#,
                "/days",
                "must be a whole number",
            ),
            (
                r#"{"name":"n","is_on":1}"#,
                "/is_on",
                "must be true or false",
            ),
            (
                r#"{"name":"n","is_on":"true"}"#,
                "/is_on",
                "must be true or false",
            ),
            (r#"{"name":"n","all":"a"}"#, "/all", "must be a list"),
            (r#"{"name":"n","all":["a",2]}"#, "/all/1", "must be a text"),
            (
                r#"{"name":"n","all":["a",null]}"#,
                "/all/1",
                "must be a text",
            ),
            (r#"{"name":"n","place":1}"#, "/place", "must be a text"),
            (r#"{"name":"n","title":null}"#, "/title", "must be a text"),
            (
                r#"{"name":"n","only":"drop"}"#,
                "/only",
                "must be the word lift",
            ),
        ] {
            let expected = (pointer.to_owned(), detail.to_owned());
            assert_eq!(wrong::<TestBody>(text), expected, "{text}");
        }
    }

    #[test]
    fn a_word_is_read_only_from_a_string() {
        for value in [
            r#"{"some":null}"#,
            r#"{"some":{}}"#,
            r#"["some"]"#,
            r#""Some""#,
            r#""""#,
            "0",
            "true",
        ] {
            let error = wrong::<TestBody>(&format!(r#"{{"name":"n","word":{value}}}"#));
            let expected = (
                "/word".to_owned(),
                "must be one of some, not_now".to_owned(),
            );
            assert_eq!(error, expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_as_a_whole() {
        let no_object = "must be a JSON object, in which no object has a member twice";
        for (text, detail) in [
            ("", "is not JSON from line 1, column 0 on"),
            ("{\n  \"name\": x", "is not JSON from line 2, column 11 on"),
            (r#"{"name":"n"} x"#, "is not JSON from line 1, column 14 on"),
            ("null", no_object),
            ("[]", no_object),
            (r#"["n"]"#, no_object),
            (r#"{"name":{"a":1,"a":2}}"#, no_object),
        ] {
            let expected = (String::new(), detail.to_owned());
            assert_eq!(wrong::<TestBody>(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_that_was_sent_is_repeated_but_a_plain_name() {
        let secret = "sk-or-v1-0123456789";
        for text in [
            format!(r#"{{"name":["{secret}"]}}"#),
            format!(r#"{{"name":"n","word":"{secret}"}}"#),
            format!(r#"{{"name":"n","days":"{secret}"}}"#),
            format!(r#"{{"name":"n","{secret}":1}}"#),
            format!(r#"{{"name":"n","{}":1}}"#, "a".repeat(41)),
            format!(r#"{{"name":"n",{secret}:1}}"#),
            format!(r#""{secret}""#),
        ] {
            let (pointer, detail) = wrong::<TestBody>(&text);
            assert!(!pointer.contains("0123456789"), "{pointer}");
            assert!(!detail.contains("0123456789"), "{detail}");
            assert!(pointer.len() < 10, "{pointer}");
        }
        let (pointer, detail) = wrong::<TestBody>(&format!(r#"{{"name":"n","{secret}":1}}"#));
        assert_eq!(
            (pointer.as_str(), detail.as_str()),
            ("", "has a member that is not known here")
        );
    }
}
