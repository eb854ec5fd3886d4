//! Device grants (RFC 8628): what the member who has typed a code sees and decides. `asked` has what the terminal asks. Codes
//! are known here only by their hashes.

pub mod asked;

use crate::domain::id::PublicId;
use crate::domain::people::device::{DeviceState, WRONG_CODES_A_DAY};
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::ports::{Database, Stmt};
use crate::store::members;
use crate::store::query::{StoreError, batch_retrying_unknown, last_row, read, read_all, rows_of};

/// The grant `g` with one of the user codes that the member `a` may have typed, in a current session. The statement declares
/// `member`, `epoch` and `user_codes`.
macro_rules! typed_grant {
    () => {
        " FROM current_sessions a JOIN device_grants g ON (g.owner_id IS NULL OR g.owner_id = a.owner_id)
        WHERE a.member = :member AND a.epoch = :epoch AND g.user_code_hmac IN (SELECT value FROM json_each(:user_codes))"
    };
}

statements! {
    WRONG_GUARD {
        change: PublicId, now: Timestamp, member: PublicId, epoch: i64, user_codes: String, most_a_day: i64,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, s.member, 'device_code_wrong', s.member, :now FROM current_sessions s
        WHERE s.member = :member AND s.epoch = :epoch
          AND ", used_today!("s.owner_id", "device_code_wrong", ":now"), " < :most_a_day
          AND NOT EXISTS (SELECT 1", typed_grant!(), ")
        ON CONFLICT DO NOTHING");

    TRIED { member: PublicId, now: Timestamp } = concat!("SELECT json_object('wrong', ",
        used_today!("m.owner_id", "device_code_wrong", ":now"), ") FROM members m WHERE m.public_id = :member");

    // An address is compared only if both are known.
    TYPED { member: PublicId, epoch: i64, user_codes: String, addresses: String } =
        concat!("SELECT json_object('client', g.client, 'device', g.device, 'state', g.state, 'created_at', g.created_at,
          'expires_at', g.expires_at, 'change', g.change_id,
          'same_address', CASE WHEN g.address_hmac IS NOT NULL AND :addresses <> '[]'
            THEN g.address_hmac IN (SELECT value FROM json_each(:addresses)) END)", typed_grant!());

    APPROVE_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64, user_codes: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, a.member, 'device_approved', a.member, :now", typed_grant!(), "
          AND g.state = 'pending' AND g.expires_at > :now
        ON CONFLICT DO NOTHING");

    APPROVE {
        member: PublicId, epoch: i64, accepts_terms: bool, workspace: Option<PublicId>, change: PublicId,
        user_codes: String,
    } = "UPDATE device_grants SET state = 'approved', epoch = :epoch, accepts_terms = :accepts_terms, workspace = :workspace,
          owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member), change_id = :change
        WHERE user_code_hmac IN (SELECT value FROM json_each(:user_codes)) AND state = 'pending'
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

    DENY_GUARD { change: PublicId, now: Timestamp, member: PublicId, epoch: i64, user_codes: String } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, a.member, 'device_denied', a.member, :now", typed_grant!(), "
          AND g.state IN ('pending', 'approved') AND g.expires_at > :now
        ON CONFLICT DO NOTHING");

    DENY { member: PublicId, epoch: i64, change: PublicId, user_codes: String } =
        "UPDATE device_grants SET state = 'denied', epoch = :epoch,
          owner_id = (SELECT m.owner_id FROM members m WHERE m.public_id = :member), change_id = :change
        WHERE user_code_hmac IN (SELECT value FROM json_each(:user_codes)) AND state IN ('pending', 'approved')
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :member)";

}

from_json! {
    struct WrongCodes {
        wrong: i64,
    }
}

from_json! {
    /// A grant, for the member who has typed its code.
    #[derive(Clone, Debug)]
    pub struct TypedGrant {
        pub client: String,
        pub device: Option<String>,
        pub state: DeviceState,
        pub created_at: Timestamp,
        pub expires_at: Timestamp,
        /// The change that wrote it last.
        change: String,
        /// Whether the terminal's network address is the browser's. `None` if one of them is not known.
        pub same_address: Option<bool>,
    }
}

/// A code that a member has typed, under each of our secrets, as a JSON list; and their own address alike.
pub struct TypedCode<'a> {
    pub session: &'a Session,
    pub user_codes: &'a str,
    pub addresses: &'a str,
    pub change: PublicId,
    pub now: Timestamp,
}

/// What a member decides.
pub enum DeviceDecision {
    Approve {
        accepts_terms: bool,
        workspace: Option<PublicId>,
    },
    Deny,
}

/// Looks for the grant with this code. One that is not there counts as a wrong code of the member. Returns it, and whether
/// the member has typed more wrong codes today than they may.
pub async fn look_up(
    db: &dyn Database,
    typed: &TypedCode<'_>,
) -> Result<(Option<TypedGrant>, bool), StoreError> {
    let member = &typed.session.member;
    let batch = vec![
        stmt!(WRONG_GUARD {
            change: &typed.change,
            now: typed.now,
            member,
            epoch: typed.session.epoch,
            user_codes: typed.user_codes,
            most_a_day: WRONG_CODES_A_DAY,
        }),
        stmt!(TRIED {
            member,
            now: typed.now
        }),
        members::session_check(typed.session),
        of_code(typed),
    ];
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, typed.session)?;
    let wrong: Option<WrongCodes> = rows_of(&rows, 1)?
        .first()
        .map(|row| read(row))
        .transpose()?;
    let found: Vec<TypedGrant> = read_all(rows_of(&rows, 3)?)?;
    let is_over = wrong.is_none_or(|row| row.wrong >= WRONG_CODES_A_DAY);
    Ok((found.into_iter().next(), is_over))
}

fn of_code(typed: &TypedCode<'_>) -> Stmt {
    stmt!(TYPED {
        member: &typed.session.member,
        epoch: typed.session.epoch,
        user_codes: typed.user_codes,
        addresses: typed.addresses,
    })
}

/// Writes down what the member decides about the grant with this code. Returns the grant as it is then, and whether it was
/// this decision that counts.
pub async fn decide(
    db: &dyn Database,
    typed: &TypedCode<'_>,
    decision: &DeviceDecision,
) -> Result<(TypedGrant, bool), StoreError> {
    let (change, now, member) = (&typed.change, typed.now, &typed.session.member);
    let (epoch, user_codes) = (typed.session.epoch, typed.user_codes);
    let mut batch = match decision {
        DeviceDecision::Approve {
            accepts_terms,
            workspace,
        } => vec![
            stmt!(APPROVE_GUARD {
                change,
                now,
                member,
                epoch,
                user_codes,
            }),
            stmt!(APPROVE {
                member,
                epoch,
                accepts_terms: *accepts_terms,
                workspace: workspace.as_ref(),
                change,
                user_codes,
            }),
        ],
        DeviceDecision::Deny => vec![
            stmt!(DENY_GUARD {
                change,
                now,
                member,
                epoch,
                user_codes,
            }),
            stmt!(DENY {
                member,
                epoch,
                change,
                user_codes,
            }),
        ],
    };
    batch.push(members::session_check(typed.session));
    batch.push(of_code(typed));
    let rows = batch_retrying_unknown(db, batch).await?;
    members::current(rows_of(&rows, 2)?, typed.session)?;
    let found = last_row::<TypedGrant>(&rows)?.ok_or(StoreError::NotFound)?;
    let is_ours = found.change == change.as_str();
    Ok((found, is_ours))
}
