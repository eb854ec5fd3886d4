//! The billing providers: which are enabled, in which order, and what members read about them.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::members;
use crate::store::query::{StoreError, batch_retrying_unknown, read_all, rows_of};

statements! {
    LIST = "SELECT json_object('slug', p.slug, 'name', p.name, 'about', p.about, 'enabled', p.enabled,
        'position', p.position) FROM providers p ORDER BY p.position, p.slug";

    CHANGE_GUARD {
        change: PublicId, target: String, now: Timestamp, actor: PublicId, epoch: i64, slug: String, name: Option<String>,
        about: Option<String>, enabled: Option<bool>, position: Option<i64>,
    } = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, :target, 'provider_changed', a.member, CASE p.enabled WHEN 1 THEN 'enabled' ELSE 'disabled' END,
          CASE COALESCE(:enabled, p.enabled) WHEN 1 THEN 'enabled' ELSE 'disabled' END, :now
        FROM current_sessions a JOIN providers p ON p.slug = :slug
        WHERE a.member = :actor AND a.epoch = :epoch
          AND (COALESCE(:name, p.name) <> p.name OR COALESCE(:about, p.about) <> p.about
            OR COALESCE(:enabled, p.enabled) <> p.enabled OR COALESCE(:position, p.position) <> p.position)
        ON CONFLICT DO NOTHING";

    CHANGE {
        name: Option<String>, about: Option<String>, enabled: Option<bool>, position: Option<i64>, change: PublicId,
        slug: String, target: String,
    } = concat!("UPDATE providers SET name = COALESCE(:name, name), about = COALESCE(:about, about),
          enabled = COALESCE(:enabled, enabled), position = COALESCE(:position, position), change_id = :change
        WHERE slug = :slug AND change_id <> :change AND ", newest_change!(":target"));
}

from_json! {
    /// A billing provider, as administrators see it.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct ProviderRow {
        pub slug: String,
        pub name: String,
        /// What members read before they sign in there.
        pub about: String,
        pub enabled: bool,
        /// Its place in the list, from 0 to 99.
        pub position: i64,
    }
}

/// What an administrator changes of a provider. What is `None` stays.
#[derive(Default)]
pub struct ProviderChange {
    pub name: Option<String>,
    pub about: Option<String>,
    pub enabled: Option<bool>,
    pub position: Option<i64>,
}

/// The statement that reads every provider, in its place.
pub fn list() -> Stmt {
    stmt!(LIST)
}

/// Returns the rows of [`list`].
pub fn read_list(rows: &Rows) -> Result<Vec<ProviderRow>, DbError> {
    read_all(rows)
}

/// Changes a provider. Returns it as it is then; `None` if there is none of this name.
pub async fn change(
    db: &dyn Database,
    admin: &Session,
    change: &PublicId,
    slug: &str,
    wanted: &ProviderChange,
    now: Timestamp,
) -> Result<Option<ProviderRow>, StoreError> {
    let target = ["provider/", slug].concat();
    let (name, about) = (wanted.name.as_deref(), wanted.about.as_deref());
    let batch = vec![
        stmt!(CHANGE_GUARD {
            change,
            target: target.as_str(),
            now,
            actor: &admin.member,
            epoch: admin.epoch,
            slug,
            name,
            about,
            enabled: wanted.enabled,
            position: wanted.position,
        }),
        stmt!(CHANGE {
            name,
            about,
            enabled: wanted.enabled,
            position: wanted.position,
            change,
            slug,
            target: target.as_str(),
        }),
        members::session_check(admin),
        list(),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, admin)?;
    let all = read_list(rows_of(&rows, 3)?)?;
    Ok(all.into_iter().find(|provider| provider.slug == slug))
}
