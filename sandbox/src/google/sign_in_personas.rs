//! The accounts of the stand-in Google. They are roles, not people; their ids and addresses never change.

use std::borrow::Cow;

/// What an account does instead of signing in normally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GoogleBehaviour {
    SignsIn,
    /// The address is not verified: `email_verified` is false.
    Unverified,
    /// The person presses "Cancel": `access_denied`.
    Declines,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GooglePersona {
    pub id: Cow<'static, str>,
    /// The claim `sub`: 21 digits, which do not fit into a 64-bit integer.
    pub sub: Cow<'static, str>,
    pub email: Cow<'static, str>,
    /// The claim `hd`. An account that no Workspace manages has none.
    pub hd: Option<&'static str>,
    pub behaviour: GoogleBehaviour,
    /// One line for the authorize page.
    pub line: &'static str,
}

/// The domain of the company whose Workspace is played.
const COMPANY: &str = "company.example";
const LOAD_PREFIX: &str = "load-";

const fn person(
    id: &'static str,
    sub: &'static str,
    email: &'static str,
    hd: Option<&'static str>,
    line: &'static str,
) -> GooglePersona {
    account(id, sub, email, hd, GoogleBehaviour::SignsIn, line)
}

const fn account(
    id: &'static str,
    sub: &'static str,
    email: &'static str,
    hd: Option<&'static str>,
    behaviour: GoogleBehaviour,
    line: &'static str,
) -> GooglePersona {
    GooglePersona {
        id: Cow::Borrowed(id),
        sub: Cow::Borrowed(sub),
        email: Cow::Borrowed(email),
        hd,
        behaviour,
        line,
    }
}

/// All personas, in the order of the authorize page.
pub const GOOGLE_PERSONAS: &[GooglePersona] = &[
    person(
        "employee",
        "110000000000000000100",
        "Employee@company.example",
        Some(COMPANY),
        "Somebody in the Workspace of company.example.",
    ),
    person(
        "colleague",
        "110000000000000000101",
        "colleague@company.example",
        Some(COMPANY),
        "Somebody else in the Workspace of company.example.",
    ),
    person(
        "operator",
        "110000000000000000001",
        "operator@company.example",
        Some(COMPANY),
        "Runs the service: an admin of local runs.",
    ),
    person(
        "successor",
        "110000000000000000002",
        "operator@company.example",
        Some(COMPANY),
        "Another account that was given the address of operator.",
    ),
    person(
        "renamed",
        "110000000000000000100",
        "renamed@company.example",
        Some(COMPANY),
        "The account of employee after a change of its address.",
    ),
    person(
        "consumer",
        "110000000000000000200",
        "consumer@mail.example",
        None,
        "An account of no Workspace.",
    ),
    person(
        "lookalike",
        "110000000000000000201",
        "operator@company.example",
        None,
        "An account of no Workspace that was made with a company's address.",
    ),
    person(
        "foreign",
        "110000000000000000300",
        "someone@other.example",
        Some("other.example"),
        "Somebody in the Workspace of another company.",
    ),
    account(
        "unverified",
        "110000000000000000400",
        "unverified@mail.example",
        None,
        GoogleBehaviour::Unverified,
        "An account without a verified e-mail address.",
    ),
    account(
        "refuser",
        "110000000000000000500",
        "refuser@company.example",
        Some(COMPANY),
        GoogleBehaviour::Declines,
        "Declines to sign in to the application.",
    ),
];

/// The persona of this id. `load-<n>` is made when it is used.
#[must_use]
pub fn google_persona(id: &str) -> Option<GooglePersona> {
    let listed = GOOGLE_PERSONAS.iter().find(|persona| persona.id == id);
    listed
        .cloned()
        .or_else(|| load_persona(id.strip_prefix(LOAD_PREFIX)?.parse().ok()?))
}

fn load_persona(number: u32) -> Option<GooglePersona> {
    let plain = google_persona("employee")?;
    Some(GooglePersona {
        id: Cow::Owned(format!("{LOAD_PREFIX}{number}")),
        sub: Cow::Owned(format!("1190000000{number:011}")),
        email: Cow::Owned(format!("{LOAD_PREFIX}{number}@{COMPANY}")),
        line: "One of many.",
        ..plain
    })
}
