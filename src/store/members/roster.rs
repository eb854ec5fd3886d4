//! Members as administrators see them: a list in pages, and one member with their keys.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::people::identity::Status;
use crate::domain::time::Timestamp;
use crate::ports::{DbError, Rows, Stmt};
use crate::store::query::read_all;

/// At most this many keys of a member are shown, the newest.
const KEYS: i64 = 100;
/// Appended to the beginning of a login, it sorts behind every login that begins so, in the order of an index.
const BEHIND: &str = "\u{10FFFF}";

/// A member as an administrator sees them. For a member who has left, nothing says who they were.
macro_rules! card {
    () => {
        "'id', m.public_id, 'provider', m.provider, 'subject', CASE m.status WHEN 'left' THEN NULL ELSE m.subject END,
          'login', NULLIF(m.login, ''), 'login_passed_on_at', m.login_passed_on_at, 'status', m.status, 'plan', p.name,
          'blocked', json(CASE WHEN EXISTS (SELECT 1 FROM blocks b WHERE b.provider = m.provider AND b.subject = m.subject)
            THEN 'true' ELSE 'false' END),
          'keys_live', (SELECT COUNT(DISTINCT n.key_id) FROM generations n WHERE n.owner_id = m.owner_id AND n.live = 1),
          'created_at', m.created_at, 'signed_in_at', m.signed_in_at"
    };
}

/// The members, each with the owner and the plan.
macro_rules! members {
    () => {
        " FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id "
    };
}

/// The members behind the member `:after`, newest first. Without one, the list begins at the newest member. The
/// statement declares `:after` and `:most`.
macro_rules! older {
    () => {
        "m.owner_id < CASE WHEN :after IS NULL THEN 9e15
          ELSE (SELECT c.owner_id FROM members c WHERE c.public_id = :after) END
        ORDER BY m.owner_id DESC LIMIT :most"
    };
}

/// The members whose login is at least `:login_from` and before `:login_before`, behind the member `:after`, in the order
/// of their logins. This compares with a range and not with a pattern, so no character of the login is a wildcard. A page
/// begins at the login of the last member before it, so that no page reads the ones before. The statement declares
/// `:login_from`, `:login_before`, `:after` and `:most`.
macro_rules! with_login {
    () => {
        "lower(m.login) >= MAX(:login_from, COALESCE((SELECT lower(c.login) FROM members c WHERE c.public_id = :after), ''))
          AND lower(m.login) < :login_before
          AND (:after IS NULL OR (lower(m.login), m.owner_id)
            > (SELECT lower(c.login), c.owner_id FROM members c WHERE c.public_id = :after))
        ORDER BY lower(m.login), m.owner_id LIMIT :most"
    };
}

statements! {
    ALL { after: Option<PublicId>, most: i64 } =
        concat!("SELECT json_object(", card!(), ")", members!(), "WHERE ", older!());

    OF_STATUS { status: String, after: Option<PublicId>, most: i64 } =
        concat!("SELECT json_object(", card!(), ")", members!(), "WHERE m.status = :status AND ", older!());

    BY_LOGIN { login_from: String, login_before: String, after: Option<PublicId>, most: i64 } =
        concat!("SELECT json_object(", card!(), ")", members!(), "WHERE ", with_login!());

    BY_LOGIN_OF_STATUS {
        status: String, login_from: String, login_before: String, after: Option<PublicId>, most: i64,
    } = concat!("SELECT json_object(", card!(), ")", members!(), "WHERE m.status = :status AND ", with_login!());

    BY_ID { id: String, status: Option<String> } = concat!("SELECT json_object(", card!(), ")", members!(), "
        WHERE (m.public_id = :id OR (m.provider IN ('github', 'google') AND m.subject = :id))
          AND (:status IS NULL OR m.status = :status)");

    ONE { member: PublicId, most: i64 } = concat!("SELECT json_object(", card!(), ",
          'keys', json((SELECT json_group_array(json_object('id', c.public_id, 'state', c.state, 'holds', json(c.holds),
              'created_at', c.created_at, 'expires_at', c.expires_at, 'ended_at', c.ended_at))
            FROM (SELECT * FROM key_cards k WHERE k.owner_id = m.owner_id AND k.state <> 'void'
              ORDER BY k.created_at DESC LIMIT :most) c)))", members!(), "WHERE m.public_id = :member");
}

/// The statement that reads a page of so many `rows`, behind the one with the id `after`, and one more if there is one. With
/// `login` it lists the members whose login begins so, in the order of their logins; otherwise the newest come first.
pub fn page(
    login: Option<&str>,
    status: Option<Status>,
    after: Option<&PublicId>,
    rows: usize,
) -> Stmt {
    let more = i64::try_from(rows.saturating_add(1)).unwrap_or(i64::MAX);
    let status = status.map(Status::name);
    let range = login.map(|login| {
        let login_from = login.to_ascii_lowercase();
        let login_before = [login_from.as_str(), BEHIND].concat();
        (login_from, login_before)
    });
    match (range, status) {
        (Some((login_from, login_before)), None) => stmt!(BY_LOGIN {
            login_from,
            login_before,
            after,
            most: more,
        }),
        (Some((login_from, login_before)), Some(status)) => stmt!(BY_LOGIN_OF_STATUS {
            status,
            login_from,
            login_before,
            after,
            most: more,
        }),
        (None, Some(status)) => stmt!(OF_STATUS {
            status,
            after,
            most: more,
        }),
        (None, None) => stmt!(ALL { after, most: more }),
    }
}

/// The statement that reads the member with exactly this id: keycap's own id, or the account number at the provider.
pub fn by_id(id: &str, status: Option<Status>) -> Stmt {
    stmt!(BY_ID {
        id,
        status: status.map(Status::name),
    })
}

/// The statement that reads a member with their keys.
pub fn one(member: &PublicId) -> Stmt {
    stmt!(ONE { member, most: KEYS })
}

from_json! {
    /// A member as an administrator sees them. For a member who has left, nothing says who they were.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct MemberCard {
        pub id: String,
        pub provider: String,
        /// The account's number at the provider.
        pub subject: Option<String>,
        pub login: Option<String>,
        /// Since when the login is a former one.
        pub login_passed_on_at: Option<Timestamp>,
        pub status: Status,
        pub plan: String,
        pub blocked: bool,
        pub keys_live: i64,
        pub created_at: Timestamp,
        pub signed_in_at: Timestamp,
    }
}

from_json! {
    /// A member with their newest 100 keys, newest first.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct MemberDetails {
        pub keys: Vec<KeyOfMember>;
        #[serde(flatten)]
        pub card: MemberCard,
    }
}

from_json! {
    /// A member's key as an administrator sees it.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct KeyOfMember {
        pub id: String,
        pub state: GenerationState,
        pub holds: Vec<Reason>,
        pub created_at: Timestamp,
        pub expires_at: Timestamp,
        pub ended_at: Option<Timestamp>,
    }
}

/// Reads the rows of [`page`] or [`by_id`].
pub fn read_page(rows: &Rows) -> Result<Vec<MemberCard>, DbError> {
    read_all(rows)
}

/// Reads the row of [`one`]; `None` if there is no such member.
pub fn read_one(rows: &Rows) -> Result<Option<MemberDetails>, DbError> {
    Ok(read_all(rows)?.pop())
}
