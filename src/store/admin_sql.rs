//! Conditions about who acts, and who may claim, that several statements share.

/// Whether the row `$row`, which has an `owner_id`, is an admin's. The statement declares `admins`: the names of the
/// admins in the configuration, as a JSON list.
macro_rules! is_admins {
    ($row:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM admin_names x WHERE x.owner_id = ",
            $row,
            ".owner_id AND x.name IN (SELECT value FROM json_each(:admins)))"
        )
    };
}

/// Whether the provider of the member of row `$row`, which has an `owner_id`, may vouch for a new key: GitHub always, and
/// Google for the Workspaces of the configuration. The statement declares `google_domains`, a JSON list.
macro_rules! google_admitted {
    ($row:literal) => {
        concat!(
            "COALESCE((SELECT d.provider <> 'google' OR d.hosted_domain IN (SELECT value FROM json_each(:google_domains))
          FROM members d WHERE d.owner_id = ",
            $row,
            ".owner_id), 0)"
        )
    };
}

/// Whether a key meets every filter of an administrator's list: `k` is its row, `c` its card, `n` the generation of that, `p`
/// the owner's plan. The statement declares `state`, `hold` and `plan`, each an `Option<String>`, and `more`, a JSON object with
/// the filters that no index serves.
macro_rules! key_meets {
    () => {
        "(:state IS NULL OR c.state = :state) AND (:plan IS NULL OR p.name = :plan) AND (:state IS NOT NULL OR c.state <> 'void')
            AND (:hold IS NULL OR EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = :hold))
            AND (json_extract(:more, '$.workspace') IS NULL OR n.workspace_id = json_extract(:more, '$.workspace'))
            AND (json_extract(:more, '$.made_before') IS NULL OR k.created_at < json_extract(:more, '$.made_before'))
            AND (json_extract(:more, '$.project') IS NULL OR EXISTS (SELECT 1 FROM projects j
              WHERE j.id = k.project_id AND j.public_id = json_extract(:more, '$.project')))
            AND (json_extract(:more, '$.idle') IS NULL OR (c.usage_read_at >= json_extract(:more, '$.idle_began')
              AND CASE json_extract(:more, '$.idle') WHEN 'week' THEN c.usage_weekly_nano WHEN 'month' THEN c.usage_monthly_nano
                ELSE c.usage_lifetime_nano END = 0))
            AND (json_extract(:more, '$.day_began') IS NULL OR CASE c.limit_reset
                WHEN 'daily' THEN iif(c.usage_read_at >= json_extract(:more, '$.day_began'), c.usage_daily_nano, 0)
                WHEN 'weekly' THEN iif(c.usage_read_at >= json_extract(:more, '$.week_began'), c.usage_weekly_nano, 0)
                WHEN 'monthly' THEN iif(c.usage_read_at >= json_extract(:more, '$.month_began'), c.usage_monthly_nano, 0)
                ELSE c.usage_lifetime_nano END >= c.limit_nano)"
    };
}
