//! What is erased of a person: when they leave, and some time after they were put out because they are gone. Every statement
//! acts only where the change has its audit row of the member.

use crate::domain::id::PublicId;
use crate::domain::time::Timestamp;
use crate::ports::{Database, DbError, Stmt};
use crate::store::audit;
use crate::store::query::read_all;
use crate::store::query::rows_of;

statements! {
    // The name of a key changes only with an audit row of the key. A key that ends in this batch already has one.
    UNNAME_GUARD { change: PublicId, actor: String, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, k.public_id, 'key_renamed', :actor, :now FROM members m JOIN keys k ON k.owner_id = m.owner_id
        WHERE m.public_id = :member AND (k.name IS NOT NULL OR k.project_id IS NOT NULL)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
        ON CONFLICT DO NOTHING";

    UNNAME { change: PublicId, member: PublicId } = "UPDATE keys SET name = NULL, project_id = NULL, change_id = :change
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member) AND (name IS NOT NULL OR project_id IS NOT NULL)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = keys.public_id)";

    // The providers' keys go on working there. Only what is on record of them is forgotten, with their labels.
    UNLINK { member: PublicId, change: PublicId } = "DELETE FROM provider_keys
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // What a terminal said about itself may be the name of the person's machine.
    UNGRANT { member: PublicId, change: PublicId } = "DELETE FROM device_grants
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // The names of projects are the member's own words.
    UNPROJECT { member: PublicId, change: PublicId } = "DELETE FROM projects
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    UNREAD { member: PublicId, change: PublicId } = "DELETE FROM notice_reads
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    UNMASK { member: PublicId, change: PublicId } = "UPDATE generations SET label = NULL
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member) AND label IS NOT NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // The requests are declined, since nobody is left to receive an answer.
    WITHDRAW_GUARD { change: PublicId, actor: String, now: Timestamp, member: PublicId } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, q.public_id, 'request_decided', :actor, q.state, 'declined', :now
        FROM members m JOIN requests q ON q.owner_id = m.owner_id
        WHERE m.public_id = :member AND q.state = 'open'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)
        ON CONFLICT DO NOTHING";

    WITHDRAW { now: Timestamp, change: PublicId, member: PublicId } =
        "UPDATE requests SET state = 'declined', decided_at = :now, change_id = :change
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member) AND state = 'open'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = requests.public_id)";

    UNWRITE { member: PublicId, change: PublicId } = "UPDATE requests SET note = NULL, answer = NULL
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // An allotment names the person. A person who comes back has to ask again.
    UNALLOT { member: PublicId, change: PublicId } = "DELETE FROM allotments
        WHERE (provider, subject) = (SELECT m.provider, m.subject FROM members m WHERE m.public_id = :member)
        AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // Stored answers to the member, and to administrators about the member, may name the person.
    UNANSWER { member: PublicId, change: PublicId } = "DELETE FROM idempotency_keys
        WHERE (owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member)
            OR (owner_id, key_sha256) IN
              (SELECT o.owner_id, o.key_sha256 FROM idempotency_names o WHERE o.member = :member))
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // Members who were put out before this moment, behind one of them.
    DEPARTED_BEFORE { before: Timestamp, since: Timestamp, after: i64, most: i64 } =
        "SELECT json_object('member', m.public_id, 'since', d.since, 'owner', d.owner_id)
        FROM departed d JOIN members m ON m.owner_id = d.owner_id
        WHERE d.erased_at IS NULL AND d.since <= :before AND (d.since, d.owner_id) > (:since, :after)
        ORDER BY d.since, d.owner_id LIMIT :most";

    ERASE_GUARD { change: PublicId, member: PublicId, before: Timestamp, now: Timestamp } =
        "INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, m.public_id, 'member_erased', 'offboard', :now
        FROM members m JOIN departed d ON d.owner_id = m.owner_id
        WHERE m.public_id = :member AND m.status <> 'active' AND d.erased_at IS NULL AND d.since <= :before
        ON CONFLICT DO NOTHING";

    ERASED { change: PublicId, member: PublicId, now: Timestamp } =
        "UPDATE departed SET erased_at = :now, change_id = :change
        WHERE owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member) AND erased_at IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    // The account number stays, since it is what refuses the person, and the terms that they accepted stay.
    ERASE { change: PublicId, member: PublicId } =
        "UPDATE members SET login = '', login_passed_on_at = NULL, account_created_at = 0, hosted_domain = NULL, change_id = :change
        WHERE public_id = :member AND status <> 'active'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";
}

/// The statements that erase a member's own words, and what names them, behind a guard that has written the change's audit
/// row of the member. `actor` is who erases.
pub(crate) fn words(
    change: &PublicId,
    actor: &str,
    member: &PublicId,
    now: Timestamp,
) -> [Stmt; 12] {
    [
        stmt!(UNNAME_GUARD {
            change,
            actor,
            now,
            member,
        }),
        stmt!(UNNAME { change, member }),
        stmt!(UNLINK { member, change }),
        stmt!(UNGRANT { member, change }),
        stmt!(UNPROJECT { member, change }),
        stmt!(UNREAD { member, change }),
        stmt!(UNMASK { member, change }),
        stmt!(WITHDRAW_GUARD {
            change,
            actor,
            now,
            member,
        }),
        stmt!(WITHDRAW {
            now,
            change,
            member,
        }),
        stmt!(UNWRITE { member, change }),
        stmt!(UNALLOT { member, change }),
        stmt!(UNANSWER { member, change }),
    ]
}

from_json! {
    /// A member who was put out, and when.
    #[derive(Clone, Debug)]
    pub struct ErasureDue {
        pub member: String,
        pub since: Timestamp,
        pub owner: i64,
    }
}

/// Returns at most `most` members who were put out before this moment and are not erased, behind the one who was put out
/// at `since` and has the owner `after`: those who were put out first come first.
pub async fn due(
    db: &dyn Database,
    before: Timestamp,
    since: Timestamp,
    after: i64,
    most: i64,
) -> Result<Vec<ErasureDue>, DbError> {
    let due = stmt!(DEPARTED_BEFORE {
        before,
        since,
        after,
        most
    });
    read_all(rows_of(&db.batch(vec![due]).await?, 0)?)
}

/// Erases what is stored about a member who was put out before this moment. Answers whether this change has done it.
pub async fn erase(
    db: &dyn Database,
    member: &PublicId,
    before: Timestamp,
    change: &PublicId,
    now: Timestamp,
) -> Result<bool, DbError> {
    let mut batch = vec![
        stmt!(ERASE_GUARD {
            change,
            member,
            before,
            now
        }),
        stmt!(ERASED {
            change,
            member,
            now
        }),
    ];
    batch.extend(words(change, "offboard", member, now));
    batch.push(stmt!(ERASE { change, member }));
    audit::run(db, batch, change, member.as_str()).await
}
