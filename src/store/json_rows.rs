//! Rows that go into an answer without a type of their own. The name of a member says what its integer is: `…_at` is a
//! time in seconds of UTC, written as RFC 3339; `…_usd` is an amount in nano-USD, written as a decimal string.

use serde_json::Value;

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows};

/// Parses every row and writes out its times and amounts. Fails with `DbError::Broken` if a row is not JSON or an
/// amount is out of range.
pub fn rows(rows: &Rows) -> Result<Vec<Value>, DbError> {
    rows.iter()
        .map(|row| {
            let mut value = serde_json::from_str(row).map_err(|_| DbError::Broken)?;
            spell_out(&mut value)?;
            Ok(value)
        })
        .collect()
}

fn spell_out(value: &mut Value) -> Result<(), DbError> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(spell_out),
        Value::Object(members) => members
            .iter_mut()
            .try_for_each(|(name, value)| named(name, value)),
        _ => Ok(()),
    }
}

fn named(name: &str, value: &mut Value) -> Result<(), DbError> {
    let Some(number) = value.as_i64() else {
        return spell_out(value);
    };
    if name.ends_with("_at") {
        *value = Value::String(Timestamp::from_secs(number).rfc3339());
    } else if name.ends_with("_usd") {
        let amount = NanoUsd::from_nano(number).ok_or(DbError::Broken)?;
        *value = Value::String(amount.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_and_amounts_are_converted_by_their_names_at_every_depth() {
        let row = r#"{"created_at":1800000000,"ended_at":null,"keys":[{"limit_usd":5000000000,"live":1}],"at":7}"#;
        let read = rows(&vec![row.to_owned()]).unwrap();
        assert_eq!(
            read,
            [
                json!({ "created_at": "2027-01-15T08:00:00Z", "ended_at": null, "keys": [{ "limit_usd": "5.00", "live": 1 }], "at": 7 })
            ]
        );
        for broken in ["{", r#"{"limit_usd":-1}"#] {
            assert_eq!(rows(&vec![broken.to_owned()]), Err(DbError::Broken));
        }
    }
}
