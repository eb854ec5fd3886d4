//! Joins a new reading of a key's spend with the known figures, in SQL. The known spend of a window never falls while
//! that window lasts, whichever reading is stored last: a key never counts as having spent less than it has.

use crate::domain::money::spend::Spend;
use crate::domain::time::period::{LimitReset, SURE_SECS};
use crate::ports::SqlValue;

/// Sets the figure of one window, in `$column`. The figure of the new reading, `$figure`, replaces the known one if the
/// window has begun (at `$began`) since the known reading. That is certain if the new reading was made at least an hour
/// after the beginning, whatever the clocks show. Before that hour is over, the reading itself can prove it: everything
/// that was known to be spent lies before the window. Otherwise the higher figure holds. `Spend::joined` computes the
/// same.
macro_rules! figure {
    ($column:literal, $figure:literal, $began:literal) => {
        concat!(
            $column,
            " = CASE WHEN usage_read_at IS NULL OR (usage_read_at < ",
            $began,
            " AND ?5 >= ",
            $began,
            " + ?9)
              OR (usage_read_at < ",
            $began,
            " + ?9 AND ?4 - ",
            $figure,
            " >= usage_lifetime_nano)
            THEN ",
            $figure,
            " ELSE MAX(",
            $figure,
            ", COALESCE(",
            $column,
            ", 0)) END"
        )
    };
}

/// Sets all figures of a reading. [`values`] gives the parameters `?1` to `?9`; the statement's own begin at `?10`.
macro_rules! figures {
    () => {
        concat!(
            figure!("usage_daily_nano", "?1", "?6"), ",
            ", figure!("usage_weekly_nano", "?2", "?7"), ",
            ", figure!("usage_monthly_nano", "?3", "?8"), ",
            usage_lifetime_nano = MAX(?4, COALESCE(usage_lifetime_nano, 0)), usage_read_at = MAX(?5, COALESCE(usage_read_at, 0))"
        )
    };
}

/// Whether the reading is not older than the known one, or shows more spend: the clocks of two isolates may differ.
macro_rules! is_news {
    () => {
        "(usage_read_at IS NULL OR ?5 >= usage_read_at OR ?4 > usage_lifetime_nano)"
    };
}

/// Returns the values of a statement that stores a reading, followed by the statement's own values.
pub(crate) fn values(spend: &Spend, own: impl IntoIterator<Item = SqlValue>) -> Vec<SqlValue> {
    let began = |reset: LimitReset| SqlValue::from(reset.starts(spend.read_at));
    let mut values = vec![
        spend.daily.into(),
        spend.weekly.into(),
        spend.monthly.into(),
        spend.lifetime.into(),
        spend.read_at.into(),
        began(LimitReset::Daily),
        began(LimitReset::Weekly),
        began(LimitReset::Monthly),
        SURE_SECS.into(),
    ];
    values.extend(own);
    values
}
