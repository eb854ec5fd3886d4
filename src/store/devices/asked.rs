//! What a terminal asks about its device grant: to begin it, and whether there is a key. The question that finds it approved
//! makes the key.

use crate::domain::id::PublicId;
use crate::domain::people::device::{
    DeviceState, GRANT_SECS, INTERVAL_SECS, OPEN_GRANTS, SLACK_SECS,
};
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::query::{batch_retrying_unknown, last_row};

/// A grant is forgotten this long after its end, in seconds: a day.
const FORGOTTEN_AFTER_SECS: i64 = 86_400;

statements! {
    BEGIN {
        device_code_sha256: String, user_code_hmac: String, client: String, device: Option<String>,
        address_hmac: Option<String>, interval_secs: i64, now: Timestamp, expires_at: Timestamp, most: i64,
    } = "INSERT INTO device_grants (device_code_sha256, user_code_hmac, client, device, address_hmac, interval_secs,
          created_at, expires_at)
        SELECT :device_code_sha256, :user_code_hmac, :client, :device, :address_hmac, :interval_secs, :now, :expires_at
        WHERE (SELECT COUNT(*) FROM (SELECT 1 FROM device_grants g WHERE g.expires_at > :now LIMIT :most)) < :most
        ON CONFLICT DO NOTHING";

    BEGUN { device_code_sha256: String } = "SELECT json_object('begun',
        EXISTS (SELECT 1 FROM device_grants WHERE device_code_sha256 = :device_code_sha256))";

    // The question that makes the key. The approval counts only as long as the session in which it was given.
    REDEEM_GUARD {
        change: PublicId, now: Timestamp, device_code_sha256: String, client: String, paced: Timestamp,
    } = "INSERT INTO audit (change_id, target, action, actor, before, at)
        SELECT :change, a.member, 'device_redeemed', a.member, 'approved', :now
        FROM device_grants g JOIN current_sessions a ON a.owner_id = g.owner_id AND a.epoch = g.epoch
        WHERE g.device_code_sha256 = :device_code_sha256 AND g.client = :client AND g.state = 'approved'
          AND g.expires_at > :now AND (g.polled_at IS NULL OR g.polled_at + g.interval_secs <= :paced)
        ON CONFLICT DO NOTHING";

    REDEEM { change: PublicId, device_code_sha256: String } = "UPDATE device_grants SET state = 'redeemed', change_id = :change
        WHERE device_code_sha256 = :device_code_sha256 AND state = 'approved'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND action = 'device_redeemed')";

    // A question that comes too early makes the terminal wait longer from then on. Its nonce keeps a repeated batch from
    // counting it twice.
    PACE {
        device_code_sha256: String, client: String, paced: Timestamp, step: i64, now: Timestamp, poll: String,
    } = "UPDATE device_grants SET was_early = polled_at IS NOT NULL AND polled_at + interval_secs > :paced,
          interval_secs = interval_secs + :step * (polled_at IS NOT NULL AND polled_at + interval_secs > :paced),
          polled_at = :now, poll = :poll
        WHERE device_code_sha256 = :device_code_sha256 AND client = :client AND poll IS NOT :poll
          AND state IN ('pending', 'approved') AND expires_at > :now";

    ASKED { device_code_sha256: String, client: String } =
        "SELECT json_object('state', g.state, 'expires_at', g.expires_at, 'was_early', g.was_early, 'change', g.change_id,
          'member', (SELECT m.public_id FROM members m WHERE m.owner_id = g.owner_id), 'epoch', g.epoch,
          'accepts_terms', g.accepts_terms, 'workspace', g.workspace)
        FROM device_grants g WHERE g.device_code_sha256 = :device_code_sha256 AND g.client = :client";

    FAIL_GUARD { change: PublicId, code: String, now: Timestamp, device_code_sha256: String, redeemed: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'device_failed', m.public_id, 'redeemed', :code, :now
        FROM device_grants g JOIN members m ON m.owner_id = g.owner_id
        WHERE g.device_code_sha256 = :device_code_sha256 AND g.state = 'redeemed' AND g.change_id = :redeemed
        ON CONFLICT DO NOTHING";

    FAIL { change: PublicId, device_code_sha256: String } =
        "UPDATE device_grants SET state = 'failed', change_id = :change
        WHERE device_code_sha256 = :device_code_sha256 AND state = 'redeemed'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND action = 'device_failed')";

    FORGET { expired_before: Timestamp, most: i64 } = "DELETE FROM device_grants WHERE id IN
        (SELECT id FROM device_grants WHERE expires_at < :expired_before ORDER BY expires_at LIMIT :most)";
}

/// What a terminal begins with.
pub struct NewDeviceGrant<'a> {
    pub device_code_sha256: &'a str,
    pub user_code_hmac: &'a str,
    /// What the terminal calls itself, and the machine that it says it runs on.
    pub client: &'a str,
    pub device: Option<&'a str>,
    pub address_hmac: Option<&'a str>,
}

from_json! {
    struct DeviceBegun {
        begun: bool,
    }
}

from_json! {
    /// A grant, for the terminal that has begun it.
    #[derive(Clone, Debug)]
    pub struct AskedGrant {
        pub state: DeviceState,
        pub expires_at: Timestamp,
        /// Whether this question came too early.
        pub was_early: bool,
        /// The change that wrote it last.
        pub change: String,
        /// Who has decided, and the epoch of their session.
        pub member: Option<String>,
        pub epoch: Option<i64>,
        pub accepts_terms: bool,
        pub workspace: Option<String>,
    }
}

/// Begins a grant. Answers false if as many are open as there may be.
pub async fn begin(
    db: &dyn Database,
    new: &NewDeviceGrant<'_>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(BEGIN {
            device_code_sha256: new.device_code_sha256,
            user_code_hmac: new.user_code_hmac,
            client: new.client,
            device: new.device,
            address_hmac: new.address_hmac,
            interval_secs: INTERVAL_SECS,
            now,
            expires_at: now.plus(GRANT_SECS),
            most: OPEN_GRANTS,
        }),
        stmt!(BEGUN {
            device_code_sha256: new.device_code_sha256,
        }),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    Ok(last_row::<DeviceBegun>(&rows)?.is_some_and(|row| row.begun))
}

/// A question of a terminal.
pub struct DeviceQuestion<'a> {
    pub device_code_sha256: &'a str,
    pub client: &'a str,
    pub change: PublicId,
    /// A text that only this question has.
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// Takes a question of a terminal: counts its pace, and takes the grant for its one mint if it is approved. Returns the grant
/// as it is then, or `None` if there is none of this client with this code. The question whose change wrote it last makes the
/// key.
pub async fn ask(
    db: &dyn Database,
    question: &DeviceQuestion<'_>,
) -> Result<Option<AskedGrant>, DbError> {
    let (device_code_sha256, client) = (question.device_code_sha256, question.client);
    let (change, now) = (&question.change, question.now);
    let paced = now.plus(SLACK_SECS);
    let batch = vec![
        stmt!(REDEEM_GUARD {
            change,
            now,
            device_code_sha256,
            client,
            paced,
        }),
        stmt!(REDEEM {
            change,
            device_code_sha256,
        }),
        stmt!(PACE {
            device_code_sha256,
            client,
            paced,
            step: INTERVAL_SECS,
            now,
            poll: question.nonce,
        }),
        stmt!(ASKED {
            device_code_sha256,
            client,
        }),
    ];
    last_row(&batch_retrying_unknown(db, batch).await?)
}

/// Writes down that the question with the change `redeemed` made no key, for the reason `code`. Answers whether this was
/// written.
pub async fn fail(
    db: &dyn Database,
    question: &DeviceQuestion<'_>,
    member: &PublicId,
    redeemed: &PublicId,
    code: &str,
) -> Result<bool, DbError> {
    let batch = vec![
        stmt!(FAIL_GUARD {
            change: &question.change,
            code,
            now: question.now,
            device_code_sha256: question.device_code_sha256,
            redeemed,
        }),
        stmt!(FAIL {
            change: &question.change,
            device_code_sha256: question.device_code_sha256,
        }),
    ];
    audit::run(db, batch, &question.change, member.as_str()).await
}

/// The statement that forgets grants that ended a day ago.
pub(crate) fn forget(most: i64, now: Timestamp) -> Stmt {
    stmt!(FORGET {
        expired_before: now.plus(-FORGOTTEN_AFTER_SECS),
        most,
    })
}
