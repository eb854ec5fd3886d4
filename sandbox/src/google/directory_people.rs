//! The people of the Workspace that is played, and what its directory says of them that is not so.

use serde::{Deserialize, Serialize};

/// What has become of a person's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Active,
    Suspended,
    Archived,
    /// Deleted and restorable: only `showDeleted` lists the account, and reading it answers 404.
    Deleted,
    /// Deleted for good: nothing lists the account, and reading it answers 404.
    Purged,
    /// Deleted, and reading the account answers 412.
    Refused,
}

/// One account of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryPerson {
    /// The account's id, which is the claim `sub` of its ID tokens.
    pub id: String,
    pub email: String,
    pub standing: Standing,
}

impl DirectoryPerson {
    #[must_use]
    pub fn new(id: &str, email: &str, standing: Standing) -> Self {
        Self {
            id: id.to_owned(),
            email: email.to_owned(),
            standing,
        }
    }
}

/// What is false about the directory's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectoryLie {
    /// The list ends after half of the people.
    Half,
    /// Two of five people are not listed.
    TwoFifthsMissing,
    /// One of a hundred people is not listed.
    OneInHundredMissing,
    /// Nobody is listed.
    Empty,
    /// Every page names the same next page.
    SameToken,
    /// Every page is the first one.
    SamePage,
    /// Reading any account answers 412, "User is deleted.".
    Refuses,
    /// No account says whether it is suspended.
    NoStates,
    /// No account has an id.
    NoIds,
    /// The administrator has no right to read people.
    Forbidden,
}
