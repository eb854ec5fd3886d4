//! The days that a run reads: under which revision it writes a day, and how the whole day is shown at once.

use crate::domain::time::Timestamp;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::progress::ReadDay;
use crate::domain::usage::source::OPENROUTER;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::query::{batch_retrying_unknown, read_all, rows_of};
use crate::store::usage::figures::{Written, unattributed, written};

statements! {
    READ { from: i64, to: i64 } = "SELECT json_object('day', d.day, 'shown', d.shown, 'as_of', d.as_of, 'source', d.source,
          'row_count', d.row_count, 'ours_nano', d.ours_nano, 'unattributed_nano', d.unattributed_nano,
          'failed_keys', d.failed_keys, 'is_rolled', d.is_rolled)
        FROM usage_days_read d WHERE d.day BETWEEN :from AND :to ORDER BY d.day";

    // A batch that was lost and is sent again skips a revision, which does no harm.
    BEGIN { days: String } = "INSERT INTO usage_days_read (day, writing)
        SELECT DISTINCT b.value, 1 FROM json_each(:days) b WHERE true
        ON CONFLICT (day) DO UPDATE SET writing = writing + 1
        RETURNING json_object('day', day, 'revision', writing)";

    // The rows of keys that OpenRouter has deleted, or did not answer for, are those that were shown before.
    KEEP { day: i64, revision: i64, kept: String } =
        "INSERT INTO usage_days (day, revision, generation_id, model_id, owner_id, plan_id, project, workspace,
          cost_nano, byok_nano, requests, prompt, completion, reasoning, cached)
        SELECT u.day, :revision, u.generation_id, u.model_id, u.owner_id, u.plan_id, u.project, u.workspace,
          u.cost_nano, u.byok_nano, u.requests, u.prompt, u.completion, u.reasoning, u.cached
        FROM usage_days_read d
        CROSS JOIN usage_days u ON u.day = d.day AND u.revision = d.shown
        CROSS JOIN generations n ON n.id = u.generation_id
        WHERE d.day = :day AND d.writing = :revision AND d.shown < :revision AND u.generation_id > 0
          AND (n.erased_at IS NOT NULL OR n.missing_since IS NOT NULL
            OR n.upstream_name IN (SELECT f.value FROM json_each(:kept) f))
          AND NOT EXISTS (SELECT 1 FROM usage_days w
            WHERE w.day = u.day AND w.revision = :revision AND w.generation_id = u.generation_id)
        ON CONFLICT DO NOTHING";

    // What the rows explain of each key's counter follows the rows that are shown, in the same batch.
    EXPLAIN_COUNTERS { day: i64, revision: i64 } = "UPDATE generations SET explained_nano = explained_nano + change.nano
        FROM (SELECT u.generation_id, SUM(IIF(u.revision = :revision, 1, -1) * (u.cost_nano + u.byok_nano)) AS nano
          FROM usage_days_read d CROSS JOIN usage_days u ON u.day = d.day AND u.revision IN (d.shown, d.writing)
          WHERE d.day = :day AND d.writing = :revision AND d.shown < :revision AND u.generation_id > 0
          GROUP BY u.generation_id) change
        WHERE generations.id = change.generation_id AND change.nano <> 0";

    SHOW { day: i64, revision: i64, source: String, run: String, as_of: Timestamp, failed_keys: i64 } =
        "UPDATE usage_days_read SET shown = :revision, source = :source, run = :run, as_of = :as_of, failed_keys = :failed_keys,
          (row_count, ours_nano, unattributed_nano) = (
            SELECT COUNT(*), COALESCE(SUM(u.cost_nano) FILTER (WHERE u.generation_id > 0), 0),
              COALESCE(SUM(u.cost_nano) FILTER (WHERE u.generation_id = 0), 0)
            FROM usage_days u WHERE u.day = :day AND u.revision = :revision)
        WHERE day = :day AND writing = :revision AND shown < :revision";

    DROP_OLDER { day: i64 } = "DELETE FROM usage_days WHERE day = :day
        AND revision < (SELECT d.shown FROM usage_days_read d WHERE d.day = :day)";

    UNSUM { month: i64 } = "DELETE FROM usage_months_summed WHERE month = :month";

    THROUGH { day: i64, today: i64 } = "UPDATE settings SET usage_through = :day
        WHERE :day < :today AND COALESCE(usage_through, :day - 1) < :day";

    READ_THROUGH = "SELECT json_object('usage_through', s.usage_through) FROM settings s";

    // Keys that may have been used that day, in the order of their rows.
    USABLE { after: i64, from: Timestamp, before: Timestamp, most: i64 } =
        "SELECT json_object('id', n.id, 'name', n.upstream_name, 'hash', n.upstream_hash)
        FROM generations n WHERE n.id > :after AND n.upstream_hash IS NOT NULL
          AND n.recorded_at < :before AND (n.ended_at IS NULL OR n.ended_at >= :from)
        ORDER BY n.id LIMIT :most";

    // OpenRouter tells analytics by the names of keys. These keys have another name there than their row says.
    RENAMED = "SELECT json_object('id', n.id, 'name', n.upstream_name, 'hash', n.upstream_hash)
        FROM drift f JOIN generations n ON n.id = f.generation_id
        WHERE f.kind = 'name' AND n.upstream_hash IS NOT NULL AND n.erased_at IS NULL";

    MODELS = "SELECT json_object('source', m.source, 'slug', m.slug, 'name', m.name) FROM models m";

    RENAME_MODEL { source: String, slug: String, name: String } for each =
        "UPDATE models SET name = :name FROM json_each(:rows) chunk WHERE source = :source AND slug = :slug AND name <> :name";
}

from_json! {
    /// A day as the last run has left it.
    #[derive(Clone, Debug)]
    pub struct DayRow {
        pub day: i64,
        pub shown: i64,
        pub as_of: Option<Timestamp>,
        pub source: Option<String>,
        pub row_count: i64,
        pub ours_nano: i64,
        pub unattributed_nano: i64,
        pub failed_keys: i64,
        pub is_rolled: bool,
    }
}

impl DayRow {
    pub fn read_day(&self) -> ReadDay {
        ReadDay {
            day: UtcDay::from_number(self.day),
            as_of: self.as_of.filter(|_| self.shown > 0),
            is_partial: self.failed_keys > 0,
            is_rolled: self.is_rolled,
        }
    }
}

from_json! {
    /// A day and the revision under which a run writes it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
    pub struct DayRevision {
        pub day: i64,
        pub revision: i64,
    }
}

from_json! {
    /// A key that may have usage.
    #[derive(Clone, Debug)]
    pub struct UsedKey {
        pub id: i64,
        pub name: String,
        pub hash: String,
    }
}

from_json! {
    struct ModelRow {
        source: String,
        slug: String,
        name: String,
    }
}

/// The statement that reads the days of a range, both ends included. Each row is a [`DayRow`].
pub fn read_days(from: UtcDay, to: UtcDay) -> Stmt {
    stmt!(READ {
        from: from.number(),
        to: to.number()
    })
}

/// Reads the rows of [`read_days`].
pub fn days_of(rows: &Rows) -> Result<Vec<DayRow>, DbError> {
    read_all(rows)
}

from_json! {
    struct ThroughRow {
        usage_through: Option<i64>,
    }
}

/// The statement that reads the last day up to which everything is there; [`through_of`] reads its row.
pub fn read_through() -> Stmt {
    stmt!(READ_THROUGH)
}

/// Returns that day; `None` before the first run.
pub fn through_of(rows: &Rows) -> Result<Option<UtcDay>, DbError> {
    let rows: Vec<ThroughRow> = read_all(rows)?;
    Ok(rows
        .first()
        .and_then(|row| row.usage_through)
        .map(UtcDay::from_number))
}

/// What a run knows before it reads days.
#[derive(Debug)]
pub struct KnownDays {
    pub days: Vec<DayRow>,
    /// The last day up to which everything is there.
    pub through: Option<UtcDay>,
}

/// Reads the days of a range, and how far everything is there.
pub async fn known(db: &dyn Database, from: UtcDay, to: UtcDay) -> Result<KnownDays, DbError> {
    let rows = db.batch(vec![read_days(from, to), read_through()]).await?;
    Ok(KnownDays {
        days: days_of(rows_of(&rows, 0)?)?,
        through: through_of(rows_of(&rows, 1)?)?,
    })
}

/// Takes a new revision of each day, under which this run writes it. From now on no earlier run writes these days.
pub async fn begin(db: &dyn Database, days: &[UtcDay]) -> Result<Vec<DayRevision>, DbError> {
    let days: Vec<i64> = days.iter().map(|day| day.number()).collect();
    let days = serde_json::to_string(&days).map_err(|_| DbError::Broken)?;
    let rows = batch_retrying_unknown(db, vec![stmt!(BEGIN { days })]).await?;
    read_all(rows_of(&rows, 0)?)
}

/// Writes rows of keys under the revisions that they name. Rows whose name belongs to no key of ours are left out, and so is
/// everything of a revision that another run has taken over.
pub async fn write(db: &dyn Database, rows: &[Written]) -> Result<(), DbError> {
    batch_retrying_unknown(db, written(rows)).await.map(|_| ())
}

/// The end of a day: what it is shown with.
pub struct Shown<'a> {
    pub at: DayRevision,
    pub source: &'static str,
    pub run: &'a str,
    pub as_of: Timestamp,
    /// The names of the keys whose earlier rows are kept, since OpenRouter did not answer for them, or knows them no more.
    pub kept: &'a [String],
    /// How many of these are to be read again.
    pub failed_keys: usize,
    /// What the whole account used, by model. The part of it that no key of ours used is unattributed.
    pub account: &'a [Written],
}

/// Shows a day: all rows of the revision at once, in place of those before.
pub async fn show(db: &dyn Database, shown: &Shown<'_>) -> Result<(), DbError> {
    let DayRevision { day, revision } = shown.at;
    let kept = serde_json::to_string(shown.kept).map_err(|_| DbError::Broken)?;
    let mut batch = vec![stmt!(KEEP {
        day,
        revision,
        kept
    })];
    batch.extend(unattributed(shown.account));
    batch.extend([
        stmt!(EXPLAIN_COUNTERS { day, revision }),
        stmt!(SHOW {
            day,
            revision,
            source: shown.source,
            run: shown.run,
            as_of: shown.as_of,
            failed_keys: i64::try_from(shown.failed_keys).unwrap_or(i64::MAX),
        }),
        stmt!(DROP_OLDER { day }),
        stmt!(UNSUM {
            month: UtcDay::from_number(day).month().number()
        }),
    ]);
    // Sent again, it changes nothing: the day is shown already.
    batch_retrying_unknown(db, batch).await.map(|_| ())
}

/// Records the last day up to which everything is there. It never moves back, and never to `today` or later.
pub async fn set_through(db: &dyn Database, day: UtcDay, today: UtcDay) -> Result<(), DbError> {
    let through = stmt!(THROUGH {
        day: day.number(),
        today: today.number()
    });
    batch_retrying_unknown(db, vec![through]).await.map(|_| ())
}

/// Returns at most `most` keys that may have been used between `from` and `before`, after the row `after`.
pub async fn usable(
    db: &dyn Database,
    after: i64,
    from: Timestamp,
    before: Timestamp,
    most: i64,
) -> Result<Vec<UsedKey>, DbError> {
    let usable = stmt!(USABLE {
        after,
        from,
        before,
        most
    });
    read_all(rows_of(&db.batch(vec![usable]).await?, 0)?)
}

/// Returns the keys that have another name at OpenRouter than in their row.
pub async fn renamed(db: &dyn Database) -> Result<Vec<UsedKey>, DbError> {
    read_all(rows_of(&db.batch(vec![stmt!(RENAMED)]).await?, 0)?)
}

/// Names the known models anew if the rules have changed.
pub async fn name_models(db: &dyn Database) -> Result<(), DbError> {
    let rows = db.batch(vec![stmt!(MODELS)]).await?;
    let models: Vec<ModelRow> = read_all(rows_of(&rows, 0)?)?;
    let mut renamed: Option<Stmt> = None;
    for model in models.iter().filter(|model| model.source == OPENROUTER.id) {
        let name = super::figures::model_name(&model.slug);
        if name == model.name {
            continue;
        }
        let one = stmt!(RENAME_MODEL {
            source: model.source.as_str(),
            slug: model.slug.as_str(),
            name,
        });
        match &mut renamed {
            Some(all) => all.merge(&one),
            None => renamed = Some(one),
        }
    }
    let batch: Vec<Stmt> = renamed.into_iter().collect();
    if batch.is_empty() {
        return Ok(());
    }
    batch_retrying_unknown(db, batch).await.map(|_| ())
}
