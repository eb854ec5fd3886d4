//! The acceptance of the terms, written in the batch of the claim that carries it. The acceptance stands whether or not
//! the claim makes a key.

use crate::domain::id::PublicId;
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::ports::Stmt;
use crate::store::keys::attempt::Attempt;

statements! {
    ACCEPT_GUARD { change: PublicId, terms_rev: i64, now: Timestamp, member: PublicId, epoch: i64 } =
        "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT :change, m.public_id, 'terms_accepted', m.public_id, m.terms_rev, CAST(:terms_rev AS INTEGER), :now
        FROM current_sessions a JOIN members m ON m.owner_id = a.owner_id
        WHERE a.member = :member AND a.epoch = :epoch AND m.terms_rev < :terms_rev
        ON CONFLICT DO NOTHING";

    ACCEPT { terms_rev: i64, now: Timestamp, change: PublicId, member: PublicId } =
        "UPDATE members SET terms_rev = :terms_rev, terms_at = :now, change_id = :change
        WHERE public_id = :member AND terms_rev < :terms_rev
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";
}

/// The statements that go before those of the reservation, so that its guard sees the acceptance.
pub(crate) fn accept(attempt: &Attempt) -> [Stmt; 2] {
    let (member, now) = (&attempt.session.member, attempt.now);
    [
        stmt!(ACCEPT_GUARD {
            change: &attempt.change,
            terms_rev: REVISION,
            now,
            member,
            epoch: attempt.session.epoch,
        }),
        stmt!(ACCEPT {
            terms_rev: REVISION,
            now,
            change: &attempt.change,
            member,
        }),
    ]
}
