//! The SQL fragments that read what a cap is computed from: what the owner was granted, and what the sibling
//! generations spent or may still spend. Claims and the code that sets limits read the same.

use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{Grants, Sibling};
use crate::domain::money::spend::Spend;
use crate::domain::time::Timestamp;
use crate::domain::time::period::{LimitReset, SKEW_SECS};

/// The credit of the owner `$owner` in nano-USD: all payments after the margin, minus what earlier prepaid times spent
/// of them or may still spend.
macro_rules! credit {
    ($owner:literal) => {
        concat!(
            "(SELECT MIN(9000000000000000, MAX(0, COALESCE(SUM(c.credit_nano), 0) - (SELECT COALESCE(SUM(cg.prepaid_spent_nano
                + COALESCE(cg.prepaid_reserved_nano, 0)), 0) FROM generations cg
              WHERE cg.owner_id = ", $owner, " AND cg.prepaid_spent_nano IS NOT NULL)))
            FROM payments c WHERE c.owner_id = ", $owner, ")"
        )
    };
}

/// A JSON object with what plan `p` gives the owner `$owner` for the key `$key` at `$now`, and what was granted in
/// addition to the plan. A [`GrantsRow`] is read from it.
macro_rules! grants {
    ($owner:literal, $key:literal, $now:literal) => {
        concat!(
            "json_object('plan_limit_nano', p.limit_nano, 'limit_reset', p.limit_reset, 'max_active_keys', p.max_active_keys,
            'own_limit_nano', (SELECT gk.own_limit_nano FROM keys gk WHERE gk.id = ", $key, "),
            -- The lowest upstream limit of this key and of the ended keys with the same ordinal: removing a key does
            -- not lift it.
            'upstream_limit_nano', (SELECT MIN(uk.upstream_limit_nano) FROM keys gk JOIN keys uk
              ON uk.owner_id = gk.owner_id AND uk.ordinal = gk.ordinal WHERE gk.id = ", $key, "),
            'key_raises_nano', (SELECT MIN(9000000000000000, COALESCE(SUM(r.amount_nano), 0)) FROM raises r
              WHERE r.key_id = ", $key, " AND (r.until IS NULL OR r.until > ", $now, ")),
            'owner_raises_nano', (SELECT MIN(9000000000000000, COALESCE(SUM(r.amount_nano), 0))
              FROM keys rk JOIN raises r ON r.key_id = rk.id
              WHERE rk.owner_id = ", $owner, " AND rk.ended_at IS NULL AND (r.until IS NULL OR r.until > ", $now, ")),
            'raise_ends_at', (SELECT MIN(r.until) FROM keys rk JOIN raises r ON r.key_id = rk.id
              WHERE rk.owner_id = ", $owner, " AND r.until > ", $now, "),
            'credit_nano', ", credit!($owner), ")"
        )
    };
}

/// The highest limit, in nano-USD, that the key `$key` of `$owner` can get under plan `p`. A generation has this limit
/// while it is being made.
macro_rules! most {
    ($owner:literal, $key:literal) => {
        concat!(
            "CASE p.limit_reset
              WHEN 'none' THEN MAX(10000000, ", credit!($owner), ")
              ELSE MIN(9000000000000000, p.limit_nano + (SELECT COALESCE(SUM(mr.amount_nano), 0) FROM raises mr
                WHERE mr.key_id = ", $key, ")) END"
        )
    };
}

/// A summary of what the caps of an owner were computed from: a limit is sent only while the summary is the same.
macro_rules! stamp {
    ($owner:literal) => {
        concat!(
            "(SELECT MAX(v.id) || '/' || SUM(MAX(v.limit_nano, COALESCE(v.limit_sent_nano, 0))) || '/' || COUNT(*)
              FROM generations v WHERE v.owner_id = ", $owner, " AND v.live = 1)"
        )
    };
}

/// A JSON array of the owner's generations other than `$own`, with what is known of each. It has the live generations,
/// those that ended since `$since`, and, under a prepaid plan `p`, those that ended since the owner prepays.
/// [`SiblingRow`] is one element.
///
/// A generation that OpenRouter no longer has spends nothing more; what it spent after its last reading is not known. A
/// generation that is replaced at once (`$replaced`, or an audit row `superseded`) was disabled before its figures were
/// read, so it counts as ended then. A generation whose secret nobody can have is left out.
macro_rules! siblings {
    ($owner:literal, $key:literal, $own:literal, $replaced:literal, $since:literal) => {
        concat!(
            "json((SELECT json_group_array(json_object('same_key', d.key_id IS ", $key, ",
              'cap_nano', MAX(d.limit_nano, COALESCE(d.limit_sent_nano, 0)), 'limit_reset', d.limit_reset,
              'before_nano', d.lifetime_at_switch_nano,
              'over_quota', EXISTS (SELECT 1 FROM holds h WHERE h.key_id = d.key_id AND h.reason = 'plan'),
              'raises_nano', (SELECT MIN(9000000000000000, COALESCE(SUM(dr.amount_nano), 0)) FROM raises dr
                WHERE dr.key_id = d.key_id),
              'ended_at', COALESCE(d.ended_at, d.missing_since, CASE WHEN (d.id = ", $replaced, " AND d.state = 'disabled')
                OR EXISTS (SELECT 1 FROM audit a WHERE a.target = d.public_id AND a.action = 'superseded')
                THEN d.usage_read_at END),
              'usage_read_at', d.usage_read_at, 'daily_nano', d.usage_daily_nano, 'weekly_nano', d.usage_weekly_nano,
              'monthly_nano', d.usage_monthly_nano, 'lifetime_nano', d.usage_lifetime_nano))
            FROM generations d WHERE d.owner_id = ", $owner, " AND d.public_id <> ", $own, "
              AND ((d.live = 1 AND (d.recorded_at IS NOT NULL OR d.state IN ('reserved', 'minting')))
                OR (d.recorded_at IS NOT NULL AND d.ended_at >= CASE p.limit_reset
                  WHEN 'none' THEN (SELECT COALESCE(so.prepaid_since, 0) FROM owners so WHERE so.id = d.owner_id)
                  ELSE ", $since, " END))))"
        )
    };
}

/// Returns the start of the previous month or of the previous week, whichever is earlier, less the difference of the
/// clocks: by upstream's clock that window may have begun before. A sibling that ended before this moment is in no window
/// that still counts.
pub(crate) fn siblings_since(now: Timestamp) -> Timestamp {
    let window = |reset: LimitReset| reset.starts(reset.starts(now).plus(-1));
    let began = window(LimitReset::Monthly).min(window(LimitReset::Weekly));
    began.plus(-SKEW_SECS)
}

from_json! {
    /// The object that `grants!` builds.
    #[derive(Clone, Debug)]
    pub(crate) struct GrantsRow {
        plan_limit_nano: NanoUsd,
        limit_reset: LimitReset,
        max_active_keys: i64,
        own_limit_nano: Option<NanoUsd>,
        upstream_limit_nano: Option<NanoUsd>,
        key_raises_nano: NanoUsd,
        owner_raises_nano: NanoUsd,
        raise_ends_at: Option<Timestamp>,
        credit_nano: NanoUsd,
    }
}

impl From<GrantsRow> for Grants {
    fn from(row: GrantsRow) -> Self {
        Self {
            plan_limit: row.plan_limit_nano,
            limit_reset: row.limit_reset,
            max_active_keys: row.max_active_keys,
            key_raises: row.key_raises_nano,
            owner_raises: row.owner_raises_nano,
            raise_ends_at: row.raise_ends_at,
            own_limit: row.own_limit_nano,
            upstream_limit: row.upstream_limit_nano,
            credit: row.credit_nano,
        }
    }
}

from_json! {
    /// The last reading of a generation's spend, as its row has it. A figure that was never read is `None`.
    #[derive(Clone, Debug)]
    pub(crate) struct SpendRow {
        daily_nano: Option<NanoUsd>,
        weekly_nano: Option<NanoUsd>,
        monthly_nano: Option<NanoUsd>,
        lifetime_nano: Option<NanoUsd>,
        usage_read_at: Option<Timestamp>,
    }
}

impl SpendRow {
    /// Returns the reading, or `None` if any figure is missing.
    pub(crate) fn spend(&self) -> Option<Spend> {
        Some(Spend {
            daily: self.daily_nano?,
            weekly: self.weekly_nano?,
            monthly: self.monthly_nano?,
            lifetime: self.lifetime_nano?,
            read_at: self.usage_read_at?,
        })
    }
}

from_json! {
    /// One element of the array that `siblings!` builds.
    #[derive(Clone, Debug)]
    pub(crate) struct SiblingRow {
        same_key: bool,
        cap_nano: NanoUsd,
        limit_reset: LimitReset,
        before_nano: NanoUsd,
        over_quota: bool,
        raises_nano: NanoUsd,
        ended_at: Option<Timestamp>;
        usage: SpendRow,
    }
}

impl From<SiblingRow> for Sibling {
    fn from(row: SiblingRow) -> Self {
        Self {
            same_key: row.same_key,
            cap: row.cap_nano,
            limit_reset: row.limit_reset,
            ended_at: row.ended_at,
            usage: row.usage.spend(),
            before_prepaid: row.before_nano,
            over_quota: row.over_quota,
            raises: row.raises_nano,
        }
    }
}
