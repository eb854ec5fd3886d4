//! The acceptance of the terms, written in the batch of the claim that carries it. The acceptance stands whether or not
//! the claim makes a key.

use crate::domain::policy::terms::REVISION;
use crate::ports::Stmt;
use crate::store::keys::attempt::Attempt;

statements_at! {
    ACCEPT_GUARD = "INSERT INTO audit (change_id, target, action, actor, before, after, at)
        SELECT ?1, m.public_id, 'terms_accepted', m.public_id, m.terms_rev, CAST(?2 AS INTEGER), ?3
        FROM members m JOIN settings s
        WHERE m.public_id = ?4 AND m.epoch + s.session_epoch = ?5 AND m.status = 'active' AND m.terms_rev < ?2
        ON CONFLICT DO NOTHING";

    ACCEPT = "UPDATE members SET terms_rev = ?1, terms_at = ?2, change_id = ?3
        WHERE public_id = ?4 AND terms_rev < ?1
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?4)";
}

/// The statements that go before those of the reservation, so that its guard sees the acceptance.
pub(crate) fn accept(attempt: &Attempt) -> [Stmt; 2] {
    let (member, now) = (&attempt.session.member, attempt.now);
    [
        stmt_at!(
            ACCEPT_GUARD,
            &attempt.change,
            REVISION,
            now,
            member,
            attempt.session.epoch
        ),
        stmt_at!(ACCEPT, REVISION, now, &attempt.change, member),
    ]
}
