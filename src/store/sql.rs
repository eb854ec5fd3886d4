//! How statements are declared and their values bound, and the SQL fragments that many files share.

use std::marker::PhantomData;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::ports::SqlValue;

/// Declares the statements of a file, each with its parameters and their types, and lists them in `STATEMENTS`:
///
/// ```text
/// statements! {
///     RENAME { key: PublicId, name: Option<String> } = "UPDATE keys SET name = :name WHERE public_id = :key";
/// }
/// ```
///
/// Each statement is a constant and a struct of the same name. The constant has the text, in which every `:name` became
/// the `?N` that D1 takes. The struct has one field for each parameter, and [`stmt!`] fills it. A parameter that is
/// missing, unknown, never used in the text, or of another type does not compile.
///
/// A statement that stores a reading of a key's spend ends its list with `..Spend`, which declares the parameters of
/// `join_reading!`.
///
/// A statement that is declared `for each` works on many rows at once:
///
/// ```text
/// statements! {
///     POSTPONE { generation: String, next: Timestamp } for each =
///         "UPDATE generations SET next_attempt_at = :next FROM json_each(:rows) chunk WHERE public_id = :generation";
/// }
/// ```
///
/// It reads the rows as `json_each(:rows) chunk`, and every other `:name` is the row's own value. `stmt!` fills one row, and
/// [`Stmt::merge`](crate::ports::Stmt::merge) puts several such statements together. If it returns rows, each is an object
/// with the member `row`, which is `chunk.key`.
macro_rules! statements {
    ($($(#[$meta:meta])* $name:ident $({ $($parameters:tt)* })? $(for $each:ident)? = $text:expr;)+) => {
        $(statement!($(#[$meta])* $name [ $($each)? ] { $($($parameters)*)? } $text);)+
        pub(crate) static STATEMENTS: &[&crate::ports::Sql] = &[$(&$name),+];
    };
}

/// Declares one of the [`statements!`].
macro_rules! statement {
    ($(#[$meta:meta])* $name:ident $each:tt { $($field:ident: $type:ty,)* ..Spend $(,)? } $text:expr) => {
        statement!($(#[$meta])* $name $each {
            $($field: $type,)*
            daily: crate::domain::money::NanoUsd,
            weekly: crate::domain::money::NanoUsd,
            monthly: crate::domain::money::NanoUsd,
            lifetime: crate::domain::money::NanoUsd,
            read_at: crate::domain::time::Timestamp,
            day_began: crate::domain::time::Timestamp,
            week_began: crate::domain::time::Timestamp,
            month_began: crate::domain::time::Timestamp,
            sure_after_secs: i64,
        } $text);
    };
    ($(#[$meta:meta])* $name:ident $each:tt { $($field:ident: $type:ty),* $(,)? } $text:expr) => {
        $(#[$meta])*
        static $name: crate::ports::Sql = {
            const TEXT: &str = $text;
            const FOR_EACH: bool = statement!(@for_each $each);
            const PARAMETERS: &[&str] = &[$(stringify!($field)),*];
            const LENGTH: usize = crate::store::parameters::numbered_length(TEXT, PARAMETERS, FOR_EACH);
            const NUMBERED: [u8; LENGTH] = crate::store::parameters::numbered(TEXT, PARAMETERS, FOR_EACH);
            crate::ports::Sql {
                name: concat!(module_path!(), "::", stringify!($name)),
                text: crate::store::parameters::as_text(&NUMBERED),
                for_each: FOR_EACH,
                #[cfg(not(target_arch = "wasm32"))]
                parameters: if FOR_EACH { &["rows"] } else { PARAMETERS },
            }
        };

        struct $name {
            $($field: crate::store::sql::Parameter<$type>,)*
        }

        impl $name {
            fn bound(self) -> crate::ports::Stmt {
                crate::ports::Stmt::new(&$name, vec![$(self.$field.into_value()),*])
            }
        }
    };
    (@for_each []) => { false };
    (@for_each [each]) => { true };
}

/// A statement with its values: `stmt!(RENAME { key, name: Some("laptop") })`. A statement that declares `..Spend` takes
/// `..spend`, where `spend` is a `&Spend`.
macro_rules! stmt {
    ($sql:ident) => {
        $sql {}.bound()
    };
    ($sql:ident { $($field:ident $(: $value:expr)?),+ $(,)? }) => {
        $sql { $($field: crate::store::sql::Parameter::from(stmt!(@value $field $($value)?))),+ }.bound()
    };
    ($sql:ident { $($field:ident $(: $value:expr)?,)* ..$spend:expr }) => {{
        let reading = crate::store::figures::Reading::from($spend);
        stmt!($sql {
            $($field: stmt!(@value $field $($value)?),)*
            daily: reading.spend.daily,
            weekly: reading.spend.weekly,
            monthly: reading.spend.monthly,
            lifetime: reading.spend.lifetime,
            read_at: reading.spend.read_at,
            day_began: reading.day_began,
            week_began: reading.week_began,
            month_began: reading.month_began,
            sure_after_secs: crate::domain::time::period::SURE_SECS,
        })
    }};
    (@value $field:ident) => { $field };
    (@value $field:ident $value:expr) => { $value };
}

/// The value of one parameter. `T` is the declared type.
pub(crate) struct Parameter<T> {
    value: SqlValue,
    declared: PhantomData<T>,
}

impl<T> Parameter<T> {
    const fn new(value: SqlValue) -> Self {
        Self {
            value,
            declared: PhantomData,
        }
    }

    pub(crate) fn into_value(self) -> SqlValue {
        self.value
    }
}

impl From<i64> for Parameter<i64> {
    fn from(number: i64) -> Self {
        Self::new(SqlValue::Int(number))
    }
}

impl From<bool> for Parameter<bool> {
    fn from(flag: bool) -> Self {
        Self::new(SqlValue::Int(i64::from(flag)))
    }
}

impl From<&str> for Parameter<String> {
    fn from(text: &str) -> Self {
        Self::new(SqlValue::Text(text.to_owned()))
    }
}

impl From<String> for Parameter<String> {
    fn from(text: String) -> Self {
        Self::new(SqlValue::Text(text))
    }
}

impl From<&PublicId> for Parameter<PublicId> {
    fn from(id: &PublicId) -> Self {
        Self::new(SqlValue::Text(id.to_string()))
    }
}

impl From<Timestamp> for Parameter<Timestamp> {
    fn from(at: Timestamp) -> Self {
        Self::new(SqlValue::Int(at.secs()))
    }
}

impl From<NanoUsd> for Parameter<NanoUsd> {
    fn from(amount: NanoUsd) -> Self {
        Self::new(SqlValue::Int(amount.nano()))
    }
}

impl<T, U> From<Option<U>> for Parameter<Option<T>>
where
    Parameter<T>: From<U>,
{
    fn from(maybe: Option<U>) -> Self {
        Self::new(maybe.map_or(SqlValue::Null, |value| Parameter::<T>::from(value).value))
    }
}

/// Whether the change `:change` has written the newest audit row of `$target`, for example `":key"`. A batch that arrives
/// late then undoes nothing that was written after it. The statement declares the parameter `change`, and
/// the one in `$target`, if there is one.
macro_rules! newest_change {
    ($target:literal) => {
        concat!(
            ":change = (SELECT w.change_id FROM audit w WHERE w.target = ",
            $target,
            " ORDER BY w.id DESC LIMIT 1)"
        )
    };
}

/// Whether the workspace `w` is offered to the owners of the plan `p`. A plan with a workspace of its own, other than the
/// default one, offers only that. The statement declares `default_workspace`.
macro_rules! is_offered {
    () => {
        "w.enabled = 1 AND (p.workspace_id IS NULL OR p.workspace_id IS :default_workspace OR p.workspace_id = w.upstream_id)"
    };
}

/// The workspace `w` as members see it.
macro_rules! offered_workspace {
    () => {
        "json_object('id', w.public_id, 'name', w.name)"
    };
}

/// The JSON members of a [`Due`](crate::store::keys::due::Due), for the generation `n`.
macro_rules! due {
    () => {
        "'public_id', n.public_id, 'owner', n.owner_id, 'upstream_hash', n.upstream_hash, 'workspace_id', n.workspace_id,
            'attempts', n.attempts, 'delivered', n.recorded_at IS NOT NULL, 'in_flight_since', n.switch_doubted_at"
    };
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

/// What the request `$request` asks for, if it asks for more of a key. A `LimitWish` is read from it.
macro_rules! limit_wish {
    ($request:literal) => {
        concat!(
            "(SELECT json_object('key', wk.public_id, 'key_name', wk.name, 'amount_usd', ",
            $request,
            ".amount_nano, 'until', ",
            $request,
            ".until) FROM keys wk WHERE wk.id = ",
            $request,
            ".key_id)"
        )
    };
}
