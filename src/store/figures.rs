//! Joins a new reading of a key's spend with the known figures, in SQL. The known spend of a window never falls while
//! that window lasts, whichever reading is stored last: a key never counts as having spent less than it has.

use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SURE_SECS};
use crate::ports::SqlValue;

/// Sets the figure of one window, in `$column`. The figure of the new reading, `$figure`, replaces the known one if the
/// window has begun (at `$began`) since the known reading. That is certain if the new reading was made at least an hour
/// after the beginning, whatever the clocks show. Before that hour is over, the reading itself can prove it: everything
/// that was known to be spent lies before the window. Otherwise the higher figure holds. `Spend::joined` computes the
/// same.
#[allow(unused_macros)]
macro_rules! join_figure {
    ($column:literal, $figure:literal, $began:literal) => {
        concat!(
            $column,
            " = CASE WHEN usage_read_at IS NULL OR (usage_read_at < ",
            $began,
            " AND :read_at >= ",
            $began,
            " + :sure_after_secs)
              OR (usage_read_at < ",
            $began,
            " + :sure_after_secs AND :lifetime - ",
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

/// Sets all figures of a reading. The statement declares `..Spend`.
#[allow(unused_macros)]
macro_rules! join_reading {
    () => {
        concat!(
            join_figure!("usage_daily_nano", ":daily", ":day_began"),
            ",
            ",
            join_figure!("usage_weekly_nano", ":weekly", ":week_began"),
            ",
            ",
            join_figure!("usage_monthly_nano", ":monthly", ":month_began"),
            ",
            usage_lifetime_nano = MAX(:lifetime, COALESCE(usage_lifetime_nano, 0)),
            usage_read_at = MAX(:read_at, COALESCE(usage_read_at, 0))"
        )
    };
}

/// Whether the reading is not older than the known one, or shows more spend: the clocks of two isolates may differ. The
/// statement declares `..Spend`.
#[allow(unused_macros)]
macro_rules! is_newer_reading {
    () => {
        "(usage_read_at IS NULL OR :read_at >= usage_read_at OR :lifetime > usage_lifetime_nano)"
    };
}

/// A reading of a key's spend, with the beginnings of the windows that it was read in.
#[allow(dead_code)]
pub(crate) struct Reading<'a> {
    pub(crate) spend: &'a Spend,
    pub(crate) day_began: Timestamp,
    pub(crate) week_began: Timestamp,
    pub(crate) month_began: Timestamp,
}

impl<'a> From<&'a Spend> for Reading<'a> {
    fn from(spend: &'a Spend) -> Self {
        let began = |reset: LimitReset| reset.starts(spend.read_at);
        Self {
            spend,
            day_began: began(LimitReset::Daily),
            week_began: began(LimitReset::Weekly),
            month_began: began(LimitReset::Monthly),
        }
    }
}

/// The older form of `join_figure!`, with positional parameters.
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

/// The older form of `join_reading!`. [`values`] gives the parameters `?1` to `?9`; the statement's own begin at `?10`.
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

/// The older form of `is_newer_reading!`.
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
