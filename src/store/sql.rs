//! How statements are declared and their values bound, and the SQL fragments that many files share.

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::SqlValue;

/// Declares the statements of a file as constants, and lists them in `STATEMENTS`.
macro_rules! statements {
    ($($name:ident = $text:expr;)+) => {
        $(static $name: crate::ports::Sql = crate::ports::Sql { name: concat!(module_path!(), "::", stringify!($name)), text: $text };)+
        pub(crate) static STATEMENTS: &[&crate::ports::Sql] = &[$(&$name),+];
    };
}

/// A statement with its values, in the order of its parameters `?1`, `?2` …
macro_rules! stmt {
    ($sql:ident $(, $value:expr)* $(,)?) => {
        crate::ports::Stmt { sql: &$sql, values: vec![$(crate::ports::SqlValue::from($value)),*] }
    };
}

/// Whether the change ?1 has written the newest audit row of the target ?2. A batch that arrives late then undoes
/// nothing that was written after it.
macro_rules! written {
    () => {
        "?1 = (SELECT w.change_id FROM audit w WHERE w.target = ?2 ORDER BY w.id DESC LIMIT 1)"
    };
}

/// The JSON members of a [`Due`](crate::store::keys::due::Due), for the generation `n`.
macro_rules! due {
    () => {
        "'public_id', n.public_id, 'upstream_hash', n.upstream_hash, 'workspace_id', n.workspace_id,
            'attempts', n.attempts, 'delivered', n.recorded_at IS NOT NULL, 'doubted_at', n.switch_doubted_at"
    };
}

impl From<i64> for SqlValue {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for SqlValue {
    fn from(flag: bool) -> Self {
        Self::Int(i64::from(flag))
    }
}

impl From<&str> for SqlValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&PublicId> for SqlValue {
    fn from(id: &PublicId) -> Self {
        Self::Text(id.to_string())
    }
}

impl From<Timestamp> for SqlValue {
    fn from(at: Timestamp) -> Self {
        Self::Int(at.secs())
    }
}

impl From<NanoUsd> for SqlValue {
    fn from(amount: NanoUsd) -> Self {
        Self::Int(amount.nano())
    }
}

impl<T: Into<Self>> From<Option<T>> for SqlValue {
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Self::Null, Into::into)
    }
}

/// How many times the owner `$owner` has done what the audit calls `$action` in the UTC day of `$now`.
macro_rules! used_today {
    ($owner:literal, $action:literal, $now:literal) => {
        concat!(
            "COALESCE((SELECT u.n FROM daily_uses u WHERE u.owner_id = ",
            $owner,
            " AND u.action = '",
            $action,
            "' AND u.day = CAST(",
            $now,
            " AS INTEGER) / 86400), 0)"
        )
    };
}
