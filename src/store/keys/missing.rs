//! Keys that OpenRouter no longer has: what is known of the account that says so, and the mark on the row.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError};
use crate::store::audit;
use crate::store::query::last_row;

statements! {
    // Nothing is concluded from the answers of another account, or while the database may have lost something.
    ACCOUNT {} for each = "SELECT json_object('row', chunk.key, 'may_conclude', s.account = 'known' AND s.restore = 'none',
            'home_workspace_id', s.home_workspace_id) FROM json_each(:rows) chunk CROSS JOIN settings s";

    // The key keeps its state and its seat, so `before` and `after` are the same.
    MISSED_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String } for each =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'key_missed', :actor, n.state, n.state, :now
        FROM json_each(:rows) chunk JOIN generations n ON n.public_id = :generation
        WHERE n.state IN ('active', 'disabled') AND n.missing_since IS NULL
        ON CONFLICT DO NOTHING";

    MISSED { change: PublicId, generation: String, now: Timestamp } for each =
        concat!("UPDATE generations SET missing_since = :now FROM json_each(:rows) chunk
        WHERE public_id = :generation AND missing_since IS NULL AND ", newest_change!(":generation"));

    FOUND_GUARD { change: PublicId, actor: String, now: Timestamp, generation: String } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, n.public_id, 'key_found', :actor, n.state, n.state, :now FROM generations n
        WHERE n.public_id = :generation AND n.missing_since IS NOT NULL
        ON CONFLICT DO NOTHING";

    FOUND { change: PublicId, generation: String } = concat!("UPDATE generations SET missing_since = NULL
        WHERE public_id = :generation AND missing_since IS NOT NULL AND ", newest_change!(":generation"));
}

from_json! {
    /// What the database knows of the account behind the management key.
    #[derive(Clone, Debug)]
    pub struct Account {
        /// Its answers are about our own account, as far as the database knows.
        pub may_conclude: bool,
        pub home_workspace_id: Option<String>,
    }
}

/// Reads what is known of the account.
pub async fn account(db: &dyn Database) -> Result<Account, DbError> {
    last_row(&db.batch(vec![stmt!(ACCOUNT)]).await?)?.ok_or(DbError::Broken)
}

/// Marks a generation as missing, because OpenRouter says that it has no such key. Answers false if it is marked
/// already or has ended.
pub fn missed(
    db: &dyn Database,
    generation: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(MISSED_GUARD {
            change,
            actor,
            now,
            generation,
        }),
        stmt!(MISSED {
            change,
            generation,
            now,
        }),
    ];
    audit::run_for_each(db, batch, change, generation)
}

/// Removes the mark, because OpenRouter has the key after all. Answers false if there was none.
pub fn found(
    db: &dyn Database,
    generation: &str,
    actor: &str,
    change: &PublicId,
    now: Timestamp,
) -> impl Future<Output = Result<bool, DbError>> {
    let batch = vec![
        stmt!(FOUND_GUARD {
            change,
            actor,
            now,
            generation,
        }),
        stmt!(FOUND { change, generation }),
    ];
    audit::run(db, batch, change, generation)
}
