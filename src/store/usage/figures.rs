//! The rows of usage that a run writes, many in one statement.

use crate::domain::money::NanoUsd;
use crate::domain::usage::amounts::Used;
use crate::domain::usage::model;
use crate::domain::usage::source::OPENROUTER;
use crate::ports::Stmt;

/// The longest slug that is stored, in characters.
const SLUG_CHARS: usize = 200;

statements! {
    NAME_MODELS { source: String, slug: String, name: String } for each =
        "INSERT INTO models (source, slug, name) SELECT DISTINCT :source, :slug, :name FROM json_each(:rows) chunk WHERE true
        ON CONFLICT DO NOTHING";

    // The plan is the one that the owner had at the end of the day: the one before the first assignment after it. The
    // project is the one that the key was in when the day was first read. The workspace is the key's own.
    WRITE {
        day: i64, revision: i64, key: String, source: String, slug: String, cost: NanoUsd, byok: NanoUsd, requests: i64,
        prompt: i64, completion: i64, reasoning: i64, cached: i64,
    } for each = "INSERT INTO usage_days (day, revision, generation_id, model_id, owner_id, plan_id, project, workspace,
          cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
        SELECT d.day, d.writing, n.id, m.id, n.owner_id,
          COALESCE((SELECT p.id FROM members o JOIN audit a ON a.target = o.public_id JOIN plans p ON p.name = a.before
            WHERE o.owner_id = n.owner_id AND a.action = 'plan_assigned' AND a.at >= (d.day + 1) * 86400
            ORDER BY a.id LIMIT 1), w.plan_id),
          COALESCE((SELECT u.project FROM usage_days u
            WHERE u.day = d.day AND u.revision = d.shown AND u.generation_id = n.id LIMIT 1), k.project_id, 0),
          COALESCE((SELECT s.id FROM usage_workspaces s WHERE s.workspace_id = n.workspace_id), 0),
          :cost, :byok, :requests, :prompt, :completion, :reasoning, :cached
        FROM json_each(:rows) chunk
        CROSS JOIN usage_days_read d ON d.day = :day AND d.writing = :revision AND d.shown < d.writing
        CROSS JOIN generations n ON n.upstream_name = :key
        CROSS JOIN owners w ON w.id = n.owner_id
        CROSS JOIN keys k ON k.id = n.key_id
        CROSS JOIN models m ON m.source = :source AND m.slug = :slug
        WHERE true
        ON CONFLICT (day, revision, generation_id, model_id) DO UPDATE SET cost_nano = excluded.cost_nano,
          byok_nano = excluded.byok_nano, requests = excluded.requests, prompt = excluded.prompt,
          completion = excluded.completion, reasoning = excluded.reasoning, cached = excluded.cached";

    WORKSPACES { key: String } for each = "INSERT INTO usage_workspaces (workspace_id)
        SELECT DISTINCT n.workspace_id FROM json_each(:rows) chunk CROSS JOIN generations n ON n.upstream_name = :key
        WHERE n.workspace_id IS NOT NULL
          AND NOT EXISTS (SELECT 1 FROM usage_workspaces s WHERE s.workspace_id = n.workspace_id)
        ON CONFLICT DO NOTHING";

    // What the whole account used of a model, less what keys of ours used of it.
    UNATTRIBUTED {
        day: i64, revision: i64, source: String, slug: String, cost: NanoUsd, byok: NanoUsd, requests: i64,
        prompt: i64, completion: i64, reasoning: i64, cached: i64,
    } for each = "WITH ours AS MATERIALIZED (
          SELECT u.model_id, SUM(u.cost_nano) AS cost, SUM(u.byok_nano) AS byok, SUM(u.requests) AS requests, SUM(u.prompt) AS prompt,
            SUM(u.completion) AS completion, SUM(u.reasoning) AS reasoning, SUM(u.cached) AS cached
          FROM (SELECT DISTINCT :day AS day, :revision AS revision FROM json_each(:rows) chunk) k
          CROSS JOIN usage_days u ON u.day = k.day AND u.revision = k.revision
          WHERE u.generation_id > 0 GROUP BY u.model_id)
        INSERT INTO usage_days (day, revision, generation_id, model_id, owner_id, plan_id, project, workspace,
          cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
        SELECT d.day, d.writing, 0, m.id, 0, 0, 0, 0, MAX(:cost - COALESCE(o.cost, 0), 0), MAX(:byok - COALESCE(o.byok, 0), 0),
          MAX(:requests - COALESCE(o.requests, 0), 0), MAX(:prompt - COALESCE(o.prompt, 0), 0),
          MAX(:completion - COALESCE(o.completion, 0), 0), MAX(:reasoning - COALESCE(o.reasoning, 0), 0),
          MAX(:cached - COALESCE(o.cached, 0), 0)
        FROM json_each(:rows) chunk
        CROSS JOIN usage_days_read d ON d.day = :day AND d.writing = :revision AND d.shown < d.writing
        CROSS JOIN models m ON m.source = :source AND m.slug = :slug
        LEFT JOIN ours o ON o.model_id = m.id
        WHERE :cost > COALESCE(o.cost, 0) OR :byok > COALESCE(o.byok, 0) OR :requests > COALESCE(o.requests, 0)
        ON CONFLICT DO NOTHING";
}

/// What one key used of one model on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub day: i64,
    pub revision: i64,
    /// The name of the key at OpenRouter. It is empty for the whole account.
    pub key: String,
    pub slug: String,
    pub used: Used,
}

/// The slug as it is stored.
pub fn stored_slug(slug: &str) -> String {
    let slug: String = slug.chars().take(SLUG_CHARS).collect();
    if slug.is_empty() {
        String::from("unknown")
    } else {
        slug
    }
}

/// The name that people are shown, as it is stored.
pub(crate) fn model_name(slug: &str) -> String {
    model::name(slug).chars().take(SLUG_CHARS).collect()
}

/// Puts statements of one text together.
fn merged(stmts: impl Iterator<Item = Stmt>) -> Option<Stmt> {
    stmts.reduce(|mut all, one| {
        all.merge(&one);
        all
    })
}

fn models(rows: &[Written]) -> Option<Stmt> {
    let mut slugs: Vec<&str> = Vec::new();
    for row in rows {
        if !slugs.contains(&row.slug.as_str()) {
            slugs.push(&row.slug);
        }
    }
    merged(slugs.into_iter().map(|slug| {
        stmt!(NAME_MODELS {
            source: OPENROUTER.id,
            slug,
            name: model_name(slug),
        })
    }))
}

/// The statements that write rows of keys.
pub(super) fn written(rows: &[Written]) -> Vec<Stmt> {
    // The rows of a key follow one another.
    let mut keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    keys.dedup();
    let workspaces = merged(keys.into_iter().map(|key| stmt!(WORKSPACES { key })));
    let write = merged(rows.iter().map(|row| {
        stmt!(WRITE {
            day: row.day,
            revision: row.revision,
            key: row.key.as_str(),
            source: OPENROUTER.id,
            slug: row.slug.as_str(),
            cost: row.used.cost,
            byok: row.used.byok,
            requests: row.used.requests,
            prompt: row.used.prompt,
            completion: row.used.completion,
            reasoning: row.used.reasoning,
            cached: row.used.cached,
        })
    }));
    models(rows)
        .into_iter()
        .chain(workspaces)
        .chain(write)
        .collect()
}

/// The statements that write what no key of ours used, after all rows of keys are written.
pub(super) fn unattributed(account: &[Written]) -> Vec<Stmt> {
    let rest = merged(account.iter().map(|row| {
        stmt!(UNATTRIBUTED {
            day: row.day,
            revision: row.revision,
            source: OPENROUTER.id,
            slug: row.slug.as_str(),
            cost: row.used.cost,
            byok: row.used.byok,
            requests: row.used.requests,
            prompt: row.used.prompt,
            completion: row.used.completion,
            reasoning: row.used.reasoning,
            cached: row.used.cached,
        })
    }));
    models(account).into_iter().chain(rest).collect()
}
