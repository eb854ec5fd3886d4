//! What describes the deployment as a whole: the credit of its account at OpenRouter, the limits of its keys together, and
//! the size of its database. The snapshot of counters writes these figures, and the administrators' overview shows them.

use serde::Serialize;

use crate::domain::money::NanoUsd;
use crate::domain::money::credit::AccountCredit;
use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;
use crate::ports::{Database, DbError};
use crate::store::query::batch_retrying_unknown;

/// The pace of spending is taken from so many completed days.
pub const PACE_DAYS: i64 = 7;

statements! {
    // An account that answers zeros although usage of it is known has not told its credit.
    CREDIT { bought: NanoUsd, used: NanoUsd, credit: NanoUsd, has_spent: i64, now: Timestamp } =
        "UPDATE deployment_figures SET credit_read_at = :now, credit_nano = IIF(:bought = 0 AND :used = 0
          AND (:has_spent = 1 OR EXISTS (SELECT 1 FROM usage_days_read d WHERE d.ours_nano > 0 OR d.unattributed_nano > 0)),
          NULL, :credit)
        WHERE credit_read_at IS NULL OR credit_read_at < :now";

    // A sum beyond the largest amount is that amount.
    LIMITS { most: NanoUsd, now: Timestamp } = "UPDATE deployment_figures SET limits_read_at = :now,
          limits_nano = (SELECT CAST(MIN(TOTAL(g.limit_nano), :most) AS INTEGER) FROM generations g WHERE g.live = 1)
        WHERE limits_read_at IS NULL OR limits_read_at < :now";

    SIZE { bytes: i64, now: Timestamp } = "UPDATE deployment_figures SET database_bytes = :bytes, database_read_at = :now
        WHERE database_read_at IS NULL OR database_read_at < :now";
}

from_json! {
    /// The figures, each with the moment when it was read; a figure that is not known is `null`.
    #[derive(Clone, Copy, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct DeploymentFigures {
        /// What is left of the credit of the account at OpenRouter.
        pub credit_usd: Option<NanoUsd>,
        pub credit_read_at: Option<Timestamp>,
        /// The limits of all live keys together: what they may spend in one window each.
        pub limits_usd: Option<NanoUsd>,
        pub limits_read_at: Option<Timestamp>,
        /// The size of the database.
        pub database_bytes: Option<i64>,
        pub database_read_at: Option<Timestamp>,
        /// What was spent in the last seven completed days, as far as they were read.
        pub week_usd: NanoUsd,
    }
}

/// The JSON object of a [`DeploymentFigures`]. The statement declares `pace_from` and `today`.
macro_rules! deployment_figures {
    () => {
        "(SELECT json_object('credit_usd', f.credit_nano, 'credit_read_at', f.credit_read_at, 'limits_usd', f.limits_nano,
            'limits_read_at', f.limits_read_at, 'database_bytes', f.database_bytes, 'database_read_at', f.database_read_at,
            'week_usd', (SELECT MIN(COALESCE(SUM(d.ours_nano + d.unattributed_nano), 0), 9000000000000000) FROM usage_days_read d
              WHERE d.day >= :pace_from AND d.day < :today)) FROM deployment_figures f)"
    };
}
pub(crate) use deployment_figures;

/// The first day of the pace of spending, and the day after its last, as numbers of UTC days.
pub fn pace_days(now: Timestamp) -> (i64, i64) {
    let today = UtcDay::of(now);
    (today.plus(-PACE_DAYS).number(), today.number())
}

/// Stores the credit that is left. `has_spent` is true if the account is known to have spent something today.
pub async fn record_credit(
    db: &dyn Database,
    credit: AccountCredit,
    has_spent: bool,
    now: Timestamp,
) -> Result<(), DbError> {
    let stmt = stmt!(CREDIT {
        bought: credit.bought,
        used: credit.used,
        credit: credit.left(),
        has_spent: i64::from(has_spent),
        now,
    });
    batch_retrying_unknown(db, vec![stmt]).await.map(|_| ())
}

/// Adds up the limits of all live keys.
pub async fn record_limits(db: &dyn Database, now: Timestamp) -> Result<(), DbError> {
    let stmt = stmt!(LIMITS {
        most: NanoUsd::MAX,
        now,
    });
    batch_retrying_unknown(db, vec![stmt]).await.map(|_| ())
}

/// Stores the size of the database, in bytes.
pub async fn record_size(db: &dyn Database, bytes: i64, now: Timestamp) -> Result<(), DbError> {
    let stmt = stmt!(SIZE { bytes, now });
    batch_retrying_unknown(db, vec![stmt]).await.map(|_| ())
}
