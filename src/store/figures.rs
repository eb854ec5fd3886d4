//! Joins a new reading of a key's spend with the known figures, in SQL. The known spend of a window never falls while
//! that window lasts, whichever reading is stored last: a key never counts as having spent less than it has.

use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// Sets the figure of one window, in `$column`. The figure of the new reading, `$figure`, replaces the known one if the
/// window has begun (at `$began`) since the known reading. That is certain if the new reading was made at least an hour
/// after the beginning, whatever the clocks show. Before that hour is over, the reading itself can prove it: everything
/// that was known to be spent lies before the window. Otherwise the higher figure holds. `Spend::joined` computes the
/// same.
macro_rules! join_figure {
    ($column:literal, $figure:literal, $began:literal) => {
        concat!(
            $column,
            " = CASE WHEN (usage_read_at < ",
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
macro_rules! is_newer_reading {
    () => {
        "(usage_read_at IS NULL OR :read_at >= usage_read_at OR :lifetime > usage_lifetime_nano)"
    };
}

/// A reading of a key's spend, with the beginnings of the windows that it was read in.
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
