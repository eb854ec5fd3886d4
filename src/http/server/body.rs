//! The bodies of requests: a JSON object with the members that a route takes and no others, each at most once.
//!
//! serde reads each body into a struct beside its handler, and the answer says which member is wrong and what it has to
//! be, and never what it was.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;

use crate::app::error::BodyError;
use crate::ports::json::Unambiguous;
use crate::ports::json::members::{MemberError, Segment, read_members};

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
    read_members(members).map_err(placed)
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

/// The error with its place. An unknown member is named only if its name looks like one: anything else may be a secret
/// in the wrong place, and the error is then that of the object.
fn placed(error: MemberError) -> BodyError {
    let mut pointer = String::new();
    let mut named = true;
    for segment in error.path() {
        match segment {
            Segment::Member(name) if is_name(name) => pointer.extend(["/", name]),
            Segment::Member(_) => named = false,
            Segment::Item(n) => pointer.extend(["/", &n.to_string()]),
        }
    }
    BodyError {
        pointer: Cow::Owned(pointer),
        detail: if named {
            error.detail
        } else {
            Cow::Borrowed("has a member that is not known here")
        },
    }
}

fn is_name(text: &str) -> bool {
    (1..=NAME_CHARS).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

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
