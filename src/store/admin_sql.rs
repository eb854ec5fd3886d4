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
