//! What a key was read to have spent, joined in SQL with what was known of it. What is known of a window never falls
//! while that window lasts, whichever reading is written down last: a key is counted as no less than it has spent.

use crate::domain::money::budget::SURE_SECS;
use crate::domain::money::spend::Spend;
use crate::domain::time::period::LimitReset;
use crate::ports::SqlValue;

/// The figure of one window, in `$column`: the later reading `$figure` holds where the window has begun since the one that
/// is known. That is so when a whole hour of it has passed since, whatever the clocks show; and earlier, when all that was
/// known to be spent lies before it. Else the higher figure holds. `Spend::joined` says the same.
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

/// All figures of a reading; its values are [`values`], and those of the statement's own follow from `?10` on.
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

/// Not a reading that is older than what is known, unless it knows of more: clocks of two isolates may differ.
macro_rules! is_news {
    () => {
        "(usage_read_at IS NULL OR ?5 >= usage_read_at OR ?4 > usage_lifetime_nano)"
    };
}

/// The values of a statement that writes a reading down, and its own after them.
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
