//! What the usage page reads: sums by day or month and by one or two groups, each panel in one statement. The largest
//! groups stand by themselves, and everything else is in the rest, so that the parts add up to the whole.

use serde_json::Value;

use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::range::Bucket;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// The current session of the one who asks, if an administrator's.
macro_rules! is_admin {
    () => {
        is_admins!("c")
    };
}

/// The columns of a row of usage, from the table `u`.
macro_rules! columns {
    () => {
        "b.bucket, u.generation_id, u.model_id, u.owner_id, u.plan_id, u.project, u.workspace, u.cost_nano AS cost, u.byok_nano AS byok,
          u.requests, u.prompt, u.completion, u.reasoning, u.cached, 0 AS unexplained"
    };
}

/// The spend of the generation `n` that its counter shows and no row breaks down, in the buckets `b` of today and of
/// yesterday: what the counter says of today, and the rest. Model 0 stands for it.
macro_rules! unexplained {
    ($from:literal) => {
        concat!(
            "SELECT b.bucket, n.id, 0, n.owner_id, w.plan_id,
              COALESCE((SELECT k.project_id FROM keys k WHERE k.id = n.key_id), 0),
              COALESCE((SELECT s.id FROM usage_workspaces s WHERE s.workspace_id = n.workspace_id), 0),
              0, 0, 0, 0, 0, 0, 0,
              IIF(:today BETWEEN b.first AND b.last, MIN(n.usage_lifetime_nano - n.explained_nano,
                IIF(n.usage_read_at >= :today * 86400, n.usage_daily_nano, 0)), 0)
              + IIF(:today - 1 BETWEEN b.first AND b.last, MAX(n.usage_lifetime_nano - n.explained_nano
                - IIF(n.usage_read_at >= :today * 86400, n.usage_daily_nano, 0), 0), 0)
            FROM ",
            $from,
            " CROSS JOIN owners w ON w.id = n.owner_id
            CROSS JOIN buckets b ON :today BETWEEN b.first AND b.last OR :today - 1 BETWEEN b.first AND b.last
            WHERE n.usage_lifetime_nano <> n.explained_nano AND n.usage_lifetime_nano > n.explained_nano"
        )
    };
}

/// What a row is grouped by, for the group that the parameter names.
macro_rules! group {
    ($by:literal) => {
        concat!(
            "CASE WHEN u.generation_id = 0 THEN NULL ELSE CASE ",
            $by,
            " WHEN 'model' THEN IIF(u.model_id = 0, NULL, (SELECT m.name FROM models m WHERE m.id = u.model_id))
              WHEN 'source' THEN IIF(u.model_id = 0, NULL, (SELECT m.source FROM models m WHERE m.id = u.model_id))
              WHEN 'key' THEN (SELECT n.key_id FROM generations n WHERE n.id = u.generation_id)
              WHEN 'member' THEN u.owner_id WHEN 'plan' THEN u.plan_id WHEN 'project' THEN u.project WHEN 'workspace' THEN u.workspace END END"
        )
    };
}

/// What people are shown of a group.
macro_rules! label {
    ($by:literal, $group:literal) => {
        concat!(
            "json(CASE ", $by,
            " WHEN 'model' THEN json_object('id', ", $group, ", 'name', ", $group, ", 'ended', 0,
                'slugs', (SELECT json_group_array(m.slug) FROM models m WHERE m.name = ", $group, "))
              WHEN 'source' THEN json_object('id', ", $group, ", 'name', ", $group, ", 'ended', 0, 'slugs', json_array())
              WHEN 'key' THEN (SELECT json_object('id', k.public_id, 'name', k.name, 'ended', k.ended_at IS NOT NULL, 'slugs', json_array())
                FROM keys k WHERE k.id = ", $group, ")
              WHEN 'member' THEN (SELECT json_object('id', m.public_id, 'name', NULLIF(m.login, ''), 'ended', m.status = 'left', 'slugs', json_array())
                FROM members m WHERE m.owner_id = ", $group, ")
              WHEN 'plan' THEN (SELECT json_object('id', p.name, 'name', p.name, 'ended', 0, 'slugs', json_array()) FROM plans p WHERE p.id = ", $group, ")
              WHEN 'project' THEN json_object('id', (SELECT p.public_id FROM projects p WHERE p.id > 0 AND p.id = ", $group, "),
                'name', (SELECT p.name FROM projects p WHERE p.id > 0 AND p.id = ", $group, "), 'ended', 0, 'slugs', json_array())
              WHEN 'workspace' THEN json_object('id', (SELECT s.workspace_id FROM usage_workspaces s WHERE s.id > 0 AND s.id = ", $group, "),
                'name', (SELECT w.name FROM usage_workspaces s JOIN workspaces w ON w.upstream_id = s.workspace_id
                  WHERE s.id > 0 AND s.id = ", $group, "), 'ended', 0, 'slugs', json_array()) END)"
        )
    };
}

/// The part of a panel's statement that all have: `usage` is the rows.
macro_rules! summed {
    () => {
        concat!("filtered AS (SELECT u.*, ", group!(":one"), " AS g1, ", group!(":two"), " AS g2,
            CASE WHEN u.generation_id = 0 THEN 'unattributed'
              WHEN u.model_id = 0 AND ('model' IN (:one, :two) OR 'source' IN (:one, :two)) THEN 'not_broken_down' ELSE 'group' END AS kind
          FROM usage u
          WHERE (:model IS NULL OR u.model_id IN (SELECT m.id FROM models m WHERE :model IN (m.name, m.slug) AND m.id > 0))
            AND (:plan IS NULL OR (u.generation_id <> 0 AND u.plan_id = (SELECT p.id FROM plans p WHERE p.name = :plan)))
            AND (:project IS NULL OR (u.generation_id <> 0 AND u.project = (SELECT p.id FROM projects p WHERE p.public_id = :project)))
            AND (:workspace IS NULL OR (u.generation_id <> 0
              AND u.workspace = (SELECT s.id FROM usage_workspaces s WHERE s.workspace_id = :workspace)))),
        grouped AS MATERIALIZED (SELECT bucket, kind, IIF(kind = 'group', g1, NULL) AS g1, IIF(kind = 'group', g2, NULL) AS g2,
            SUM(cost) AS cost, SUM(byok) AS byok, SUM(requests) AS requests, SUM(prompt) AS prompt, SUM(completion) AS completion,
            SUM(reasoning) AS reasoning, SUM(cached) AS cached, SUM(unexplained) AS unexplained
          FROM filtered GROUP BY 1, 2, 3, 4),
        ranked AS MATERIALIZED (SELECT g1, g2, ROW_NUMBER() OVER (ORDER BY SUM(cost + unexplained) DESC, SUM(byok) DESC, g1, g2) - CAST(:skip AS INTEGER) AS place
          FROM grouped WHERE kind = 'group' GROUP BY g1, g2)
        SELECT json_object('bucket', x.bucket, 'kind', IIF(x.kind = 'group' AND x.place IS NULL, 'other', x.kind), 'place', x.place,
            'one', IIF(x.place IS NULL, NULL, ", label!(":one", "x.g1"), "), 'two', IIF(x.place IS NULL, NULL, ", label!(":two", "x.g2"), "),
            'cost_nano', x.cost, 'unexplained_nano', x.unexplained, 'byok_nano', x.byok, 'requests', x.requests,
            'prompt', x.prompt, 'completion', x.completion, 'reasoning', x.reasoning, 'cached', x.cached, 'groups', x.groups)
        FROM (SELECT g.bucket, g.kind, IIF(r.place BETWEEN 1 AND :top, r.place, NULL) AS place, MAX(g.g1) AS g1, MAX(g.g2) AS g2,
            SUM(g.cost) AS cost, SUM(g.unexplained) AS unexplained, SUM(g.byok) AS byok, SUM(g.requests) AS requests, SUM(g.prompt) AS prompt,
            SUM(g.completion) AS completion, SUM(g.reasoning) AS reasoning, SUM(g.cached) AS cached, (SELECT COUNT(*) FROM ranked) AS groups
          FROM grouped g LEFT JOIN ranked r ON g.kind = 'group' AND r.g1 IS g.g1 AND r.g2 IS g.g2
          GROUP BY 1, 2, 3) x ORDER BY x.bucket, x.place IS NULL, x.place, x.kind")
    };
}

statements! {
    // Rows of one owner's generations: those of the member who asks, or of the member or key that an administrator names.
    OF_OWNER {
        buckets: String, today: i64, viewer: String, epoch: i64, admins: String, owner: Option<String>, key: Option<String>,
        one: Option<String>, two: Option<String>, model: Option<String>, plan: Option<String>, project: Option<String>, workspace: Option<String>, top: i64, skip: i64,
    } = concat!("WITH buckets AS MATERIALIZED (SELECT b.key AS bucket, b.value ->> 0 AS first, b.value ->> 1 AS last,
            (b.value ->> 2) AND EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = (b.value ->> 0)) AS by_month
          FROM json_each(:buckets) b),
        mine AS MATERIALIZED (SELECT n.id FROM current_sessions c
          CROSS JOIN members o ON o.public_id = COALESCE(:owner, (SELECT h.public_id FROM keys k CROSS JOIN members h ON h.owner_id = k.owner_id
            WHERE k.public_id = :key))
          CROSS JOIN generations n ON n.owner_id = o.owner_id
          WHERE c.member = :viewer AND c.epoch = :epoch AND (o.owner_id = c.owner_id OR (", is_admin!(), "))
            AND (:key IS NULL OR n.key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key))),
        usage AS (SELECT ", columns!(), "
          FROM buckets b CROSS JOIN usage_days_read d ON d.day BETWEEN b.first AND b.last CROSS JOIN mine g
          CROSS JOIN usage_days u ON u.day = d.day AND u.revision = d.shown AND u.generation_id = g.id
          WHERE NOT b.by_month
        UNION ALL SELECT ", columns!(), "
          FROM buckets b CROSS JOIN mine g CROSS JOIN usage_months u ON u.month = b.first AND u.generation_id = g.id
          WHERE b.by_month
        UNION ALL ", unexplained!("mine g CROSS JOIN generations n ON n.id = g.id"), "),
        ", summed!());

    OF_ALL {
        buckets: String, today: i64, viewer: String, epoch: i64, admins: String,
        one: Option<String>, two: Option<String>, model: Option<String>, plan: Option<String>, project: Option<String>, workspace: Option<String>, top: i64, skip: i64,
    } = concat!("WITH buckets AS MATERIALIZED (SELECT b.key AS bucket, b.value ->> 0 AS first, b.value ->> 1 AS last,
            (b.value ->> 2) AND EXISTS (SELECT 1 FROM usage_months_summed s WHERE s.month = (b.value ->> 0)) AS by_month
          FROM json_each(:buckets) b
          WHERE EXISTS (SELECT 1 FROM current_sessions c WHERE c.member = :viewer AND c.epoch = :epoch AND ", is_admin!(), ")),
        usage AS (SELECT ", columns!(), "
          FROM buckets b CROSS JOIN usage_days_read d ON d.day BETWEEN b.first AND b.last
          CROSS JOIN usage_days u ON u.day = d.day AND u.revision = d.shown
          WHERE NOT b.by_month
        UNION ALL SELECT ", columns!(), "
          FROM buckets b CROSS JOIN usage_months u ON u.month = b.first
          WHERE b.by_month
        UNION ALL ", unexplained!("generations n"), "),
        ", summed!());

    // The limits of a key, each from when on; what it got beyond its plan; and its secrets.
    STEPS { viewer: String, epoch: i64, admins: String, key: String } = concat!("SELECT json_object('kind', x.kind, 'at', x.at,
          'until', x.until, 'amount_nano', x.amount_nano, 'limit_reset', x.limit_reset)
        FROM current_sessions c CROSS JOIN keys k ON k.public_id = :key
        CROSS JOIN (SELECT n.key_id, 'limit' AS kind, l.at, NULL AS until, l.limit_nano AS amount_nano, l.limit_reset
            FROM generations n CROSS JOIN limit_steps l ON l.generation_id = n.id
            WHERE n.key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          UNION ALL SELECT r.key_id, 'raise', r.since, r.until, r.amount_nano, NULL FROM raises r
            WHERE r.key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key)
          UNION ALL SELECT n.key_id, 'secret', n.recorded_at, n.ended_at, NULL, NULL FROM generations n
            WHERE n.key_id = (SELECT k.id FROM keys k WHERE k.public_id = :key) AND n.recorded_at IS NOT NULL) x ON x.key_id = k.id
        WHERE c.member = :viewer AND c.epoch = :epoch AND (k.owner_id = c.owner_id OR (", is_admin!(), "))
        ORDER BY x.at, x.kind");
}

/// What usage can be grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum UsageGroup {
    Model,
    Key,
    Member,
    Plan,
    Project,
    Workspace,
    /// The tool that the usage comes from.
    Source,
}

impl UsageGroup {
    pub const ALL: [Self; 7] = [
        Self::Model,
        Self::Key,
        Self::Member,
        Self::Plan,
        Self::Project,
        Self::Workspace,
        Self::Source,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Key => "key",
            Self::Member => "member",
            Self::Plan => "plan",
            Self::Project => "project",
            Self::Workspace => "workspace",
            Self::Source => "source",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|group| group.name() == text)
    }
}

/// Whose usage is read.
#[derive(Clone, Debug)]
pub enum UsageScope {
    /// The member's own.
    Own,
    /// Everybody's, for an administrator.
    All,
    /// That of one member, for an administrator.
    Member(String),
}

/// What a panel shows.
#[derive(Clone, Debug)]
pub struct Panel<'a> {
    pub session: &'a Session,
    /// The account numbers of the administrators, as a JSON array.
    pub admins: &'a str,
    pub scope: UsageScope,
    pub today: UtcDay,
    pub one: Option<UsageGroup>,
    pub two: Option<UsageGroup>,
    pub key: Option<String>,
    pub model: Option<String>,
    pub plan: Option<String>,
    pub project: Option<String>,
    pub workspace: Option<String>,
    /// So many groups stand by themselves, after `skip` larger ones.
    pub top: i64,
    pub skip: i64,
}

impl Panel<'_> {
    /// The statement that sums the panel's usage in each of the buckets. Each row is a [`PanelRow`]. It returns no row if
    /// the one who asks may not see this usage.
    pub fn sums(&self, buckets: &[Bucket]) -> Stmt {
        let buckets: Vec<Value> = buckets
            .iter()
            .map(|bucket| {
                serde_json::json!([
                    bucket.first.number(),
                    bucket.last.number(),
                    i64::from(bucket.is_whole_month())
                ])
            })
            .collect();
        let buckets = Value::Array(buckets).to_string();
        let owner = match &self.scope {
            UsageScope::Own => Some(self.session.member.as_str()),
            UsageScope::Member(member) => Some(member.as_str()),
            UsageScope::All if self.key.is_some() => None,
            UsageScope::All => return self.of_all(buckets),
        };
        stmt!(OF_OWNER {
            buckets,
            today: self.today.number(),
            viewer: self.session.member.as_str(),
            epoch: self.session.epoch,
            admins: self.admins,
            owner,
            key: self.key.as_deref(),
            one: self.one.map(UsageGroup::name),
            two: self.two.map(UsageGroup::name),
            model: self.model.as_deref(),
            plan: self.plan.as_deref(),
            project: self.project.as_deref(),
            workspace: self.workspace.as_deref(),
            top: self.top,
            skip: self.skip,
        })
    }

    fn of_all(&self, buckets: String) -> Stmt {
        stmt!(OF_ALL {
            buckets,
            today: self.today.number(),
            viewer: self.session.member.as_str(),
            epoch: self.session.epoch,
            admins: self.admins,
            one: self.one.map(UsageGroup::name),
            two: self.two.map(UsageGroup::name),
            model: self.model.as_deref(),
            plan: self.plan.as_deref(),
            project: self.project.as_deref(),
            workspace: self.workspace.as_deref(),
            top: self.top,
            skip: self.skip,
        })
    }

    /// The statement that reads the limits, raises and secrets of a key. Each row is a [`StepRow`].
    pub fn steps(&self, key: &str) -> Stmt {
        stmt!(STEPS {
            viewer: self.session.member.as_str(),
            epoch: self.session.epoch,
            admins: self.admins,
            key,
        })
    }
}

from_json! {
    /// What people are shown of a group.
    #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct UsageLabel {
        /// Our own id, or the name; `null` for the account's default workspace while its id is unknown.
        pub id: Option<String>,
        /// What people call it; `null` if nobody gave it a name, or if the member has left.
        pub name: Option<String>,
        /// The key has ended, or the member has left.
        pub ended: bool,
        /// Of a model, the names that its source has for it.
        pub slugs: Vec<String>,
    }
}

from_json! {
    /// The usage of one group in one bucket.
    #[derive(Clone, Debug)]
    pub struct PanelRow {
        pub bucket: usize,
        /// `group`, `other`, `unattributed` or `not_broken_down`.
        pub kind: String,
        pub place: Option<usize>,
        pub one: Option<UsageLabel>,
        pub two: Option<UsageLabel>,
        pub cost_nano: NanoUsd,
        /// What the counters of keys show and no row breaks down.
        pub unexplained_nano: NanoUsd,
        pub byok_nano: NanoUsd,
        pub requests: i64,
        pub prompt: i64,
        pub completion: i64,
        pub reasoning: i64,
        pub cached: i64,
        /// How many groups there are, in all buckets.
        pub groups: i64,
    }
}

from_json! {
    /// A limit, a raise or a secret of a key.
    #[derive(Clone, Debug)]
    pub struct StepRow {
        pub kind: String,
        pub at: Timestamp,
        pub until: Option<Timestamp>,
        pub amount_nano: Option<NanoUsd>,
        pub limit_reset: Option<LimitReset>,
    }
}

/// Reads the rows of [`Panel::sums`].
pub fn panel_rows(rows: &Rows) -> Result<Vec<PanelRow>, DbError> {
    read_all(rows)
}

/// Reads the rows of [`Panel::steps`].
pub fn step_rows(rows: &Rows) -> Result<Vec<StepRow>, DbError> {
    read_all(rows)
}
