//! The accounts of the stand-in GitHub. They are roles, not people; their ids and ages never change.

use std::borrow::Cow;

/// What an account does instead of signing in normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    SignsIn,
    /// The person presses "Cancel": `access_denied`.
    Declines,
    /// The application is suspended: `application_suspended`.
    AppSuspended,
    /// The person has no verified e-mail address: the token endpoint answers `unverified_user_email`.
    Unverified,
    /// The token gets 401.
    Revoked,
    /// The token gets 403, "account was suspended".
    Suspended,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persona {
    pub id: Cow<'static, str>,
    pub github_id: u64,
    pub login: Cow<'static, str>,
    /// GitHub's `type`: `User` or `Bot`.
    pub kind: &'static str,
    /// The age of the account in days when the sandbox got its first request.
    pub age_days: i64,
    pub behaviour: Behaviour,
    /// One line for the authorize page.
    pub line: &'static str,
}

const FOUR_YEARS: i64 = 1_461;
const FIVE_YEARS: i64 = 1_826;
const SIX_YEARS: i64 = 2_191;
const LOAD_ID_BASE: u64 = 9_000_000;
const LOAD_PREFIX: &str = "load-";

const fn person(
    id: &'static str,
    github_id: u64,
    age_days: i64,
    behaviour: Behaviour,
    line: &'static str,
) -> Persona {
    account(id, id, "User", github_id, age_days, behaviour, line)
}

const fn account(
    id: &'static str,
    login: &'static str,
    kind: &'static str,
    github_id: u64,
    age_days: i64,
    behaviour: Behaviour,
    line: &'static str,
) -> Persona {
    Persona {
        id: Cow::Borrowed(id),
        github_id,
        login: Cow::Borrowed(login),
        kind,
        age_days,
        behaviour,
        line,
    }
}

/// All personas, in the order of the authorize page.
pub const PERSONAS: &[Persona] = &[
    person(
        "member",
        1_000_100,
        SIX_YEARS,
        Behaviour::SignsIn,
        "An ordinary account, six years old.",
    ),
    person(
        "second",
        1_000_101,
        SIX_YEARS,
        Behaviour::SignsIn,
        "Another ordinary account, six years old.",
    ),
    person(
        "operator",
        1_000_001,
        SIX_YEARS,
        Behaviour::SignsIn,
        "Runs the service: an admin of local runs.",
    ),
    person(
        "newcomer",
        1_000_200,
        4,
        Behaviour::SignsIn,
        "An account that is four days old.",
    ),
    person(
        "refuser",
        1_000_300,
        FOUR_YEARS,
        Behaviour::Declines,
        "Declines to authorize the application.",
    ),
    account(
        "renamed",
        "member-renamed",
        "User",
        1_000_100,
        SIX_YEARS,
        Behaviour::SignsIn,
        "The account of member after a change of its login.",
    ),
    account(
        "bot",
        "bot",
        "Bot",
        1_000_400,
        FOUR_YEARS,
        Behaviour::SignsIn,
        "A bot account, not a person.",
    ),
    person(
        "bigid",
        4_294_967_396,
        FOUR_YEARS,
        Behaviour::SignsIn,
        "An account whose id does not fit into 32 bits.",
    ),
    person(
        "revoked",
        1_000_500,
        FOUR_YEARS,
        Behaviour::Revoked,
        "Its token is refused with 401.",
    ),
    person(
        "suspended",
        1_000_600,
        FOUR_YEARS,
        Behaviour::Suspended,
        "A suspended account: its token is refused with 403.",
    ),
    person(
        "unverified",
        1_000_700,
        FOUR_YEARS,
        Behaviour::Unverified,
        "An account without a verified e-mail address.",
    ),
    person(
        "app-suspended",
        1_000_800,
        FOUR_YEARS,
        Behaviour::AppSuspended,
        "GitHub has suspended the application itself.",
    ),
];

/// The persona of this id. `load-<n>` is made when it is used.
#[must_use]
pub fn persona(id: &str) -> Option<Persona> {
    PERSONAS
        .iter()
        .find(|persona| persona.id == id)
        .cloned()
        .or_else(|| load_persona(id.strip_prefix(LOAD_PREFIX)?.parse().ok()?))
}

pub(super) fn by_github_id(github_id: u64) -> Option<Persona> {
    let listed = PERSONAS
        .iter()
        .find(|persona| persona.github_id == github_id)
        .cloned();
    listed.or_else(|| load_persona(github_id.checked_sub(LOAD_ID_BASE)?))
}

fn load_persona(number: u64) -> Option<Persona> {
    let id: Cow<'static, str> = Cow::Owned(format!("{LOAD_PREFIX}{number}"));
    let plain = person(
        "",
        LOAD_ID_BASE.checked_add(number)?,
        FIVE_YEARS,
        Behaviour::SignsIn,
        "One of many.",
    );
    Some(Persona {
        login: id.clone(),
        id,
        ..plain
    })
}
