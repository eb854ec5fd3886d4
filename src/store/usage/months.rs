//! Sums by month: made once all days of a month are there, and read in place of its days. The days themselves are deleted
//! ninety days after the end of their month.

use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;
use crate::ports::{Database, DbError};
use crate::store::query::{batch_retrying_unknown, read_all, rows_of};

/// The days of a month are kept for this many days after its end.
const DAYS_KEPT: i64 = 90;
/// One run sums or deletes at most this many months.
const MONTHS: i64 = 14;

/// The first day of the month of a day, and that of the next month.
macro_rules! month_of {
    ($day:literal) => {
        concat!(
            "CAST(unixepoch(",
            $day,
            " * 86400, 'unixepoch', 'start of month') / 86400 AS INTEGER)"
        )
    };
}
macro_rules! month_after {
    ($day:literal) => {
        concat!(
            "CAST(unixepoch(",
            $day,
            " * 86400, 'unixepoch', 'start of month', '+1 month') / 86400 AS INTEGER)"
        )
    };
}

statements! {
    // Months that are over and have no sums yet: every day was read, or the days are as old as days get.
    UNSUMMED { ended_before: i64, old_before: i64, top: i64 } = concat!("SELECT json_object('month', d.month, 'to', d.next - 1)
        FROM (SELECT ", month_of!("r.day"), " AS month, ", month_after!("r.day"), " AS next
          FROM usage_days_read r
          WHERE r.day < :ended_before AND r.is_rolled = 0 AND r.shown > 0 AND r.failed_keys = 0) d
        WHERE NOT EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = d.month)
        GROUP BY d.month, d.next HAVING COUNT(*) = d.next - d.month OR d.month < :old_before
        ORDER BY d.month LIMIT :top");

    FORGET_SUMS { month: i64 } = "DELETE FROM usage_months WHERE month = :month
        AND NOT EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = :month)";

    SUM { month: i64, to: i64 } = "INSERT INTO usage_months (month, generation_id, model_id, owner_id, plan_id, project, workspace,
          cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
        SELECT :month, u.generation_id, u.model_id, u.owner_id, u.plan_id, u.project, u.workspace, SUM(u.cost_nano), SUM(u.byok_nano),
          SUM(u.requests), SUM(u.prompt), SUM(u.completion), SUM(u.reasoning), SUM(u.cached)
        FROM usage_days_read d CROSS JOIN usage_days u ON u.day = d.day AND u.revision = d.shown
        WHERE d.day BETWEEN :month AND :to
          AND NOT EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = :month)
        GROUP BY u.generation_id, u.model_id, u.plan_id, u.project";

    SUMMED { month: i64, now: Timestamp } =
        "INSERT INTO usage_months_summed (month, summed_at) VALUES (:month, :now) ON CONFLICT DO NOTHING";

    // Months that are summed, and whose days were kept long enough.
    OLD { before: i64, top: i64 } = concat!("SELECT json_object('month', s.month, 'to', ", month_after!("s.month"), " - 1)
        FROM usage_months_summed s
        WHERE s.month < :before AND EXISTS (SELECT 1 FROM usage_days_read d
          WHERE d.day BETWEEN s.month AND ", month_after!("s.month"), " - 1 AND d.is_rolled = 0)
        ORDER BY s.month LIMIT :top");

    ROLL { month: i64, to: i64 } = "UPDATE usage_days_read SET is_rolled = 1 WHERE day BETWEEN :month AND :to
        AND EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = :month)";

    DROP_DAYS { month: i64, to: i64 } = "DELETE FROM usage_days WHERE day IN (SELECT d.day FROM usage_days_read d
        WHERE d.day BETWEEN :month AND :to AND d.is_rolled = 1)";
}

from_json! {
    struct MonthRow {
        month: i64,
        to: i64,
    }
}

/// Sums the months whose days are all there, and deletes days that are old. `today` is the run's day. Returns how many months
/// were summed, and of how many the days were deleted.
pub async fn roll_up(
    db: &dyn Database,
    today: UtcDay,
    now: Timestamp,
) -> Result<(usize, usize), DbError> {
    let old_before = today.plus(-DAYS_KEPT).month().number();
    let unsummed = stmt!(UNSUMMED {
        ended_before: today.month().number(),
        old_before,
        top: MONTHS
    });
    let old = stmt!(OLD {
        before: old_before,
        top: MONTHS
    });
    let months: Vec<MonthRow> = read_all(rows_of(&db.batch(vec![unsummed]).await?, 0)?)?;
    for MonthRow { month, to } in &months {
        let sum = vec![
            stmt!(FORGET_SUMS { month: *month }),
            stmt!(SUM {
                month: *month,
                to: *to
            }),
            stmt!(SUMMED { month: *month, now }),
        ];
        batch_retrying_unknown(db, sum).await?;
    }
    let rolled: Vec<MonthRow> = read_all(rows_of(&db.batch(vec![old]).await?, 0)?)?;
    for MonthRow { month, to } in &rolled {
        let roll = vec![
            stmt!(ROLL {
                month: *month,
                to: *to
            }),
            stmt!(DROP_DAYS {
                month: *month,
                to: *to
            }),
        ];
        batch_retrying_unknown(db, roll).await?;
    }
    Ok((months.len(), rolled.len()))
}
