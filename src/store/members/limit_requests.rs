//! What is behind a request for more: what it asks for, the raise that its approval is, and how a request is withdrawn.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::Stmt;

statements! {
    // An approved request for more is a raise of its key, which begins a second ago, as every raise does.
    RAISE_GUARD { change: PublicId, actor: PublicId, now: Timestamp, request: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, after_nano, at)
        SELECT :change, k.public_id, 'limit_raised', :actor, q.amount_nano, :now
        FROM requests q JOIN keys k ON k.id = q.key_id
        WHERE q.public_id = :request AND q.kind = 'limit' AND q.state = 'approved'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)
        ON CONFLICT DO NOTHING";

    RAISE { since: Timestamp, change: PublicId, request: PublicId } =
        "INSERT INTO raises (public_id, key_id, amount_nano, since, until, change_id)
        SELECT 'rai_' || substr(q.public_id, 5), q.key_id, q.amount_nano, :since, q.until, :change
        FROM requests q JOIN keys k ON k.id = q.key_id
        WHERE q.public_id = :request
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)
          AND :change = (SELECT w.change_id FROM audit w WHERE w.target = k.public_id ORDER BY w.id DESC LIMIT 1)
        ON CONFLICT DO NOTHING";

    CAPS_DUE { now: Timestamp, change: PublicId, request: PublicId } = "UPDATE generations SET cap_due_at = :now
        WHERE live = 1 AND owner_id = (SELECT q.owner_id FROM requests q WHERE q.public_id = :request)
          AND EXISTS (SELECT 1 FROM requests q JOIN raises r ON r.key_id = q.key_id
            WHERE q.public_id = :request AND r.change_id = :change)";

    WITHDRAW_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64, request: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, q.public_id, 'request_withdrawn', a.member, q.state, 'withdrawn', :now
        FROM requests q JOIN current_sessions a ON a.owner_id = q.owner_id
        WHERE q.public_id = :request AND q.state = 'open' AND a.member = :member AND a.epoch = :epoch
        ON CONFLICT DO NOTHING";

    WITHDRAW { now: Timestamp, change: PublicId, request: PublicId } =
        "UPDATE requests SET state = 'withdrawn', decided_at = :now, change_id = :change
        WHERE public_id = :request AND state = 'open'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :request)";
}

from_json! {
    /// A higher limit that a member asks for.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct LimitWish {
        /// The id of the key.
        pub key: String,
        pub key_name: Option<String>,
        /// How much more than the plan's limit.
        pub amount_usd: NanoUsd,
        /// Until when; `null` is for good.
        pub until: Option<Timestamp>,
    }
}

/// The key, how much more than the plan's limit, and until when.
pub struct NewLimitWish {
    /// The key's id as the request names it; it may be any text.
    pub key: String,
    pub amount: NanoUsd,
    pub until: Option<Timestamp>,
}

/// The statements that raise the limit of the key of a request for more, if this change has approved it.
pub(crate) fn raise(
    change: &PublicId,
    actor: &PublicId,
    request: &PublicId,
    now: Timestamp,
) -> [Stmt; 3] {
    [
        stmt!(RAISE_GUARD {
            change,
            actor,
            now,
            request,
        }),
        stmt!(RAISE {
            since: now.plus(-1),
            change,
            request,
        }),
        stmt!(CAPS_DUE {
            now,
            change,
            request,
        }),
    ]
}

/// The statements that withdraw an open request of the member.
pub(crate) fn withdrawal(
    session: &Session,
    request: &PublicId,
    change: &PublicId,
    now: Timestamp,
) -> [Stmt; 2] {
    [
        stmt!(WITHDRAW_GUARD {
            change,
            now,
            member: &session.member,
            epoch: session.epoch,
            request,
        }),
        stmt!(WITHDRAW {
            now,
            change,
            request,
        }),
    ]
}
