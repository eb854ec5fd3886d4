//! Rows read from their JSON, each column by its name.
//!
//! Read from the parsed value by plain functions, a row is a third of the code that a generic deserialiser makes of it,
//! and rows are half of what the database layer is: bytes are start-up time at the edge.

use serde_json::Value;

use crate::domain::generation::State;
use crate::domain::hold::Reason;
use crate::domain::identity::Status;
use crate::domain::money::NanoUsd;
use crate::domain::period::LimitReset;
use crate::domain::request;
use crate::domain::stray;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows};

/// What can be read from a value of SQLite's JSON: 0 and 1 for truth, seconds for moments, nano-USD for money.
pub(super) trait Column: Sized {
    /// `None` where the value is something else.
    fn of(value: &Value) -> Option<Self>;
}

/// Declares a struct that is read from a row's object: each field from the column of its name, and what follows a
/// semicolon from the same object as a whole.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$about:meta])* $own:vis $field:ident: $type:ty),* $(,)?
        $(; $($(#[$part_about:meta])* $part_own:vis $part:ident: $part_type:ty),+ $(,)?)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$about])* $own $field: $type,)*
            $($($(#[$part_about])* $part_own $part: $part_type,)+)?
        }

        impl crate::store::row::Column for $name {
            fn of(value: &serde_json::Value) -> Option<Self> {
                Some(Self {
                    $($field: crate::store::row::named(value, stringify!($field))?,)*
                    $($($part: crate::store::row::Column::of(value)?,)+)?
                })
            }
        }
    };
}

/// The column of this name. One that the statement does not give is read as NULL.
pub(super) fn named<T: Column>(row: &Value, name: &str) -> Option<T> {
    T::of(row.get(name).unwrap_or(&Value::Null))
}

pub(super) fn read<T: Column>(row: &str) -> Result<T, DbError> {
    let row: Value = serde_json::from_str(row).map_err(|_| DbError::Broken)?;
    T::of(&row).ok_or(DbError::Broken)
}

pub(super) fn read_all<T: Column>(rows: &Rows) -> Result<Vec<T>, DbError> {
    rows.iter().map(|row| read(row)).collect()
}

/// The first row of the last statement.
pub(super) fn last_row<T: Column>(batch: &[Rows]) -> Result<Option<T>, DbError> {
    let rows = batch.last().ok_or(DbError::Broken)?;
    rows.first().map(|row| read(row)).transpose()
}

impl Column for bool {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64().map(|flag| flag != 0)
    }
}

impl Column for i64 {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

impl Column for u32 {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64()?.try_into().ok()
    }
}

impl Column for String {
    fn of(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }
}

impl Column for Timestamp {
    fn of(value: &Value) -> Option<Self> {
        value.as_i64().map(Self::from_secs)
    }
}

impl Column for NanoUsd {
    fn of(value: &Value) -> Option<Self> {
        Self::from_nano(value.as_i64()?)
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::of(value).map(Some),
        }
    }
}

impl<T: Column> Column for Vec<T> {
    fn of(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::of).collect()
    }
}

/// Words, and what has its reading elsewhere.
macro_rules! deserialized {
    ($($type:ty),+ $(,)?) => {
        $(impl crate::store::row::Column for $type {
            fn of(value: &serde_json::Value) -> Option<Self> {
                serde::Deserialize::deserialize(value).ok()
            }
        })+
    };
}

deserialized!(
    LimitReset,
    Reason,
    State,
    Status,
    request::Kind,
    request::State,
    stray::Row
);

#[cfg(test)]
mod tests {
    use super::*;

    row! {
        #[derive(Debug, PartialEq)]
        struct Part {
            at: Timestamp,
        }
    }

    row! {
        #[derive(Debug, PartialEq)]
        struct Whole {
            name: String,
            on: bool,
            amount: Option<NanoUsd>,
            words: Vec<LimitReset>;
            part: Part,
        }
    }

    #[test]
    fn a_row_is_read_by_its_columns_names() {
        let whole: Whole =
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
    fn a_column_that_is_missing_or_of_another_kind_breaks_the_row() {
        for row in [
            r#"{"at":60,"on":1,"words":[]}"#,
            r#"{"at":60,"name":"n","words":[]}"#,
            r#"{"at":60,"name":1,"on":1,"words":[]}"#,
            r#"{"at":60,"name":"n","on":"yes","words":[]}"#,
            r#"{"at":60,"name":"n","on":1,"words":["never"]}"#,
            r#"{"at":60,"name":"n","on":1,"words":[],"amount":-1.5}"#,
            r#"{"name":"n","on":1,"words":[]}"#,
            "[]",
            "no JSON",
        ] {
            assert_eq!(read::<Whole>(row), Err(DbError::Broken), "{row}");
        }
    }
}
